// The bytes of a pickle, operand by operand (internal to io/).
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "wildrayzer/io/pickle.h"

namespace wildrayzer {

class PickleReader {
 public:
  // `bytes` must outlive the values read; `path` is for messages.
  PickleReader(std::string path, std::span<const std::byte> bytes) : path_(std::move(path)), bytes_(bytes) {}

  uint64_t position() const { return position_; }
  [[noreturn]] void Fail(const std::string& problem) const;

  // FileError beyond the end, before anything is allocated.
  std::span<const std::byte> Take(uint64_t count) {
    if (count > bytes_.size() - position_) Fail("the pickle is cut off; is the download incomplete?");
    position_ += count;
    return bytes_.subspan(position_ - count, count);
  }
  template <typename T>
  T TakeInteger() {
    T value;
    std::memcpy(&value, Take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  // A name up to the end of its line, at most kLongestName bytes.
  std::string_view TakeLine();
  // kString, or kBytes if it is no valid UTF-8 (Python 2 wrote bytes as texts).
  PickleValue TakeString(uint64_t length);
  PickleValue TakeBytes(uint64_t length);
  PickleValue TakeLong(uint64_t length);
  PickleValue TakeFloat();

  static constexpr uint64_t kLongestName = 1024;

 private:
  std::string path_;
  std::span<const std::byte> bytes_;
  uint64_t position_ = 0;
};

}  // namespace wildrayzer

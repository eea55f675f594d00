// Integers at checked positions of a file in memory; for .cc files of io only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wildrayzer/util/error.h"

namespace wildrayzer {

// Everything outside the file raises FileError, "cut off".
class ByteReader {
 public:
  // The name must outlive the reader.
  ByteReader(std::span<const std::byte> bytes, const std::string& name, bool big_endian)
      : bytes_(bytes), name_(name), big_(big_endian) {}

  uint64_t size() const { return bytes_.size(); }
  std::span<const std::byte> Slice(uint64_t at, uint64_t count) const {
    if (at > bytes_.size() || count > bytes_.size() - at) FailCutOff();
    return bytes_.subspan(at, count);
  }
  uint32_t U8(uint64_t at) const { return std::to_integer<uint32_t>(Slice(at, 1)[0]); }
  uint32_t U16(uint64_t at) const { return Integer(at, 2); }
  uint32_t U24(uint64_t at) const { return Integer(at, 3); }
  uint32_t U32(uint64_t at) const { return Integer(at, 4); }
  bool Is(uint64_t at, std::string_view text) const {
    return at <= bytes_.size() && text.size() <= bytes_.size() - at &&
           std::memcmp(bytes_.data() + at, text.data(), text.size()) == 0;
  }
  [[noreturn]] void FailCutOff() const {
    Fail("is cut off (incomplete download or copy?): fetch the file again");
  }
  [[noreturn]] void Fail(const char* problem) const { throw FileError(name_, problem); }

 private:
  uint32_t Integer(uint64_t at, int count) const {
    const std::span<const std::byte> field = Slice(at, static_cast<uint64_t>(count));
    uint32_t value = 0;
    for (int i = 0; i < count; ++i) {
      value = value << 8 | std::to_integer<uint32_t>(field[static_cast<size_t>(big_ ? i : count - 1 - i)]);
    }
    return value;
  }

  std::span<const std::byte> bytes_;
  const std::string& name_;
  bool big_;
};

inline void AppendBytes(std::vector<std::byte>* out, std::span<const std::byte> bytes) {
  const size_t size = out->size();  // not insert(): GCC 12 warns about its inlined growth without cause
  out->resize(size + bytes.size());
  if (!bytes.empty()) std::memcpy(out->data() + size, bytes.data(), bytes.size());
}

// Where the entry of a tag stands in the directory at `directory` of a TIFF structure, if there is one.
inline std::optional<uint64_t> TiffEntry(const ByteReader& in, uint64_t directory, uint32_t tag) {
  const uint32_t count = in.U16(directory);
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t entry = directory + 2 + 12ull * i;
    if (in.U16(entry) == tag) return entry;
  }
  return std::nullopt;
}

// Its value, if it is a SHORT or LONG (or a directory's place).
inline std::optional<uint32_t> TiffTag(const ByteReader& in, uint64_t directory, uint32_t tag) {
  const std::optional<uint64_t> entry = TiffEntry(in, directory, tag);
  if (!entry) return std::nullopt;
  const uint32_t type = in.U16(*entry + 2);
  if (type == 3) return in.U16(*entry + 8);
  if (type == 4 || type == 13) return in.U32(*entry + 8);
  return std::nullopt;
}

}  // namespace wildrayzer

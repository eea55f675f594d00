// Opening hand-made PyTorch files in tests.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <list>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/io/torch_archive.h"
#include "wildrayzer/io/torch_test_files.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer::testing {

// Opens the bytes (copied, so that the address sanitizer sees every overrun) and reads every tensor of the
// state dict.
inline std::string Refusal(const std::string& content, const PickleLimits& limits = {}) {
  const std::vector<char> exact(content.begin(), content.end());
  try {
    const TensorFile file =
        TorchArchive::Parse(MappedFile::FromMemory("test.pt", std::as_bytes(std::span(exact))), limits)
            .StateDict();
    unsigned sum = 0;
    for (const TensorEntry& entry : file.tensors()) {
      entry.Stream([&](std::span<const std::byte> bytes) {
        for (const std::byte byte : bytes) sum += std::to_integer<unsigned>(byte);
      });
    }
    EXPECT_LT(sum, 1u << 31);  // uses the sum
  } catch (const FileError& error) {
    EXPECT_EQ(error.path(), "test.pt");
    EXPECT_EQ(error.problem().find('\n'), std::string::npos) << "one line";
    return error.problem();
  }
  return "accepted";
}

inline std::string PickleRefusal(const std::string& body, const PickleLimits& limits = {}) {
  return Refusal(Archive(Pickle(body)), limits);
}

// Keeps a copy of the content until the end of the program, because archives look into it.
inline TorchArchive Parse(const std::string& content) {
  static std::list<std::string> kept;
  kept.push_back(content);
  return TorchArchive::Parse(MappedFile::FromMemory("test.pt", std::as_bytes(std::span(kept.back()))));
}

// A tensor beside the value under test, so that the file has a state dict.
inline std::string WithTensor(const std::string& value) {
  return Dict({{"w", TensorText().Build()}, {"value", value}});
}

inline std::vector<float> Values(const TensorEntry& entry) {
  std::vector<float> values;
  entry.Stream([&](std::span<const std::byte> bytes) {
    const size_t old = values.size();
    values.resize(old + bytes.size() / sizeof(float));
    std::memcpy(values.data() + old, bytes.data(), bytes.size());
  });
  return values;
}

}  // namespace wildrayzer::testing

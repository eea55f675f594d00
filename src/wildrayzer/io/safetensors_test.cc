#include "wildrayzer/io/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>

#include "wildrayzer/io/safetensors_appender.h"
#include "wildrayzer/io/tensor_checks.h"
#include "wildrayzer/io/torch_archive.h"
#include "wildrayzer/testing/files.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::FreshFolder;
using ::testing::HasSubstr;
using testing::ReadText;

// A file of the given header text and number of data bytes.
std::string Bytes(const std::string& header, size_t data) {
  const uint64_t length = header.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes + header + std::string(data, '\1');
}

TensorFile Parse(const std::string& bytes) {
  return ParseSafetensors(MappedFile::FromMemory("test.safetensors", std::as_bytes(std::span(bytes))));
}

// The message of the refusal; "accepted" when there is none.
std::string Refusal(const std::string& bytes) {
  try {
    Parse(bytes);
  } catch (const FileError& error) {
    EXPECT_EQ(error.path(), "test.safetensors");
    return error.problem();
  }
  return "accepted";
}

std::string Refusal(const std::string& header, size_t data) { return Refusal(Bytes(header, data)); }

std::string Entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& range) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + range +
         "}";
}

TensorSource Floats(const std::string& name, std::vector<int64_t> shape, std::vector<float> values) {
  return {name, DType::kF32, std::move(shape),
          [values](const ByteSink& sink) { sink(std::as_bytes(std::span(values))); }};
}

TEST(Safetensors, ReadsTensorsAndMetadata) {
  const std::string bytes =
      Bytes("{\"__metadata__\":{\"k\":\"v\"}," + Entry("b", "F32", "[2,1]", "[3,11]") + "," +
                Entry("a", "U8", "[3]", "[0,3]") + "," + Entry("s", "I16", "[]", "[11,13]") + "," +
                Entry("empty", "F64", "[0,7]", "[13,13]") + "}",
            13);
  const TensorFile file = Parse(bytes);
  EXPECT_EQ(file.format(), "safetensors");
  EXPECT_EQ(file.metadata().at("k"), "v");
  ASSERT_EQ(file.tensors().size(), 4u);
  EXPECT_EQ(file.tensors()[0].name, "b");
  EXPECT_THAT(file.Find("b")->shape, ElementsAre(2, 1));
  EXPECT_THAT(file.Find("b")->strides, ElementsAre(1, 1));
  EXPECT_EQ(file.Find("b")->data - file.Find("a")->data, 3);  // unaligned data is legal
  EXPECT_EQ(file.Find("s")->numel(), 1);
  EXPECT_EQ(file.Find("empty")->numel(), 0);
  EXPECT_EQ(file.Find("c"), nullptr);
}

TEST(Safetensors, AcceptsWhiteSpaceAroundTheHeaderAndAnEmptyFile) {
  EXPECT_EQ(Refusal(" \t\r\n{" + Entry("a", "U8", "[1]", "[0,1]") + "}  \n\t\r", 1), "accepted");
  EXPECT_EQ(Refusal("{}", 0), "accepted");
  EXPECT_EQ(Refusal("{\"__metadata__\":{}}", 0), "accepted");
}

TEST(Safetensors, IgnoresUnknownFieldsOfATensor) {
  EXPECT_EQ(Refusal("{\"a\":{\"x\":{\"y\":[1.5,null,{\"z\":-1}]},\"dtype\":\"U8\",\"shape\":[1],\"data_"
                    "offsets\":[0,1]}}",
                    1),
            "accepted");
}

TEST(Safetensors, RefusesBadLengths) {
  EXPECT_THAT(Refusal(std::string(7, '\0')), HasSubstr("too short"));
  std::string huge = Bytes("{}", 0);
  const uint64_t length = uint64_t{1} << 60;
  std::memcpy(huge.data(), &length, sizeof(length));
  EXPECT_THAT(Refusal(huge), HasSubstr("header of 1152921504606846976 bytes"));
  const uint64_t beyond = 3;
  std::memcpy(huge.data(), &beyond, sizeof(beyond));
  EXPECT_THAT(Refusal(huge), HasSubstr("cut off"));
}

TEST(Safetensors, RefusesBadJson) {
  EXPECT_THAT(Refusal("", 0), HasSubstr("no valid JSON"));
  EXPECT_THAT(Refusal("{", 0), HasSubstr("no valid JSON"));
  EXPECT_THAT(Refusal("{}x", 0), HasSubstr("no valid JSON"));
  EXPECT_THAT(Refusal("{\"\xff\":1}", 0), HasSubstr("no valid JSON"));  // not UTF-8
  EXPECT_THAT(Refusal(std::string("{}\0{}", 5), 0), HasSubstr("zero byte"));
  EXPECT_THAT(Refusal("\xEF\xBB\xBF{}", 0), HasSubstr("byte order mark"));
  for (const char* text : {"[]", "1", "\"a\"", "null", "true", "-1", "1.5"}) {
    EXPECT_THAT(Refusal(text, 0), HasSubstr("no JSON object")) << text;
  }
  EXPECT_THAT(Refusal("{\"a\":{\"x\":" + std::string(100, '[') + std::string(100, ']') + "}}", 0),
              HasSubstr("too deeply"));
}

TEST(Safetensors, RefusesDuplicateKeysAtEveryLevel) {
  const std::string a = Entry("a", "U8", "[1]", "[0,1]");
  EXPECT_THAT(Refusal("{" + a + "," + a + "}", 1), HasSubstr("'a' appears twice"));
  EXPECT_THAT(Refusal("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0), HasSubstr("'k' appears twice"));
  EXPECT_THAT(Refusal("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,1]}}", 1),
              HasSubstr("'shape' appears twice"));
  EXPECT_THAT(
      Refusal("{\"a\":{\"x\":{\"y\":1,\"y\":2},\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1),
      HasSubstr("'y' appears twice"));
  EXPECT_THAT(Refusal("{\"__metadata__\":{},\"__metadata__\":{}}", 0), HasSubstr("appears twice"));
}

TEST(Safetensors, RefusesWrongTypes) {
  EXPECT_THAT(Refusal("{\"a\":1}", 0), HasSubstr("'a' is no object"));
  EXPECT_THAT(Refusal("{\"a\":[]}", 0), HasSubstr("'a' is no object"));
  EXPECT_THAT(Refusal("{\"__metadata__\":{\"k\":1}}", 0), HasSubstr("'k' is no string"));
  EXPECT_THAT(Refusal("{\"__metadata__\":{\"k\":{}}}", 0), HasSubstr("'k' is no string"));
  EXPECT_THAT(Refusal("{\"__metadata__\":[]}", 0), HasSubstr("no object"));
  for (const char* shape :
       {"[1.0]", "[-1]", "[\"1\"]", "[[1]]", "[null]", "[true]", "1", "{}", "[1e0]", "[281474976710656]"}) {
    EXPECT_THAT(Refusal("{" + Entry("a", "U8", shape, "[0,1]") + "}", 1), HasSubstr("tensor 'a'")) << shape;
  }
  for (const char* range :
       {"[0]", "[0,1,2]", "[0,1.0]", "[-1,1]", "[1,0]", "\"01\"", "[0,18446744073709551615]"}) {
    EXPECT_THAT(Refusal("{" + Entry("a", "U8", "[1]", range) + "}", 1), HasSubstr("tensor 'a'")) << range;
  }
  EXPECT_THAT(Refusal("{" + Entry("a", "F8_E5M2", "[1]", "[0,1]") + "}", 1),
              HasSubstr("'F8_E5M2' is not supported"));
  EXPECT_THAT(Refusal("{\"a\":{\"dtype\":3,\"shape\":[1],\"data_offsets\":[0,1]}}", 1), HasSubstr("'dtype'"));
  EXPECT_THAT(Refusal("{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1), HasSubstr("'dtype' is missing"));
  EXPECT_THAT(Refusal("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1),
              HasSubstr("'shape' is missing"));
  EXPECT_THAT(Refusal("{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1), HasSubstr("'data_offsets' is missing"));
}

TEST(Safetensors, RefusesBadRanges) {
  const auto two = [](const std::string& first, const std::string& second) {
    return "{" + Entry("a", "U8", "[2]", first) + "," + Entry("b", "U8", "[2]", second) + "}";
  };
  EXPECT_EQ(Refusal(two("[2,4]", "[0,2]"), 4), "accepted");
  EXPECT_THAT(Refusal(two("[0,2]", "[1,3]"), 3), HasSubstr("'b' overlaps"));
  EXPECT_THAT(Refusal(two("[0,2]", "[0,2]"), 2), HasSubstr("overlaps"));
  EXPECT_THAT(Refusal(two("[0,2]", "[3,5]"), 5), HasSubstr("'b' leaves a hole"));
  EXPECT_THAT(Refusal(two("[1,3]", "[3,5]"), 5), HasSubstr("'a' leaves a hole"));
  EXPECT_THAT(Refusal(two("[0,2]", "[2,4]"), 5), HasSubstr("1 bytes follow"));
  EXPECT_THAT(Refusal(two("[0,2]", "[2,4]"), 3), HasSubstr("'b' leaves the file"));
  EXPECT_THAT(Refusal("{}", 1), HasSubstr("1 bytes follow"));
}

TEST(Safetensors, RefusesSizesThatDoNotFitTheShape) {
  EXPECT_THAT(Refusal("{" + Entry("a", "F32", "[2]", "[0,4]") + "}", 4),
              HasSubstr("needs 8 bytes but its range has 4"));
  EXPECT_THAT(Refusal("{" + Entry("a", "U8", "[]", "[0,0]") + "}", 0), HasSubstr("needs 1 bytes"));
  // 2^47 * 2^47 does not fit into 64 bits, and neither does 2^47 * 2^14 * 8.
  EXPECT_THAT(Refusal("{" + Entry("a", "U8", "[140737488355328,140737488355328]", "[0,0]") + "}", 0),
              HasSubstr("impossible shape"));
  EXPECT_THAT(Refusal("{" + Entry("a", "F64", "[140737488355328,16384]", "[0,0]") + "}", 0),
              HasSubstr("impossible shape"));
  EXPECT_EQ(Refusal("{" + Entry("a", "F64", "[0,140737488355328,140737488355328]", "[0,0]") + "}", 0),
            "accepted");
}

TEST(Safetensors, RefusesEveryTruncation) {
  const std::string bytes = Bytes("{" + Entry("a", "F32", "[2]", "[0,8]") + "}", 8);
  ASSERT_EQ(Refusal(bytes), "accepted");
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(Refusal(bytes.substr(0, size)), "accepted") << size;
  }
}

TEST(Safetensors, NamesMissingEmptyAndImproperFiles) {
  const fs::path folder = FreshFolder("missing");
  const auto problem = [](const fs::path& path) -> std::string {
    try {
      OpenSafetensors(path);
    } catch (const FileError& error) {
      EXPECT_EQ(error.path(), path.string());
      return error.problem();
    }
    return "accepted";
  };
  EXPECT_THAT(problem(folder / "none"), HasSubstr("cannot open"));
  EXPECT_THAT(problem(folder), HasSubstr("folder"));
  std::ofstream(folder / "empty");
  EXPECT_THAT(problem(folder / "empty"), HasSubstr("empty"));
  EXPECT_THAT(problem("/dev/null"), HasSubstr("not a regular file"));
}

TEST(SafetensorsWriter, WritesWhatItReads) {
  const fs::path path = FreshFolder("write") / "w.safetensors";
  const TensorSource bytes{"odd", DType::kU8, {3}, [](const ByteSink& sink) {
                             for (int i = 0; i < 3; ++i) {
                               const auto byte = static_cast<std::byte>(i + 7);
                               sink({&byte, 1});  // in pieces
                             }
                           }};
  WriteSafetensors(
      path,
      {bytes, Floats("z", {1, 2}, {1.5f, -2.0f}), Floats("a\"ü", {}, {3.0f}), Floats("none", {0, 4}, {})},
      {{"format", "pt"}, {"note", "quote \" and ü"}});
  const TensorFile file = OpenSafetensors(path);
  EXPECT_EQ(file.metadata().at("note"), "quote \" and ü");
  ASSERT_EQ(file.tensors().size(), 4u);
  EXPECT_EQ(file.tensors()[0].name, "a\"ü");  // larger types first, then by name
  EXPECT_EQ(file.tensors()[3].name, "odd");
  EXPECT_THAT(file.Find("z")->shape, ElementsAre(1, 2));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file.tensors()[0].data) % 8, 0u);
  float values[2];
  std::memcpy(values, file.Find("z")->data, sizeof(values));
  EXPECT_THAT(values, ElementsAre(1.5f, -2.0f));
  EXPECT_EQ(std::to_integer<int>(file.Find("odd")->data[2]), 9);
  const fs::path again = path.parent_path() / "again.safetensors";
  std::vector<TensorSource> sources;
  for (const TensorEntry& entry : file.tensors()) sources.push_back(TensorSource::Of(entry));
  WriteSafetensors(again, sources, file.metadata());
  EXPECT_EQ(ReadText(path), ReadText(again));
}

TEST(SafetensorsWriter, LeavesNothingBehindOnErrors) {
  const fs::path folder = FreshFolder("errors");
  const fs::path path = folder / "w.safetensors";
  EXPECT_THROW(WriteSafetensors(path, {Floats("a", {2}, {1.0f})}), Error);        // too few bytes
  EXPECT_THROW(WriteSafetensors(path, {Floats("a", {1}, {1.0f, 2.0f})}), Error);  // too many
  EXPECT_THROW(WriteSafetensors(path, {Floats("a", {1}, {1}), Floats("a", {1}, {1})}),
               Error);  // same name twice
  EXPECT_THROW(WriteSafetensors(path, {Floats("__metadata__", {1}, {1})}), Error);
  EXPECT_THROW(WriteSafetensors(path, {Floats("\xff", {1}, {1})}), Error);
  EXPECT_THROW(WriteSafetensors(folder / "none" / "w", {Floats("a", {1}, {1})}), FileError);
  // A file-size limit fails writes the way a full disk does.
  rlimit old_limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1024, old_limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_THROW(WriteSafetensors(path, {Floats("a", {1000}, std::vector<float>(1000))}), FileError);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  EXPECT_TRUE(fs::is_empty(folder));
}

TEST(SafetensorsAppender, WritesWhatIsKnownLast) {
  const fs::path folder = FreshFolder("appender");
  const auto bytes = [](std::string_view text) { return std::as_bytes(std::span(text)); };
  {
    SafetensorsAppender abandoned(folder / "a.safetensors");
    abandoned.Write(bytes("12"));
  }
  EXPECT_TRUE(fs::is_empty(folder));
  SafetensorsAppender file(folder / "a.safetensors");
  file.Write(bytes("12345678"));
  EXPECT_EQ(file.size(), 8);
  file.Truncate(3);
  EXPECT_THROW(file.EndTensor("short", DType::kU8, {4}), Error);
  file.Write(bytes("z"));
  file.EndTensor("z", DType::kU8, {2, 2});
  EXPECT_EQ(file.size(), 0);
  file.Write(bytes("ab"));
  file.EndTensor("a", DType::kI16, {1});
  EXPECT_THROW(file.Commit({{"long", std::string(1024, 'x')}}), FileError);
  file.Commit({{"k", "v"}});
  const TensorFile read = OpenSafetensors(folder / "a.safetensors");
  EXPECT_EQ(read.metadata().at("k"), "v");
  EXPECT_EQ(read.Find("z")->shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(std::memcmp(read.Find("z")->data, "123z", 4), 0);
  EXPECT_EQ(read.Find("a")->dtype, DType::kI16);
  EXPECT_EQ(std::memcmp(read.Find("a")->data, "ab", 2), 0);
}

TEST(TensorEntry, StreamsStridedElementsInRowMajorOrder) {
  std::vector<float> storage(40);
  for (size_t i = 0; i < storage.size(); ++i) storage[i] = static_cast<float>(i);
  const TensorEntry view{
      "v", DType::kF32, {3, 6}, {2, 6}, reinterpret_cast<const std::byte*>(storage.data() + 1)};
  EXPECT_FALSE(view.contiguous());
  std::vector<float> got;
  view.Stream([&](std::span<const std::byte> bytes) {
    const size_t old = got.size();
    got.resize(old + bytes.size() / sizeof(float));
    std::memcpy(got.data() + old, bytes.data(), bytes.size());
  });
  ASSERT_EQ(got.size(), 18u);
  for (size_t r = 0; r < 3; ++r) {
    for (size_t c = 0; c < 6; ++c) EXPECT_EQ(got[r * 6 + c], static_cast<float>(1 + 2 * r + 6 * c));
  }
}

TEST(TensorChecks, FindsNonFiniteValues) {
  std::vector<float> values(1000, 1e38f);
  const TensorEntry entry{"v", DType::kF32, {1000}, {1}, reinterpret_cast<const std::byte*>(values.data())};
  EXPECT_TRUE(AllFinite(entry));
  values[999] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(AllFinite(entry));
  values[999] = -std::numeric_limits<float>::infinity();
  EXPECT_FALSE(AllFinite(entry));
  const std::vector<uint16_t> halves{0x7BFF, 0xFBFF, 0x7C00};  // largest finite fp16, its negative, infinity
  const auto* data = reinterpret_cast<const std::byte*>(halves.data());
  EXPECT_TRUE(AllFinite({"h", DType::kF16, {2}, {1}, data}));
  EXPECT_FALSE(AllFinite({"h", DType::kF16, {3}, {1}, data}));
  EXPECT_TRUE(AllFinite({"h", DType::kBF16, {3}, {1}, data}));  // 0x7C00 is about 2.7e36 in bf16
  EXPECT_TRUE(AllFinite({"h", DType::kI16, {3}, {1}, data}));
}

// What lies in the place of weights that nobody downloaded is named, whatever the file is called.
TEST(FailedDownload, IsNamed) {
  const std::map<std::string, std::string> found = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 3900000000\n", "Git LFS"},
      {"<!DOCTYPE html><html>Access to model is restricted</html>", "web page"},
      {"\xef\xbb\xbf\r\n <HTML><head>", "web page"},
      {"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "web page"},
      {"{\"error\": \"Repository not found\"}", "JSON"},
  };
  for (const auto& [content, named] : found) {
    const auto file = MappedFile::FromMemory("weights", std::as_bytes(std::span(content)));
    for (const bool torch : {false, true}) {
      std::string message;
      try {
        if (torch) {
          TorchArchive::Parse(file);
        } else {
          ParseSafetensors(file);
        }
      } catch (const FileError& error) {
        message = error.what();
      }
      EXPECT_THAT(message, HasSubstr(named)) << content;
    }
  }
  // Weights whose header has 0x227b bytes begin with `{"`.
  const std::string name(0x227b - 58, 'w');
  const std::string header = "{\"" + name + "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
  std::string content =
      std::string("{\"\0\0\0\0\0\0", 8) + header + std::string(0x227b - header.size(), ' ') + "x";
  EXPECT_EQ(
      ParseSafetensors(MappedFile::FromMemory("weights", std::as_bytes(std::span(content)))).tensors().size(),
      1U);
}

}  // namespace
}  // namespace wildrayzer

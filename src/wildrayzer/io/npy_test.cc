#include "wildrayzer/io/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string File(const std::string& header, const std::string& data, int version = 1) {
  std::string file = std::string("\x93NUMPY") + static_cast<char>(version) + '\0';
  const auto length = static_cast<uint32_t>(header.size());
  file.append(reinterpret_cast<const char*>(&length), version == 1 ? 2 : 4);
  return file + header + data;
}

std::string Header(const std::string& type, const std::string& shape, const std::string& order = "False") {
  return "{'descr': " + type + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }    \n";
}

NpyArray Parse(const std::string& content) {
  const std::vector<char> exact(content.begin(),
                                content.end());  // so that the address sanitizer sees overruns
  return ParseNpy(MappedFile::FromMemory("m.npy", std::as_bytes(std::span(exact))));
}

std::string Refusal(const std::string& content) {
  try {
    Parse(content);
  } catch (const FileError& error) {
    EXPECT_EQ(error.path(), "m.npy");
    return error.problem();
  }
  return "accepted";
}

std::vector<int> BytesOf(const NpyArray& array) {
  std::vector<int> values;
  for (const std::byte value : array.data) values.push_back(std::to_integer<int>(value));
  return values;
}

TEST(Npy, ReadsMasksOfAllVersions) {
  for (int version = 1; version <= 3; ++version) {
    const NpyArray array = Parse(File(Header("'|u1'", "(2, 3)"), std::string("\0\1\2\3\4\5", 6), version));
    EXPECT_EQ(array.dtype, DType::kU8);
    EXPECT_THAT(array.shape, ElementsAre(2, 3));
    EXPECT_THAT(BytesOf(array), ElementsAre(0, 1, 2, 3, 4, 5));
  }
}

TEST(Npy, TransposesFortranOrder) {
  const NpyArray array = Parse(File(Header("'|i1'", "(2, 3)", "True"), std::string("\0\1\2\3\4\5", 6)));
  EXPECT_THAT(BytesOf(array), ElementsAre(0, 2, 4, 1, 3, 5));
}

TEST(Npy, ReadsOtherTypesAndShapes) {
  EXPECT_THAT(BytesOf(Parse(File(Header("'|b1'", "(3,)"), std::string("\0\1\7", 3)))), ElementsAre(0, 1, 1));
  EXPECT_EQ(Parse(File(Header("'<f4'", "()"), "1234")).dtype, DType::kF32);
  EXPECT_EQ(Parse(File(Header("'<f8'", "(0, 5)"), "")).data.size(), 0u);
  EXPECT_EQ(Parse(File(Header("'<i8'", "(1L,)"), "12345678")).dtype, DType::kI64);
  EXPECT_EQ(Parse(File("{\"shape\":(1,),\"descr\":\"<u2\",\"fortran_order\":False}", "12")).dtype,
            DType::kU16);
}

TEST(Npy, RefusesByName) {
  EXPECT_THAT(Refusal("PNG"), HasSubstr("no .npy file"));
  EXPECT_THAT(Refusal(File(Header("'|O'", "(1,)"), "x")), HasSubstr("pickled Python"));
  EXPECT_THAT(Refusal(File(Header("[('a', '<f4')]", "(1,)"), "x")), HasSubstr("structured"));
  EXPECT_THAT(Refusal(File(Header("'>f4'", "(1,)"), "1234")), HasSubstr("'>f4'"));
  EXPECT_THAT(Refusal(File(Header("'<c8'", "(1,)"), "12345678")), HasSubstr("'<c8'"));
  EXPECT_THAT(Refusal(File(Header("'|u1'", "(4,)"), "123")), HasSubstr("needs 4 bytes but the file has 3"));
  EXPECT_THAT(Refusal(File(Header("'|u1'", "(2,)"), "123")), HasSubstr("needs 2 bytes but the file has 3"));
  EXPECT_THAT(Refusal(File(Header("'<f8'", "(4611686018427387904,)"), "")), HasSubstr("impossible shape"));
  EXPECT_THAT(Refusal(File(Header("'|u1'", "(99999999999999999999,)"), "")), HasSubstr("damaged"));
  EXPECT_THAT(Refusal(File(Header("'|u1'", "(-1,)"), "")), HasSubstr("damaged"));
  EXPECT_THAT(Refusal(File(Header("'|u1'", "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)"), "1")),
              HasSubstr("16 dimensions"));
  EXPECT_THAT(Refusal(File(Header("'|u1'", "(1,)"), "1", 4)), HasSubstr("version 4"));
  std::string long_header = File(Header("'|u1'", "(1,)"), "1", 2);
  const uint32_t length = 0xFFFFFFFF;
  std::memcpy(long_header.data() + 8, &length, sizeof(length));
  EXPECT_THAT(Refusal(long_header), HasSubstr("cut off or too long"));
}

TEST(Npy, RefusesDamagedHeaders) {
  for (const char* header : {"{", "{}", "[]", "{'descr': '|u1', 'fortran_order': False}", "{'descr': '|u1'",
                             "{'descr': '|u1', 'fortran_order': 0, 'shape': (1,)}",
                             "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (1,)}",
                             "{'descr': '|u1', 'fortran_order': False, 'shape': (1}",
                             "{'descr': '|u1', 'fortran_order': False, 'shape': (1 1)}",
                             "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), 'x': 1}",
                             "{'descr': '|u1', 'fortran_order': False, 'shape': (1,)} x", "{'a\\'': 1}"}) {
    EXPECT_THAT(Refusal(File(header, "1")), HasSubstr("damaged")) << header;
  }
}

TEST(Npy, RefusesEveryTruncation) {
  const std::string content = File(Header("'|u1'", "(2, 3)"), "123456");
  ASSERT_EQ(Refusal(content), "accepted");
  for (size_t size = 0; size < content.size(); ++size)
    EXPECT_NE(Refusal(content.substr(0, size)), "accepted") << size;
}

TEST(Npy, WritesWhatItReads) {
  const fs::path folder = fs::path(::testing::TempDir()) / "wildrayzer_npy";
  fs::remove_all(folder);
  fs::create_directories(folder);
  const std::vector<float> values{1.5f, -2.0f, 3.0f};
  for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{{3}, {3, 1}, {1, 3, 1}}) {
    WriteNpy(folder / "a.npy", DType::kF32, shape, std::as_bytes(std::span(values)));
    EXPECT_EQ(fs::file_size(folder / "a.npy") % 64, 12u);  // the data starts at a multiple of 64
    const NpyArray array = ReadNpy(folder / "a.npy");
    EXPECT_EQ(array.shape, shape);
    ASSERT_EQ(array.data.size(), 12u);
    EXPECT_EQ(std::memcmp(array.data.data(), values.data(), 12), 0);
  }
  WriteNpy(folder / "s.npy", DType::kF32, {}, std::as_bytes(std::span(values)).first(4));
  EXPECT_EQ(ReadNpy(folder / "s.npy").shape.size(), 0u);
  EXPECT_THROW(WriteNpy(folder / "b.npy", DType::kF32, {4}, std::as_bytes(std::span(values))), Error);
  EXPECT_THROW(WriteNpy(folder / "b.npy", DType::kBF16, {6}, std::as_bytes(std::span(values))), Error);
  EXPECT_FALSE(fs::exists(folder / "b.npy"));
  EXPECT_THROW(ReadNpy(folder / "none.npy"), FileError);
}

}  // namespace
}  // namespace wildrayzer

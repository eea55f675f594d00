// What the writer produces is what the reader reads; that Python reads it too was checked by hand (see the
// issue).
#include "wildrayzer/io/torch_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <fstream>

#include "wildrayzer/io/torch_archive.h"
#include "wildrayzer/io/zip.h"
#include "wildrayzer/io/zip_writer.h"
#include "wildrayzer/testing/files.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::FreshFolder;

TensorSource Bytes(const std::string& name, DType dtype, std::vector<int64_t> shape,
                   const std::string& content) {
  return {name, dtype, std::move(shape),
          [content](const ByteSink& sink) { sink(std::as_bytes(std::span(content))); }};
}

std::string Content(const TensorEntry& entry) {
  std::string content;
  entry.Stream([&](std::span<const std::byte> bytes) {
    content.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  });
  return content;
}

TEST(TorchWriter, RoundTripsATrainingCheckpoint) {
  const fs::path path = FreshFolder("round") / "c.pt";
  const std::vector<TensorSource> model{
      Bytes("a", DType::kF32, {2, 1}, "12345678"), Bytes("b", DType::kBF16, {}, "xy"),
      Bytes("c", DType::kBool, {0, 3}, ""), Bytes("d.ü", DType::kI64, {1}, "ABCDEFGH")};
  const TorchValue state = TorchValue::MakeDict(
      {{0, TorchValue::MakeDict(
               {{"step", 5}, {"exp_avg", TorchValue(Bytes("", DType::kF64, {1}, "moment!!"))}})}});
  WriteTorchArchive(path, TorchValue::MakeDict({{"model", TorchValue::MakeStateDict(model)},
                                                {"optimizer", TorchValue::MakeDict({{"state", state}})},
                                                {"betas", TorchValue::MakeTuple({0.9, 0.95})},
                                                {"big", int64_t{1} << 40},
                                                {"negative", -7},
                                                {"flags", TorchValue::MakeList({true, false, TorchValue()})},
                                                {"none", TorchValue::MakeTuple({})},
                                                {"text", "naïve"}}));
  const TorchArchive archive = TorchArchive::Open(path);
  const TensorFile file = archive.StateDict();
  ASSERT_EQ(file.tensors().size(), model.size());
  for (size_t i = 0; i < model.size(); ++i) {
    const TensorEntry& entry = file.tensors()[i];
    EXPECT_EQ(entry.name, model[i].name);
    EXPECT_EQ(entry.dtype, model[i].dtype);
    EXPECT_EQ(entry.shape, model[i].shape);
    const size_t offset = static_cast<size_t>(entry.data - file.mapping()->bytes().data());
    EXPECT_EQ(offset % 64, 0u) << entry.name;
  }
  EXPECT_EQ(Content(*file.Find("a")), "12345678");
  EXPECT_EQ(Content(*file.Find("d.ü")), "ABCDEFGH");
  const TorchObject root = archive.root();
  EXPECT_EQ(root.Find("betas")->Describe(), "(0.9, 0.95)");
  EXPECT_EQ(root.Find("big")->AsInt(), int64_t{1} << 40);
  EXPECT_EQ(root.Find("negative")->AsInt(), -7);
  EXPECT_EQ(root.Find("flags")->Describe(), "[True, False, None]");
  EXPECT_EQ(root.Find("none")->size(), 0u);
  EXPECT_EQ(root.Find("text")->AsText(), "naïve");
  const auto moments = root.Find({"optimizer", "state"})->Find(int64_t{0});
  ASSERT_TRUE(moments);
  EXPECT_EQ(moments->Find("step")->AsInt(), 5);
  EXPECT_EQ(Content(archive.Locate("m", *moments->Find("exp_avg")->tensor())), "moment!!");
}

TEST(TorchWriter, TheSameWeightsGiveTheSameFile) {
  const fs::path folder = FreshFolder("same");
  const auto bytes = [](const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  for (const char* name : {"one.pt", "two.pt"}) {
    WriteTorchArchive(folder / name, TorchValue::MakeStateDict({Bytes("a", DType::kU8, {3}, "abc")}));
  }
  EXPECT_EQ(bytes(folder / "one.pt"), bytes(folder / "two.pt"));
}

TEST(TorchWriter, LeavesNothingBehindOnErrors) {
  const fs::path folder = FreshFolder("errors");
  const fs::path path = folder / "c.pt";
  const auto write = [&](TensorSource tensor) {
    WriteTorchArchive(path, TorchValue::MakeStateDict({std::move(tensor)}));
  };
  EXPECT_THROW(write(Bytes("a", DType::kU8, {3}, "ab")), Error);
  EXPECT_THROW(write(Bytes("a", DType::kU8, {3}, "abcd")), Error);
  EXPECT_THROW(write(Bytes("a", DType::kU32, {1}, "abcd")), Error);  // PyTorch 1.x has no such type
  EXPECT_THROW(write(Bytes("\xff", DType::kU8, {1}, "a")), Error);
  rlimit old_limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, old_limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_THROW(write(Bytes("a", DType::kU8, {10000}, std::string(10000, 'x'))), FileError);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  EXPECT_TRUE(fs::is_empty(folder));
}

TEST(ZipWriter, UsesZip64ForManyEntries) {
  const fs::path path = FreshFolder("many") / "many.zip";
  ZipWriter zip(path);
  constexpr int kCount = 66'000;  // more than 16 bits can count
  for (int i = 0; i < kCount; ++i) zip.Add("a/" + std::to_string(i), i % 2 == 0 ? "x" : "");
  zip.Commit();
  const ZipArchive archive(MappedFile::Open(path));
  ASSERT_EQ(archive.entries().size(), static_cast<size_t>(kCount));
  EXPECT_EQ(archive.Payload(*archive.Find("a/65998")).size(), 1u);
  EXPECT_EQ(archive.Payload(*archive.Find("a/65999")).size(), 0u);
}

}  // namespace
}  // namespace wildrayzer

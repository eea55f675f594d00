#include "wildrayzer/io/video.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <fstream>
#include <iterator>

#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A smooth picture with a bright square that moves right by 3 pixels a frame; no symmetry.
Image Frame(int width, int height, int index) {
  Image image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      uint8_t* pixel = image.Pixel(x, y);
      const bool square = x >= 3 * index && x < 3 * index + 12 && y >= 4 && y < 16;
      pixel[0] = static_cast<uint8_t>(square ? 220 : 30 + 150 * x / width);
      pixel[1] = static_cast<uint8_t>(square ? 210 : 30 + 150 * y / height);
      pixel[2] = static_cast<uint8_t>(square ? 200 : 90);
    }
  }
  return image;
}

double Psnr(const Image& a, const Image& b) {
  EXPECT_EQ(a.width, b.width);
  EXPECT_EQ(a.height, b.height);
  if (a.rgb.size() != b.rgb.size()) return 0;
  double sum = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) sum += std::pow(static_cast<double>(a.rgb[i]) - b.rgb[i], 2);
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.rgb.size()) / std::max(sum, 1e-9));
}

class Videos : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path Make(const std::string& name, int width, int height, int frames,
                const std::vector<std::string>& codecs = {"avc1", "mp4v"}) {
    const fs::path path = folder_ / name;
    VideoWriter writer(path, width, height, 10, codecs);
    for (int i = 0; i < frames; ++i) writer.Write(Frame(width, height, i));
    writer.Commit();
    return path;
  }

  std::string Bytes(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  fs::path Put(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }

  std::string Problem(const fs::path& path) {
    try {
      SampleVideo(path, 2);
    } catch (const FileError& error) {
      EXPECT_EQ(error.path(), path.string());
      EXPECT_THAT(error.what(), testing::Not(HasSubstr("\n")));
      return error.problem();
    }
    return "accepted";
  }

  fs::path folder_ = fs::temp_directory_path() / ("wrz_video_" + std::to_string(::getpid()));
};

TEST_F(Videos, WhatWasWrittenIsRead) {
  const fs::path path = Make("a.mp4", 96, 64, 12);
  VideoReader reader(path);
  EXPECT_EQ(reader.width(), 96);
  EXPECT_EQ(reader.height(), 64);
  EXPECT_EQ(reader.expected_frames(), 12);
  EXPECT_NEAR(reader.fps(), 10, 1e-6);
  for (int i = 0; i < 12; ++i) {
    const std::optional<Image> frame = reader.Read();
    ASSERT_TRUE(frame.has_value());
    // The encoder's default quality with colour at half resolution: 36 dB measured at the worst frame. A
    // frame off by one gives 24 dB, swapped channels less than 15.
    EXPECT_GT(Psnr(*frame, Frame(96, 64, i)), 32) << i;
  }
  EXPECT_FALSE(reader.Read().has_value());
  EXPECT_FALSE(reader.Skip());
  EXPECT_EQ(reader.position(), 12);
}

TEST_F(Videos, OddSizesArePadded) {
  const std::vector<int64_t> first = {0};
  const std::vector<Image> frames = ReadFrames(Make("odd.mp4", 65, 49, 3), first);
  ASSERT_EQ(frames[0].width, 66);
  ASSERT_EQ(frames[0].height, 50);
  EXPECT_NEAR(frames[0].Pixel(65, 30)[0], Frame(65, 49, 0).Pixel(64, 30)[0], 16);
}

TEST_F(Videos, TheSecondCodecIsAnnounced) {
  const fs::path path = folder_ / "b.mp4";
  VideoWriter writer(path, 64, 48, 10, {"none", "mp4v"});
  EXPECT_EQ(writer.codec(), "mp4v");
  EXPECT_THAT(Warnings(), testing::Contains(HasSubstr("no H.264 encoder")));
  for (int i = 0; i < 4; ++i) writer.Write(Frame(64, 48, i));
  EXPECT_FALSE(fs::exists(path));
  writer.Commit();
  EXPECT_EQ(VideoReader(path).expected_frames(), 4);
  EXPECT_THROW(VideoWriter(folder_ / "c.mp4", 64, 48, 10, {"none"}), FileError);
}

TEST_F(Videos, NothingIsLeftWithoutCommit) {
  {
    VideoWriter writer(folder_ / "d.mp4", 64, 48, 10);
    writer.Write(Frame(64, 48, 0));
    EXPECT_THROW(writer.Write(Frame(64, 50, 0)), Error);
  }
  {
    VideoWriter writer(folder_ / "e.mp4", 64, 48, 10);
    EXPECT_THROW(writer.Commit(), Error);
  }
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(Videos, WrongNamesAndRatesAreUsageErrors) {
  EXPECT_THROW(VideoWriter(folder_ / "f.avi", 64, 48, 10), UsageError);
  EXPECT_THROW(VideoWriter(folder_ / "f.mp4", 0, 48, 10), UsageError);
  EXPECT_THROW(VideoWriter(folder_ / "f.mp4", 64, 48, 0), UsageError);
  EXPECT_THROW(VideoWriter(folder_ / "none" / "f.mp4", 64, 48, 10), FileError);
}

TEST_F(Videos, AFullDiskIsNoticed) {
  VideoWriter writer(folder_ / "g.mp4", 256, 256, 10);
  // A file size limit stands in for the full disk: writes beyond it fail with EFBIG.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{4096, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  std::string problem = "accepted";
  try {
    for (int i = 0; i < 40; ++i) writer.Write(Frame(256, 256, i));
    writer.Commit();
  } catch (const FileError& error) {
    problem = error.problem();
  }
  setrlimit(RLIMIT_FSIZE, &old);
  EXPECT_THAT(problem, HasSubstr("disk full"));
  EXPECT_FALSE(fs::exists(folder_ / "g.mp4"));
}

TEST_F(Videos, FramesByIndexAndEvenly) {
  const fs::path path = Make("h.mp4", 96, 64, 11);
  const std::vector<int64_t> wanted = {2, 3, 9};
  const std::vector<Image> frames = ReadFrames(path, wanted);
  ASSERT_EQ(frames.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_GT(Psnr(frames[i], Frame(96, 64, static_cast<int>(wanted[i]))), 32);
  const SampledFrames sampled = SampleVideo(path, 3);
  EXPECT_THAT(sampled.indices, testing::ElementsAre(0, 5, 10));
  EXPECT_GT(Psnr(sampled.images[2], Frame(96, 64, 10)), 32);
  const std::vector<int64_t> beyond = {4, 11};
  EXPECT_THROW(ReadFrames(path, beyond), FileError);
  const std::vector<int64_t> falling = {4, 2};
  EXPECT_THROW(ReadFrames(path, falling), Error);
  EXPECT_THROW(SampleVideo(path, 12), FileError);
}

TEST(EvenIndices, EndsAndMiddle) {
  EXPECT_THAT(EvenIndices(10, 1), testing::ElementsAre(4));
  EXPECT_THAT(EvenIndices(10, 2), testing::ElementsAre(0, 9));
  EXPECT_THAT(EvenIndices(10, 4), testing::ElementsAre(0, 3, 6, 9));
  EXPECT_THAT(EvenIndices(3, 3), testing::ElementsAre(0, 1, 2));
  EXPECT_THROW(EvenIndices(3, 4), Error);
  EXPECT_THROW(EvenIndices(3, 0), Error);
}

// The display matrix of the track header box, as phones write it, for clockwise turns of 90, 180 and 270
// degrees.
TEST_F(Videos, RotationIsHonoured) {
  const fs::path plain = Make("plain.mp4", 96, 64, 3);
  const std::vector<int64_t> first = {0};
  const Image stored = ReadFrames(plain, first)[0];
  const std::string bytes = Bytes(plain);
  const size_t box = bytes.find("tkhd");
  ASSERT_NE(box, std::string::npos);
  const int matrices[4][4] = {{1, 0, 0, 1}, {0, 1, -1, 0}, {-1, 0, 0, -1}, {0, -1, 1, 0}};  // a b c d
  for (int quarter = 0; quarter < 4; ++quarter) {
    std::string turned = bytes;
    const size_t places[4] = {0, 4, 12, 16};
    for (int i = 0; i < 4; ++i) {
      const int32_t value = matrices[quarter][i] * 65536;
      for (int b = 0; b < 4; ++b)
        turned[box + 4 + 40 + places[i] + b] = static_cast<char>(value >> (24 - 8 * b));
    }
    const fs::path path = Put("turned.mp4", turned);
    const Image upright = ReadFrames(path, first)[0];
    EXPECT_EQ(VideoReader(path).width(), quarter % 2 == 0 ? 96 : 64);
    ASSERT_EQ(upright.width, quarter % 2 == 0 ? 96 : 64);
    ASSERT_EQ(upright.height, quarter % 2 == 0 ? 64 : 96);
    for (const auto& [x, y] :
         {std::pair{0, 0}, {10, 7}, {60, 40}}) {  // stored pixel and where the turn puts it
      const int tx = quarter == 0 ? x : quarter == 1 ? 63 - y : quarter == 2 ? 95 - x : y;
      const int ty = quarter == 0 ? y : quarter == 1 ? x : quarter == 2 ? 63 - y : 95 - x;
      for (int c = 0; c < 3; ++c) EXPECT_EQ(upright.Pixel(tx, ty)[c], stored.Pixel(x, y)[c]) << quarter;
    }
  }
}

TEST_F(Videos, FilesThatAreNone) {
  EXPECT_THAT(Problem(folder_ / "none.mp4"), HasSubstr("no such file"));
  EXPECT_THAT(Problem(folder_), HasSubstr("not a regular file"));
  EXPECT_THAT(Problem(Put("empty.mp4", "")), HasSubstr("is empty"));
  EXPECT_THAT(Problem(Put("text.mp4", "this is text, not a video")), HasSubstr("is not a video"));
  EXPECT_THAT(Problem(Put("list.mp4", "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n")),
              HasSubstr("is not a video"));
  const std::string header_only(
      "\0\0\0\x20"
      "ftypisom",
      12);
  EXPECT_THAT(Problem(Put("magic.mp4", header_only)), HasSubstr("cannot be opened"));
}

// Wherever the file ends or a byte is wrong: an error or fewer frames, in bounded time, never a crash.
TEST_F(Videos, TruncatedAndDamagedFiles) {
  const std::string bytes = Bytes(Make("whole.mp4", 64, 48, 8));
  const size_t index = bytes.find("moov");  // comes last; without it no frame can be found
  ASSERT_NE(index, std::string::npos);
  for (size_t cut = 0; cut < index + 100; cut += 97) {
    EXPECT_NE(Problem(Put("cut.mp4", bytes.substr(0, cut))), "accepted") << cut;
  }
  for (size_t at = 0; at < bytes.size(); at += 61) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(~changed[at]);
    Problem(Put("changed.mp4", changed));
  }
}

// An AVI states its frame count at the start: half a file gives half the frames and says so.
TEST_F(Videos, AHeaderThatPromisesTooMuch) {
  const fs::path path = "../shared/data/video/vtest.avi";
  if (!fs::exists(path)) GTEST_SKIP() << path << " is not here";
  const fs::path cut = Put("cut.avi", Bytes(path).substr(0, 1 << 20));
  ASSERT_EQ(VideoReader(cut).expected_frames(), 795);
  const SampledFrames sampled = SampleVideo(cut, 3);
  EXPECT_LT(sampled.indices.back(), 700);
  EXPECT_THAT(Warnings(), testing::Contains(HasSubstr("of 795 frames")));
  const std::vector<int64_t> last = {794};
  EXPECT_THROW(ReadFrames(cut, last), FileError);
}

}  // namespace
}  // namespace wildrayzer

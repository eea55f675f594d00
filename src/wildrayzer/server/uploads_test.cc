#include "wildrayzer/server/uploads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "wildrayzer/io/images.h"
#include "wildrayzer/io/video.h"
#include "wildrayzer/testing/files.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kPixels = 1'000'000;

std::string PngBytes(int width, int height) {
  const std::vector<std::byte> bytes = EncodePng(Image(width, height));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The PNG with another size in its header, and the checksum that belongs to it.
std::string WithSize(std::string png, uint32_t width, uint32_t height) {
  for (int i = 0; i < 4; ++i) {
    png[16 + i] = static_cast<char>(width >> (24 - 8 * i));
    png[20 + i] = static_cast<char>(height >> (24 - 8 * i));
  }
  uint32_t crc = 0xFFFFFFFF;
  for (size_t i = 12; i < 29; ++i) {
    crc ^= static_cast<uint8_t>(png[i]);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0xEDB88320 : 0);
  }
  crc = ~crc;
  for (int i = 0; i < 4; ++i) png[29 + i] = static_cast<char>(crc >> (24 - 8 * i));
  return png;
}

// The status and line of the refusal.
std::pair<int, std::string> Refusal(const std::function<void()>& act) {
  try {
    act();
    return {0, ""};
  } catch (const HttpError& error) {
    return {error.status(), error.what()};
  }
}

class UploadsTest : public ::testing::Test {
 protected:
  static ServeLimits Limits() {
    ServeLimits limits;
    limits.pixels = kPixels;
    limits.files = 3;
    limits.file_bytes = 1 << 20;
    limits.scene_bytes = 3 << 19;
    limits.uploads = 2;
    return limits;
  }
  // As a client that says `announced` bytes and sends `body`.
  static HttpRequest Request(const std::string& name, std::string body, int64_t announced = -1) {
    HttpRequest request;
    request.query = {{"name", name}};
    request.body_bytes = announced < 0 ? body.size() : static_cast<uint64_t>(announced);
    request.read_body = [text = std::move(body), total = request.body_bytes](const auto& take) {
      take(std::as_bytes(std::span(text)));
      if (text.size() < total) throw ClientGone();
    };
    return request;
  }
  std::pair<int, std::string> Send(HttpRequest request) {
    return Refusal([&] { last_ = uploads_.Receive(request, scene_).file; });
  }
  size_t FilesOnDisk() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(scene_->folder.path()), {}));
  }

  const fs::path folder_ = testing::FreshFolder("uploads");
  SceneStore scenes_{folder_, Limits()};
  std::shared_ptr<ServedScene> scene_ = scenes_.Add("place");
  Uploads uploads_{Limits()};
  GivenFile last_;
};

TEST(DisplayName, IsBoundedTextWithoutPath) {
  EXPECT_EQ(DisplayName("IMG_1.jpg", "photo"), "IMG_1.jpg");
  EXPECT_EQ(DisplayName("../../etc/passwd", "photo"), "passwd");
  EXPECT_EQ(DisplayName("C:\\photos\\a b.jpg", "photo"), "a b.jpg");
  EXPECT_EQ(DisplayName("a\nb\x01.jpg", "photo"), "a?b?.jpg");
  EXPECT_EQ(DisplayName(std::string("a\0b", 3), "photo"), "a?b");
  EXPECT_EQ(DisplayName("\\\\server\\holiday\\b.jpg", "photo"), "b.jpg");
  EXPECT_EQ(DisplayName("a\\b/c.jpg", "photo"), "c.jpg");
  EXPECT_EQ(DisplayName("a/b\\c.jpg", "photo"), "c.jpg");
  for (const char* nothing : {"", "..", "/", "a/", " . ", "\xff\xfe", "\n", "///", "\\", "\\\\", "/\\/",
                              "C:\\", "C:\\photos\\", "a\\..", "../.."})
    EXPECT_EQ(DisplayName(nothing, "photo"), "photo") << nothing;
  EXPECT_EQ(DisplayName(std::string(10000, 'x'), "photo").size(), 100u);
  std::string umlauts;
  for (int i = 0; i < 200; ++i) umlauts += "\u00fc";
  EXPECT_EQ(DisplayName("x" + umlauts, "photo").size(), 99u);  // no half of a character
}

TEST(DisplayText, MayHaveSlashes) {
  EXPECT_EQ(DisplayText("kitchen / hall", "scene"), "kitchen / hall");
  EXPECT_EQ(DisplayText("before\\after\n", "scene"), "before\\after?");
  for (const char* nothing : {"", " . ", "\xff"}) EXPECT_EQ(DisplayText(nothing, "scene"), "scene");
  EXPECT_EQ(DisplayText("", ""), "");
}

TEST(SafeFileNames, AreLettersAndDigitsAndDiffer) {
  const std::vector<std::string> names = {"a.jpg",  "A.png",   "..",       ".hidden",
                                          "x/../y", "<b>.jpg", "a.tar.gz", ""};
  const std::vector<std::string> safe = SafeFileNames(names);
  std::set<std::string> distinct;
  for (const std::string& name : safe) {
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"),
              std::string::npos)
        << name;
    EXPECT_FALSE(name.empty());
    distinct.insert(name);
  }
  EXPECT_EQ(distinct.size(), names.size());
  EXPECT_EQ(safe[0], "a");
}

TEST_F(UploadsTest, PhotosAndVideosAreKnownByTheirContent) {
  EXPECT_EQ(Send(Request("a.txt", PngBytes(40, 30))).first, 0);
  EXPECT_EQ(last_.width, 40);
  EXPECT_EQ(last_.height, 30);
  EXPECT_FALSE(last_.is_video);
  EXPECT_THAT(last_.path.filename().string(), HasSubstr("given"));
  EXPECT_THAT(Send(Request("a.jpg", "hello")), ::testing::Pair(415, HasSubstr("a.jpg: is not a JPEG")));
  EXPECT_THAT(Send(Request("a.jpg", "GIF89a" + std::string(100, 'x'))),
              ::testing::Pair(415, HasSubstr("a.jpg: ")));
  const std::string png = PngBytes(40, 30);
  EXPECT_EQ(Send(Request("cut.png", png.substr(0, png.size() / 2))).first, 415);
  EXPECT_EQ(FilesOnDisk(), 1u);  // what was refused leaves nothing
  EXPECT_EQ(scene_->files.size(), 1u);
  EXPECT_EQ(scene_->uploads, 0);
  EXPECT_EQ(scene_->reserved_bytes, 0u);

  VideoWriter video(folder_ / "v.mp4", 64, 48, 10);
  for (int i = 0; i < 3; ++i) video.Write(Image(64, 48));
  video.Commit();
  const std::string mp4 = testing::ReadText(folder_ / "v.mp4");
  EXPECT_THAT(Send(Request("v.mp4", mp4)), ::testing::Pair(409, HasSubstr("not both")));
  scene_ = scenes_.Add("other");
  EXPECT_EQ(Send(Request("v", mp4)).first, 0);
  EXPECT_TRUE(last_.is_video);
  EXPECT_EQ(last_.width, 64);
  EXPECT_EQ(Send(Request("a.png", png)).first, 409);
}

TEST_F(UploadsTest, BombsOfPixelsAreRefusedByTheirHeader) {
  const std::string small = PngBytes(8, 8);
  for (const auto& [width, height] :
       {std::pair{60000u, 60000u}, {30000u, 30000u}, {1001u, 1000u}, {1u << 31, 1u}, {0u, 8u}}) {
    const int status = Send(Request("bomb.png", WithSize(small, width, height))).first;
    EXPECT_TRUE(status == 413 || status == 415) << width << " " << status;
  }
  EXPECT_EQ(Send(Request("bomb.png", WithSize(small, 1001, 1000))).first, 413);
  EXPECT_EQ(FilesOnDisk(), 0u);
}

TEST_F(UploadsTest, BytesAndFilesAreCounted) {
  const std::string png = PngBytes(8, 8);
  EXPECT_EQ(Send(Request("a.png", "")).first, 400);
  EXPECT_EQ(Send(Request("a.png", "x", (1 << 20) + 1)).first, 413);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Send(Request("a.png", png)).first, 0);
  EXPECT_THAT(Send(Request("a.png", png)), ::testing::Pair(413, HasSubstr("3 files")));
  scene_ = scenes_.Add("other");
  scene_->files.push_back({0, "x", "x", false, 1, 1, 1 << 20});
  EXPECT_THAT(Send(Request("a.png", png, 600 << 10)), ::testing::Pair(413, HasSubstr("1 MB together")));
}

TEST_F(UploadsTest, AClientThatGoesAwayLeavesNothing) {
  const std::string png = PngBytes(8, 8);
  HttpRequest request = Request("a.png", png, static_cast<int64_t>(png.size()) + 10);
  EXPECT_THROW(uploads_.Receive(request, scene_), ClientGone);
  EXPECT_EQ(FilesOnDisk(), 0u);
  EXPECT_EQ(scene_->uploads, 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Send(Request("a.png", png)).first, 0);
}

TEST_F(UploadsTest, OnlySoManyAtATime) {
  const std::string png = PngBytes(8, 8);
  std::vector<int> inner;
  HttpRequest request = Request("a.png", png);
  request.read_body = [&](const auto& take) {
    HttpRequest second = Request("b.png", png);
    second.read_body = [&](const auto& take_second) {
      inner.push_back(Send(Request("c.png", png)).first);
      take_second(std::as_bytes(std::span(png)));
    };
    inner.push_back(Send(std::move(second)).first);
    take(std::as_bytes(std::span(png)));
  };
  EXPECT_EQ(Send(std::move(request)).first, 0);
  EXPECT_THAT(inner, ElementsAre(503, 0));
  // In the order in which they were begun.
  ASSERT_EQ(scene_->files.size(), 2u);
  EXPECT_EQ(scene_->files[0].name, "a.png");
}

TEST_F(UploadsTest, AFileThatIsTakenAwayMakesRoomAndTheOthersStay) {
  const std::string png = PngBytes(8, 8);
  std::vector<uint64_t> numbers;
  for (const char* name : {"a.png", "b.png", "c.png"}) {
    EXPECT_EQ(Send(Request(name, png)).first, 0);
    numbers.push_back(last_.number);
  }
  const uint64_t revision = scene_->revision;
  const auto remove = [&](uint64_t number) {
    return Refusal([&] { Uploads::Remove(scene_, number); }).first;
  };
  EXPECT_EQ(remove(numbers[1]), 0);
  EXPECT_GT(scene_->revision, revision);
  EXPECT_EQ(FilesOnDisk(), 2u);
  ASSERT_EQ(scene_->files.size(), 2u);
  EXPECT_EQ(scene_->files[0].name, "a.png");
  EXPECT_EQ(scene_->files[1].name, "c.png");
  EXPECT_TRUE(fs::exists(scene_->files[1].path));
  EXPECT_EQ(remove(numbers[1]), 404);
  EXPECT_EQ(remove(12345), 404);
  EXPECT_EQ(Send(Request("d.png", png)).first, 0);
  EXPECT_EQ(scene_->files[2].name, "d.png");
  EXPECT_EQ(remove(numbers[1]), 404);  // no number is given twice
  scene_->state = WorkState::kQueued;
  EXPECT_EQ(remove(numbers[0]), 409);
  EXPECT_EQ(FilesOnDisk(), 3u);
}

TEST_F(UploadsTest, ASceneThatHasBegunTakesNoMore) {
  const std::string png = PngBytes(8, 8);
  scene_->state = WorkState::kQueued;
  EXPECT_EQ(Send(Request("a.png", png)).first, 409);
  scene_->state = WorkState::kCollecting;
  HttpRequest request = Request("a.png", png);
  request.read_body = [&](const auto& take) {
    scene_->state = WorkState::kQueued;
    take(std::as_bytes(std::span(png)));
  };
  EXPECT_EQ(Send(std::move(request)).first, 409);
  EXPECT_EQ(FilesOnDisk(), 0u);
}

TEST(DecodeMask, TakesPngOnlyAndNotTooMuch) {
  GrayImage mask(20, 10, 255);
  mask.At(3, 4) = 7;
  const std::vector<std::byte> bytes = EncodePng(mask);
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  EXPECT_EQ(DecodeMask(text, kPixels), mask);
  EXPECT_EQ(Refusal([&] { DecodeMask(WithSize(text, 2000, 2000), kPixels); }).first, 413);
  EXPECT_EQ(Refusal([&] { DecodeMask("hello", kPixels); }).first, 415);
  EXPECT_EQ(Refusal([&] { DecodeMask("", kPixels); }).first, 415);
  const std::vector<std::byte> jpeg = EncodeJpeg(Image(8, 8));
  EXPECT_EQ(Refusal([&] {
              DecodeMask({reinterpret_cast<const char*>(jpeg.data()), jpeg.size()}, kPixels);
            }).first,
            415);
}

TEST(SceneStore, RefusesRatherThanThrowsAway) {
  ServeLimits limits;
  limits.scenes = 2;
  limits.forgotten_after = 100;
  SceneStore scenes(testing::FreshFolder("store"), limits);
  const auto first = scenes.Add("a");
  const auto second = scenes.Add("b");
  EXPECT_EQ(Refusal([&] { scenes.Add("c"); }).first, 409);
  first->touched -= 1000;
  first->state = WorkState::kReady;  // somebody's work
  EXPECT_EQ(Refusal([&] { scenes.Add("c"); }).first, 409);
  first->state = WorkState::kCollecting;  // forgotten
  EXPECT_EQ(Refusal([&] { scenes.Add("c"); }).first, 0);
  EXPECT_TRUE(first->deleted);
  EXPECT_EQ(Refusal([&] { scenes.Find(first->id); }).first, 404);
  const fs::path folder = second->folder.path();
  scenes.Remove(second->id);
  EXPECT_TRUE(fs::exists(folder));  // as long as somebody holds it
}

}  // namespace
}  // namespace wildrayzer

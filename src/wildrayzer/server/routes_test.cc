// What requests say, and pictures as they are sent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <thread>

#include "wildrayzer/server/page_files.h"
#include "wildrayzer/server/pictures.h"
#include "wildrayzer/server/scene_json.h"

namespace wildrayzer {
namespace {

using nlohmann::json;

json Identity() { return {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}; }

bool Refused(const std::function<void()>& act) {
  try {
    act();
    return false;
  } catch (const HttpError& error) {
    return error.status() == 400 || error.status() == 413;
  }
}

TEST(SceneJson, CamerasAreRigidMotions) {
  const json lens = {{"fx", 0.9}, {"fy", 1.2}};
  json object = {{"c2w", Identity()}};
  object["c2w"][3] = 2.5;
  const Camera camera = ToCamera(object, lens);
  EXPECT_EQ(camera.position().x(), 2.5);
  EXPECT_EQ(camera.fx, 0.9);
  EXPECT_EQ(camera.fy, 1.2);
  object["c2w"][0] = 1.0002;  // rounded by whoever sends it
  EXPECT_LT(OrthonormalityError(ToCamera(object, lens).rotation()), 1e-12);
  const auto refused = [&](int index, const json& number) {
    json wrong = {{"c2w", Identity()}};
    wrong["c2w"][index] = number;
    return Refused([&] { ToCamera(wrong, lens); });
  };
  EXPECT_TRUE(refused(0, 2));
  EXPECT_TRUE(refused(0, -1));  // a mirror
  EXPECT_TRUE(refused(3, 1e7));
  EXPECT_TRUE(refused(3, "1"));
  EXPECT_TRUE(refused(3, nullptr));
  EXPECT_TRUE(refused(3, std::numeric_limits<double>::infinity()));
  EXPECT_TRUE(refused(5, std::numeric_limits<double>::quiet_NaN()));
  EXPECT_TRUE(Refused([&] { ToCamera({{"c2w", {1, 2, 3}}}, lens); }));
  EXPECT_TRUE(Refused([&] { ToCamera(json::object(), lens); }));
  EXPECT_TRUE(Refused([&] { ToCamera({{"c2w", Identity()}}, {{"fx", 0}}); }));
  EXPECT_TRUE(Refused([&] { ToCamera({{"c2w", Identity()}}, {{"fx", "a"}}); }));
}

TEST(SceneJson, BodiesAreBoundedShallowObjects) {
  const auto read = [](const std::string& body, uint64_t most = 1000) {
    HttpRequest request;
    request.body_bytes = body.size();
    request.read_body = [&](const auto& take) { take(std::as_bytes(std::span(body))); };
    return ReadJson(request, most);
  };
  EXPECT_EQ(read("{\"a\": [1]}")["a"][0], 1);
  EXPECT_TRUE(read("").empty());
  for (const std::string wrong : {"[]", "1", "{", "{\"a\": nan}", "\xff", "{\"a\":[[[[[[[[[[1]]]]]]]]]]}"})
    EXPECT_TRUE(Refused([&] { read(wrong); })) << wrong;
  EXPECT_TRUE(Refused([&] { read(std::string(100000, '['), 200000); }));
  EXPECT_TRUE(Refused([&] { read("{\"a\": 1}", 7); }));
}

TEST(Pictures, TheLongSideIsBounded) {
  const auto size = [](int width, int height, int longest) {
    const SentSize sent = SizeToSend(width, height, longest);
    return std::pair(sent.width, sent.height);
  };
  EXPECT_EQ(size(4000, 3000, 1280), std::pair(1280, 960));
  EXPECT_EQ(size(3000, 4000, 1280), std::pair(960, 1280));
  EXPECT_EQ(size(640, 480, 1280), std::pair(640, 480));
  EXPECT_EQ(size(4000, 3000, 0), std::pair(4000, 3000));
  EXPECT_EQ(size(30000, 2, 100), std::pair(100, 1));
}

TEST(Pictures, AMaskLiesOnThePhotoInEverySize) {
  const Framing framing = CoverFraming(400, 200, 64, 64, 16);
  GrayImage mask(64, 64);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 32; ++x) mask.At(x, y) = 255;
  }
  for (const SentSize size : {SentSize{400, 200}, {200, 100}, {100, 50}, {40, 20}}) {
    const GrayImage sent = MaskToSend(mask, framing, size);
    ASSERT_EQ(sent.width, size.width);
    ASSERT_EQ(sent.height, size.height);
    const auto at = [&](double x) { return sent.At(static_cast<int>(x * size.width), size.height / 2); };
    EXPECT_EQ(at(0.1), 0);  // the model did not look there
    EXPECT_EQ(at(0.35), 255);
    EXPECT_EQ(at(0.65), 0);
  }
}

TEST(Pictures, AMapIsMadeSmallWithoutNewValues) {
  GrayImage map(9, 6, 1);
  map.At(4, 1) = 255;
  const GrayImage small = ShrunkMap(map, {3, 2});
  EXPECT_EQ(small.At(1, 0), 255);
  EXPECT_EQ(small.At(0, 0), 1);
  EXPECT_EQ(ShrunkMap(map, {9, 6}), map);
}

TEST(PictureCache, RemembersTheLatestAndNoMoreThanItMay) {
  PictureCache cache(/*most_bytes=*/1000, /*at_a_time=*/2);
  int made = 0;
  const auto get = [&](const std::string& key, size_t bytes) {
    return cache.Get(key, [&] {
      ++made;
      return std::string(bytes, 'x');
    });
  };
  get("a", 250);
  EXPECT_EQ(get("a", 250).size(), 250u);
  EXPECT_EQ(made, 1);
  for (const char* key : {"b", "c", "d"}) get(key, 250);
  get("a", 250);  // used again
  get("e", 250);  // takes the place of b
  EXPECT_EQ(made, 5);
  get("a", 250);
  EXPECT_EQ(made, 5);
  get("b", 250);
  EXPECT_EQ(made, 6);
  get("large", 900);
  get("large", 900);
  EXPECT_EQ(made, 8);
  EXPECT_THROW(cache.Get("f", []() -> std::string { throw Error("no"); }), Error);
  get("f", 1);
  EXPECT_EQ(made, 9);
}

TEST(PictureCache, MakesOnlySoManyAtATime) {
  PictureCache cache(1000, 2);
  std::atomic<int> now = 0, most = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      cache.Get(std::to_string(i), [&] {
        const int count = ++now;
        int seen = most;
        while (count > seen && !most.compare_exchange_weak(seen, count)) {
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        --now;
        return std::string("x");
      });
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(most, 2);
}

TEST(PageFiles, AreAFixedList) {
  const PageFile* const three = FindPageFile("three.module.js");
  ASSERT_NE(three, nullptr);
  EXPECT_GT(three->text.size(), 100000u);
  EXPECT_EQ(three->content_type, "text/javascript; charset=utf-8");
  ASSERT_NE(FindPageFile("index.html"), nullptr);
  EXPECT_NE(FindPageFile("index.html")->tag, three->tag);
  for (const char* name : {"", "..", "../index.html", "index.html/", "INDEX.HTML", "/etc/passwd"})
    EXPECT_EQ(FindPageFile(name), nullptr) << name;
}

}  // namespace
}  // namespace wildrayzer

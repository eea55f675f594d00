#include "wildrayzer/pipeline/photo_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What is warned of while `work` runs.
template <typename Work>
std::vector<std::string> NewWarnings(const Work& work) {
  const size_t before = Warnings().size();
  work();
  const std::vector<std::string> all = Warnings();
  return {all.begin() + static_cast<std::ptrdiff_t>(before), all.end()};
}

Photo Stripes(const std::string& name, int period, int brightness) {
  Photo photo{name, name + ".jpg", Image(96, 64)};
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 96; ++x)
      photo.image.Pixel(x, y)[1] = static_cast<uint8_t>(x / period % 2 * brightness);
  }
  return photo;
}

TEST(PhotoChecks, TheShellsOrderIsNotThatOfTheNumbers) {
  using List = std::vector<std::string>;
  EXPECT_THAT(NewWarnings([] {
                WarnOfShellOrder(List{"h/p1.jpg", "h/p10.jpg", "h/p2.jpg"});
              }),
              ElementsAre(HasSubstr("h/p2.jpg comes after h/p10.jpg")));
  EXPECT_THAT(NewWarnings([] {
                WarnOfShellOrder(List{"p01.jpg", "p02.jpg", "p10.jpg"});
                WarnOfShellOrder(List{"p9.jpg", "p3.jpg"});  // so wanted
                WarnOfShellOrder(List{"folder"});
              }),
              ElementsAre());
}

TEST(PhotoChecks, SamePhotosAndBlackOnes) {
  const std::vector<Photo> good = {Stripes("a", 4, 200), Stripes("b", 7, 200)};
  EXPECT_THAT(NewWarnings([&] { WarnOfPoorPhotos(good); }), ElementsAre());
  const std::vector<Photo> poor = {Stripes("c", 4, 200), Stripes("d", 4, 201), Stripes("night", 4, 12)};
  EXPECT_THAT(
      NewWarnings([&] { WarnOfPoorPhotos(poor); }),
      ElementsAre(HasSubstr("night.jpg: is nearly black"), HasSubstr("d.jpg: is the same picture as c.jpg")));
}

TEST(PhotoChecks, WhatTheModelDoesNotSeeAndCamerasAtOnePlace) {
  const std::vector<Photo> photos = {Stripes("wide", 4, 200), Stripes("plain", 7, 200)};
  Scene scene;
  scene.num_inputs = 2;
  scene.framings = {CoverFraming(300, 100, 64, 64, 16), CoverFraming(150, 100, 64, 64, 16)};
  scene.cameras.resize(2);
  const auto warnings = NewWarnings([&] { WarnOfPoorViews(photos, scene); });
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("wide.jpg: the model looks at the middle 33 %"),
                                    HasSubstr("stand at one place")));
  scene.framings[0] = scene.framings[1];
  scene.cameras[1].c2w(0, 3) = 0.1;
  EXPECT_THAT(NewWarnings([&] { WarnOfPoorViews(photos, scene); }), ElementsAre());
}

}  // namespace
}  // namespace wildrayzer

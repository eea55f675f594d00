#include "wildrayzer/pipeline/clean_photos.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr int kFrame = 64;  // the model's
constexpr uint8_t kMover[3] = {220, 30, 40};

// A wall that goes on for ever, in [0, 255]; x and y in units of the first photo's pixels.
double Wall(double x, double y, int c) {
  return 120 + 40 * std::sin(0.21 * x + c) * std::cos(0.17 * y - c) +
         25 * std::sin(0.083 * x * (1 + 0.2 * c) + 0.11 * y) + 20 * std::cos(0.45 * x - 0.38 * y + 2 * c);
}

struct Box {  // photo pixels
  int left = 0, top = 0, right = 0, bottom = 0;
  bool Has(double x, double y) const { return x >= left && x < right && y >= top && y < bottom; }
};

// A photo of the wall: pixel (x, y) shows it at (x + shift) / zoom.
struct Shot {
  int width = 160, height = 120;
  double shift_x = 0, shift_y = 0, zoom = 1;
  double gain = 1, offset = 0;
  double bow = 0;             // pixels that rows in the middle of a wave are shifted by: no homography
  Box mover = {}, mask = {};  // what is there, and what the model says is there
};

uint8_t Byte(double value) { return static_cast<uint8_t>(std::lround(std::clamp(value, 0.0, 255.0))); }

Image Picture(const Shot& shot, bool with_mover) {
  Image image(shot.width, shot.height);
  for (int y = 0; y < shot.height; ++y) {
    for (int x = 0; x < shot.width; ++x) {
      for (int c = 0; c < 3; ++c) {
        const double bowed = x + shot.shift_x + shot.bow * std::sin(0.06 * y);
        const double wall = Wall(bowed / shot.zoom, (y + shot.shift_y) / shot.zoom, c);
        image.Pixel(x, y)[c] =
            with_mover && shot.mover.Has(x, y) ? kMover[c] : Byte(shot.gain * wall + shot.offset);
      }
    }
  }
  return image;
}

// Everything that CleanPhotos is given, of photos of which the last `held_out` are no inputs. error: of the
// model's matches, in its pixels.
struct Made {
  std::vector<Shot> shots;
  std::vector<Image> photos, truth, rendered;
  Scene scene;
  std::vector<InputPlaces> places;

  explicit Made(std::vector<Shot> list, int held_out = 0, double error = 0) : shots(std::move(list)) {
    scene.num_inputs = static_cast<int>(shots.size()) - held_out;
    scene.detail = 1;
    scene.width = scene.height = kFrame;
    for (const Shot& shot : shots) {
      photos.push_back(Picture(shot, true));
      truth.push_back(Picture(shot, false));
      scene.framings.push_back(CoverFraming(shot.width, shot.height, kFrame, kFrame, 8));
      const Framing& framing = scene.framings.back();
      MotionMask mask{kFrame, kFrame, std::vector<float>(kFrame * kFrame, 0.01F), 0};
      for (int y = 0; y < kFrame; ++y) {
        for (int x = 0; x < kFrame; ++x) {
          const Point at = framing.ModelToPhoto({x + 0.5, y + 0.5});
          if (shot.mask.Has(at.x, at.y)) mask.probability[static_cast<size_t>(y * kFrame + x)] = 0.95F;
        }
      }
      scene.masks.push_back(mask);
      rendered.push_back(ApplyFraming(truth.back(), framing));
    }
    for (size_t i = 0; i < shots.size(); ++i) places.push_back(PlacesOf(i, error));
  }

  InputPlaces PlacesOf(size_t i, double error) const {
    InputPlaces at{kFrame, kFrame, scene.num_inputs, {}, {}, std::vector<float>(kFrame * kFrame, 1.0F)};
    for (size_t k = 0; k < static_cast<size_t>(scene.num_inputs); ++k) {
      for (int y = 0; y < kFrame; ++y) {
        for (int x = 0; x < kFrame; ++x) {
          const Point photo = scene.framings[i].ModelToPhoto({x + 0.5, y + 0.5});
          const auto there = [&](double v, double shift, double other_shift) {
            return (v + shift) / shots[i].zoom * shots[k].zoom - other_shift;
          };
          const Point model = scene.framings[k].PhotoToModel(
              {there(photo.x - 0.5, shots[i].shift_x, shots[k].shift_x) + 0.5,
               there(photo.y - 0.5, shots[i].shift_y, shots[k].shift_y) + 0.5});
          at.x.push_back(static_cast<float>((model.x + error) / kFrame));
          at.y.push_back(static_cast<float>((model.y - error) / kFrame));
        }
      }
    }
    return at;
  }

  std::vector<CleanPhoto> Clean(const CleanOptions& options = {}) const {
    return CleanPhotos(photos, scene, rendered, places, options);
  }
};

// Root of the mean square of what is wrong in `box`.
double Error(const Image& image, const Image& truth, const Box& box) {
  double sum = 0, n = 0;
  for (int y = box.top; y < box.bottom; ++y) {
    for (int x = box.left; x < box.right; ++x) {
      for (int c = 0; c < 3; ++c) {
        sum += std::pow(double{1} * image.Pixel(x, y)[c] - truth.Pixel(x, y)[c], 2);
        ++n;
      }
    }
  }
  return std::sqrt(sum / n);
}

// The rules that hold for every result.
void ExpectSound(const Made& made, const std::vector<CleanPhoto>& clean) {
  ASSERT_EQ(clean.size(), made.photos.size());
  for (size_t i = 0; i < clean.size(); ++i) {
    const Image& photo = made.photos[i];
    ASSERT_EQ(clean[i].image.width, photo.width);
    ASSERT_EQ(clean[i].source.height, photo.height);
    size_t own = 0, rendered = 0;
    for (int y = 0; y < photo.height; ++y) {
      for (int x = 0; x < photo.width; ++x) {
        const uint8_t source = clean[i].source.At(x, y);
        own += source == kOwnPixel;
        rendered += source == kRenderedPixel;
        if (source == kOwnPixel) {
          for (int c = 0; c < 3; ++c) ASSERT_EQ(clean[i].image.Pixel(x, y)[c], photo.Pixel(x, y)[c]);
        } else if (source != kRenderedPixel) {
          ASSERT_LT(source - kFirstPhoto, made.scene.num_inputs);
          ASSERT_NE(source - kFirstPhoto, static_cast<int>(i));
        }
      }
    }
    const auto count = static_cast<double>(clean[i].source.values.size());
    EXPECT_DOUBLE_EQ(clean[i].own, static_cast<double>(own) / count);
    EXPECT_DOUBLE_EQ(clean[i].rendered, static_cast<double>(rendered) / count);
    EXPECT_NEAR(clean[i].own + clean[i].photos + clean[i].rendered, 1, 1e-12);
  }
}

constexpr Box kLeft = {40, 40, 60, 80}, kRight = {95, 40, 115, 80};

std::vector<Shot> ThreeShots() {
  return {{.mover = kLeft, .mask = kLeft},
          {.shift_x = 6.3, .shift_y = -2.6, .mover = kRight, .mask = kRight},
          {.shift_x = -5.1, .shift_y = 3.4}};
}

TEST(CleanPhotos, TakesWhatIsBehindFromOtherPhotos) {
  const Made made(ThreeShots());
  const auto clean = made.Clean();
  ExpectSound(made, clean);
  EXPECT_GT(Error(made.photos[0], made.truth[0], kLeft), 80);
  EXPECT_LT(Error(clean[0].image, made.truth[0], kLeft), 3);
  EXPECT_LT(Error(clean[1].image, made.truth[1], kRight), 3);
  // Not the rendering, which is enlarged, and not much more than what moved.
  EXPECT_GT(Error(clean[2].image, made.truth[0], kLeft), 3);
  EXPECT_EQ(clean[0].rendered, 0);
  EXPECT_LT(clean[0].photos, 0.12);
  EXPECT_EQ(clean[2].own, 1);
  for (int y = 0; y < 120; ++y) {
    for (int x = 0; x < 160; ++x) {
      if (Box{30, 30, 70, 90}.Has(x, y)) continue;
      ASSERT_EQ(clean[0].source.At(x, y), kOwnPixel) << x << " " << y;
    }
  }
}

TEST(CleanPhotos, AlignsWhatTheModelMatchesRoughly) {
  const Made made(ThreeShots(), 0, 0.7);
  const auto clean = made.Clean();
  ExpectSound(made, clean);
  EXPECT_LT(Error(clean[0].image, made.truth[0], kLeft), 4);
}

TEST(CleanPhotos, FollowsWhatIsNotFlat) {
  std::vector<Shot> shots = ThreeShots();
  shots[1].bow = 3.5;
  shots[2].bow = -3.5;
  const Made made(shots);  // its places know nothing of it
  const auto clean = made.Clean();
  ExpectSound(made, clean);
  EXPECT_LT(Error(clean[0].image, made.truth[0], kLeft), 14);
  EXPECT_GT(clean[0].photos, 0.03);
}

TEST(CleanPhotos, TwoPhotosFindWhatNoMaskMarks) {
  std::vector<Shot> shots = ThreeShots();
  shots[0].mask = {};
  const Made made(shots);
  const auto clean = made.Clean();
  ExpectSound(made, clean);
  EXPECT_LT(Error(clean[0].image, made.truth[0], kLeft), 6);
}

TEST(CleanPhotos, MatchesExposure) {
  std::vector<Shot> shots = ThreeShots();
  shots[1].gain = shots[2].gain = 0.75;
  shots[1].offset = shots[2].offset = 14;
  const Made made(shots);
  const auto clean = made.Clean();
  ExpectSound(made, clean);
  EXPECT_LT(Error(clean[0].image, made.truth[0], kLeft), 4);
  EXPECT_GT(clean[0].photos, 0.03);
}

TEST(CleanPhotos, NamesWhatNoPhotoShows) {
  // One who stands still, for all cameras.
  Made made(
      {{.mover = kLeft, .mask = kLeft}, {.mover = kLeft, .mask = kLeft}, {.mover = kLeft, .mask = kLeft}});
  const auto clean = made.Clean();
  ExpectSound(made, clean);
  EXPECT_EQ(clean[0].source.At(50, 60), kRenderedPixel);
  EXPECT_GT(clean[0].rendered, 0.03);
  EXPECT_EQ(clean[0].photos, 0);
  EXPECT_LT(Error(clean[0].image, made.truth[0], kLeft), 12);  // blurred, but in its colours
}

TEST(CleanPhotos, AWrongMaskHarmsNothing) {
  std::vector<Shot> shots = ThreeShots();
  shots[0].mover = {};
  const Made made(shots);
  const auto clean = made.Clean();
  ExpectSound(made, clean);
  EXPECT_EQ(clean[0].own, 1);
  EXPECT_EQ(clean[0].image, made.photos[0]);
}

TEST(CleanPhotos, TwoPhotosFindWhatAMaskMissed) {
  std::vector<Shot> shots = ThreeShots();
  shots[0].mask = {40, 40, 60, 62};  // not the legs
  const Made made(shots);
  const auto clean = made.Clean();
  ExpectSound(made, clean);
  EXPECT_LT(Error(clean[0].image, made.truth[0], kLeft), 6);
}

TEST(CleanPhotos, FollowsMasksOfSomebodyWhoKnows) {
  std::vector<Shot> shots = ThreeShots();
  shots[0].mover = {};
  const Made made(shots);
  const auto clean = made.Clean({.told_masks = {true, true, true}});
  ExpectSound(made, clean);
  for (int y = kLeft.top; y < kLeft.bottom; ++y) {
    for (int x = kLeft.left; x < kLeft.right; ++x) ASSERT_NE(clean[0].source.At(x, y), kOwnPixel);
  }
}

TEST(CleanPhotos, AMaskThatIsToldSaysNothingOfOtherPhotos) {
  std::vector<Shot> shots = ThreeShots();
  shots[0].mover = {};     // told to go all the same
  shots[1].mask = {};      // what the model missed is found
  shots[2].mask = kRight;  // what it has marked for nothing stays
  const Made made(shots);
  const auto clean = made.Clean({.told_masks = {true, false, false}});
  ExpectSound(made, clean);
  for (int y = kLeft.top; y < kLeft.bottom; ++y) {
    for (int x = kLeft.left; x < kLeft.right; ++x) ASSERT_NE(clean[0].source.At(x, y), kOwnPixel);
  }
  EXPECT_LT(Error(clean[1].image, made.truth[1], kRight), 6);
  EXPECT_EQ(clean[2].own, 1);
}

TEST(CleanPhotos, HeldOutPhotosGetAndGiveNothing) {
  std::vector<Shot> shots = ThreeShots();
  std::swap(shots[0], shots[2]);  // the one with the mover on the left is held out
  const Made made(shots, 1);
  const auto clean = made.Clean();
  ExpectSound(made, clean);  // no source is a held-out photo
  EXPECT_LT(Error(clean[2].image, made.truth[2], kLeft), 3);
}

TEST(CleanPhotos, TakesPhotosOfDifferentSizes) {
  std::vector<Shot> shots = ThreeShots();
  shots[1] = {.width = 320, .height = 240, .shift_x = 8, .shift_y = 4, .zoom = 2};
  shots[2] = {.width = 120, .height = 130, .shift_x = -3, .shift_y = -2};
  const Made made(shots);
  const auto clean = made.Clean();
  ExpectSound(made, clean);
  EXPECT_LT(Error(clean[0].image, made.truth[0], kLeft), 4);
}

TEST(CleanPhotos, WithoutMasksOrPlacesItRenders) {
  Made made(ThreeShots());
  made.places.clear();
  auto clean = made.Clean();
  ExpectSound(made, clean);
  EXPECT_EQ(clean[0].source.At(50, 60), kRenderedPixel);
  EXPECT_EQ(clean[0].photos, 0);
  EXPECT_GT(clean[0].own, 0.8);

  made.scene.masks.clear();
  clean = made.Clean();
  ExpectSound(made, clean);
  EXPECT_EQ(clean[0].source.At(80, 60), kRenderedPixel);
  EXPECT_EQ(clean[0].source.At(2, 60), kOwnPixel);  // beyond the square that the model saw
  EXPECT_NEAR(clean[0].rendered, 0.73, 0.03);
}

TEST(CleanPhotos, TakesTinyAndOddPhotos) {
  for (const auto& [width, height] :
       std::vector<std::pair<int, int>>{{1, 1}, {2, 1}, {1, 50}, {7, 3}, {49, 201}, {333, 50}}) {
    const Box all = {0, 0, width, height};
    Shot moving{.width = width, .height = height, .mover = all, .mask = all};
    Shot still{.width = width, .height = height, .shift_x = 0.4};
    const Made made({moving, still, {.width = 5, .height = 9}});
    ExpectSound(made, made.Clean());
    ExpectSound(made, made.Clean({.told_masks = {true, true, true}}));
  }
}

TEST(CleanPhotos, TellsEveryPictureThatItHasAligned) {
  const auto told = [](const Made& made) {
    int parts = 0, done = 0;
    CleanPhotos(made.photos, made.scene, made.rendered, made.places, {},
                [&](const std::string& stage, int of) { stage.empty() ? ++done : parts += of; });
    EXPECT_EQ(done, parts);
    return parts;
  };
  // Of each photo its rendering, the other inputs, and what is left to do.
  EXPECT_EQ(told(Made(ThreeShots())), 3 * 4);
  Made made(ThreeShots(), 1);
  EXPECT_EQ(told(made), 2 * 3 + 4);
  made.places.clear();
  EXPECT_EQ(told(made), 3 * 2);
  made.scene.masks.clear();
  EXPECT_EQ(told(made), 3);
}

TEST(CleanPhotos, RefusesWhatDoesNotBelongTogether) {
  const auto refused = [](const std::function<void(Made&)>& spoil) {
    Made made(ThreeShots());
    spoil(made);
    EXPECT_THROW(made.Clean(), wildrayzer::Error);
  };
  EXPECT_THROW(Made(ThreeShots()).Clean({.told_masks = {true}}), wildrayzer::Error);
  refused([](Made& made) { made.photos.pop_back(); });
  refused([](Made& made) { made.rendered[1] = Image(10, 10); });
  refused([](Made& made) { made.scene.masks[2].probability.pop_back(); });
  refused([](Made& made) { made.places[0].x.pop_back(); });
  refused([](Made& made) { made.places.pop_back(); });
  refused([](Made& made) { made.photos[0] = Image(161, 120); });
}

TEST(CleanPhotos, ColoursTellSourcesApart) {
  GrayImage source(8, 1);
  for (int x = 0; x < 7; ++x) source.At(x, 0) = static_cast<uint8_t>(x);
  source.At(7, 0) = kRenderedPixel;
  const Image colours = ColourSources(source);
  for (int a = 0; a < 8; ++a) {
    for (int b = 0; b < a; ++b) {
      int apart = 0;
      for (int c = 0; c < 3; ++c) apart += std::abs(colours.Pixel(a, 0)[c] - colours.Pixel(b, 0)[c]);
      EXPECT_GT(apart, 60) << a << " " << b;
    }
  }
}

}  // namespace
}  // namespace wildrayzer

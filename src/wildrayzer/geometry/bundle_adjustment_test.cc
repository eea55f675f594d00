#include "wildrayzer/geometry/bundle_adjustment.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "wildrayzer/geometry/rotation.h"

namespace wildrayzer {
namespace {

using torch::Tensor;

constexpr int64_t kPoints = 120, kRows = 6, kColumns = 8;  // frames of 4:3

Tensor Spread(torch::IntArrayRef shape, uint64_t seed) {
  torch::Generator generator = torch::make_generator<torch::CPUGeneratorImpl>(seed);
  return torch::rand(shape, generator, torch::TensorOptions(torch::kFloat64)) * 2.0 - 1.0;
}

// Rotations by up to so many degrees about each axis.
Tensor Turned(torch::IntArrayRef shape, double degrees, uint64_t seed) {
  const Tensor half = Spread(shape, seed) * (degrees * std::numbers::pi / 360.0);
  return QuaternionToMatrix(torch::cat({torch::ones_like(half.narrow(-1, 0, 1)), half}, -1));
}

Tensor Poses(const Tensor& rotation, const Tensor& position) {
  const Tensor bottom =
      torch::eye(4, torch::kFloat64).narrow(0, 3, 1).expand({rotation.size(0), rotation.size(1), 1, 4});
  return torch::cat({torch::cat({rotation, position.unsqueeze(-1)}, -1), bottom}, 2);
}

// B scenes of points of the first two of four views, at depths about 1 from them; the views are within 10
// degrees and a quarter of a unit.
struct Seen {
  Tensor c2w, fxfycxcy, log_depth;
  PointMatches matches;
};
Seen SeenPoints(int64_t scenes, double field = 0.4) {
  Seen seen;
  Tensor rotation = Turned({scenes, 4, 3}, 10.0, 1), position = Spread({scenes, 4, 3}, 2) * 0.25;
  rotation.select(1, 0).copy_(torch::eye(3, torch::kFloat64));
  position.select(1, 0).zero_();
  seen.c2w = Poses(rotation, position);
  // Square pixels: 0.9 square roots of the area.
  const double stretch = std::sqrt(static_cast<double>(kColumns) / kRows);
  seen.fxfycxcy =
      torch::tensor({0.9 / stretch, 0.9 * stretch, 0.5, 0.5}, torch::kFloat64).expand({scenes, 4, 4});
  const Tensor focal = seen.fxfycxcy.select(1, 0).narrow(-1, 0, 2);
  seen.matches.points = Spread({kPoints, 2}, 3) * field + 0.5;
  seen.log_depth = Spread({scenes, 2, kPoints}, 4) * 0.6;
  const Tensor slopes = (seen.matches.points - 0.5) / focal.unsqueeze(1);
  const Tensor rays = torch::cat({slopes, torch::ones_like(slopes.narrow(-1, 0, 1))}, -1);
  std::vector<Tensor> frames;
  for (int64_t a = 0; a < 2; ++a) {
    const Tensor points = torch::matmul(rays * torch::exp(seen.log_depth.select(1, a)).unsqueeze(-1),
                                        rotation.select(1, a).transpose(-1, -2)) +
                          position.select(1, a).unsqueeze(1);
    const Tensor there = torch::matmul(points.unsqueeze(1) - position.unsqueeze(2), rotation);
    frames.push_back(there.narrow(-1, 0, 2) / there.narrow(-1, 2, 1) * focal.unsqueeze(1).unsqueeze(1) + 0.5);
  }
  seen.matches.seen = torch::stack(frames, 1);
  seen.matches.weight = torch::ones({scenes, 2, 4, kPoints}, torch::kFloat64);
  for (int64_t a = 0; a < 2; ++a) seen.matches.weight.select(1, a).select(1, a).zero_();
  return seen;
}

// As a camera head might tell them.
Tensor Roughly(const Tensor& c2w) {
  const Tensor wrong = Turned({c2w.size(0), c2w.size(1), 3}, 3.0, 5);
  const Tensor off = Spread({c2w.size(0), c2w.size(1), 3}, 6) * 0.05;
  Tensor rough = Poses(torch::matmul(wrong, c2w.narrow(2, 0, 3).narrow(3, 0, 3)),
                       c2w.narrow(2, 0, 3).select(3, 3) + off);
  rough.select(1, 0).copy_(c2w.select(1, 0));
  return rough;
}

// Largest error of the rotations, degrees.
double DegreesOff(const Tensor& c2w, const Tensor& truth) {
  const Tensor trace =
      (c2w.narrow(2, 0, 3).narrow(3, 0, 3) * truth.narrow(2, 0, 3).narrow(3, 0, 3)).sum({-2, -1});
  return torch::acos(((trace - 1.0) / 2.0).clamp(-1.0, 1.0)).max().item<double>() * 180.0 / std::numbers::pi;
}

// Largest error of the positions, over the longest way, after the scale that fits best: matches cannot tell
// it.
double PositionsOff(const Tensor& c2w, const Tensor& truth) {
  const Tensor found = c2w.narrow(2, 0, 3).select(3, 3), wanted = truth.narrow(2, 0, 3).select(3, 3);
  const Tensor scale = (found * wanted).sum({1, 2}, true) / found.square().sum({1, 2}, true);
  return ((scale * found - wanted).square().sum(-1).max() / wanted.square().sum(-1).max())
      .sqrt()
      .item<double>();
}

TEST(AdjustPoses, FindsTheCamerasOfExactMatches) {
  const Seen seen = SeenPoints(2);
  const Tensor rough = Roughly(seen.c2w);
  ASSERT_GT(DegreesOff(rough, seen.c2w), 1.5);
  ASSERT_GT(PositionsOff(rough, seen.c2w), 0.1);
  const Tensor found = AdjustPoses(rough, seen.fxfycxcy, seen.matches, kRows, kColumns);
  // What is left is the pull of the prior, which is as strong as a dozen of the 720 errors are.
  EXPECT_LT(DegreesOff(found, seen.c2w), 0.1);
  EXPECT_LT(PositionsOff(found, seen.c2w), 0.02);
  EXPECT_TRUE(torch::equal(found.select(1, 0), seen.c2w.select(1, 0)));
}

// A point is where a camera that moves sees it.
TEST(AdjustPoses, FindsThemByThePointsOfTheSecondViewAlone) {
  Seen seen = SeenPoints(2);
  seen.matches.weight.select(1, 0).zero_();
  const Tensor found = AdjustPoses(Roughly(seen.c2w), seen.fxfycxcy, seen.matches, kRows, kColumns);
  EXPECT_LT(DegreesOff(found, seen.c2w), 0.1);
  EXPECT_LT(PositionsOff(found, seen.c2w), 0.02);
}

TEST(AdjustPoses, IsNotMisledByWrongMatches) {
  Seen seen = SeenPoints(1);
  const Tensor wrong = Spread({1, 2, 4, kPoints, 1}, 7).gt(0.4);  // three in ten
  seen.matches.seen = torch::where(wrong, Spread({1, 2, 4, kPoints, 2}, 8) * 0.5 + 0.5, seen.matches.seen);
  const Tensor found = AdjustPoses(Roughly(seen.c2w), seen.fxfycxcy, seen.matches, kRows, kColumns);
  EXPECT_LT(DegreesOff(found, seen.c2w), 0.3);
  EXPECT_LT(PositionsOff(found, seen.c2w), 0.05);
}

TEST(AdjustPoses, LeavesWhatNoMatchTells) {
  Seen seen = SeenPoints(1);
  seen.matches.weight.select(2, 2).zero_();
  const Tensor rough = Roughly(seen.c2w);
  const Tensor found = AdjustPoses(rough, seen.fxfycxcy, seen.matches, kRows, kColumns);
  EXPECT_LT((found - rough).select(1, 2).abs().max().item<double>(), 1e-9);
  EXPECT_GT((found - rough).select(1, 1).abs().max().item<double>(), 1e-3);
}

TEST(AdjustPoses, TakesEverySceneForItself) {
  const Seen seen = SeenPoints(3);
  const Tensor rough = Roughly(seen.c2w).to(torch::kFloat32);
  const Tensor all = AdjustPoses(rough, seen.fxfycxcy, seen.matches, kRows, kColumns);
  EXPECT_EQ(all.scalar_type(), torch::kFloat32);
  const Tensor one = AdjustPoses(rough.narrow(0, 1, 1), seen.fxfycxcy.narrow(0, 1, 1), seen.matches.Scene(1),
                                 kRows, kColumns);
  EXPECT_LT((all.narrow(0, 1, 1) - one).abs().max().item<double>(), 1e-6);
}

TEST(FitDepths, FindsTheDepthsOfExactMatches) {
  const Seen seen = SeenPoints(2);
  const Tensor found = FitDepths(seen.c2w, seen.fxfycxcy, seen.matches, kRows, kColumns);
  EXPECT_LT((found - seen.log_depth).abs().max().item<double>(), 0.01);
  PointMatches none = seen.matches;
  none.weight = torch::zeros_like(none.weight);
  EXPECT_EQ(FitDepths(seen.c2w, seen.fxfycxcy, none, kRows, kColumns).abs().max().item<double>(), 0.0);
}

TEST(FitDepths, TakesThatOfThePointsAboutWhereNoMatchTells) {
  Seen seen = SeenPoints(1);
  const Tensor told = Spread({kPoints}, 9).gt(-0.6);  // four in five
  seen.matches.weight *= told.to(torch::kFloat64);
  // Points that are at depth 1.5 from the first view wherever that sees them.
  const Tensor focal = seen.fxfycxcy[0][0].narrow(0, 0, 2);
  const Tensor slopes = (seen.matches.points - 0.5) / focal;
  const Tensor wall = torch::cat({slopes, torch::ones_like(slopes.narrow(-1, 0, 1))}, -1) * 1.5;
  const Tensor there =
      torch::matmul(wall - seen.c2w[0].narrow(1, 0, 3).select(2, 3).unsqueeze(1).narrow(1, 0, 1),
                    seen.c2w[0].narrow(1, 0, 3).narrow(2, 0, 3));
  seen.matches.seen =
      (there.narrow(-1, 0, 2) / there.narrow(-1, 2, 1) * focal + 0.5).unsqueeze(0).unsqueeze(0);
  seen.matches.weight = seen.matches.weight.narrow(1, 0, 1);
  const Tensor found = FitDepths(seen.c2w, seen.fxfycxcy, seen.matches, kRows, kColumns);
  EXPECT_LT((found - std::log(1.5)).abs().max().item<double>(), 0.1);
}

}  // namespace
}  // namespace wildrayzer

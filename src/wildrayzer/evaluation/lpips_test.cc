#include "wildrayzer/evaluation/lpips.h"

#include <gtest/gtest.h>

#include <cmath>

#include "wildrayzer/util/error.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {
namespace {

Lpips SmallRandomLpips() {
  const auto source = [](const std::string& key) {
    for (const VggLayer& layer : VggLayers(VggDepth::k16)) {
      const std::string name = "features." + std::to_string(layer.index);
      if (key == name + ".bias") return torch::zeros({layer.channels});
      if (key != name + ".weight") continue;
      const int64_t inputs = layer.index == 0    ? 3
                             : layer.index <= 5  ? 64
                             : layer.index <= 10 ? 128
                             : layer.index <= 17 ? 256
                                                 : 512;
      torch::manual_seed(layer.index);
      return torch::randn({layer.channels, inputs, 3, 3}) * std::sqrt(2.0 / (9.0 * inputs));
    }
    return torch::Tensor();
  };
  std::array<torch::Tensor, kLpipsLayers> heads;
  const int channels[] = {64, 128, 256, 512, 512};
  for (int k = 0; k < kLpipsLayers; ++k) heads[k] = torch::full({1, channels[k], 1, 1}, 0.1f);
  return Lpips(VggTrunk(VggDepth::k16, VggPooling::kMax, {3, 8, 15, 22, 29}, source), heads);
}

TEST(Lpips, IsZeroForEqualPicturesSymmetricAndBounded) {
  const Lpips lpips = SmallRandomLpips();
  Random random(3);
  Planes a(3, 32, 32), b(3, 32, 32);
  for (float& value : a.values) value = static_cast<float>(random.Uniform());
  for (float& value : b.values) value = static_cast<float>(random.Uniform());
  EXPECT_EQ(LpipsDistance(lpips.Compare(a, a)), 0.0);
  const double distance = LpipsDistance(lpips.Compare(a, b));
  EXPECT_GT(distance, 0.0);
  EXPECT_DOUBLE_EQ(distance, LpipsDistance(lpips.Compare(b, a)));
  // Unit vectors with non-negative entries differ by at most sqrt(2): each layer is at most 2 * 0.1.
  EXPECT_LE(distance, 5 * 0.2);
}

TEST(Lpips, RefusesWrongShapes) {
  const Lpips lpips = SmallRandomLpips();
  EXPECT_THROW(lpips.Encode(Planes(1, 32, 32)), Error);
  EXPECT_THROW(lpips.Encode(Planes(3, 8, 32)), Error);
  EXPECT_THROW(lpips.Compare(Planes(3, 32, 32), Planes(3, 32, 48)), Error);
}

}  // namespace
}  // namespace wildrayzer

#include "wildrayzer/nn/init.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "wildrayzer/nn/normal_fill.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {
namespace {

// The same formula with the standard library, one number after the other.
std::vector<double> SlowNormals(uint64_t state, int64_t pairs) {
  Random random(state);
  std::vector<double> numbers;
  for (int64_t i = 0; i < pairs; ++i) {
    const double u = 1.0 - static_cast<double>(random.Next() >> 12) * 0x1.0p-52;
    const double t = static_cast<double>(random.Next() >> 12) * 0x1.0p-52;
    const double radius = std::sqrt(-2.0 * std::log(u));
    numbers.push_back(radius * std::cos(2.0 * std::numbers::pi * t));
    numbers.push_back(radius * std::sin(2.0 * std::numbers::pi * t));
  }
  return numbers;
}

TEST(FillNormalRange, MatchesTheStandardLibrary) {
  const std::vector<double> expected = SlowNormals(7, 100000);
  std::vector<float> got(expected.size());
  FillNormalRange(got.data(), 0, static_cast<int64_t>(got.size()), 0.5, 7);
  // Half a unit in the last place of a float near 3 is 1.2e-7; the series are good to 1e-12.
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], 0.5 * expected[i], 1.5e-7) << i;
}

TEST(FillNormalRange, AnyPieceIsTheSame) {
  std::vector<float> whole(1001);
  FillNormalRange(whole.data(), 0, 1001, 1.0, 99);
  for (const int64_t first : {2, 64, 998}) {
    std::vector<float> piece(1001 - first);
    FillNormalRange(piece.data(), first, 1001 - first, 1.0, 99);
    for (size_t i = 0; i < piece.size(); ++i) ASSERT_EQ(piece[i], whole[first + i]) << first;
  }
}

TEST(FillNormal, UsesTheStreamOfItsName) {
  const torch::Tensor t = torch::empty({4});
  FillNormal(t, 1.0, 1, "stream");
  const std::vector<double> expected = SlowNormals(Random(1, "stream").state(), 2);
  for (int64_t i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(t[i].item<float>(), static_cast<float>(expected[i]));
}

TEST(FillNormal, MomentsTailsAndIndependence) {
  const torch::Tensor a = torch::empty({1000, 1000});
  const torch::Tensor b = torch::empty({1000, 1000});
  FillNormal(a, 0.02, 5, "a");
  FillNormal(b, 0.02, 5, "b");
  // Six standard errors of a million samples.
  EXPECT_NEAR(a.mean().item<double>(), 0.0, 6 * 0.02 / 1000);
  EXPECT_NEAR(a.std().item<double>(), 0.02, 6 * 0.02 / std::sqrt(2e6));
  EXPECT_NEAR((a / 0.02).pow(4).mean().item<double>(), 3.0, 6 * std::sqrt(96e-6));
  EXPECT_NEAR((a.abs() > 0.04).to(torch::kFloat64).mean().item<double>(), 0.0455, 6 * 2.1e-4);
  EXPECT_NEAR((a * b).mean().item<double>(), 0.0, 6 * 0.0004 / 1000);
  EXPECT_NEAR((a.flatten().slice(0, 0, 999999) * a.flatten().slice(0, 1)).mean().item<double>(), 0.0,
              6 * 0.0004 / 1000);
}

TEST(FillNormal, IndependentOfThreadsAndType) {
  const int threads = torch::get_num_threads();
  torch::set_num_threads(1);
  const torch::Tensor one = torch::empty({3, 70001});
  FillNormal(one, 0.1, 2, "x");
  torch::set_num_threads(3);
  const torch::Tensor three = torch::empty({3, 70001});
  FillNormal(three, 0.1, 2, "x");
  torch::set_num_threads(threads);
  EXPECT_TRUE(torch::equal(one, three));
  const torch::Tensor narrow = torch::empty({3, 70001}, torch::kBFloat16);
  FillNormal(narrow, 0.1, 2, "x");
  EXPECT_TRUE(torch::equal(narrow, one.to(torch::kBFloat16)));
}

TEST(FillTruncatedNormal, HasNoTails) {
  const torch::Tensor t = torch::empty({200, 500});
  FillTruncatedNormal(t, 0.02, 3, "code");
  EXPECT_LE(t.abs().max().item<double>(), 0.04);
  EXPECT_NEAR(t.std().item<double>(), 0.02 * 0.8796, 3e-4);  // of a normal distribution cut at two deviations
}

TEST(InitializeTransformerBlock, FollowsTheMethod) {
  Block block(128, 64);
  InitializeTransformerBlock(block, TransformerBlockStd(3), 1, "stack.3.");
  EXPECT_DOUBLE_EQ(TransformerBlockStd(3), 0.02 / std::sqrt(8.0));
  for (const auto& item : block->named_parameters()) {
    if (item.value().dim() == 2) {
      EXPECT_NEAR(item.value().std().item<double>(), TransformerBlockStd(3), 2e-4) << item.key();
    } else {
      EXPECT_TRUE((item.value() == 1.0).all().item<bool>()) << item.key();
    }
  }
  Block other(128, 64);
  InitializeTransformerBlock(other, TransformerBlockStd(3), 1, "stack.4.");
  EXPECT_FALSE(
      torch::equal(other->named_parameters()["attn.fc.weight"], block->named_parameters()["attn.fc.weight"]));
}

}  // namespace
}  // namespace wildrayzer

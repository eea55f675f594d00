#include "wildrayzer/nn/positional_encoding.h"

#include <gtest/gtest.h>

#include <cmath>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// Scalar restatement of method.md section 2, written without tensors.
double Expected1d(int64_t dim, int64_t channel, double position) {
  const int64_t half = dim / 2;
  const double angle = position / std::pow(10000.0, static_cast<double>(channel % half) / half);
  return channel < half ? std::sin(angle) : std::cos(angle);
}

// Results are rounded to float32 once: half an ulp of 1 is 6e-8.
constexpr double kTolerance = 1e-7;

TEST(PositionalEncoding, OneDimensionalMatchesTheFormula) {
  const torch::Tensor positions = torch::tensor({0.0, 3.0, 17.0, 250.0, 100000.0}, torch::kFloat64);
  const torch::Tensor encoding = SinCos1d(10, positions);
  ASSERT_EQ(encoding.sizes(), (torch::IntArrayRef{5, 10}));
  EXPECT_EQ(encoding.scalar_type(), torch::kFloat32);
  for (int64_t i = 0; i < 5; ++i) {
    for (int64_t c = 0; c < 10; ++c) {
      EXPECT_NEAR(encoding[i][c].item<double>(), Expected1d(10, c, positions[i].item<double>()), kTolerance);
    }
  }
}

TEST(PositionalEncoding, CountMeansConsecutivePositions) {
  EXPECT_TRUE(torch::equal(SinCos1d(8, 3), SinCos1d(8, torch::tensor({0, 1, 2}))));
}

TEST(PositionalEncoding, TwoDimensionalPutsTheColumnFirst) {
  const int64_t rows = 2, columns = 3, dim = 16;
  const torch::Tensor encoding = SinCos2d(dim, rows, columns);
  ASSERT_EQ(encoding.sizes(), (torch::IntArrayRef{rows * columns, dim}));
  for (int64_t i = 0; i < rows * columns; ++i) {
    for (int64_t c = 0; c < dim / 2; ++c) {
      EXPECT_NEAR(encoding[i][c].item<double>(), Expected1d(dim / 2, c, i % columns), kTolerance);
      EXPECT_NEAR(encoding[i][dim / 2 + c].item<double>(), Expected1d(dim / 2, c, i / columns), kTolerance);
    }
  }
}

TEST(PositionalEncoding, RefusesWidthsThatDoNotSplit) {
  EXPECT_THROW(SinCos1d(7, 2), UsageError);
  EXPECT_THROW(SinCos1d(0, 2), UsageError);
  EXPECT_THROW(SinCos2d(6, 2, 2), UsageError);
}

}  // namespace
}  // namespace wildrayzer

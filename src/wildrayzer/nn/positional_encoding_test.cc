#include "wildrayzer/nn/positional_encoding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "wildrayzer/testing/golden.h"
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
constexpr double kTableTolerance = 1e-7;

TEST(PositionalEncoding, OneDimensionalMatchesTheFormula) {
  const torch::Tensor positions = torch::tensor({0.0, 3.0, 17.0, 250.0, 100000.0}, torch::kFloat64);
  const torch::Tensor encoding = SinCos1d(10, positions);
  ASSERT_EQ(encoding.sizes(), (torch::IntArrayRef{5, 10}));
  EXPECT_EQ(encoding.scalar_type(), torch::kFloat32);
  for (int64_t i = 0; i < 5; ++i) {
    for (int64_t c = 0; c < 10; ++c) {
      EXPECT_NEAR(encoding[i][c].item<double>(), Expected1d(10, c, positions[i].item<double>()),
                  kTableTolerance);
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
      EXPECT_NEAR(encoding[i][c].item<double>(), Expected1d(dim / 2, c, i % columns), kTableTolerance);
      EXPECT_NEAR(encoding[i][dim / 2 + c].item<double>(), Expected1d(dim / 2, c, i / columns),
                  kTableTolerance);
    }
  }
}

TEST(PositionalEncoding, RefusesWidthsThatDoNotSplit) {
  EXPECT_THROW(SinCos1d(7, 2), UsageError);
  EXPECT_THROW(SinCos1d(0, 2), UsageError);
  EXPECT_THROW(SinCos2d(6, 2, 2), UsageError);
}

// The files of the golden folder, or our own copy without it.
std::vector<testing::GoldenFile> GoldenGeometry() {
  std::vector<testing::GoldenFile> files;
  for (const auto& path : testing::GoldenFiles("geometry")) files.emplace_back(path);
  if (files.empty()) files.emplace_back(testing::TestData("geometry.safetensors"));
  return files;
}

// Golden tolerance of geometry.safetensors: 1e-5 absolute (the reference takes sines of float32 angles).
void ExpectGolden(const torch::Tensor& got, const torch::Tensor& expected, const std::string& name) {
  ASSERT_EQ(got.sizes(), expected.sizes()) << name;
  EXPECT_LE((got - expected).abs().max().item<double>(), 1e-5) << name;
}

// The positions are part of the name ("pos0-7"), or else read off the embedding: its last frequency f is the
// lowest, and unambiguous for positions below pi / f.
torch::Tensor EmbeddedPositions(const std::string& name, const torch::Tensor& embedding, int64_t dim) {
  long first = 0, last = 0;
  if (std::sscanf(name.c_str(), "pe1d/dim%*d_pos%ld-%ld", &first, &last) == 2) {
    return torch::arange(first, last + 1, torch::kFloat64);
  }
  const int64_t half = dim / 2;
  const torch::Tensor values = embedding.to(torch::kFloat64);
  const double frequency = std::pow(10000.0, -static_cast<double>(half - 1) / static_cast<double>(half));
  return (torch::atan2(values.select(1, half - 1), values.select(1, dim - 1)) / frequency).round();
}

TEST(CodeCache, MakesACodeOnceAndForgetsNoSize) {
  CodeCache cache;
  int made = 0;
  const auto get = [&](int64_t size) {
    return cache.Get({size}, torch::kCPU, [&] {
      ++made;
      return torch::full({size}, static_cast<double>(size));
    });
  };
  for (const int64_t size : {2, 3, 2, 3, 3})
    EXPECT_TRUE(torch::equal(get(size), torch::full({size}, static_cast<double>(size))));
  EXPECT_EQ(made, 2);
  for (int64_t size = 1; size < 60; ++size) EXPECT_EQ(get(size).size(0), size);  // more than it keeps
  EXPECT_EQ(CodeCache(cache).Get({2}, torch::kCPU, [] { return torch::zeros({5}); }).size(0), 5)
      << "a copy begins empty";
}

TEST(PositionalEncoding, GoldenVectors) {
  for (const testing::GoldenFile& file : GoldenGeometry()) {
    const std::vector<std::string> lines = file.NamesWithPrefix("pe1d/"),
                                   grids = file.NamesWithPrefix("pe2d/");
    EXPECT_FALSE(lines.empty() || grids.empty()) << file.path();
    for (const std::string& name : lines) {
      long dim = 0;
      ASSERT_EQ(std::sscanf(name.c_str(), "pe1d/dim%ld", &dim), 1) << name;
      const torch::Tensor expected = file.Get(name);
      ExpectGolden(SinCos1d(dim, EmbeddedPositions(name, expected, dim)), expected, name);
    }
    for (const std::string& name : grids) {
      long dim = 0, rows = 0, columns = 0, stride = 1;
      ASSERT_GE(std::sscanf(name.c_str(), "pe2d/dim%ld_%ldx%ld_every%ld", &dim, &rows, &columns, &stride), 3)
          << name;
      ExpectGolden(SinCos2d(dim, rows, columns).slice(0, 0, rows * columns, stride), file.Get(name), name);
    }
  }
}

}  // namespace
}  // namespace wildrayzer

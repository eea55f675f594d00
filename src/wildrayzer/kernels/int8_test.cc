// int8 products against their definition in 64-bit integers and double precision, and all paths of this
// machine against each other.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "wildrayzer/io/dtype_conversion.h"
#include "wildrayzer/kernels/int8_kernels.h"
#include "wildrayzer/kernels/int8_linear.h"

namespace wildrayzer {
namespace {

struct Int8Case {
  int64_t tokens, depth, columns;
  bool bias, gelu;
};

struct Int8Operands {
  std::vector<float> x, scales, bias;
  std::vector<int8_t> weight;
};

Int8Operands RandomInt8Operands(const Int8Case& c) {
  const auto floats = [](const torch::Tensor& t) {
    return std::vector<float>(t.data_ptr<float>(), t.data_ptr<float>() + t.numel());
  };
  Int8Operands operands;
  operands.x = floats(3 * torch::randn({c.tokens * c.depth}));
  operands.scales = floats(0.01 + 0.02 * torch::rand({c.columns}));
  operands.bias = floats(torch::randn({c.columns}));
  const torch::Tensor q = torch::randint(-127, 128, {c.columns * c.depth}, torch::kInt8);
  operands.weight.assign(q.data_ptr<int8_t>(), q.data_ptr<int8_t>() + q.numel());
  return operands;
}

// All columns, panel by panel, rows in two pieces.
std::vector<float> RunInt8(const Int8Kernels& kernels, const Int8Case& c, const Int8Operands& in) {
  const int64_t words = kernels.WordsOf(c.depth);
  const int64_t padded = (c.tokens + kInt8Rows - 1) / kInt8Rows * kInt8Rows;
  std::vector<uint32_t> rows(static_cast<size_t>(padded * words));
  std::vector<float> row_scales(static_cast<size_t>(padded)), y(static_cast<size_t>(c.tokens * c.columns));
  kernels.round_rows(in.x.data(), c.tokens, c.depth, {rows.data(), row_scales.data()});
  std::vector<uint32_t> scratch(static_cast<size_t>((words + 4) * kernels.columns));
  for (int64_t column = 0; column < c.columns; column += kernels.columns) {
    for (int64_t row = 0; row < c.tokens; row += 2 * kInt8Rows) {
      Int8Product p{};
      p.weight = in.weight.data() + column * c.depth;
      p.scales = in.scales.data() + column;
      p.bias = c.bias ? in.bias.data() + column : nullptr;
      p.depth = c.depth;
      p.columns = std::min(kernels.columns, c.columns - column);
      p.x = {rows.data() + row * words, row_scales.data() + row};
      p.rows = std::min(2 * kInt8Rows, c.tokens - row);
      p.gelu = c.gelu;
      p.y = y.data() + row * c.columns + column;
      p.y_stride = c.columns;
      p.scratch = scratch.data();
      kernels.product(p);
    }
  }
  return y;
}

// The definition at the head of int8_kernels.h.
std::vector<double> ExpectInt8(const Int8Case& c, const Int8Operands& in) {
  std::vector<double> y;
  for (int64_t t = 0; t < c.tokens; ++t) {
    const float* x = in.x.data() + t * c.depth;
    float largest = 0;
    for (int64_t k = 0; k < c.depth; ++k) largest = std::max(largest, std::abs(x[k]));
    for (int64_t n = 0; n < c.columns; ++n) {
      int64_t sum = 0;
      for (int64_t k = 0; k < c.depth; ++k) {
        const auto q = static_cast<int64_t>(std::nearbyint(x[k] * (127.0f / largest)));
        sum += q * in.weight[static_cast<size_t>(n * c.depth + k)];
      }
      double value = static_cast<double>(sum) * (largest / 127.0) * in.scales[static_cast<size_t>(n)];
      if (c.bias) value += in.bias[static_cast<size_t>(n)];
      if (c.gelu) value *= 0.5 * std::erfc(-value / std::sqrt(2.0));
      y.push_back(value);
    }
  }
  return y;
}

class Int8Kernel : public ::testing::TestWithParam<Int8Case> {};

TEST_P(Int8Kernel, IsItsDefinition) {
  torch::manual_seed(7);
  const Int8Case c = GetParam();
  const Int8Operands operands = RandomInt8Operands(c);
  const std::vector<double> expected = ExpectInt8(c, operands);
  int count = 0;
  const Int8Kernels* const* all = RunnableInt8(&count);
  for (int i = 0; i < count; ++i) {
    const std::vector<float> found = RunInt8(*all[i], c, operands);
    for (size_t k = 0; k < found.size(); ++k) {
      // Sums are exact; the scales, the bias and GELU are float32 (its error function is good to 1.5e-7).
      ASSERT_NEAR(found[k], expected[k], 1e-6 * (1 + std::abs(expected[k]))) << all[i]->name << " at " << k;
    }
  }
}

TEST_P(Int8Kernel, HasTheSameBitsOnEveryPath) {
  torch::manual_seed(8);
  const Int8Case c = GetParam();
  const Int8Operands operands = RandomInt8Operands(c);
  const std::vector<float> portable = RunInt8(*kPortableInt8, c, operands);
  int count = 0;
  const Int8Kernels* const* all = RunnableInt8(&count);
  for (int i = 0; i < count; ++i) {
    const std::vector<float> found = RunInt8(*all[i], c, operands);
    EXPECT_EQ(std::memcmp(found.data(), portable.data(), sizeof(float) * found.size()), 0) << all[i]->name;
  }
}

// Remainders of rows, of words and of panels of every width.
INSTANTIATE_TEST_SUITE_P(Shapes, Int8Kernel,
                         ::testing::Values(Int8Case{1, 1, 1, false, false}, Int8Case{7, 3, 5, true, false},
                                           Int8Case{6, 64, 64, true, true}, Int8Case{13, 770, 70, true, true},
                                           Int8Case{25, 192, 130, false, true},
                                           Int8Case{12, 3072, 17, true, false}));

TEST(Int8Kernels, RoundTiesToEven) {
  const Int8Case c{1, 5, 5, false, false};
  Int8Operands in = RandomInt8Operands(c);
  in.x = {127, 0.5, 1.5, -2.5, -3.5};  // the scale is 1
  in.weight.assign(25, 0);
  for (size_t i = 0; i < 5; ++i) in.weight[6 * i] = 1;
  in.scales.assign(5, 1);
  int count = 0;
  const Int8Kernels* const* all = RunnableInt8(&count);
  for (int i = 0; i < count; ++i)
    EXPECT_EQ(RunInt8(*all[i], c, in), (std::vector<float>{127, 0, 2, -2, -4})) << all[i]->name;
}

TEST(Int8Kernels, ExtremesAreExact) {
  // The largest sums that there are: every path must hold them, and none may saturate.
  const Int8Case c{1, kMaxInt8Depth, 2, false, false};
  Int8Operands in;
  in.x.assign(static_cast<size_t>(c.depth), 1.0f);
  in.weight.assign(static_cast<size_t>(2 * c.depth), 127);
  std::fill(in.weight.begin() + c.depth, in.weight.end(), int8_t{-128});  // only damaged files have it
  in.scales = {1, 1};
  in.bias = {0, 0};
  int count = 0;
  const Int8Kernels* const* all = RunnableInt8(&count);
  for (int i = 0; i < count; ++i) {
    const std::vector<float> y = RunInt8(*all[i], c, in);
    const float unit = 1.0f / 127.0f;
    EXPECT_FLOAT_EQ(y[0], 127.0f * 127.0f * 65536.0f * unit) << all[i]->name;
    EXPECT_FLOAT_EQ(y[1], -128.0f * 127.0f * 65536.0f * unit) << all[i]->name;
  }
}

TEST(Int8Kernels, ZerosAndWhatIsNotFinite) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Int8Case c{4, 18, 3, true, false};
  Int8Operands in = RandomInt8Operands(c);
  std::fill(in.x.begin(), in.x.begin() + 18, 0.0f);
  in.x[18 + 17] = kNan;
  in.x[2 * 18] = -kInfinity;
  std::fill(in.x.begin() + 3 * 18, in.x.end(), 1e-41f);
  int count = 0;
  const Int8Kernels* const* all = RunnableInt8(&count);
  for (int i = 0; i < count; ++i) {
    const std::vector<float> y = RunInt8(*all[i], c, in);
    for (size_t n = 0; n < 3; ++n) {
      EXPECT_EQ(y[n], in.bias[n]) << all[i]->name;
      EXPECT_TRUE(std::isnan(y[3 + n])) << all[i]->name;
      EXPECT_TRUE(std::isnan(y[6 + n])) << all[i]->name;
      EXPECT_EQ(y[9 + n], in.bias[n]) << all[i]->name;
    }
  }
}

TEST(Int8Linear, IsNearTheExactProduct) {
  torch::manual_seed(9);
  const torch::Tensor x = torch::randn({2, 50, 768}), weight = 0.03 * torch::randn({300, 768}),
                      bias = torch::randn({300});
  const torch::Tensor exact = torch::linear(x, weight, bias);
  const torch::Tensor found = Int8LinearProduct(x, QuantizeMatrix(weight), bias, /*gelu=*/false);
  // Both factors have rounding errors of a uniform step of about 3.3 / 127 standard deviations: 0.0075 of
  // each number, so 0.0106 of the product.
  const double error = ((found - exact).norm() / (exact - bias).norm()).item<double>();
  EXPECT_GT(error, 0.007);
  EXPECT_LT(error, 0.014);
  const torch::Tensor bent = Int8LinearProduct(x, QuantizeMatrix(weight), bias, /*gelu=*/true);
  EXPECT_LT((bent - torch::gelu(found)).abs().max().item<double>(), 2e-6);
}

TEST(Int8Linear, TokensDoNotKnowOfEachOther) {
  torch::manual_seed(11);
  // One panel of columns, so that the rows are divided among the threads.
  const torch::Tensor x = torch::randn({400, 32});
  const Int8Matrix weight = QuantizeMatrix(torch::randn({5, 32}));
  const torch::Tensor all = Int8LinearProduct(x, weight, {}, /*gelu=*/false);
  for (int64_t token = 0; token < 400; ++token) {
    const torch::Tensor alone = Int8LinearProduct(x.narrow(0, token, 1), weight, {}, /*gelu=*/false);
    ASSERT_TRUE(torch::equal(alone, all.narrow(0, token, 1))) << token;
  }
}

TEST(Int8Linear, MatricesComeBackToHalfAStep) {
  torch::manual_seed(10);
  const torch::Tensor weight = torch::randn({33, 70});
  const Int8Matrix matrix = QuantizeMatrix(weight);
  const torch::Tensor error = (DequantizeMatrix(matrix) - weight).abs();
  EXPECT_TRUE((error <= 0.5001 * matrix.scales.unsqueeze(1)).all().item<bool>());
  EXPECT_TRUE(matrix.values.abs().amax(1).eq(127).all().item<bool>());
}

TEST(Int8Linear, RefusesWhatItCannotDo) {
  const Int8Matrix matrix = QuantizeMatrix(torch::randn({4, 8}));
  EXPECT_THROW(Int8LinearProduct(torch::randn({3, 7}), matrix, {}, false), c10::Error);
  EXPECT_THROW(Int8LinearProduct(torch::randn({3, 8}, torch::requires_grad()), matrix, {}, false),
               c10::Error);
  EXPECT_EQ(Int8LinearProduct(torch::randn({0, 8}), matrix, {}, false).sizes(), (std::vector<int64_t>{0, 4}));
}

}  // namespace
}  // namespace wildrayzer

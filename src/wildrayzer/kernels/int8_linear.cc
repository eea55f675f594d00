#include "wildrayzer/kernels/int8_linear.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "wildrayzer/io/dtype_conversion.h"
#include "wildrayzer/kernels/int8_kernels.h"
#include "wildrayzer/kernels/parallel.h"
#include "wildrayzer/kernels/threads.h"

namespace wildrayzer {
namespace {

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Columns by panels and rows by pieces: so many of these that all threads have some.
struct Division {
  int64_t panels;
  int64_t pieces;
  int64_t rows;  // of a piece

  Division(int64_t columns, int64_t tokens, const Int8Kernels& kernels) {
    // Packing a panel costs about as much as 16 rows of its product.
    constexpr int64_t kFewestRows = 16 * kInt8Rows;
    panels = CeilDivide(columns, kernels.columns);
    const int64_t wanted = CeilDivide(4 * NumThreads(), panels);
    pieces = std::clamp<int64_t>(wanted, 1, std::max<int64_t>(tokens / kFewestRows, 1));
    rows = CeilDivide(CeilDivide(tokens, pieces), kInt8Rows) * kInt8Rows;
    pieces = CeilDivide(tokens, rows);
  }
};

}  // namespace

Int8Matrix QuantizeMatrix(const torch::Tensor& weight) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor wide = weight.detach().to(torch::kCPU, torch::kFloat32).contiguous();
  const int64_t rows = wide.size(0), depth = wide.size(1);
  const Int8Matrix matrix{torch::empty({rows, depth}, torch::kInt8), torch::empty({rows}, torch::kFloat32)};
  const auto* from = wide.data_ptr<float>();
  auto* values = matrix.values.data_ptr<int8_t>();
  auto* scales = matrix.scales.data_ptr<float>();
  ParallelFor(rows, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      scales[r] = QuantizeRow({from + r * depth, static_cast<size_t>(depth)}, values + r * depth);
  });
  return matrix;
}

torch::Tensor DequantizeMatrix(const Int8Matrix& matrix) {
  return matrix.values.to(torch::kFloat32) * matrix.scales.unsqueeze(1);
}

torch::Tensor Int8LinearProduct(const torch::Tensor& x, const Int8Matrix& weight, const torch::Tensor& bias,
                                bool gelu) {
  const int64_t columns = weight.values.size(0), depth = weight.values.size(1);
  TORCH_CHECK(x.device().is_cpu() && x.size(-1) == depth && depth >= 1 && depth <= kMaxInt8Depth,
              "Int8LinearProduct: tokens of ", x.sizes(), " on ", x.device(), " for weights of ",
              weight.values.sizes(), "; int8 is the processor's");
  TORCH_CHECK(!(torch::GradMode::is_enabled() && x.requires_grad()),
              "Int8LinearProduct: 8-bit weights have no gradient");
  const torch::Tensor input = x.to(torch::kFloat32).contiguous();
  const torch::Tensor values = weight.values.contiguous(), scales = weight.scales.contiguous();
  const torch::Tensor offsets = bias.defined() ? bias.to(torch::kFloat32).contiguous() : bias;
  const int64_t tokens = input.numel() / depth;
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = columns;
  torch::Tensor y = torch::empty(shape, torch::kFloat32);
  if (y.numel() == 0) return y;

  const Int8Kernels& kernels = SelectInt8();
  const int64_t words = kernels.WordsOf(depth);
  const int64_t padded = CeilDivide(tokens, kInt8Rows) * kInt8Rows;
  const torch::Tensor rounded = torch::empty({padded, words}, torch::kInt32);
  const torch::Tensor row_scales = torch::empty({padded}, torch::kFloat32);
  const Int8Rows rows{reinterpret_cast<uint32_t*>(rounded.data_ptr<int32_t>()), row_scales.data_ptr<float>()};
  // What stands in the last rows is read and not used.
  std::memset(rows.words + tokens * words, 0,
              sizeof(uint32_t) * static_cast<size_t>((padded - tokens) * words));
  const auto* from = input.data_ptr<float>();
  ParallelFor(tokens, [&](int64_t begin, int64_t end) {
    kernels.round_rows(from + begin * depth, end - begin, depth,
                       {rows.words + begin * words, rows.scales + begin});
  });

  const Division division(columns, tokens, kernels);
  const auto* matrix = values.data_ptr<int8_t>();
  const auto* matrix_scales = scales.data_ptr<float>();
  const float* bias_data = offsets.defined() ? offsets.data_ptr<float>() : nullptr;
  auto* out = y.data_ptr<float>();
  ParallelFor(division.panels * division.pieces, [&](int64_t begin, int64_t end) {
    thread_local std::vector<uint32_t> scratch;
    scratch.resize(static_cast<size_t>((words + 4) * kernels.columns));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t column = i / division.pieces * kernels.columns;
      const int64_t row = i % division.pieces * division.rows;
      Int8Product product{};
      product.weight = matrix + column * depth;
      product.scales = matrix_scales + column;
      product.bias = bias_data == nullptr ? nullptr : bias_data + column;
      product.depth = depth;
      product.columns = std::min(kernels.columns, columns - column);
      product.x = {rows.words + row * words, rows.scales + row};
      product.rows = std::min(division.rows, tokens - row);
      product.gelu = gelu;
      product.y = out + row * columns + column;
      product.y_stride = columns;
      product.scratch = scratch.data();
      kernels.product(product);
    }
  });
  return y;
}

}  // namespace wildrayzer

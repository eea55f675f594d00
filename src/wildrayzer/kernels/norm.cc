#include "wildrayzer/kernels/norm.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "wildrayzer/kernels/cpu_kernels.h"
#include "wildrayzer/kernels/norm_kernels.h"
#include "wildrayzer/kernels/parallel.h"
#include "wildrayzer/util/torch_version.h"

namespace wildrayzer {
namespace {

using torch::Tensor;

// Weights' gradients are summed in pieces that depend on the number of tokens alone, so that the bits do not
// depend on the number of threads.
constexpr int64_t kPieces = 32;
constexpr int64_t kLeastTokens = 16;

// A tensor [..., size], or [B, N, heads, size] whose heads lie within a longer row, as tokens of `heads`
// rows.
struct TokenRows {
  char* data;
  int64_t token_stride;  // elements
  bool bf16;
  int64_t element;

  explicit TokenRows(const Tensor& x, int64_t stride)
      : data(static_cast<char*>(x.data_ptr())),
        token_stride(stride),
        bf16(x.scalar_type() == torch::kBFloat16),
        element(x.element_size()) {}
  RowsIn In(int64_t token, int64_t size) const { return {data + token * token_stride * element, size, bf16}; }
  RowsOut Out(int64_t token, int64_t size) const {
    return {data + token * token_stride * element, size, bf16};
  }
};

struct Shape {
  int64_t tokens, heads, size;
  float eps;
  bool centred;
};

// What the backward pass needs of every row.
struct Statistics {
  Tensor mean;     // [tokens heads], undefined if not centred
  Tensor inverse;  // [tokens heads]
};

float* At(const Tensor& values, int64_t index) {
  return values.defined() ? values.data_ptr<float>() + index : nullptr;
}

Statistics NewStatistics(const Shape& shape) {
  Statistics statistics;
  if (shape.centred) statistics.mean = torch::empty({shape.tokens * shape.heads});
  statistics.inverse = torch::empty({shape.tokens * shape.heads});
  return statistics;
}

void NormalizeTokens(const Shape& shape, const TokenRows& x, const TokenRows& y, const Tensor& weight,
                     const Tensor& bias, const Statistics& statistics) {
  const NormKernels& kernels = SelectNorm();
  ParallelFor(shape.tokens, [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(static_cast<size_t>(shape.size));
    // TokenRows of one head each lie at one distance, so a whole range is one call.
    const bool one = shape.heads == 1;
    for (int64_t token = begin; token < end; token += one ? end - begin : 1) {
      NormForward norm;
      norm.x = x.In(token, one ? x.token_stride : shape.size);
      norm.y = y.Out(token, one ? y.token_stride : shape.size);
      norm.weight = weight.data_ptr<float>();
      norm.bias = At(bias, 0);
      norm.rows = one ? end - begin : shape.heads;
      norm.size = shape.size;
      norm.eps = shape.eps;
      norm.centred = shape.centred;
      norm.mean = At(statistics.mean, token * shape.heads);
      norm.inverse = At(statistics.inverse, token * shape.heads);
      kernels.forward(norm, scratch.data());
    }
  });
}

// Writes grad_x; returns the gradients of weight and (if asked for) bias.
std::pair<Tensor, Tensor> NormGradients(const Shape& shape, const TokenRows& grad_y, const TokenRows& x,
                                        const TokenRows& grad_x, const Tensor& weight,
                                        const Statistics& statistics, bool with_bias) {
  const NormKernels& kernels = SelectNorm();
  const int64_t step = std::max((shape.tokens + kPieces - 1) / kPieces, kLeastTokens);
  const int64_t pieces = (shape.tokens + step - 1) / step;
  const Tensor weights = torch::zeros({pieces, shape.size});
  const Tensor biases = with_bias ? torch::zeros({pieces, shape.size}) : Tensor();
  ParallelFor(pieces, [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(static_cast<size_t>(2 * shape.size));
    const bool one = shape.heads == 1;
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t last = std::min(shape.tokens, (piece + 1) * step);
      for (int64_t token = piece * step; token < last; token += one ? step : 1) {
        NormBackward norm;
        norm.grad_y = grad_y.In(token, one ? grad_y.token_stride : shape.size);
        norm.x = x.In(token, one ? x.token_stride : shape.size);
        norm.grad_x = grad_x.Out(token, one ? grad_x.token_stride : shape.size);
        norm.weight = weight.data_ptr<float>();
        norm.rows = one ? last - token : shape.heads;
        norm.size = shape.size;
        norm.centred = shape.centred;
        norm.mean = At(statistics.mean, token * shape.heads);
        norm.inverse = At(statistics.inverse, token * shape.heads);
        norm.grad_weight = At(weights, piece * shape.size);
        norm.grad_bias = At(biases, piece * shape.size);
        norm.scratch = scratch.data();
        kernels.backward(norm);
      }
    }
  });
  return {weights.sum(0), with_bias ? biases.sum(0) : Tensor()};
}

Shape ShapeOf(const Tensor& x, double eps, bool centred) {
  return {x.numel() / x.size(-1), 1, x.size(-1), static_cast<float>(eps), centred};
}

class NormFunction : public torch::autograd::Function<NormFunction> {
 public:
  // x contiguous, weight and bias float32; an empty bias is none (autograd functions refuse undefined
  // tensors).
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const Tensor& weight,
                        const Tensor& bias, double eps, bool centred, torch::ScalarType type) {
    const Shape shape = ShapeOf(x, eps, centred);
    const Statistics statistics = NewStatistics(shape);
    const Tensor y = torch::empty(x.sizes(), x.options().dtype(type));
    const bool with_bias = bias.numel() > 0;
    NormalizeTokens(shape, TokenRows(x, shape.size), TokenRows(y, shape.size), weight,
                    with_bias ? bias : Tensor(), statistics);
    context->save_for_backward({x, weight, statistics.mean, statistics.inverse});
    context->saved_data["bias"] = with_bias;
    return y;
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               torch::autograd::tensor_list grads) {
    const auto saved = context->get_saved_variables();
    const Tensor& x = saved[0];
    const Shape shape = ShapeOf(x, 0, saved[2].defined());
    const Tensor grad_y = grads[0].contiguous();
    const Tensor grad_x = torch::empty(x.sizes(), x.options());
    const auto [grad_weight, grad_bias] = NormGradients(
        shape, TokenRows(grad_y, shape.size), TokenRows(x, shape.size), TokenRows(grad_x, shape.size),
        saved[1], {saved[2], saved[3]}, context->saved_data["bias"].toBool());
    return {grad_x, grad_weight, grad_bias, Tensor(), Tensor(), Tensor()};
  }
};

// Queries and keys as halves of one call, because one backward pass must write the gradient of qkv.
class HeadNormFunction : public torch::autograd::Function<HeadNormFunction> {
 public:
  static torch::autograd::tensor_list forward(torch::autograd::AutogradContext* context, const Tensor& qkv,
                                              const Tensor& q_weight, const Tensor& k_weight, double eps) {
    const Shape shape = ShapeOf(qkv, q_weight, eps);
    const int64_t width = shape.heads * shape.size;
    const Statistics q_statistics = NewStatistics(shape), k_statistics = NewStatistics(shape);
    const auto new_heads = [&] {
      return torch::empty({qkv.size(0), qkv.size(1), shape.heads, shape.size}, qkv.options());
    };
    const Tensor q = new_heads(), k = new_heads();
    NormalizeTokens(shape, Part(qkv, 0, width), TokenRows(q, width), q_weight, {}, q_statistics);
    NormalizeTokens(shape, Part(qkv, 1, width), TokenRows(k, width), k_weight, {}, k_statistics);
    context->save_for_backward({qkv, q_weight, k_weight, q_statistics.inverse, k_statistics.inverse});
    return {q, k, Values(qkv, q.sizes(), width)};
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               torch::autograd::tensor_list grads) {
    const auto saved = context->get_saved_variables();
    const Tensor& qkv = saved[0];
    const Shape shape = ShapeOf(qkv, saved[1], 0);
    const int64_t width = shape.heads * shape.size;
    const Tensor grad_qkv = torch::empty(qkv.sizes(), qkv.options());
    const auto contiguous = [&](const Tensor& grad) {
      return grad.defined()
                 ? grad.contiguous()
                 : torch::zeros({qkv.size(0), qkv.size(1), shape.heads, shape.size}, qkv.options());
    };
    const Tensor grad_q = contiguous(grads[0]), grad_k = contiguous(grads[1]);
    const Tensor q_weight = NormGradients(shape, TokenRows(grad_q, width), Part(qkv, 0, width),
                                          Part(grad_qkv, 0, width), saved[1], {{}, saved[3]}, false)
                                .first;
    const Tensor k_weight = NormGradients(shape, TokenRows(grad_k, width), Part(qkv, 1, width),
                                          Part(grad_qkv, 1, width), saved[2], {{}, saved[4]}, false)
                                .first;
    grad_qkv.narrow(2, 2 * width, width).copy_(contiguous(grads[2]).flatten(2));
    return {grad_qkv, q_weight, k_weight, Tensor()};
  }

 private:
  static Shape ShapeOf(const Tensor& qkv, const Tensor& weight, double eps) {
    const int64_t size = weight.size(0);
    return {qkv.size(0) * qkv.size(1), qkv.size(2) / (3 * size), size, static_cast<float>(eps), false};
  }
  // The last third of qkv where it lies. Not a view in the eyes of autograd, which would look for its
  // gradient in the slice and not here; nothing changes qkv, so nobody misses the bookkeeping.
  static Tensor Values(const Tensor& qkv, at::IntArrayRef sizes, int64_t width) {
    return torch::empty({0}, qkv.options())
        .set_(qkv.storage(), qkv.storage_offset() + 2 * width, sizes,
              {qkv.stride(0), qkv.stride(1), sizes[3], 1});
  }
  static TokenRows Part(const Tensor& qkv, int64_t index, int64_t width) {
    TokenRows rows(qkv, 3 * width);
    rows.data += index * width * rows.element;
    return rows;
  }
};

torch::ScalarType WideType(const Tensor& x) {
  return x.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
}

}  // namespace

Tensor LayerNormalize(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
                      torch::ScalarType type) {
  const torch::ScalarType inside = WideType(x);
  const Tensor shift = bias.defined() ? bias.to(inside) : bias;
  const Tensor scale = weight.to(inside);
  if (!HasCpuKernels(x)) return torch::layer_norm(x.to(inside), weight.sizes(), scale, shift, eps).to(type);
  const Tensor given = shift.defined() ? shift.contiguous() : torch::empty({0});
  return NormFunction::apply(x.contiguous(), scale.contiguous(), given, eps, true, type);
}

Tensor RmsNormalize(const Tensor& x, const Tensor& weight, double eps) {
  const torch::ScalarType inside = WideType(x);
  const Tensor scale = weight.to(inside);
  if (HasCpuKernels(x)) {
    return NormFunction::apply(x.contiguous(), scale.contiguous(), torch::empty({0}), eps, false,
                               x.scalar_type());
  }
  const Tensor wide = x.to(inside);
#if WILDRAYZER_TORCH_2
  return at::rms_norm(wide, {x.size(-1)}, scale, eps).to(x.scalar_type());
#else
  const Tensor inverse = wide.square().mean(-1, /*keepdim=*/true).add(eps).rsqrt();
  return wide.mul(inverse).mul(scale).to(x.scalar_type());
#endif
}

AttentionOperands NormalizeQueriesAndKeys(const Tensor& qkv, const Tensor& q_weight, const Tensor& k_weight,
                                          double eps) {
  TORCH_CHECK(qkv.dim() == 3 && q_weight.dim() == 1 && q_weight.sizes() == k_weight.sizes() &&
                  qkv.size(2) % (3 * q_weight.size(0)) == 0,
              "NormalizeQueriesAndKeys: shapes do not match: ", qkv.sizes(), ", ", q_weight.sizes());
  if (HasCpuKernels(qkv)) {
    const auto parts = HeadNormFunction::apply(qkv.contiguous(), q_weight.to(torch::kFloat32).contiguous(),
                                               k_weight.to(torch::kFloat32).contiguous(), eps);
    return {parts[0], parts[1], parts[2]};
  }
  const int64_t size = q_weight.size(0);
  const auto heads = qkv.view({qkv.size(0), qkv.size(1), 3, qkv.size(2) / (3 * size), size}).unbind(2);
  return {RmsNormalize(heads[0], q_weight, eps), RmsNormalize(heads[1], k_weight, eps), heads[2]};
}

}  // namespace wildrayzer

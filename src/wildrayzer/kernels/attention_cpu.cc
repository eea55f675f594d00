#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include "wildrayzer/kernels/attention_paths.h"
#include "wildrayzer/kernels/parallel.h"

namespace wildrayzer {
namespace {

constexpr size_t kAlignment = 64;

struct FreeDeleter {
  void operator()(void* p) const { std::free(p); }
};
using Buffer = std::unique_ptr<void, FreeDeleter>;

size_t Aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// Uninitialised memory; contents are always written before they are read.
Buffer Allocate(size_t bytes) {
  void* p = std::aligned_alloc(kAlignment, std::max(Aligned(bytes), kAlignment));
  if (p == nullptr) throw std::bad_alloc();
  return Buffer(p);
}

// Head h of sample b, from token `first` on.
HeadRows Rows(const torch::Tensor& x, int64_t b, int64_t h, int64_t first = 0) {
  const int64_t offset = b * x.stride(0) + h * x.stride(1) + first * x.stride(2);
  return {static_cast<const char*>(x.data_ptr()) + offset * static_cast<int64_t>(x.element_size()),
          x.stride(2), x.scalar_type() == torch::kBFloat16};
}

}  // namespace

AttentionResult AttentionForwardCpu(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                                    double scale, bool want_lse, const AttentionForwardKernels& kernels) {
  const int64_t heads = q.size(1);
  const int64_t queries = q.size(2);
  const int64_t head_size = q.size(3);
  const int64_t keys = k.size(2);
  const int64_t all_heads = q.size(0) * heads;
  AttentionResult result;
  const torch::Tensor out = torch::empty({q.size(0), queries, heads, head_size}, q.options());
  result.out = out.transpose(1, 2);
  if (want_lse) result.lse = torch::empty({q.size(0), heads, queries}, q.options().dtype(torch::kFloat32));
  if (result.out.numel() == 0) return result;

  const size_t key_bytes = Aligned(kernels.packed_keys_bytes(keys, head_size));
  const size_t value_bytes = Aligned(kernels.packed_values_bytes(keys, head_size));
  const Buffer packed = Allocate((key_bytes + value_bytes) * all_heads);
  char* const packed_keys = static_cast<char*>(packed.get());
  char* const packed_values = packed_keys + key_bytes * all_heads;
  ParallelFor(all_heads, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      kernels.pack_keys(Rows(k, i / heads, i % heads), keys, head_size, packed_keys + i * key_bytes);
      kernels.pack_values(Rows(v, i / heads, i % heads), keys, head_size, packed_values + i * value_bytes);
    }
  });

  const int64_t blocks = (queries + kAttentionRows - 1) / kAttentionRows;
  const size_t scratch_bytes = kernels.forward_scratch_bytes(head_size);
  ParallelFor(all_heads * blocks, [&](int64_t begin, int64_t end) {
    const Buffer scratch = Allocate(scratch_bytes);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t i = task / blocks;
      const int64_t first = task % blocks * kAttentionRows;
      const int64_t offset = (i / heads * queries + first) * heads * head_size + i % heads * head_size;
      AttentionForwardBlock block;
      block.q = Rows(q, i / heads, i % heads, first);
      block.rows = std::min(kAttentionRows, queries - first);
      block.keys_transposed = packed_keys + i * key_bytes;
      block.values = packed_values + i * value_bytes;
      block.keys = keys;
      block.head_size = head_size;
      block.scale = static_cast<float>(scale);
      block.out = static_cast<char*>(out.data_ptr()) + offset * static_cast<int64_t>(out.element_size());
      block.out_stride = heads * head_size;
      block.lse = want_lse ? result.lse.data_ptr<float>() + i * queries + first : nullptr;
      block.scratch = scratch.get();
      kernels.forward(block);
    }
  });
  return result;
}

AttentionGradients AttentionBackwardCpu(const torch::Tensor& q, const torch::Tensor& k,
                                        const torch::Tensor& v, const AttentionResult& result,
                                        const torch::Tensor& grad_out, double scale,
                                        const AttentionBackwardKernels& kernels) {
  const int64_t heads = q.size(1);
  const int64_t queries = q.size(2);
  const int64_t head_size = q.size(3);
  const int64_t keys = k.size(2);
  const torch::Tensor grad = grad_out.stride(3) == 1 ? grad_out : grad_out.contiguous();
  const torch::Tensor delta =
      (grad.to(torch::kFloat32) * result.out.to(torch::kFloat32)).sum(-1).contiguous();  // [B, H, Nq]
  const auto floats = q.options().dtype(torch::kFloat32);
  torch::Tensor grad_q = torch::empty({q.size(0), heads, queries, head_size}, floats);
  torch::Tensor grad_k = torch::empty({q.size(0), heads, keys, head_size}, floats);
  torch::Tensor grad_v = torch::empty({q.size(0), heads, keys, head_size}, floats);
  const size_t scratch_bytes = kernels.backward_scratch_bytes(queries, keys, head_size);
  // One head is one task: nothing is summed across tasks, so the bits do not depend on the number of threads.
  ParallelFor(q.size(0) * heads, [&](int64_t begin, int64_t end) {
    const Buffer scratch = Allocate(scratch_bytes);
    for (int64_t i = begin; i < end; ++i) {
      AttentionBackwardHead head;
      head.q = Rows(q, i / heads, i % heads);
      head.k = Rows(k, i / heads, i % heads);
      head.v = Rows(v, i / heads, i % heads);
      head.grad_out = Rows(grad, i / heads, i % heads);
      head.lse = result.lse.data_ptr<float>() + i * queries;
      head.delta = delta.data_ptr<float>() + i * queries;
      head.queries = queries;
      head.keys = keys;
      head.head_size = head_size;
      head.scale = static_cast<float>(scale);
      head.grad_q = grad_q.data_ptr<float>() + i * queries * head_size;
      head.grad_k = grad_k.data_ptr<float>() + i * keys * head_size;
      head.grad_v = grad_v.data_ptr<float>() + i * keys * head_size;
      head.scratch = scratch.get();
      kernels.backward(head);
    }
  });
  return {grad_q.to(q.scalar_type()), grad_k.to(k.scalar_type()), grad_v.to(v.scalar_type())};
}

}  // namespace wildrayzer

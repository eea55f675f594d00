#include "wildrayzer/models/block_stack.h"

#include <optional>

#include "wildrayzer/nn/recompute.h"

namespace wildrayzer {

BlockStackImpl::BlockStackImpl(int64_t layers, int64_t d, int64_t d_head) {
  blocks_.reserve(static_cast<size_t>(layers));
  for (int64_t i = 0; i < layers; ++i)
    blocks_.push_back(register_module(std::to_string(i), Block(d, d_head)));
}

torch::Tensor BlockStackImpl::Run(int64_t first, int64_t end, const torch::Tensor& x, int64_t wanted,
                                  const std::vector<int64_t>& key_counts) {
  torch::Tensor tokens = x;
  for (int64_t i = first; i < end; ++i) {
    const bool shorten = i + 1 == layers() && wanted < tokens.size(1);
    tokens = blocks_[static_cast<size_t>(i)]->forward(tokens, shorten ? std::optional(wanted) : std::nullopt,
                                                      key_counts);
  }
  return tokens;
}

torch::Tensor BlockStackImpl::RunRecomputed(int64_t first, int64_t end, const torch::Tensor& x,
                                            int64_t wanted, const std::vector<int64_t>& key_counts) {
  std::vector<torch::Tensor> parameters;
  for (int64_t i = first; i < end; ++i) {
    for (const torch::Tensor& parameter : blocks_[static_cast<size_t>(i)]->parameters())
      parameters.push_back(parameter);
  }
  return Recomputed(
      [=, this](const std::vector<torch::Tensor>& in) { return Run(first, end, in[0], wanted, key_counts); },
      {x}, parameters);
}

std::vector<int64_t> BlockStackImpl::RunEnds(bool each, const Tap* tap) const {
  std::vector<int64_t> ends;
  int64_t start = 0;
  for (int64_t end = 1; end <= layers(); ++end) {
    const bool full = recompute_every_ > 0 && end - start == recompute_every_;
    if (!each && !full && end != layers() && !(tap && end == tap->layer)) continue;
    ends.push_back(end);
    start = end;
  }
  return ends;
}

torch::Tensor BlockStackImpl::forward(const torch::Tensor& x, int64_t wanted, const std::string& name,
                                      const Trace& trace, Tap* tap, const std::vector<int64_t>& key_counts) {
  const bool each = trace.record || trace.step;
  torch::Tensor tokens = x;
  if (tap && tap->layer == 0) tap->tokens = tokens;
  int64_t first = 0;
  for (const int64_t end : RunEnds(each, tap)) {
    const int64_t asked = trace.record ? tokens.size(1) : wanted;
    tokens = recompute_every_ > 0 ? RunRecomputed(first, end, tokens, asked, key_counts)
                                  : Run(first, end, tokens, asked, key_counts);
    if (trace.record) trace.Record(name + "." + std::to_string(end - 1), tokens);
    trace.Step();
    if (tap && end == tap->layer) tap->tokens = tokens;
    first = end;
  }
  return tokens.narrow(1, 0, wanted);
}

}  // namespace wildrayzer

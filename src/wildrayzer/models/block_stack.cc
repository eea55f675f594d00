#include "wildrayzer/models/block_stack.h"

#include <algorithm>
#include <optional>

#include "wildrayzer/nn/recompute.h"

namespace wildrayzer {

BlockStackImpl::BlockStackImpl(int64_t layers, int64_t d, int64_t d_head, bool alternating)
    : alternating_(alternating) {
  blocks_.reserve(static_cast<size_t>(layers));
  for (int64_t i = 0; i < layers; ++i)
    blocks_.push_back(register_module(std::to_string(i), Block(d, d_head)));
}

torch::Tensor BlockStackImpl::RunWithinViews(int64_t i, const torch::Tensor& x, int64_t views,
                                             bool first_only) {
  const int64_t batch = x.size(0), d = x.size(2);
  const torch::Tensor firsts = x.narrow(1, 0, views).unsqueeze(2);  // [B, V, 1, d]
  const torch::Tensor others = x.narrow(1, views, x.size(1) - views).view({batch, views, -1, d});
  const torch::Tensor own = torch::cat({firsts, others}, 2).flatten(0, 1);  // [B V, 1 + n, d]
  const torch::Tensor out =
      blocks_[static_cast<size_t>(i)]->forward(own, first_only ? std::optional<int64_t>(1) : std::nullopt);
  const torch::Tensor by_view = out.view({batch, views, -1, d});
  if (first_only) return by_view.squeeze(2);
  return torch::cat({by_view.select(2, 0), by_view.narrow(2, 1, by_view.size(2) - 1).flatten(1, 2)}, 1);
}

torch::Tensor BlockStackImpl::Run(int64_t first, int64_t end, const torch::Tensor& x, const Asked& asked) {
  torch::Tensor tokens = x;
  for (int64_t i = first; i < end; ++i) {
    const bool shorten = i + 1 == layers() && asked.wanted < tokens.size(1);
    if (alternating_ && i % 2 == 1) {
      tokens = RunWithinViews(i, tokens, asked.views, shorten);
    } else {
      tokens = blocks_[static_cast<size_t>(i)]->forward(
          tokens, shorten ? std::optional(asked.wanted) : std::nullopt, asked.key_counts);
    }
  }
  return tokens;
}

torch::Tensor BlockStackImpl::RunRecomputed(int64_t first, int64_t end, const torch::Tensor& x,
                                            const Asked& asked) {
  std::vector<torch::Tensor> parameters;
  for (int64_t i = first; i < end; ++i) {
    for (const torch::Tensor& parameter : blocks_[static_cast<size_t>(i)]->parameters())
      parameters.push_back(parameter);
  }
  return Recomputed([=, this](const std::vector<torch::Tensor>& in) { return Run(first, end, in[0], asked); },
                    {x}, parameters);
}

std::vector<int64_t> BlockStackImpl::RunEnds(bool each, std::span<const Tap> taps) const {
  std::vector<int64_t> ends;
  int64_t start = 0;
  for (int64_t end = 1; end <= layers(); ++end) {
    const bool tapped =
        std::any_of(taps.begin(), taps.end(), [end](const Tap& tap) { return tap.layer == end; });
    const bool full = recompute_every_ > 0 && end - start == recompute_every_;
    if (!each && !full && end != layers() && !tapped) continue;
    ends.push_back(end);
    start = end;
  }
  return ends;
}

torch::Tensor BlockStackImpl::forward(const torch::Tensor& x, int64_t wanted, const std::string& name,
                                      const Trace& trace, std::span<Tap> taps,
                                      const torch::Tensor& key_counts) {
  const bool each = trace.record || trace.step;
  torch::Tensor tokens = x;
  const auto fill = [&](int64_t layer) {
    for (Tap& tap : taps)
      if (tap.layer == layer) tap.tokens = tokens;
  };
  fill(0);
  int64_t first = 0;
  for (const int64_t end : RunEnds(each, taps)) {
    const Asked asked{trace.record ? tokens.size(1) : wanted, wanted, key_counts};
    tokens = recompute_every_ > 0 ? RunRecomputed(first, end, tokens, asked) : Run(first, end, tokens, asked);
    if (trace.record) trace.Record(name + "." + std::to_string(end - 1), tokens);
    trace.Step();
    fill(end);
    first = end;
  }
  return tokens.narrow(1, 0, wanted);
}

AttentionOperands BlockStackImpl::Operands(int64_t block, const torch::Tensor& tokens) {
  return blocks_[static_cast<size_t>(block)]->Operands(tokens);
}

}  // namespace wildrayzer

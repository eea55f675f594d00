#include "wildrayzer/models/copy_head.h"

namespace wildrayzer {

CopyHeadImpl::CopyHeadImpl(int64_t patch, int64_t d) : patch_(patch) {
  tokenizer_ = register_module("tokenizer", PatchTokenizer(6, patch, d));
  gate_ = register_module("gate", NormLinear(d, patch * patch, /*bias=*/true));
}

torch::Tensor CopyHeadImpl::Tell(const WarpedInputs& warped) {
  const torch::Tensor clues =
      torch::cat({warped.image * 2.0 - 1.0, warped.sure, warped.spread, warped.support}, 2);
  const torch::Tensor told = tokenizer_->forward(clues.flatten(0, 1));
  return told.view({clues.size(0), clues.size(1), told.size(1), told.size(2)});
}

torch::Tensor CopyHeadImpl::Mix(const torch::Tensor& rendered, const torch::Tensor& tokens,
                                const WarpedInputs& warped) {
  const torch::Tensor gate = torch::sigmoid(gate_->forward(tokens.flatten(0, 1)));
  const torch::Tensor copies =
      Unpatchify(gate, patch_, rendered.size(3), rendered.size(4)).view(warped.sure.sizes()) * warped.sure;
  return rendered + copies * (warped.image - rendered);
}

}  // namespace wildrayzer

#include "wildrayzer/models/copy_head.h"

namespace wildrayzer {
namespace {

// A gate is as wide open as makes the error small, which detail that is a pixel beside its place does not: by
// error alone it would hardly ever be shown. Where half of a pixel may be copied, all of its detail is.
constexpr double kEagerness = 2.0;

}  // namespace

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

torch::Tensor CopyHeadImpl::Gate(const torch::Tensor& tokens, int64_t height, int64_t width) {
  const torch::Tensor gate = torch::sigmoid(gate_->forward(tokens.flatten(0, 1)));
  return Unpatchify(gate, patch_, height, width).view({tokens.size(0), tokens.size(1), 1, height, width});
}

torch::Tensor MixCopies(const torch::Tensor& rendered, const torch::Tensor& gate,
                        const WarpedInputs& warped) {
  return rendered + gate * warped.sure * (warped.image - rendered);
}

torch::Tensor AddDetail(const torch::Tensor& mixed, const torch::Tensor& gate, const WarpedInputs& warped,
                        const WarpedInputs& detailed) {
  const int64_t height = detailed.image.size(3), width = detailed.image.size(4);
  const auto enlarged = [&](const torch::Tensor& maps) {
    const torch::Tensor large =
        torch::upsample_bicubic2d(maps.flatten(0, 1), {height, width}, /*align_corners=*/false);
    return large.view({maps.size(0), maps.size(1), maps.size(2), height, width});
  };
  const torch::Tensor share = (kEagerness * enlarged(gate)).clamp(0.0, 1.0) * detailed.sure;
  return (enlarged(mixed) + share * (detailed.image - enlarged(warped.image))).clamp(0.0, 1.0);
}

}  // namespace wildrayzer

#include "wildrayzer/models/patch_resize.h"

#include <fmt/format.h>

#include <map>
#include <string>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// Values of patches [d, p, p, C] -> [d, q, q, C]: repeated, or block means.
torch::Tensor ResizeGrid(const torch::Tensor& grid, int64_t q) {
  const int64_t p = grid.size(1);
  if (q >= p) return grid.repeat_interleave(q / p, 1).repeat_interleave(q / p, 2);
  return grid.view({grid.size(0), q, p / q, q, p / q, grid.size(3)}).mean({2, 4});
}

// The weight `name` for patches of q instead of p pixels; undefined where that changes nothing.
torch::Tensor Resized(const std::string& name, const torch::Tensor& weight, int64_t p, int64_t q) {
  if (name == "image_token_decoder.1.weight" || name == "copy_head.gate.1.weight") {  // [C p p, d]
    const torch::Tensor grid = weight.t().reshape({weight.size(1), p, p, -1});
    return ResizeGrid(grid, q).flatten(1).t().contiguous();
  }
  if (name == "copy_head.gate.1.bias") return ResizeGrid(weight.view({1, p, p, 1}), q).flatten();
  const bool image = name == "image_tokenizer.1.weight";
  if (!image && name != "target_pose_tokenizer.1.weight" && name != "target_pose_tokenizer2.1.weight" &&
      name != "copy_head.tokenizer.1.weight")
    return {};
  // [d, C p p]. A token is a sum over the patch: weights of k k as many pixels are as much smaller.
  const double area = static_cast<double>(q * q) / static_cast<double>(p * p);
  const torch::Tensor grid = weight.reshape({weight.size(0), p, p, image ? 3 : 6});
  return ResizeGrid(grid, q).flatten(1) / area;
}

}  // namespace

void CopyResizingPatches(const WildRayZer& from, WildRayZer& to) {
  const torch::NoGradGuard no_grad;
  const int64_t p = from->config().patch, q = to->config().patch;
  if (p % q != 0 && q % p != 0) {
    throw UsageError(
        fmt::format("weights for patches of {} pixels cannot become weights for {}: one must be "
                    "a multiple of the other",
                    p, q));
  }
  std::map<std::string, torch::Tensor> source;
  for (const auto& item : from->named_parameters()) source[item.key()] = item.value();
  for (const auto& item : to->named_parameters()) {
    const torch::Tensor weight = source.at(item.key());
    const torch::Tensor resized = Resized(item.key(), weight, p, q);
    torch::Tensor target = item.value();
    target.copy_(resized.defined() ? resized : weight);
  }
}

}  // namespace wildrayzer

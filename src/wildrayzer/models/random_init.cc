#include <cmath>
#include <string_view>

#include "wildrayzer/models/weights.h"
#include "wildrayzer/nn/init.h"

namespace wildrayzer {
namespace {

constexpr double kStd = 0.02;

struct Stack {
  std::string_view prefix;
  int64_t layers;
};

// Standard deviation of a matrix: reduced inside the stacks, whose branches add up on the residual stream.
double MatrixStd(std::string_view name, const ModelConfig& config) {
  const Stack stacks[] = {{"transformer_encoder.", config.camera_estimator_layers},
                          {"transformer_encoder_geom.", config.scene_encoder_layers},
                          {"transformer_decoder.", config.renderer_layers},
                          {"motion_mask_predictor.motion_transformer.", config.motion.layers}};
  if (!config.special_init) return kStd;
  for (const Stack& stack : stacks) {
    if (name.substr(0, stack.prefix.size()) != stack.prefix) continue;
    const int64_t block = std::stoll(std::string(name.substr(stack.prefix.size())));
    return config.depth_init ? TransformerBlockStd(block)
                             : kStd / std::sqrt(2.0 * static_cast<double>(stack.layers));
  }
  return kStd;
}

double FanInFactor(int64_t columns, const ModelConfig& config) {
  return config.init_scale == InitScale::kPublished ? 1.0 : std::sqrt(768.0 / static_cast<double>(columns));
}

void Initialise(const std::string& name, torch::Tensor parameter, const ModelConfig& config, uint64_t seed) {
  const bool is_code = name == "scene_code" || name == "cam_code" || name == "noise_token";
  if (is_code) {
    FillTruncatedNormal(parameter, kStd, seed, name);
  } else if (parameter.dim() == 1) {
    torch::NoGradGuard no_grad;
    parameter.fill_(name.substr(name.size() - 4) == "bias" ? 0.0 : 1.0);
  } else if (name == "view_matcher.embedding.weight" || name == "copy_head.tokenizer.1.weight" ||
             name == "copy_head.gate.1.weight" || name == "motion_mask_predictor.comparison.tell.weight" ||
             name == "motion_mask_predictor.comparison.logits.weight") {
    // What is not taught yet says nothing: a model that is given a matcher begins as it was.
    torch::NoGradGuard no_grad;
    parameter.zero_();
  } else if (parameter.dim() == 4) {
    FillNormal(parameter, 1.0 / std::sqrt(3.0 * static_cast<double>(parameter[0].numel())), seed, name);
  } else {
    FillNormal(parameter, MatrixStd(name, config) * FanInFactor(parameter.size(1), config), seed, name);
  }
}

}  // namespace

void RandomInit(WildRayZer& model, uint64_t seed) {
  for (const auto& item : model->named_parameters()) {
    Initialise(item.key(), item.value(), model->config(), seed);
  }
}

}  // namespace wildrayzer

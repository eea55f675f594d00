#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "wildrayzer/models/model_config.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// Shapes by name, with errors that name the file and the tensor.
class Shapes {
 public:
  Shapes(const TensorShapes& shapes, const std::string& where) : shapes_(shapes), where_(where) {}

  bool Has(const std::string& name) const { return shapes_.count(name) > 0; }

  // Size of dimension `axis` of a tensor that must exist with `rank` dimensions.
  int64_t Size(const std::string& name, size_t rank, size_t axis) const {
    const auto found = shapes_.find(name);
    if (found == shapes_.end()) {
      throw FileError(
          where_, fmt::format("has no tensor '{}', so it is not a RayZer or WildRayZer checkpoint", name));
    }
    if (found->second.size() != rank || found->second[axis] < 1) {
      throw FileError(where_,
                      fmt::format("tensor '{}' must have {} dimensions, none of them empty", name, rank));
    }
    return found->second[axis];
  }

  // Number of blocks `stack`.0, `stack`.1, ... without a gap.
  int64_t Depth(const std::string& stack) const {
    int64_t depth = 0;
    while (Has(fmt::format("{}.{}.attn.to_qkv.weight", stack, depth))) ++depth;
    return depth;
  }

 private:
  const TensorShapes& shapes_;
  const std::string& where_;
};

// Patch side from the values of one patch: channels * side^2.
int64_t PatchSide(int64_t values, int64_t channels, const std::string& where) {
  const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(values) / channels)));
  if (side < 1 || side * side * channels != values) {
    throw FileError(
        where, fmt::format("tensor 'image_tokenizer.1.weight' has {} columns, which is no square RGB patch",
                           values));
  }
  return side;
}

}  // namespace

ModelConfig GuessFromCheckpoint(const TensorShapes& tensor_shapes, const std::string& where) {
  const Shapes shapes(tensor_shapes, where);
  ModelConfig model;
  const bool attends = shapes.Has("transformer_decoder.0.cross_attn.to_q.weight");
  model.scene = attends ? SceneLayout::kTokens : SceneLayout::kCodes;
  if (!attends) model.scene_tokens = shapes.Size("scene_code", 2, 0);
  model.d = shapes.Size(attends ? "cam_code" : "scene_code", 2, 1);
  model.patch = PatchSide(shapes.Size("image_tokenizer.1.weight", 2, 1), 3, where);
  model.d_head = shapes.Size("transformer_encoder.0.attn.q_norm.weight", 1, 0);
  model.camera_estimator_layers = shapes.Depth("transformer_encoder");
  model.motion.feature_layer = std::max<int64_t>(model.camera_estimator_layers - 1, 0);
  model.scene_encoder_layers = shapes.Depth("transformer_encoder_geom");
  model.renderer_layers = shapes.Depth("transformer_decoder");
  model.match_views = shapes.Has("view_matcher.embedding.weight");
  model.copy_inputs = shapes.Has("copy_head.gate.1.weight");
  model.height = model.width = (256 + model.patch - 1) / model.patch * model.patch;

  const int64_t pose_size = shapes.Size("pose_predictor.rel_head.2.weight", 2, 0);
  if (pose_size != 9 && pose_size != 7) {
    throw FileError(where,
                    fmt::format("tensor 'pose_predictor.rel_head.2.weight' has {} rows, it must have 9 (6D "
                                "rotations) or 7 (quaternions)",
                                pose_size));
  }
  model.pose = pose_size == 9 ? PoseRepresentation::kRotation6d : PoseRepresentation::kQuaternion;

  model.token_masking = shapes.Has("noise_token") ? TokenMasking::kNoise : TokenMasking::kZero;
  model.use_motion = shapes.Has("motion_mask_predictor.dino_proj.1.weight");
  model.motion.cross_view = false;
  if (model.use_motion) {
    model.motion.dino_width = shapes.Size("motion_mask_predictor.dino_proj.1.weight", 2, 1);
    model.motion.layers = shapes.Depth("motion_mask_predictor.motion_transformer");
    model.motion.compare = shapes.Has("motion_mask_predictor.comparison.tell.weight");
    model.motion.head_bias = shapes.Has("motion_mask_predictor.head.2.bias");
    // The inference configuration names a noise token that the released file lacks; stage 2 has neither.
    if (model.motion.head_bias) model.token_masking = TokenMasking::kNoise;
  }
  model.Validate(where);
  return model;
}

}  // namespace wildrayzer

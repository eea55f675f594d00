#include "wildrayzer/models/model_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// No published or sensible model comes near these; they keep hostile files from asking for absurd memory.
constexpr int64_t kMaxWidth = 1 << 16;
constexpr int64_t kMaxLayers = 512;
constexpr int64_t kMaxPatch = 256;
constexpr int64_t kMaxSide = 1 << 15;
constexpr int64_t kMaxSceneTokens = 1 << 20;

// The value at `key`, which must be one of `names`.
template <typename Enum, size_t N>
Enum Choice(const Config& config, const std::string& key, Enum fallback,
            const std::array<std::pair<const char*, Enum>, N>& names) {
  if (!config.Has(key)) return fallback;
  const std::string text = config.Get<std::string>(key, "");
  std::string allowed;
  for (const auto& [name, value] : names) {
    if (text == name) return value;
    allowed += (allowed.empty() ? "" : " or ") + std::string(name);
  }
  throw Error(fmt::format("{}: key '{}' is '{}', it must be {}", config.name(), key, text, allowed));
}

void CheckRange(const std::string& where, const char* what, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high) {
    throw Error(fmt::format("{}: {} is {}, it must lie between {} and {}", where, what, value, low, high));
  }
}

// The image and ray tokenizers and the renderer share one patch grid.
void CheckSamePatch(const Config& config, int64_t patch) {
  for (const char* key : {"model.target_pose_tokenizer.patch_size", "model.target_image.patch_size"}) {
    if (config.Get<int64_t>(key, patch) != patch) {
      throw Error(fmt::format("{}: key '{}' must equal model.image_tokenizer.patch_size ({})", config.name(),
                              key, patch));
    }
  }
  const auto channels = [&](const char* key, int64_t expected) {
    if (config.Get<int64_t>(key, expected) != expected) {
      throw Error(fmt::format("{}: key '{}' must be {}", config.name(), key, expected));
    }
  };
  channels("model.image_tokenizer.in_channels", 3);
  channels("model.target_pose_tokenizer.in_channels", 6);
  channels("model.target_image.in_channels", 3);
}

TokenMasking ReadTokenMasking(const Config& config) {
  const bool drop = config.Get<bool>("model.use_token_dropping", false);
  const bool noise = config.Get<bool>("model.use_mae_masking", false);
  if (drop && noise) {
    throw Error(config.name() + ": set only one of model.use_token_dropping and model.use_mae_masking");
  }
  using Pair = std::pair<const char*, TokenMasking>;
  return Choice(config, "model.token_masking", noise ? TokenMasking::kNoise : TokenMasking::kZero,
                std::array{Pair{"zero", TokenMasking::kZero}, Pair{"noise", TokenMasking::kNoise},
                           Pair{"drop", TokenMasking::kDrop}});
}

MotionConfig ReadMotion(const Config& config, const ModelConfig& model) {
  MotionConfig motion;
  motion.cross_view = config.Get<bool>("model.motion.cross_view", !config.Has("model.class_name"));
  motion.threshold =
      config.Get<double>("model.motion.threshold", config.Get<double>("model.motion_mask_threshold", 0.1));
  const int64_t known_width = DinoWidth(model.dino_model);
  using Features = std::pair<const char*, MotionFeatures>;
  motion.features =
      Choice(config, "model.motion.features", motion.features,
             std::array{Features{"dinov3", MotionFeatures::kDinov3}, Features{"own", MotionFeatures::kOwn}});
  const bool own = motion.features == MotionFeatures::kOwn;
  const int64_t default_width = own ? model.d : known_width > 0 ? known_width : 4096;
  motion.dino_width = config.Get<int64_t>("model.motion.dino_width", default_width);
  motion.feature_layer = config.Get<int64_t>("model.motion.feature_layer", model.camera_estimator_layers - 1);
  motion.layers = config.Get<int64_t>("model.motion.layers", motion.layers);
  motion.compare = config.Get<bool>("model.motion.compare", motion.compare);
  motion.head_bias = config.Get<bool>("model.motion.head_bias", motion.head_bias);
  return motion;
}

const char* Bool(bool value) { return value ? "true" : "false"; }

const char* Name(FocalLength focal) {
  if (focal == FocalLength::kPublished) return "published";
  return focal == FocalLength::kBounded ? "bounded" : "centred";
}

const char* Name(TokenMasking masking) {
  if (masking == TokenMasking::kZero) return "zero";
  return masking == TokenMasking::kNoise ? "noise" : "drop";
}

}  // namespace

ModelConfig ModelConfig::FromConfig(const Config& config) {
  ModelConfig model;
  model.patch = config.Get<int64_t>("model.image_tokenizer.patch_size", model.patch);
  CheckSamePatch(config, model.patch);
  const int64_t side = config.Get<int64_t>("model.image_tokenizer.image_size", model.height);
  config.Get<int64_t>("model.target_pose_tokenizer.image_size",
                      side);  // read as known; rays follow the image
  model.height = config.Get<int64_t>("model.target_image.height", side);
  model.width = config.Get<int64_t>("model.target_image.width", side);
  model.any_shape = config.Get<bool>("model.any_shape", model.any_shape);
  using Layout = std::pair<const char*, SceneLayout>;
  model.scene =
      Choice(config, "model.scene", model.scene,
             std::array{Layout{"codes", SceneLayout::kCodes}, Layout{"tokens", SceneLayout::kTokens}});
  model.scene_tokens = config.Get<int64_t>("model.scene_latent.length", model.scene_tokens);
  using Attention = std::pair<const char*, CameraAttention>;
  model.camera_attention = Choice(config, "model.camera_attention", model.camera_attention,
                                  std::array{Attention{"global", CameraAttention::kGlobal},
                                             Attention{"alternating", CameraAttention::kAlternating}});
  model.match_views = config.Get<bool>("model.match_views", model.match_views);
  model.adjust_poses = config.Get<bool>("model.adjust_poses", model.adjust_poses);
  model.copy_inputs = config.Get<bool>("model.copy_inputs", model.copy_inputs);
  using Code = std::pair<const char*, ViewCode>;
  model.view_code =
      Choice(config, "model.view_code", model.view_code,
             std::array{Code{"number", ViewCode::kNumber}, Code{"canonical", ViewCode::kCanonical}});

  model.d = config.Get<int64_t>("model.transformer.d", model.d);
  model.d_head = config.Get<int64_t>("model.transformer.d_head", model.d_head);
  model.camera_estimator_layers =
      config.Get<int64_t>("model.transformer.encoder_n_layer", model.camera_estimator_layers);
  model.scene_encoder_layers =
      config.Get<int64_t>("model.transformer.encoder_geom_n_layer", model.scene_encoder_layers);
  model.renderer_layers = config.Get<int64_t>("model.transformer.decoder_n_layer", model.renderer_layers);
  model.special_init = config.Get<bool>("model.transformer.special_init", model.special_init);
  model.depth_init = config.Get<bool>("model.transformer.depth_init", model.depth_init);
  if (!config.Get<bool>("model.transformer.use_qk_norm", true)) {
    throw Error(config.name() +
                ": key 'model.transformer.use_qk_norm' must be true, the model has no other attention");
  }

  using Pose = std::pair<const char*, PoseRepresentation>;
  model.pose = Choice(
      config, "model.pose_latent.representation", model.pose,
      std::array{Pose{"6d", PoseRepresentation::kRotation6d}, Pose{"quat", PoseRepresentation::kQuaternion}});
  using Canonical = std::pair<const char*, CanonicalView>;
  model.canonical = Choice(
      config, "model.pose_latent.canonical", model.canonical,
      std::array{Canonical{"first", CanonicalView::kFirst}, Canonical{"middle", CanonicalView::kMiddle}});

  using Focal = std::pair<const char*, FocalLength>;
  model.focal =
      Choice(config, "model.pose_latent.focal", model.focal,
             std::array{Focal{"published", FocalLength::kPublished}, Focal{"bounded", FocalLength::kBounded},
                        Focal{"centred", FocalLength::kCentred}});
  using Scale = std::pair<const char*, InitScale>;
  model.init_scale =
      Choice(config, "model.transformer.init_scale", model.init_scale,
             std::array{Scale{"published", InitScale::kPublished}, Scale{"fan_in", InitScale::kFanIn}});

  model.use_motion = config.Get<bool>("model.use_motion_mask", false);
  model.token_masking = ReadTokenMasking(config);
  model.dino_model = config.Get<std::string>("model.dinov3_pseudolabel.model_name", model.dino_model);
  model.motion = ReadMotion(config, model);
  model.Validate(config.name());
  return model;
}

void ModelConfig::Validate(const std::string& where) const {
  CheckRange(where, "the patch size", patch, 1, kMaxPatch);
  CheckRange(where, "the image height", height, patch, kMaxSide);
  CheckRange(where, "the image width", width, patch, kMaxSide);
  if (height % patch != 0 || width % patch != 0) {
    throw Error(
        fmt::format("{}: the image size {} x {} (height x width) must be a multiple of the patch size {}",
                    where, height, width, patch));
  }
  if (any_shape && focal != FocalLength::kCentred) {
    throw UsageError(where +
                     ": model.any_shape needs model.pose_latent.focal: centred; with the others pixels are "
                     "square in square frames alone");
  }
  CheckRange(where, "the token width d", d, 8, kMaxWidth);
  CheckRange(where, "the head size d_head", d_head, 1, d);
  if (d % d_head != 0) {
    throw Error(fmt::format("{}: the token width d = {} must be a multiple of the head size d_head = {}",
                            where, d, d_head));
  }
  if (d % 8 != 0) {
    throw Error(fmt::format("{}: the token width d = {} must be a multiple of 8 for the 2-D position code",
                            where, d));
  }
  if (view_code == ViewCode::kCanonical && camera_attention == CameraAttention::kGlobal) {
    throw Error(where +
                ": model.view_code: canonical needs model.camera_attention: alternating; nothing else "
                "tells the camera tokens of the other views apart");
  }
  if (camera_attention == CameraAttention::kAlternating && camera_estimator_layers < 2) {
    throw Error(where + ": model.camera_attention: alternating needs two camera estimator layers");
  }
  if (match_views && patch % 8 != 0) {  // two cells of the view matcher
    throw Error(
        fmt::format("{}: model.match_views needs patches of a multiple of 8 pixels, not {}", where, patch));
  }
  if (adjust_poses && !match_views)
    throw UsageError(where + ": model.adjust_poses needs model.match_views, whose matches it fits poses to");
  if (copy_inputs && (!match_views || scene != SceneLayout::kTokens)) {
    throw UsageError(where +
                     ": model.copy_inputs needs model.match_views, which tells where the inputs' pixels "
                     "belong, and model.scene: tokens");
  }
  if (use_motion && motion.compare && !match_views) {
    throw UsageError(where + ": model.motion.compare needs model.match_views, by which views are compared");
  }
  if (match_views && canonical != CanonicalView::kFirst) {
    throw Error(where +
                ": model.match_views needs model.pose_latent.canonical: first, the view it matches with");
  }
  CheckRange(where, "the number of scene tokens", scene_tokens, 1, kMaxSceneTokens);
  CheckRange(where, "the number of camera estimator layers", camera_estimator_layers, 1, kMaxLayers);
  CheckRange(where, "the number of scene encoder layers", scene_encoder_layers, 1, kMaxLayers);
  CheckRange(where, "the number of renderer layers", renderer_layers, 1, kMaxLayers);
  if (!use_motion) return;
  if (d % 32 != 0) {
    throw Error(
        fmt::format("{}: the token width d = {} must be a multiple of 32 for the mask decoder, which halves "
                    "it five times",
                    where, d));
  }
  CheckRange(where, "the number of motion estimator layers", motion.layers, 1, kMaxLayers);
  CheckRange(where, "the DINOv3 feature width", motion.dino_width, 1, kMaxWidth);
  if (motion.features == MotionFeatures::kOwn) {
    CheckRange(where, "model.motion.dino_width (d, because the features are the model's own)",
               motion.dino_width, d, d);
  }
  CheckRange(where, "the block that own features come from", motion.feature_layer, 0,
             camera_estimator_layers - 1);
  if (!(motion.threshold >= 0.0 && motion.threshold <= 1.0)) {
    throw Error(fmt::format("{}: the motion threshold {} must lie in [0, 1]", where, motion.threshold));
  }
}

std::vector<FrameShape> ModelConfig::TrainingShapes() const {
  const auto columns = static_cast<int>(width / patch), rows = static_cast<int>(height / patch);
  if (any_shape) return ShapesAbout(columns, rows);
  return {{columns, rows}};
}

std::string ModelConfig::ToYaml() const {
  return fmt::format(
      "model:\n"
      "  image_tokenizer: {{patch_size: {}}}\n"
      "  target_image: {{height: {}, width: {}}}\n"
      "  any_shape: {}\n"
      "  scene: {}\n"
      "  scene_latent: {{length: {}}}\n"
      "  view_code: {}\n"
      "  camera_attention: {}\n"
      "  match_views: {}\n"
      "  adjust_poses: {}\n"
      "  copy_inputs: {}\n"
      "  pose_latent: {{representation: \"{}\", canonical: \"{}\", focal: {}}}\n"
      "  transformer: {{d: {}, d_head: {}, encoder_n_layer: {}, encoder_geom_n_layer: {}, decoder_n_layer: "
      "{},\n"
      "                special_init: {}, depth_init: {}, init_scale: {}}}\n"
      "  use_motion_mask: {}\n"
      "  token_masking: {}\n"
      "  motion: {{cross_view: {}, threshold: {}, features: {}, dino_width: {}, feature_layer: {}, layers: "
      "{},\n"
      "           compare: {}, head_bias: {}}}\n"
      "  dinov3_pseudolabel: {{model_name: \"{}\"}}\n",
      patch, height, width, Bool(any_shape), scene == SceneLayout::kCodes ? "codes" : "tokens", scene_tokens,
      view_code == ViewCode::kNumber ? "number" : "canonical",
      camera_attention == CameraAttention::kGlobal ? "global" : "alternating", Bool(match_views),
      Bool(adjust_poses), Bool(copy_inputs), pose == PoseRepresentation::kRotation6d ? "6d" : "quat",
      canonical == CanonicalView::kFirst ? "first" : "middle", Name(focal), d, d_head,
      camera_estimator_layers, scene_encoder_layers, renderer_layers, Bool(special_init), Bool(depth_init),
      init_scale == InitScale::kPublished ? "published" : "fan_in", Bool(use_motion), Name(token_masking),
      Bool(motion.cross_view), motion.threshold,
      motion.features == MotionFeatures::kDinov3 ? "dinov3" : "own", motion.dino_width, motion.feature_layer,
      motion.layers, Bool(motion.compare), Bool(motion.head_bias), dino_model);
}

int64_t DinoWidth(const std::string& model_name) {
  // Longer names first: "vits16" is a part of "vits16plus".
  constexpr std::pair<const char*, int64_t> kWidths[] = {
      {"vits16plus", 384}, {"vits16", 384},      {"vitb16", 768},  {"vitl16plus", 1024},
      {"vitl16", 1024},    {"vith16plus", 1280}, {"vit7b16", 4096}};
  for (const auto& [name, width] : kWidths) {
    if (model_name.find(name) != std::string::npos) return width;
  }
  return 0;
}

}  // namespace wildrayzer

// Shape and options of the model, read from the release's YAML keys or guessed from the tensors of a
// checkpoint.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "wildrayzer/util/config.h"
#include "wildrayzer/vision/frame_shape.h"

namespace wildrayzer {

// How the camera head writes a rotation: 6D (Zhou et al. 2019; 9 numbers a pose) or quaternion w, x, y, z (7
// numbers).
enum class PoseRepresentation { kRotation6d, kQuaternion };
// The view whose camera is the world frame: the first, or number V / 2 (from 0).
enum class CanonicalView { kFirst, kMiddle };
// What a scene is: learned codes that the encoder fills (published), which the renderer carries along; or the
// inputs' encoded tokens themselves, to which the renderer attends (scene_attention.h), so that nothing of
// the photos has to pass a bottleneck.
enum class SceneLayout { kCodes, kTokens };
// What tells the views apart: a code of their number (published), which fails for more views than training
// had; or of being the canonical one or not, which serves any number of views in any order.
enum class ViewCode { kNumber, kCanonical };
// What the camera estimator's blocks attend over: the tokens of all views (published), or in every second
// block those of each view alone (as in VGGT, Wang et al. 2025), by which a camera token knows its view
// without a code of its number, and which costs less.
enum class CameraAttention { kGlobal, kAlternating };
// What becomes of the tokens of dynamic patches: zeros (paper), the learned noise token (released model), or
// nothing: they leave the attention.
enum class TokenMasking { kZero, kNoise, kDrop };
// How the camera head's number x becomes a focal length in image sides: 1.25 + x (published), or one of two
// bounded ways that training cannot drive to absurd values. kBounded: 1.25 exp(0.7 tanh x), fields of view of
// 22 to 78 degrees, 44 at x = 0. kCentred: 0.866 exp(0.77 tanh x), 30 to 102 degrees, 60 at x = 0, where most
// cameras are and the derivative is largest. A side is the frame's width for fx and its height for fy
// (published, and kBounded); with kCentred it is the square root of their product for both, so that pixels
// are square in frames of any shape.
enum class FocalLength { kPublished, kBounded, kCentred };
// The semantic features that the motion estimator and the pseudo labels see: DINOv3 patch features, or the
// camera estimator's own image tokens, which need no download.
enum class MotionFeatures { kDinov3, kOwn };
// Standard deviation of random matrices: 0.02 (published), or 0.02 sqrt(768 / columns), which is the same at
// the published width and keeps the size of activations at any other.
enum class InitScale { kPublished, kFanIn };

struct MotionConfig {
  // The estimator's blocks attend over the tokens of all views (paper) or of each view on its own (release).
  // FromConfig: `model.motion.cross_view`; without that key false for the release's files (those name a
  // `model.class_name`), because the released weights were trained so, and true for our own.
  bool cross_view = true;
  // A patch is dynamic when its mean motion probability exceeds this, in [0, 1].
  double threshold = 0.1;
  MotionFeatures features = MotionFeatures::kDinov3;
  // Width of the DINOv3 patch features: 384 (S, S+), 768 (B), 1024 (L), 1280 (H+), 4096 (7B). With kOwn it is
  // d.
  int64_t dino_width = 4096;
  // Blocks of the camera estimator that own features have passed, 0 .. its number of layers - 1.
  int64_t feature_layer = 0;
  int64_t layers = 4;
  // The estimator sees each view beside the inputs warped to it by matches (view_comparison.h). Not in the
  // published model.
  bool compare = false;
  // Stage 2 files have no bias in the last convolution.
  bool head_bias = true;

  bool operator==(const MotionConfig&) const = default;
};

struct ModelConfig {
  // Default resolution in pixels; the model itself takes any multiple of the patch size.
  int64_t height = 256;
  int64_t width = 256;
  // Frames need not be height x width: any shape of about as many patches does, because training showed
  // frames from 16:9 to 9:16 (focal: centred, UsageError).
  bool any_shape = false;
  int64_t patch = 16;
  // Token width and attention head size.
  int64_t d = 768;
  int64_t d_head = 64;
  SceneLayout scene = SceneLayout::kCodes;
  // Number of learned codes; kTokens has none.
  int64_t scene_tokens = 768;
  ViewCode view_code = ViewCode::kNumber;
  CameraAttention camera_attention = CameraAttention::kGlobal;
  // The camera estimator's tokens are told where they appear in the first view (view_matcher.h). Not in the
  // published model.
  bool match_views = false;
  // Poses are moved to where they fit the matcher's matches (geometry/bundle_adjustment.h). Not in the
  // published model.
  bool adjust_poses = false;
  // The renderer is shown the inputs warped to its camera by those matches, and may copy from them
  // (copy_head.h). Not in the published model.
  bool copy_inputs = false;
  int64_t camera_estimator_layers = 12;
  int64_t scene_encoder_layers = 8;
  int64_t renderer_layers = 12;
  PoseRepresentation pose = PoseRepresentation::kRotation6d;
  CanonicalView canonical = CanonicalView::kFirst;
  FocalLength focal = FocalLength::kPublished;
  InitScale init_scale = InitScale::kPublished;
  // Standard deviations of RandomInit: 0.02, times 1 / sqrt(2 (i + 1)) in block i with special_init and
  // depth_init, times 1 / sqrt(2 layers) with special_init alone.
  bool special_init = true;
  bool depth_init = true;

  bool use_motion = false;
  TokenMasking token_masking = TokenMasking::kZero;
  MotionConfig motion;
  // Names the DINOv3 variant that feeds the motion estimator (a Hugging Face repository).
  std::string dino_model = "facebook/dinov3-vit7b16-pretrain-lvd1689m";

  // Frames of training in patches: one, or with any_shape those of which a step draws one.
  std::vector<FrameShape> TrainingShapes() const;

  // Whether matches of the first view's points, and the surface that they lie on, are asked for.
  bool WarpsInputs() const { return copy_inputs || (use_motion && motion.compare); }

  // Numbers of one pose: 9 or 7.
  int64_t PoseSize() const { return pose == PoseRepresentation::kRotation6d ? 9 : 7; }

  // Reads `model.*`; README of configs/ lists the keys. Absent keys keep the full-size defaults above. Raises
  // Error naming the file, the key and what it must be.
  static ModelConfig FromConfig(const Config& config);

  // The same settings as YAML that FromConfig reads back unchanged; written into the checkpoints that we
  // save.
  std::string ToYaml() const;

  // Raises Error("`where`: ...") unless the settings fit together.
  void Validate(const std::string& where) const;

  bool operator==(const ModelConfig&) const = default;
};

// Names and shapes of a checkpoint's tensors under the release's names.
using TensorShapes = std::map<std::string, std::vector<int64_t>>;

// Infers every size, the pose representation, the DINOv3 width and the presence of the motion estimator and
// of the noise token. What shapes cannot tell is the release's: canonical view first, cross_view false,
// threshold 0.1; the default resolution is 256 x 256 (or the next multiple of the patch). Raises
// FileError(where, ...) naming the tensor that is missing or has an impossible shape.
ModelConfig GuessFromCheckpoint(const TensorShapes& shapes, const std::string& where);

// The patch feature width of a published DINOv3 model named as on Hugging Face (vits16, vits16plus, vitb16,
// vitl16, vith16plus, vit7b16 anywhere in the name), or 0 for an unknown name.
int64_t DinoWidth(const std::string& model_name);

}  // namespace wildrayzer

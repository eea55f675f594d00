// RayZer, the static backbone (method.md section 3): photos to cameras, cameras and photos to a latent scene,
// scene and any camera to an image.
//
// B scenes, V views of each, K of them inputs, T targets; n = (H / p)(W / p) tokens a view, width d, S scene
// tokens. Samples of a batch are independent of each other. Cameras are camera-to-world, OpenCV axes,
// intrinsics in units of image width and height. Geometry (cameras, rays) is float32 in every precision.
#pragma once

#include <cstdint>
#include <vector>

#include "wildrayzer/models/block_stack.h"
#include "wildrayzer/models/camera_head.h"
#include "wildrayzer/models/copy_head.h"
#include "wildrayzer/models/heads.h"
#include "wildrayzer/models/model_config.h"
#include "wildrayzer/models/scene_attention.h"
#include "wildrayzer/models/token_set.h"
#include "wildrayzer/models/trace.h"
#include "wildrayzer/models/view_matcher.h"
#include "wildrayzer/nn/module.h"
#include "wildrayzer/nn/positional_encoding.h"

namespace wildrayzer {

// Image tokens of views, with position code, before the camera estimator.
struct ViewTokens {
  torch::Tensor tokens;  // [B, V, n, d] float32
  int64_t height = 0;    // pixels of the images they came from
  int64_t width = 0;
  int64_t rows = 0;  // of the patch grid, n = rows * columns
  int64_t columns = 0;
  torch::Tensor images;  // [B, V, 3, H, W] in [-1, 1]; undefined unless views are matched

  // Views first .. first + count - 1 (no copy).
  ViewTokens Views(int64_t first, int64_t count) const;
};

// Cameras of views.
struct Cameras {
  torch::Tensor c2w;  // [B, V, 4, 4] float32, camera-to-world; the canonical view's is the identity
  // The same before they were adjusted to matches, where they were: what the camera head told. The gradient
  // of c2w is theirs.
  torch::Tensor told_c2w;
  torch::Tensor fxfycxcy;  // [B, V, 4] float32, fx and cx in image widths, fy and cy in heights
  torch::Tensor
      camera_info;  // [B, V, 13 or 11], the camera head's output (camera_head.h); undefined for given cameras
  torch::Tensor camera_tokens;  // [B, V, d], the camera estimator's output; undefined for given cameras
  // [B, V, d, rows, columns]: the image tokens after motion.feature_layer blocks of the camera estimator, the
  // model's own semantic features (MotionFeatures::kOwn); undefined for given cameras.
  torch::Tensor features;
  // All tokens as they enter the block whose attention finds the matches (RayZerImpl::MatchLogits); undefined
  // when no gradient is recorded, and for given cameras.
  torch::Tensor matching;
  torch::Tensor match_logits;  // of the view matcher (ViewMatches); undefined as `matching` is
  PointMatches of_points;      // likewise (ViewMatches); undefined for given cameras

  // Cameras that are known: no more than that.
  static Cameras Given(const torch::Tensor& c2w, const torch::Tensor& fxfycxcy);
  // Views first .. first + count - 1 (no copy).
  Cameras Views(int64_t first, int64_t count) const;
  // Scene b alone, without gradient.
  Cameras Scene(int64_t b) const;
};

// What the renderer reads of B scenes, made once for any number of views.
struct SceneMemory {
  torch::Tensor codes;                // SceneLayout::kCodes: normalised [B, S, d]
  std::vector<KeysAndValues> blocks;  // SceneLayout::kTokens: of every block of the renderer
  torch::Tensor counts;               // of tokens that are there, as in TokenSet
  InputSurface surface;               // with copy_inputs, what the renderer may copy from; else undefined

  // Scene b alone, without gradient.
  SceneMemory Scene(int64_t b) const;
};

class RayZerImpl : public torch::nn::Module {
 public:
  // Parameters are created uninitialised: fill them with LoadWeights or RandomInit (weights.h).
  explicit RayZerImpl(const ModelConfig& config);

  const ModelConfig& config() const { return config_; }

  // Gradient checkpointing in the three transformers (BlockStack, heads.h). 0: none.
  void RecomputeBlocks(int64_t every);

  // images [B, V, 3, H, W] in [0, 1], inputs first. H and W must be multiples of the patch size (UsageError).
  ViewTokens Tokenize(const torch::Tensor& images, const Trace& trace = {});

  // Cameras of all V views, estimated jointly. One trace step a block.
  Cameras EstimateCameras(const ViewTokens& views, const Trace& trace = {});
  // How the camera estimator compares the views with the first one: logits [B, V, h, n, n] of the attention
  // of each view's image tokens to those of the first, in half of the heads of the block that comes after
  // views have been looked at. cameras: as estimated.
  torch::Tensor MatchLogits(const Cameras& cameras);

  // Tokens of the Plücker rays of cameras for input views: [B, V, n, d]. c2w and fxfycxcy of `cameras` are
  // used.
  torch::Tensor ConditioningRayTokens(const Cameras& cameras, int64_t height, int64_t width);
  // The same for views to be rendered (another tokenizer).
  torch::Tensor RenderRayTokens(const Cameras& cameras, int64_t height, int64_t width);

  // Image tokens and conditioning ray tokens of the inputs [B, K, n, d] -> fused tokens [B, K, n, d].
  torch::Tensor FuseTokens(const torch::Tensor& image_tokens, const torch::Tensor& ray_tokens);

  // Fused (and masked) tokens of all inputs [B, N, d] -> the scene: codes [B, S, d], or the encoded tokens
  // [B, N, d] themselves. One trace step a block.
  TokenSet EncodeTokens(const TokenSet& fused, const Trace& trace = {});
  // The scene for the renderer.
  SceneMemory Remember(const TokenSet& scene);

  // B scenes and T cameras of each -> images [B, T, 3, height, width] in [0, 1], or with s times as many
  // pixels a side where the scene's surface has detail. Each target is one pass of
  // the renderer on its own; memory is bounded by a few targets when no gradient is recorded. height and
  // width are multiples of the patch size (UsageError). One trace step a target (of all scenes).
  // looks, if given, is what LookLogits takes.
  torch::Tensor Render(const SceneMemory& scene, const Cameras& cameras, int64_t height, int64_t width,
                       const Trace& trace = {}, std::vector<torch::Tensor>* looks = nullptr);
  // How the renderer looks at the first input, SceneLayout::kTokens: logits [B, T, h, n, n] of the attention
  // of T views' tokens to its tokens, in half of the heads of the middle block; of those that are hidden they
  // mean nothing. looks: from Render, of all T views. is_hidden [B, n]: tokens of the first input that left
  // the scene.
  torch::Tensor LookLogits(const SceneMemory& scene, const std::vector<torch::Tensor>& looks,
                           const torch::Tensor& is_hidden, int64_t views);

 private:
  // Positions of views on the axis of their code, ViewCode: [V].
  torch::Tensor ViewPositions(int64_t views) const;
  // The block of the camera estimator whose attention finds matches.
  int64_t MatchingBlock() const;
  // What the two embedders are given: [V, n, d] and [V, d].
  torch::Tensor PlaceCodes(int64_t views, int64_t rows, int64_t columns);
  torch::Tensor ViewCodes(int64_t views);
  torch::Tensor PositionCode(int64_t views, int64_t rows, int64_t columns, const Trace& trace);
  torch::Tensor RayTokens(PatchTokenizer& tokenizer, const Cameras& cameras, int64_t height, int64_t width);
  // Some of the targets at once -> [B, t, 3, height, width].
  torch::Tensor RenderChunk(const SceneMemory& scene, const Cameras& cameras, int64_t height, int64_t width,
                            const Trace& trace, std::vector<torch::Tensor>* looks);
  // Normalised ray tokens [B, t, n, d] -> tokens of the picture [B, t, n, d], with the codes carried along.
  torch::Tensor CarryCodes(const torch::Tensor& rays, const torch::Tensor& codes, const Trace& trace);

  ModelConfig config_;
  CodeCache codes_;
  torch::Tensor scene_code_;                            // scene_code [S, d]; undefined with kTokens
  torch::Tensor camera_code_;                           // cam_code [1, d]
  PatchTokenizer image_tokenizer_{nullptr};             // image_tokenizer
  ViewMatcher view_matcher_{nullptr};                   // view_matcher, with match_views
  SiluMlp position_embedder_{nullptr};                  // pe_embedder
  SiluMlp view_embedder_{nullptr};                      // temporal_pe_embedder
  BlockStack camera_estimator_{nullptr};                // transformer_encoder
  BlockStack scene_encoder_{nullptr};                   // transformer_encoder_geom
  LayerNorm render_norm_{nullptr};                      // decoder_ln
  BlockStack renderer_{nullptr};                        // transformer_decoder, with kCodes
  CrossStack attending_renderer_{nullptr};              // transformer_decoder, with kTokens
  CameraHead camera_head_{nullptr};                     // pose_predictor
  PatchTokenizer conditioning_ray_tokenizer_{nullptr};  // target_pose_tokenizer
  PatchTokenizer render_ray_tokenizer_{nullptr};        // target_pose_tokenizer2
  FusionMlp fusion_{nullptr};                           // mlp_fuse
  NormLinear pixel_head_{nullptr};                      // image_token_decoder
  CopyHead copy_head_{nullptr};                         // copy_head, with copy_inputs
};
TORCH_MODULE(RayZer);

}  // namespace wildrayzer

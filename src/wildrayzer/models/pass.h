// One pass of some views through the model: the only place in which its parts are put together (method.md
// sections 3 and 4), for inference, labels, validation and training alike.
//
//   Pass pass(model, features, images, inputs);
//   pass.cameras();                                  every view's camera, estimated together
//   pass.Encode(pass.InputMotionProbability());      the inputs' tokens, without what moves -> the scene
//   pass.RenderTargets();                            the scene from the other views' cameras
//
// Each part is computed when it is first asked for, under the gradient mode of that moment, and kept; so one
// pass may serve a loss, a label and a picture. Shapes and frames as in rayzer.h; B scenes, V views of which
// the first K are inputs and the other T targets.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "wildrayzer/models/feature_source.h"
#include "wildrayzer/models/wildrayzer.h"

namespace wildrayzer {

class Pass {
 public:
  // images [B, V, 3, H, W] in [0, 1]; the first `inputs` views condition the scene (UsageError for numbers
  // that do not fit). trace: steps of everything; values of all but the targets' motion and the inputs'
  // renderings, which run through modules that have been recorded already.
  Pass(WildRayZer model, FeatureSource features, const torch::Tensor& images, int64_t inputs,
       const Trace& trace = {});

  int64_t inputs() const { return inputs_; }
  int64_t targets() const { return images_.size(1) - inputs_; }
  const torch::Tensor& images() const { return images_; }

  // Cameras of all views: estimated, unless others were given.
  const Cameras& cameras();
  // From here on rays are made of these cameras, [B, V, ...]. The estimated ones are forgotten.
  void UseCameras(const Cameras& known);

  // What moves teaches the model's own features too, which otherwise carry no gradient. Before cameras().
  void LetMotionTeachFeatures() { features_learn_ = true; }
  // Keeps what TargetLooks() needs of the rendering of targets. Before RenderTargets().
  void KeepLooks() { keeps_looks_ = true; }

  // Semantic features [B, count, C, h, w] of the views from `first` on; without gradient unless said.
  torch::Tensor Features(int64_t first, int64_t count);
  // Those of all views at once, for what follows.
  void ComputeFeatures();

  // Whether motion can be predicted: there is an estimator, and the features that it reads.
  bool HasMotion() const;
  // Motion logits [B, K or T, 1, H, W]; undefined without HasMotion().
  torch::Tensor InputMotion();
  torch::Tensor TargetMotion();
  // The targets once more in the role of inputs: through the conditioning ray tokenizer. Not kept.
  torch::Tensor TargetMotionAsInputs();
  // Sigmoid of the inputs' logits, float32 without gradient; undefined without HasMotion().
  torch::Tensor InputMotionProbability();

  // The scene from the inputs; masks [B, K, 1, H, W] as in WildRayZerImpl::EncodeScene. Replaces an earlier
  // one.
  const EncodedScene& Encode(const torch::Tensor& masks = {});
  // Renderings of the encoded scene, [B, T or K, 3, H, W] in [0, 1], from the views' own cameras.
  torch::Tensor RenderTargets();
  // Tokens of the first input that were hidden when the scene was encoded: [B, n].
  torch::Tensor HiddenInFirst();
  // How the rendering of targets looked at the first input, with KeepLooks(): RayZerImpl::LookLogits, of
  // scenes of tokens.
  torch::Tensor TargetLooks();
  torch::Tensor RenderInputs();

  // What is known so far of scene b alone, without gradient.
  Pass Scene(int64_t b) const;

 private:
  const ViewTokens& Views();
  torch::Tensor Motion(int64_t first, int64_t count, const torch::Tensor& ray_tokens, const Trace& trace);
  const torch::Tensor& InputRays();
  // What the inputs but the view itself show in the place of views; without motion.compare, or of one input,
  // nothing.
  WarpedInputs Others(int64_t first, int64_t count);

  WildRayZer model_;
  FeatureSource features_;
  torch::Tensor images_;
  int64_t inputs_;
  Trace trace_;
  Trace steps_;  // of trace_
  std::optional<ViewTokens> views_;
  std::optional<Cameras> cameras_;
  PointMatches of_points_;  // as estimated with the cameras
  InputSurface unmasked_;   // the inputs' surface if nothing moved, once Others() has asked for it
  bool features_learn_ = false;
  bool keeps_looks_ = false;
  torch::Tensor all_features_;  // of all views, once they have been computed: own ones with the cameras
  torch::Tensor input_rays_;    // conditioning ray tokens [B, K, n, d]
  torch::Tensor input_motion_, target_motion_;
  EncodedScene scene_;
  std::vector<torch::Tensor> looks_;  // of the targets, with KeepLooks()
};

// Everything that a pass gives.
struct Prediction {
  Cameras cameras;              // all V views
  EncodedScene scene;           // from the K inputs
  torch::Tensor images;         // [B, T, 3, H, W]: renderings at the target views' cameras
  torch::Tensor input_images;   // [B, K, 3, H, W]: at the input views' cameras; undefined unless asked for
  torch::Tensor input_logits;   // [B, K, 1, H, W]; undefined without HasMotion()
  torch::Tensor target_logits;  // [B, T, 1, H, W]; likewise
};

struct PredictOptions {
  FeatureSource features;
  // Masks of the input views [B, K, 1, H, W] that take the place of the predicted ones.
  torch::Tensor input_masks;
  // Also render at the input views' cameras.
  bool render_inputs = false;
};

// The whole pass in its usual order: what moves in the inputs is masked.
Prediction Predict(WildRayZer model, const torch::Tensor& images, int64_t inputs,
                   const PredictOptions& options = {}, const Trace& trace = {});

}  // namespace wildrayzer

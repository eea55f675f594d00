// Camera warm-up: the camera estimator learns to match views and to read cameras from the matches on virtual
// worlds (data/virtual_worlds.h), before or beside the paper's recipe, which has no such thing. No label is
// used: the cameras are those with which we drew the worlds.
#pragma once

#include <span>

#include "wildrayzer/data/virtual_worlds.h"
#include "wildrayzer/models/heads.h"
#include "wildrayzer/models/rayzer.h"
#include "wildrayzer/nn/module.h"
#include "wildrayzer/training/piece_sums.h"

namespace wildrayzer {

// B virtual scenes of V views; n patches a view. Frames and units as in VirtualScene.
struct WarmupBatch {
  torch::Tensor images;     // [B, V, 3, H, W] in [0, 1]
  torch::Tensor c2w;        // [B, V, 4, 4], relative to the first view
  torch::Tensor fxfycxcy;   // [B, V, 4]
  torch::Tensor matches;    // [B, V, n, 2]: where the patch centre appears in the first view
  torch::Tensor log_depth;  // [B, V, n] in its own view
  torch::Tensor visible;    // [B, V, n] float, 1 where `matches` holds
  // [B] bool: the targets are rendered at the true cameras, else at the estimated ones (RayZer's way, in
  // which rendering teaches the cameras too).
  torch::Tensor render_true_camera;
  int64_t inputs = 2;  // of the views, the first ones

  // The part [begin, begin + count) of it; shares the tensors' memory.
  WarmupBatch Scenes(int64_t begin, int64_t count) const;
  WarmupBatch To(torch::Device device) const;
};
WarmupBatch ToTensors(std::span<const VirtualScene> scenes);

// Reads matches, depths and the camera of the view off every image token of the camera estimator: dense
// supervision is what makes matching emerge early, and what teaches the attention that camera tokens share to
// pool the matches. It is a training aid and no part of the model.
class MatchHeadImpl : public torch::nn::Module {
 public:
  explicit MatchHeadImpl(int64_t d);
  // features [B, V, d, rows, columns] -> [B, V, n, 16]: displacement (u, v) to the first view, log depth, the
  // view's rotation relative to the first minus the identity (row-major), its translation, log focal length.
  torch::Tensor forward(const torch::Tensor& features);

 private:
  NormLinear projection_{nullptr};
};
TORCH_MODULE(MatchHead);

// Measurements are of the whole batch, of which `truth` may be a piece; `loss` is the piece's part
// (losses.h).
struct WarmupTerms {
  torch::Tensor loss;       // scalar with gradient
  Number value;             // of the whole batch
  Number rotation_degrees;  // mean geodesic error of the views after the first
  Number translation_r2;    // 1 - |t - t*|^2 / |t*|^2 summed over the batch
  Number focal_error;       // mean |log f / f*|
  Number match_error;       // mean distance of visible matches, in image widths
  Number match_r2;          // explained part of the squared displacement
};
// huber: below this size of an error (matrix entries, depth units, image widths) the terms are quadratic.
WarmupTerms WarmupLoss(const Cameras& predicted, const torch::Tensor& match_output, const WarmupBatch& truth,
                       double huber, const SumOverPieces& sum = {});

// The same for cameras that come with the data: what they teach the camera estimator, a scalar, mean over
// scenes and views. c2w [B, V, 4, 4] relative to the first view in any unit of length, fxfycxcy [B, V, 4].
// match_output: as above, or undefined.
torch::Tensor KnownCameraLoss(const Cameras& predicted, const torch::Tensor& match_output,
                              const torch::Tensor& c2w, const torch::Tensor& fxfycxcy, double huber);

}  // namespace wildrayzer

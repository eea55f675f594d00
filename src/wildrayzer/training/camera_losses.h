// What known cameras teach: the camera estimator learns to match views and to read cameras from the matches,
// on worlds (world_batch.h) before or beside the paper's recipe, which has no such thing, and on data whose
// cameras are known.
#pragma once

#include "wildrayzer/models/heads.h"
#include "wildrayzer/models/rayzer.h"
#include "wildrayzer/nn/module.h"
#include "wildrayzer/training/piece_sums.h"
#include "wildrayzer/training/world_batch.h"

namespace wildrayzer {

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
struct CameraTerms {
  torch::Tensor loss;       // scalar with gradient
  Number value;             // of the whole batch
  Number rotation_degrees;  // mean geodesic error of the views after the first
  Number still_degrees;     // the same of the guess that nothing turned
  Number translation_r2;    // 1 - |t - t*|^2 / |t*|^2 summed over the batch
  Number focal_error;       // mean |log f / f*|
  Number match_error;       // mean distance of visible matches, in image widths
  Number match_r2;          // explained part of the squared displacement
};
// huber: below this size of an error (matrix entries, depth units, image widths) the terms are quadratic.
CameraTerms WorldCameraLoss(const Cameras& predicted, const torch::Tensor& match_output,
                            const WorldBatch& truth, double huber, const SumOverPieces& sum = {});

// The same for cameras that come with the data: what they teach the camera estimator, a scalar, mean over
// scenes and views. c2w [B, V, 4, 4] relative to the first view in any unit of length, fxfycxcy [B, V, 4].
// match_output: as above, or undefined.
torch::Tensor KnownCameraLoss(const Cameras& predicted, const torch::Tensor& match_output,
                              const torch::Tensor& c2w, const torch::Tensor& fxfycxcy, double huber);

// Whether attention to the first view finds the matches: cross-entropy between where tokens attend, logits
// [B, V, h, n, n], and where their matches are, [B, V, n, 2] (u, v), spread bilinearly over the four nearest
// patches of rows x columns; mean over heads and tokens, weighted with [B, V, n]. is_hidden [B, n]: tokens of
// the first view that nobody can attend to; undefined: none.
struct MatchAttentionTerms {
  torch::Tensor loss;  // scalar with gradient, a piece's part
  Number attended;     // share of the attention to the first view that is at the match, of the whole batch
};
MatchAttentionTerms MatchAttentionLoss(const torch::Tensor& logits, const torch::Tensor& matches,
                                       const torch::Tensor& weight, int64_t rows, int64_t columns,
                                       const torch::Tensor& is_hidden = {}, const SumOverPieces& sum = {});

}  // namespace wildrayzer

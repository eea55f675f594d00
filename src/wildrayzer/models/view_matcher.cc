#include "wildrayzer/models/view_matcher.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include "wildrayzer/nn/grid.h"

namespace wildrayzer {
namespace {

constexpr int64_t kDescriptor = 64;
constexpr int64_t kMatchesAtOnce = 1 << 22;  // about 100 MB of what is computed from them
// Matches of less confidence than the first say nothing, of more than the second all that a match can: of a
// confidence of 0.5 half, of 0.9 nine in ten lay within a pixel of their true epipolar lines in rooms that a
// matcher had never seen. Neighbouring matches are wrong together, and most are found both ways: seven count
// as one. These three were chosen on validation rooms.
constexpr double kUnsure = 0.3, kSure = 0.8, kWeightOfAMatch = 0.15;
// All views with all is quadratic; of more views the points of these tell enough.
constexpr int64_t kMostViewsWithPoints = 8;

// Where patches are among the cells of another view, as in ViewMatches.
struct Found {
  torch::Tensor place, confidence, logits;  // [B, n, 2], [B, n], [B, n, m]
};

// The mean place of the likeliest cell and its neighbours: the mean over all cells would lean to the middle
// of the picture.
Found Peak(const torch::Tensor& logits, int64_t rows, int64_t columns) {
  const torch::Tensor likeliest = std::get<1>(logits.detach().max(-1)).unsqueeze(-1);  // [B, n, 1]
  // Of 3 x 3 cells, without asking a GPU for a number.
  const torch::Tensor around = torch::arange(9, likeliest.options());
  const torch::Tensor row = torch::floor_divide(likeliest, columns) + torch::floor_divide(around, 3) - 1;
  const torch::Tensor column = torch::remainder(likeliest, columns) + torch::remainder(around, 3) - 1;
  const torch::Tensor inside =
      row.ge(0).logical_and(row.lt(rows)).logical_and(column.ge(0)).logical_and(column.lt(columns));
  const torch::Tensor cell = row.clamp(0, rows - 1) * columns + column.clamp(0, columns - 1);
  const torch::Tensor probability = torch::exp(logits.gather(-1, cell) - torch::logsumexp(logits, -1, true));
  const torch::Tensor peak = probability * inside.to(torch::kFloat32);
  const torch::Tensor total = peak.sum(-1);
  const auto mean = [&](const torch::Tensor& index, int64_t count) {
    return (peak * ((index.to(torch::kFloat32) + 0.5) / static_cast<double>(count))).sum(-1) / total;
  };
  return {torch::stack({mean(column, columns), mean(row, rows)}, -1), total, logits};
}

// Patches [B, n, C] among the cells [B, rows columns, C] of another view.
Found Search(const torch::Tensor& queries, const torch::Tensor& keys, int64_t rows, int64_t columns) {
  const auto find = [&](const torch::Tensor& some) {
    return Peak(torch::matmul(some, keys.transpose(1, 2)) / std::sqrt(static_cast<double>(kDescriptor)), rows,
                columns);
  };
  if (torch::GradMode::is_enabled()) return find(queries);
  // All pairs of cells of large photos are many: some at a time.
  const int64_t at_once = std::max<int64_t>(1, kMatchesAtOnce / (keys.size(0) * keys.size(1)));
  std::vector<torch::Tensor> places, confidences;
  for (const torch::Tensor& some : queries.split(at_once, 1)) {
    const Found found = find(some);
    places.push_back(found.place);
    confidences.push_back(found.confidence);
  }
  return {torch::cat(places, 1), torch::cat(confidences, 1), {}};
}

torch::Tensor ChannelsLast(const torch::Tensor& map) { return map.permute({0, 2, 3, 1}); }
torch::Tensor ChannelsFirst(const torch::Tensor& map) { return map.permute({0, 3, 1, 2}); }

}  // namespace

ConvolutionStepImpl::ConvolutionStepImpl(int64_t in, int64_t out, int64_t stride) {
  convolution_ = register_module("0", Conv2d(in, out, 3, /*bias=*/false, stride));
  norm_ = register_module("1", LayerNorm(out, /*bias=*/true));
}

torch::Tensor ConvolutionStepImpl::forward(const torch::Tensor& map) {
  const torch::Tensor wide =
      ChannelsLast(convolution_->forward(map.contiguous(torch::MemoryFormat::ChannelsLast)));
  return torch::relu(ChannelsFirst(norm_->forward(wide.contiguous())));
}

ViewMatcherImpl::ViewMatcherImpl(int64_t patch, int64_t d) : patch_(patch) {
  const auto step = [&](const char* name, int64_t in, int64_t out, int64_t stride) {
    return register_module(name, ConvolutionStep(in, out, stride));
  };
  halve0_ = step("halve0", 3, 32, 2);
  halve1_ = step("halve1", 32, 64, 2);
  refine1_ = step("refine1", 64, 64, 1);
  halve2_ = step("halve2", 64, 128, 2);
  refine2_ = step("refine2", 128, 128, 1);
  fine_ = register_module("fine", Linear(64, kDescriptor));
  coarse_ = register_module("coarse", Linear(128, kDescriptor));
  q_norm_ = register_module("q_norm", RmsNorm(kDescriptor));
  k_norm_ = register_module("k_norm", RmsNorm(kDescriptor));
  embedding_ = register_module("embedding", Linear(5, d));
}

torch::Tensor ViewMatcherImpl::Describe(const torch::Tensor& images) {
  torch::Tensor map = halve1_->forward(halve0_->forward(images));
  const torch::Tensor cells = map + refine1_->forward(map);
  map = halve2_->forward(cells);
  map = map + refine2_->forward(map);
  const torch::Tensor coarse = coarse_->forward(ChannelsLast(map)).to(torch::kFloat32);
  const torch::Tensor around = torch::upsample_bilinear2d(
      ChannelsFirst(coarse), {cells.size(2), cells.size(3)}, /*align_corners=*/false);
  return fine_->forward(ChannelsLast(cells)).to(torch::kFloat32) + ChannelsLast(around);
}

ViewMatches ViewMatcherImpl::forward(const torch::Tensor& images, bool of_points) {
  const int64_t batch = images.size(0), views = images.size(1), patch = patch_ / kCell;
  const torch::Tensor all = Describe(images.flatten(0, 1));
  const int64_t rows = all.size(1), columns = all.size(2);
  const torch::Tensor cells = all.view({batch, views, rows, columns, kDescriptor});
  const auto keys_of = [&](int64_t view) {
    return k_norm_->forward(cells.select(1, view).reshape({batch, rows * columns, kDescriptor}));
  };
  const auto queries_of = [&](int64_t view, int64_t side) {  // of blocks of side x side cells
    const torch::Tensor patches =
        cells.select(1, view).reshape({batch, rows / side, side, columns / side, side, kDescriptor});
    const torch::Tensor centres = patches.narrow(2, side / 2 - 1, 2).narrow(4, side / 2 - 1, 2).mean({2, 4});
    return q_norm_->forward(centres.flatten(1, 2));
  };
  const torch::Tensor first = keys_of(0), second = views > 1 ? keys_of(1) : first;
  std::vector<torch::Tensor> places, confidences, logits;
  const auto find = [&](const torch::Tensor& queries, const torch::Tensor& keys) {
    Found found = Search(queries, keys, rows, columns);
    places.push_back(found.place);
    confidences.push_back(found.confidence);
    return found;
  };
  for (int64_t v = 0; v < views; ++v) {
    const Found found = find(queries_of(v, patch), v == 0 ? second : first);
    if (v > 0 && found.logits.defined()) logits.push_back(found.logits);
  }
  ViewMatches matches;
  matches.place = torch::stack(places, 1);
  matches.confidence = torch::stack(confidences, 1);
  if (!logits.empty()) matches.logits = torch::stack(logits, 1);
  if (!of_points || views < 2) return matches;
  const torch::NoGradGuard no_grad;
  const torch::Tensor points = GridCentres(rows / 2, columns / 2, images.device());
  std::vector<torch::Tensor> seen, weights;
  for (int64_t a = 0; a < std::min(kMostViewsWithPoints, views); ++a) {
    const torch::Tensor queries = queries_of(a, 2);
    places.clear();
    confidences.clear();
    for (int64_t v = 0; v < views; ++v) {
      if (v != a) {
        find(queries, keys_of(v));
        continue;
      }
      places.push_back(points.expand({batch, -1, 2}));
      confidences.push_back(torch::zeros({batch, points.size(0)}, points.options()));
    }
    seen.push_back(torch::stack(places, 1));
    weights.push_back(torch::stack(confidences, 1));
  }
  matches.of_points = {
      points, torch::stack(seen, 1),
      kWeightOfAMatch * ((torch::stack(weights, 1) - kUnsure) / (kSure - kUnsure)).clamp(0, 1)};
  return matches;
}

torch::Tensor ViewMatcherImpl::Tell(const ViewMatches& matches, int64_t rows, int64_t columns) {
  // Displacements of a fifth of a picture are usual: of about size 1 for the embedding.
  const torch::Tensor moved = 5.0 * (matches.place - GridCentres(rows, columns, matches.place.device()));
  const torch::Tensor sure = matches.confidence.unsqueeze(-1);
  return embedding_->forward(torch::cat({moved, moved * sure, sure}, -1)).to(torch::kFloat32);
}

}  // namespace wildrayzer

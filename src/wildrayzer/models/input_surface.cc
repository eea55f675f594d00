#include "wildrayzer/models/input_surface.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "wildrayzer/nn/grid.h"

namespace wildrayzer {
namespace {

using torch::Tensor;

// Points count for the pixels about them with a Gaussian of this size, in square roots of the frame's area.
constexpr double kReach = 0.03;
// An input counts for e times less for every so much of displacement, in the same unit.
constexpr double kFar = 0.09;
constexpr double kNearest = 0.05;  // nothing is seen nearer to a camera than this
constexpr double kLeastWeight = 1e-3;
// Most pairs of a pixel of the flow and a point at a time.
constexpr int64_t kMostPairs = 1 << 24;

// Points [B, n, 3] of the world, in cameras [B, T, 4, 4] -> places [B, T, n, 2] in frames and depths [B, T,
// n].
struct Places {
  Tensor uv, z;
};
Places Project(const Tensor& points, const Tensor& c2w, const Tensor& fxfycxcy) {
  const Tensor rotation = c2w.narrow(-2, 0, 3).narrow(-1, 0, 3),
               position = c2w.narrow(-2, 0, 3).select(-1, 3);
  const Tensor there = torch::matmul(points.unsqueeze(1) - position.unsqueeze(2), rotation);  // R^T (X - t)
  const Tensor z = there.select(-1, 2);
  const Tensor slopes = there.narrow(-1, 0, 2) / z.clamp_min(kNearest).unsqueeze(-1);
  return {slopes * fxfycxcy.narrow(-1, 0, 2).unsqueeze(2) + fxfycxcy.narrow(-1, 2, 2).unsqueeze(2), z};
}

// Maps [N, C, H, W] at places [N, H, W, 2] in frames.
Tensor Sample(const Tensor& maps, const Tensor& places) {
  return torch::grid_sampler_2d(maps, places * 2.0 - 1.0, /*bilinear*/ 0, /*border*/ 1,
                                /*align_corners=*/false);
}

// From a pixel of the targets to the same surface in each input: [B, T, K, 2, high, wide] in frames, and
// `support`.
struct Flow {
  Tensor displacement, support;
};
Flow FlowToInputs(const InputSurface& surface, const Tensor& c2w, const Tensor& fxfycxcy, int64_t high,
                  int64_t wide) {
  const int64_t batch = c2w.size(0), targets = c2w.size(1), inputs = surface.images.size(1);
  const int64_t height = surface.images.size(3), width = surface.images.size(4), n = surface.points.size(1);
  const Places here = Project(surface.points, c2w, fxfycxcy);
  const Places there = Project(surface.points, surface.c2w, surface.fxfycxcy);
  const Tensor moved = (there.uv.unsqueeze(1) - here.uv.unsqueeze(2))  // [B, T, K, n, 2]
                           .permute({0, 1, 3, 2, 4})
                           .flatten(3);  // [B, T, n, 2 K]
  // With ones, so that one product gives the sum of the weights, too.
  const Tensor summed = torch::cat({moved, torch::ones_like(moved.narrow(-1, 0, 1))}, -1);
  const Tensor seen = here.z.gt(kNearest).logical_and(there.z.gt(kNearest).all(1).unsqueeze(1));
  const Tensor weight =
      torch::log(surface.weight.unsqueeze(1) * seen.to(torch::kFloat32) + 1e-9);  // [B, T, n]

  int64_t rows = height / 4, columns = width / 4;
  while (rows * columns * n > kMostPairs) rows = (rows + 1) / 2, columns = (columns + 1) / 2;
  const double stretch = std::sqrt(static_cast<double>(width) / static_cast<double>(height));
  // Logarithm of the Gaussian on one axis, of which `count` pixels of the flow are `side` long: [B, T, count,
  // n].
  const auto nearness = [&](int64_t axis, int64_t count, double side) {
    const Tensor centres = (torch::arange(count, weight.options()) + 0.5) / static_cast<double>(count);
    return ((centres.unsqueeze(-1) - here.uv.select(-1, axis).unsqueeze(2)) * side).square() *
           (-0.5 / (kReach * kReach));
  };
  const Tensor by_column = nearness(0, columns, stretch),
               by_row = nearness(1, rows, 1.0 / stretch) + weight.unsqueeze(2);
  std::vector<Tensor> flows;
  for (int64_t t = 0; t < targets; ++t) {
    const Tensor logits =
        (by_row.select(1, t).unsqueeze(2) + by_column.select(1, t).unsqueeze(1)).flatten(1, 2);
    // Far from all points the nearest counts, however little.
    const Tensor largest = logits.amax(-1, /*keepdim=*/true);                              // [B, G, 1]
    const Tensor sums = torch::matmul(torch::exp(logits - largest), summed.select(1, t));  // [B, G, 2 K + 1]
    const Tensor total = sums.narrow(-1, 2 * inputs, 1);
    const Tensor support = 1.0 - torch::exp(-total * torch::exp(largest));
    flows.push_back(torch::cat({sums.narrow(-1, 0, 2 * inputs) / total, support}, -1));
  }
  const Tensor all = torch::stack(flows, 1);  // [B, T, G, 2 K + 1]
  const Tensor flow = torch::upsample_bilinear2d(
      all.flatten(0, 1).transpose(1, 2).reshape({batch * targets, 2 * inputs + 1, rows, columns}),
      {high, wide},
      /*align_corners=*/false);
  return {flow.narrow(1, 0, 2 * inputs).view({batch, targets, inputs, 2, high, wide}),
          flow.narrow(1, 2 * inputs, 1).view({batch, targets, 1, high, wide})};
}

}  // namespace

InputSurface InputSurface::Scene(int64_t b) const {
  if (!defined()) return *this;
  const auto part = [b](const Tensor& all) { return all.defined() ? all.detach().narrow(0, b, 1) : all; };
  return {part(points), part(weight), part(images), part(detail), part(still), part(c2w), part(fxfycxcy)};
}

InputSurface InputSurface::Without(int64_t input) const {
  const auto others = [input](const Tensor& all) {
    if (!all.defined()) return all;
    return torch::cat({all.narrow(1, 0, input), all.narrow(1, input + 1, all.size(1) - input - 1)}, 1);
  };
  return {points, weight, others(images), others(detail), others(still), others(c2w), others(fxfycxcy)};
}

InputSurface SurfaceOf(const Tensor& images, const Tensor& c2w, const Tensor& fxfycxcy,
                       const PointMatches& matches, const Tensor& masks) {
  const torch::NoGradGuard no_grad;
  const int64_t batch = images.size(0), inputs = images.size(1), n = matches.points.size(0),
                of = std::min(inputs, matches.seen.size(1));
  InputSurface surface;
  surface.images = images.to(torch::kFloat32);
  surface.c2w = c2w.detach();
  surface.fxfycxcy = fxfycxcy.detach();
  if (masks.defined()) {
    // What moves has soft edges, and masks are wide of them by a pixel or two.
    const Tensor grown = torch::max_pool2d(masks.to(torch::kFloat32).flatten(0, 1), {5, 5}, {1, 1}, {2, 2});
    surface.still = (1.0 - grown).square().view(masks.sizes());
  } else {
    surface.still = torch::ones_like(surface.images.narrow(2, 0, 1));
  }
  PointMatches of_inputs = matches;
  of_inputs.seen = matches.seen.narrow(1, 0, of).narrow(2, 0, inputs);
  // What moves tells nothing, neither where a point is nor where it is seen.
  const Tensor places = matches.points.view({1, 1, n, 2}).expand({batch * of, 1, n, 2});
  const Tensor here = Sample(surface.still.narrow(1, 0, of).flatten(0, 1), places).view({batch, of, 1, n});
  const Tensor there = Sample(surface.still.flatten(0, 1), of_inputs.seen.transpose(1, 2).flatten(0, 1))
                           .view({batch, inputs, of, n})
                           .transpose(1, 2);
  of_inputs.weight = matches.weight.narrow(1, 0, of).narrow(2, 0, inputs) * here * there;
  const Tensor depth =
      torch::exp(FitDepths(c2w, fxfycxcy, of_inputs, images.size(3), images.size(4)).to(torch::kFloat32));
  const Tensor k = surface.fxfycxcy.narrow(1, 0, 1);
  const Tensor slopes = (matches.points - k.narrow(-1, 2, 2)) / k.narrow(-1, 0, 2);  // [B, n, 2]
  const Tensor rays = torch::cat({slopes, torch::ones_like(slopes.narrow(-1, 0, 1))}, -1).unsqueeze(1);
  const Tensor poses = surface.c2w.narrow(1, 0, of).narrow(2, 0, 3);
  surface.points = (torch::matmul(rays * depth.unsqueeze(-1), poses.narrow(3, 0, 3).transpose(-1, -2)) +
                    poses.select(3, 3).unsqueeze(2))
                       .flatten(1, 2);
  surface.weight = (of_inputs.weight.sum(2).clamp_max(1.0) + kLeastWeight).flatten(1);
  return surface;
}

WarpedInputs WarpedInputs::View(int64_t t) const {
  return {image.narrow(1, t, 1), sure.narrow(1, t, 1), spread.narrow(1, t, 1), support.narrow(1, t, 1)};
}

WarpedInputs Concatenate(const std::vector<WarpedInputs>& views) {
  const auto all = [&](Tensor WarpedInputs::*field) {
    std::vector<Tensor> parts;
    for (const WarpedInputs& view : views) parts.push_back(view.*field);
    return torch::cat(parts, 1);
  };
  return {all(&WarpedInputs::image), all(&WarpedInputs::sure), all(&WarpedInputs::spread),
          all(&WarpedInputs::support)};
}

PlacesOfPixels FindPixels(const InputSurface& surface, const Tensor& c2w, const Tensor& fxfycxcy) {
  const torch::NoGradGuard no_grad;
  const int64_t height = surface.images.size(3), width = surface.images.size(4);
  const Flow flow = FlowToInputs(surface, c2w.detach(), fxfycxcy.detach(), height, width);
  const Tensor centres = GridCentres(height, width, c2w.device()).view({height, width, 2});
  return {flow.displacement.permute({0, 1, 2, 4, 5, 3}) + centres, flow.support};
}

WarpedInputs WarpInputs(const InputSurface& surface, const Tensor& c2w, const Tensor& fxfycxcy, bool detail) {
  const torch::NoGradGuard no_grad;
  const Tensor poses = c2w.detach();
  const Tensor& images = detail ? surface.detail : surface.images;
  const int64_t batch = poses.size(0), targets = poses.size(1), inputs = images.size(1);
  const int64_t height = images.size(3), width = images.size(4);
  const Flow flow = FlowToInputs(surface, poses, fxfycxcy.detach(), height, width);
  const Tensor centres = GridCentres(height, width, poses.device()).view({height, width, 2});
  const Tensor places = flow.displacement.permute({0, 1, 2, 4, 5, 3}) + centres;  // [B, T, K, H, W, 2]
  const auto sample = [&](const Tensor& maps) {
    const Tensor of_targets =
        maps.unsqueeze(1).expand({batch, targets, inputs, maps.size(2), maps.size(3), maps.size(4)});
    return Sample(of_targets.flatten(0, 2), places.flatten(0, 2))
        .view({batch, targets, inputs, maps.size(2), height, width});
  };
  const Tensor colours = sample(images);
  const Tensor inside = places.gt(0.0).logical_and(places.lt(1.0)).all(-1).to(torch::kFloat32).unsqueeze(3);
  const Tensor shown = inside * sample(surface.still);  // [B, T, K, 1, H, W]
  const Tensor length = flow.displacement.square().sum(3, /*keepdim=*/true).sqrt();
  // However far all of them are, the nearest has a weight.
  const Tensor further = length - length.amin(2, /*keepdim=*/true);
  const Tensor weight = (shown + kLeastWeight) * torch::exp(-further / kFar);
  const Tensor share = weight / weight.sum(2, /*keepdim=*/true);
  WarpedInputs warped;
  warped.image = (share * colours).sum(2);
  warped.sure = 1.0 - (1.0 - shown).prod(2);
  warped.spread = (share * (colours - warped.image.unsqueeze(2)).abs()).sum(2).mean(2, /*keepdim=*/true);
  warped.support = flow.support;
  return warped;
}

}  // namespace wildrayzer

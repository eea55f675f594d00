#include "wildrayzer/geometry/bundle_adjustment.h"

#include <cmath>
#include <tuple>

namespace wildrayzer {
namespace {

using torch::Tensor;

// Errors are in 1 / 128 of the square root of the frame's area: of such a size matches are exact. Beyond
// `reach` of them an error loses its weight; it shrinks, so that a start some degrees away finds its way.
constexpr double kUnits = 128.0;
constexpr double kReaches[] = {4.0, 2.0, 1.0};
constexpr double kReachesOfDepths[] = {16.0, 8.0, 4.0, 2.0};  // which begin anywhere
constexpr int kStepsOfAReach = 4;
constexpr double kPriorTurn = 0.065, kPriorMove = 0.15;
// Weight of a point's squared log-depth.
constexpr double kDepthWeight = 0.02;
// Points nearer to a camera than this, or behind it, are taken to be here.
constexpr double kNearest = 0.05;
constexpr double kLongestStepOfDepth = 1.0;

// [..., 3, 3] with the cross product by v [..., 3].
Tensor CrossMatrix(const Tensor& v) {
  const Tensor x = v.select(-1, 0), y = v.select(-1, 1), z = v.select(-1, 2), none = torch::zeros_like(x);
  return torch::stack({none, -z, y, z, none, -x, -y, x, none}, -1).unflatten(-1, {3, 3});
}

// The rotation by `turn` [..., 3] (Rodrigues).
Tensor Exponential(const Tensor& turn) {
  const Tensor angle = (turn.square().sum(-1) + 1e-18).sqrt().unsqueeze(-1).unsqueeze(-1);
  const Tensor cross = CrossMatrix(turn);
  return torch::eye(3, turn.options()) + torch::sin(angle) / angle * cross +
         (1.0 - torch::cos(angle)) / angle.square() * torch::matmul(cross, cross);
}

// Axis times the sine of the angle of rotations [..., 3, 3].
Tensor SineOfAxis(const Tensor& rotation) {
  const auto entry = [&](int64_t i, int64_t j) { return rotation.select(-2, i).select(-1, j); };
  return 0.5 *
         torch::stack({entry(2, 1) - entry(1, 2), entry(0, 2) - entry(2, 0), entry(1, 0) - entry(0, 1)}, -1);
}

// B scenes, W = V - 1 views after the first, n points.
struct Unknowns {
  Tensor rotation, translation;  // [B, W, 3, 3] and [B, W, 3], from the first view's frame into the view's
  Tensor log_depth;              // [B, n]

  // `other` in the scenes where `take` [B] is true.
  Unknowns Where(const Tensor& take, const Unknowns& other) const {
    return {torch::where(take.view({-1, 1, 1, 1}), other.rotation, rotation),
            torch::where(take.view({-1, 1, 1}), other.translation, translation),
            torch::where(take.view({-1, 1}), other.log_depth, log_depth)};
  }
};

class Adjustment {
 public:
  Adjustment(const Tensor& c2w, const Tensor& fxfycxcy, const PointMatches& matches, int64_t rows,
             int64_t columns);
  Unknowns Solve() const;
  Tensor SolveDepths() const;

 private:
  // How the points appear at some unknowns.
  struct Appearance {
    Tensor turned;      // [B, W, n, 3] points in the view's axes, about the first camera
    Tensor x, y, z;     // [B, W, n] x / z, y / z and z in the view
    Tensor error;       // [B, W, n, 2]
    Tensor squared;     // [B, W, n]
    Tensor from_prior;  // [B, W, 6] how far poses are from those at hand
  };
  struct Step {
    Tensor poses;      // [B, W, 6]: turn, move
    Tensor log_depth;  // [B, n]
  };
  Appearance Look(const Unknowns& at) const;
  Tensor PointCosts(const Unknowns& at, const Appearance& seen, double reach) const;  // [B, n]
  Tensor Cost(const Unknowns& at, const Appearance& seen, double reach) const;        // [B]
  // Of squared errors, with which their sum has the slope of PointCosts: [B, W, n].
  Tensor RobustWeight(const Appearance& seen, double reach) const {
    return weight_ * (reach * reach / (reach * reach + seen.squared)).square();
  }
  // Of (u, v) by the logarithm of a point's depth, [B, W, n, 2].
  Tensor ByDepth(const Appearance& seen) const;
  Step StepFrom(const Unknowns& at, const Appearance& seen, double reach, const Tensor& damping) const;

  Tensor rays_;            // [B, n, 3] of the first view, z = 1
  Tensor seen_, weight_;   // [B, W, n, 2], [B, W, n]
  Tensor focal_, centre_;  // [B, 1, 1, 2]
  Tensor units_;           // [2] of errors
  Tensor prior_;           // [6] precision
  Unknowns start_;
};

Adjustment::Adjustment(const Tensor& c2w, const Tensor& fxfycxcy, const PointMatches& matches, int64_t rows,
                       int64_t columns) {
  const auto wide = [](const Tensor& x) { return x.detach().to(torch::kFloat64); };
  const Tensor k = wide(fxfycxcy.select(1, 0)).view({-1, 1, 1, 4});
  focal_ = k.narrow(-1, 0, 2);
  centre_ = k.narrow(-1, 2, 2);
  const Tensor slopes = ((wide(matches.points) - centre_) / focal_).squeeze(1);  // [B, n, 2]
  rays_ = torch::cat({slopes, torch::ones_like(slopes.narrow(-1, 0, 1))}, -1);
  seen_ = wide(matches.seen);
  weight_ = wide(matches.weight);
  const auto options = k.options();
  const double stretch = std::sqrt(static_cast<double>(columns) / static_cast<double>(rows));
  units_ =
      torch::cat({torch::full({1}, kUnits * stretch, options), torch::full({1}, kUnits / stretch, options)});
  prior_ = torch::cat({torch::full({3}, 1.0 / (kPriorTurn * kPriorTurn), options),
                       torch::full({3}, 1.0 / (kPriorMove * kPriorMove), options)});
  const Tensor others = wide(c2w.narrow(1, 1, c2w.size(1) - 1));
  start_.rotation = others.narrow(-2, 0, 3).narrow(-1, 0, 3).transpose(-1, -2).contiguous();
  start_.translation = -torch::matmul(start_.rotation, others.narrow(-2, 0, 3).narrow(-1, 3, 1)).squeeze(-1);
  start_.log_depth = torch::zeros({rays_.size(0), rays_.size(1)}, options);
}

Adjustment::Appearance Adjustment::Look(const Unknowns& at) const {
  Appearance seen;
  const Tensor points = rays_ * torch::exp(at.log_depth).unsqueeze(-1);
  seen.turned = torch::matmul(points.unsqueeze(1), at.rotation.transpose(-1, -2));
  const Tensor there = seen.turned + at.translation.unsqueeze(2);
  seen.z = there.select(-1, 2).clamp_min(kNearest);
  const Tensor slopes = there.narrow(-1, 0, 2) / seen.z.unsqueeze(-1);
  seen.x = slopes.select(-1, 0);
  seen.y = slopes.select(-1, 1);
  seen.error = (slopes * focal_ + centre_ - seen_) * units_;
  seen.squared = seen.error.square().sum(-1);
  seen.from_prior = torch::cat({SineOfAxis(torch::matmul(at.rotation, start_.rotation.transpose(-1, -2))),
                                at.translation - start_.translation},
                               -1);
  return seen;
}

Tensor Adjustment::PointCosts(const Unknowns& at, const Appearance& seen, double reach) const {
  const double limit = reach * reach;
  return (weight_ * (limit * seen.squared / (limit + seen.squared))).sum(1) +
         kDepthWeight * at.log_depth.square();
}

Tensor Adjustment::Cost(const Unknowns& at, const Appearance& seen, double reach) const {
  return PointCosts(at, seen, reach).sum(1) + (seen.from_prior.square() * prior_).sum({1, 2});
}

Tensor Adjustment::ByDepth(const Appearance& seen) const {
  const Tensor z = seen.turned.select(-1, 2);
  return torch::stack({seen.turned.select(-1, 0) - seen.x * z, seen.turned.select(-1, 1) - seen.y * z}, -1) *
         (focal_ * units_) / seen.z.unsqueeze(-1);
}

Adjustment::Step Adjustment::StepFrom(const Unknowns& at, const Appearance& seen, double reach,
                                      const Tensor& damping) const {
  const int64_t batch = weight_.size(0), views = weight_.size(1), n = weight_.size(2);
  const Tensor weight = RobustWeight(seen, reach);
  const Tensor &x = seen.x, &y = seen.y;
  const Tensor rx = seen.turned.select(-1, 0), ry = seen.turned.select(-1, 1), rz = seen.turned.select(-1, 2);
  const Tensor none = torch::zeros_like(x), one = torch::ones_like(x);
  // Of (u, v) by turn and move, and by the logarithm of the depth.
  const Tensor scale = (focal_ * units_) / seen.z.unsqueeze(-1);  // [B, W, n, 2]
  const Tensor by_pose = torch::stack({torch::stack({-x * ry, rz + x * rx, -ry, one, none, -x}, -1),
                                       torch::stack({-(rz + y * ry), y * rx, rx, none, one, -y}, -1)},
                                      -2) *
                         scale.unsqueeze(-1);  // [B, W, n, 2, 6]
  const Tensor by_depth = ByDepth(seen);

  const Tensor weighted = (by_pose * weight.unsqueeze(-1).unsqueeze(-1)).flatten(2, 3);  // [B, W, 2n, 6]
  const Tensor of_poses = torch::matmul(weighted.transpose(-1, -2), by_pose.flatten(2, 3));
  const Tensor side =
      torch::matmul(weighted.transpose(-1, -2), seen.error.flatten(2, 3).unsqueeze(-1)).squeeze(-1) +
      seen.from_prior * prior_;  // [B, W, 6]
  const Tensor mixed = (weighted.view(by_pose.sizes()) * by_depth.unsqueeze(-1))
                           .sum(-2)
                           .permute({0, 2, 1, 3})
                           .reshape({batch, n, 6 * views});
  const Tensor of_depths = (weight * by_depth.square().sum(-1)).sum(1) + kDepthWeight;  // [B, n]
  const Tensor depth_side = (weight * (by_depth * seen.error).sum(-1)).sum(1) + kDepthWeight * at.log_depth;

  Tensor matrix = torch::zeros({batch, 6 * views, 6 * views}, weight.options());
  const Tensor blocks = of_poses + torch::diag(prior_);
  matrix.view({batch, views, 6, views, 6}).diagonal(0, 1, 3).copy_(blocks.permute({0, 2, 3, 1}));
  const Tensor damped = 1.0 + damping.unsqueeze(-1);  // [B, 1]
  matrix.diagonal(0, 1, 2).mul_(damped);
  const Tensor inverse = (of_depths * damped).reciprocal().unsqueeze(-1);  // [B, n, 1]
  const Tensor mixed_over_depths = (mixed * inverse).transpose(1, 2);      // [B, 6W, n]
  const Tensor reduced = matrix - torch::matmul(mixed_over_depths, mixed);
  const Tensor right = torch::matmul(mixed_over_depths, depth_side.unsqueeze(-1)) - side.view({batch, -1, 1});
  // Positive definite, thanks to the prior; where rounding says otherwise the step is not taken. This
  // factorisation does not wait for a GPU to tell of errors.
  const Tensor factor = std::get<0>(at::linalg_cholesky_ex(reduced));
  const Tensor half = torch::linalg_solve_triangular(factor, right, /*upper=*/false);
  const Tensor poses = torch::linalg_solve_triangular(factor.transpose(-1, -2), half, /*upper=*/true);
  const Tensor depths = -(depth_side.unsqueeze(-1) + torch::matmul(mixed, poses)) * inverse;
  return {poses.view({batch, views, 6}), depths.squeeze(-1).clamp(-kLongestStepOfDepth, kLongestStepOfDepth)};
}

Unknowns Adjustment::Solve() const {
  Unknowns at = start_;
  Tensor damping = torch::full({weight_.size(0)}, 1e-3, weight_.options());
  for (const double reach : kReaches) {
    Appearance seen = Look(at);
    for (int i = 0; i < kStepsOfAReach; ++i) {
      const Step step = StepFrom(at, seen, reach, damping);
      const Unknowns next{torch::matmul(Exponential(step.poses.narrow(-1, 0, 3)), at.rotation),
                          at.translation + step.poses.narrow(-1, 3, 3), at.log_depth + step.log_depth};
      const Tensor better = Cost(next, Look(next), reach) < Cost(at, seen, reach);  // false for NaN
      at = at.Where(better, next);
      damping = torch::where(better, damping * 0.3, damping * 8.0).clamp(1e-6, 1e6);
      seen = Look(at);
    }
  }
  return at;
}

// Every point for itself.
Tensor Adjustment::SolveDepths() const {
  Unknowns at = start_;
  Tensor damping = torch::full_like(at.log_depth, 1e-3);
  for (const double reach : kReachesOfDepths) {
    for (int i = 0; i < kStepsOfAReach; ++i) {
      const Appearance seen = Look(at);
      const Tensor weight = RobustWeight(seen, reach);
      const Tensor by_depth = ByDepth(seen);
      const Tensor curvature = (weight * by_depth.square().sum(-1)).sum(1) + kDepthWeight;
      const Tensor slope = (weight * (by_depth * seen.error).sum(-1)).sum(1) + kDepthWeight * at.log_depth;
      Unknowns next = at;
      next.log_depth =
          at.log_depth -
          (slope / (curvature * (1.0 + damping))).clamp(-kLongestStepOfDepth, kLongestStepOfDepth);
      const Tensor better = PointCosts(next, Look(next), reach) < PointCosts(at, seen, reach);
      at.log_depth = torch::where(better, next.log_depth, at.log_depth);
      damping = torch::where(better, damping * 0.3, damping * 8.0).clamp(1e-6, 1e6);
    }
  }
  return at.log_depth;
}

}  // namespace

PointMatches PointMatches::Scene(int64_t b) const {
  if (!seen.defined()) return *this;
  return {points, seen.narrow(0, b, 1), weight.narrow(0, b, 1)};
}

Tensor FitDepths(const Tensor& c2w, const Tensor& fxfycxcy, const PointMatches& matches, int64_t rows,
                 int64_t columns) {
  const torch::NoGradGuard no_grad;
  return Adjustment(c2w, fxfycxcy, matches, rows, columns).SolveDepths();
}

Tensor AdjustPoses(const Tensor& c2w, const Tensor& fxfycxcy, const PointMatches& matches, int64_t rows,
                   int64_t columns) {
  if (c2w.size(1) < 2) return c2w.detach();
  const torch::NoGradGuard no_grad;
  const Unknowns adjusted = Adjustment(c2w, fxfycxcy, matches, rows, columns).Solve();
  const Tensor rotation = adjusted.rotation.transpose(-1, -2);
  const Tensor position = -torch::matmul(rotation, adjusted.translation.unsqueeze(-1));
  const Tensor top = torch::cat({rotation, position}, -1).to(c2w.scalar_type());
  const Tensor others = torch::cat({top, c2w.narrow(1, 1, c2w.size(1) - 1).narrow(2, 3, 1)}, 2);
  return torch::cat({c2w.narrow(1, 0, 1), others}, 1);
}

}  // namespace wildrayzer

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
// Weights of a point's squared log-depth: where poses are sought, where depths are, and of its difference
// from those of the points about it, which is what depths of matches that are wrong by a pixel need.
constexpr double kDepthWeight = 0.005, kUsualWeight = 0.06, kNearbyWeight = 0.6;
// How far away such points are, in square roots of the frame's area, and how often all are drawn together.
constexpr double kNearby = 0.075;
constexpr int kTimesDrawn = 3;
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

// B scenes of V views, n points of each of the first A views.
struct Unknowns {
  Tensor rotation, translation;  // [B, V, 3, 3] and [B, V, 3], from the world into the view
  Tensor log_depth;              // [B, A, n], of a point in the view whose point it is

  // `other` in the scenes where `take` [B] is true.
  Unknowns Where(const Tensor& take, const Unknowns& other) const {
    return {torch::where(take.view({-1, 1, 1, 1}), other.rotation, rotation),
            torch::where(take.view({-1, 1, 1}), other.translation, translation),
            torch::where(take.view({-1, 1, 1}), other.log_depth, log_depth)};
  }
};

class Adjustment {
 public:
  Adjustment(const Tensor& c2w, const Tensor& fxfycxcy, const PointMatches& matches, int64_t rows,
             int64_t columns);
  Unknowns Solve() const;
  Tensor SolveDepths();

 private:
  // How the points appear at some unknowns. A point is where the view that it is of sees it, at its depth.
  struct Appearance {
    Tensor between;     // [B, A, V, 3, 3] from the axes of the view that a point is of into the view's
    Tensor along;       // [B, A, V, n, 3] from that view's camera to the point, in the view's axes
    Tensor turned;      // [B, A, V, n, 3] from the world's origin to the point, likewise
    Tensor x, y, z;     // [B, A, V, n] x / z, y / z and z in the view
    Tensor error;       // [B, A, V, n, 2]
    Tensor squared;     // [B, A, V, n]
    Tensor from_prior;  // [B, V, 6] how far poses are from those at hand
  };
  struct Step {
    Tensor poses;      // [B, V, 6]: turn, move
    Tensor log_depth;  // [B, A, n]
  };
  // Sums over the points, of which the depths are eliminated: the poses' normal equations.
  struct Normal {
    Tensor matrix, side;  // [B, V, 6, V, 6] and [B, V, 6]
    Tensor mixed;         // [B, A, n, V, 6]: of a point's depth and the poses
  };
  Appearance Look(const Unknowns& at) const;
  Tensor PointCosts(const Unknowns& at, const Appearance& seen, double reach) const;  // [B, A, n]
  Tensor Cost(const Unknowns& at, const Appearance& seen, double reach) const;        // [B]
  // Of squared errors, with which their sum has the slope of PointCosts: [B, A, V, n].
  Tensor RobustWeight(const Appearance& seen, double reach) const {
    return weight_ * (reach * reach / (reach * reach + seen.squared)).square();
  }
  // Of (u, v) by a displacement [B, A, V, n, 3] in the view, [B, A, V, n, 2].
  Tensor Shown(const Appearance& seen, const Tensor& displacement) const;
  Normal OfPoses(const Appearance& seen, const Tensor& weight, const Tensor& by_depth) const;
  Step StepFrom(const Unknowns& at, const Appearance& seen, double reach, const Tensor& damping) const;
  // Every point for itself: [B, A, n].
  Tensor FitEachDepth() const;
  // The mean of the points about each, [B, A, n], those count for more of which matches tell more.
  Tensor MeanNearby(const Tensor& log_depth) const;

  Tensor rays_;            // [B, 1, n, 3], z = 1
  Tensor seen_, weight_;   // [B, A, V, n, 2], [B, A, V, n]
  Tensor focal_, centre_;  // [B, 1, 1, 1, 2]
  Tensor units_;           // [2] of errors
  Tensor places_;          // [n, 2] of the points, in square roots of the frame's area
  Tensor prior_;           // [6] precision
  Unknowns start_;
  Tensor usual_;  // [B, A, n] logarithms of depths, of which squared differences weigh `depth_weight_`
  double depth_weight_ = kDepthWeight;
};

Adjustment::Adjustment(const Tensor& c2w, const Tensor& fxfycxcy, const PointMatches& matches, int64_t rows,
                       int64_t columns) {
  const auto wide = [](const Tensor& x) { return x.detach().to(torch::kFloat64); };
  const Tensor k = wide(fxfycxcy.select(1, 0)).view({-1, 1, 1, 1, 4});
  focal_ = k.narrow(-1, 0, 2);
  centre_ = k.narrow(-1, 2, 2);
  const Tensor slopes = ((wide(matches.points) - centre_) / focal_).squeeze(1);  // [B, 1, n, 2]
  rays_ = torch::cat({slopes, torch::ones_like(slopes.narrow(-1, 0, 1))}, -1);
  seen_ = wide(matches.seen);
  weight_ = wide(matches.weight);
  const auto options = k.options();
  const double stretch = std::sqrt(static_cast<double>(columns) / static_cast<double>(rows));
  const Tensor sides =
      torch::cat({torch::full({1}, stretch, options), torch::full({1}, 1.0 / stretch, options)});
  units_ = kUnits * sides;
  places_ = wide(matches.points) * sides;
  prior_ = torch::cat({torch::full({3}, 1.0 / (kPriorTurn * kPriorTurn), options),
                       torch::full({3}, 1.0 / (kPriorMove * kPriorMove), options)});
  const Tensor poses = wide(c2w);
  start_.rotation = poses.narrow(-2, 0, 3).narrow(-1, 0, 3).transpose(-1, -2).contiguous();
  start_.translation = -torch::matmul(start_.rotation, poses.narrow(-2, 0, 3).narrow(-1, 3, 1)).squeeze(-1);
  start_.log_depth = torch::zeros({c2w.size(0), weight_.size(1), weight_.size(3)}, options);
  usual_ = start_.log_depth;
}

Adjustment::Appearance Adjustment::Look(const Unknowns& at) const {
  Appearance seen;
  const int64_t anchors = at.log_depth.size(1);
  const Tensor rotation = at.rotation.narrow(1, 0, anchors), moved = at.translation.narrow(1, 0, anchors);
  seen.between = torch::matmul(at.rotation.unsqueeze(1), rotation.unsqueeze(2).transpose(-1, -2));
  const Tensor points = rays_ * torch::exp(at.log_depth).unsqueeze(-1);
  const auto in_view = [&](const Tensor& vectors) {
    return torch::matmul(vectors.unsqueeze(2), seen.between.transpose(-1, -2));
  };
  seen.along = in_view(points);
  seen.turned = in_view(points - moved.unsqueeze(2));
  const Tensor there = seen.turned + at.translation.unsqueeze(1).unsqueeze(3);
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
  return (weight_ * (limit * seen.squared / (limit + seen.squared))).sum(2) +
         depth_weight_ * (at.log_depth - usual_).square();
}

Tensor Adjustment::Cost(const Unknowns& at, const Appearance& seen, double reach) const {
  return PointCosts(at, seen, reach).sum({1, 2}) + (seen.from_prior.square() * prior_).sum({1, 2});
}

Tensor Adjustment::Shown(const Appearance& seen, const Tensor& displacement) const {
  const Tensor z = displacement.select(-1, 2);
  return torch::stack({displacement.select(-1, 0) - seen.x * z, displacement.select(-1, 1) - seen.y * z},
                      -1) *
         (focal_ * units_) / seen.z.unsqueeze(-1);
}

Adjustment::Normal Adjustment::OfPoses(const Appearance& seen, const Tensor& weight,
                                       const Tensor& by_depth) const {
  const Tensor &x = seen.x, &y = seen.y;
  const Tensor rx = seen.turned.select(-1, 0), ry = seen.turned.select(-1, 1), rz = seen.turned.select(-1, 2);
  const Tensor none = torch::zeros_like(x), one = torch::ones_like(x);
  const Tensor scale = (focal_ * units_) / seen.z.unsqueeze(-1);
  const Tensor by_pose = torch::stack({torch::stack({-x * ry, rz + x * rx, -ry, one, none, -x}, -1),
                                       torch::stack({-(rz + y * ry), y * rx, rx, none, one, -y}, -1)},
                                      -2) *
                         scale.unsqueeze(-1);  // [B, A, V, n, 2, 6]
  const Tensor weighted = (by_pose * weight.unsqueeze(-1).unsqueeze(-1)).flatten(3, 4);
  const Tensor squares = torch::matmul(weighted.transpose(-1, -2), by_pose.flatten(3, 4));  // [B, A, V, 6, 6]
  const Tensor slopes = torch::matmul(weighted.transpose(-1, -2), seen.error.flatten(3, 4).unsqueeze(-1));
  const Tensor by_both =
      (weighted.view(by_pose.sizes()) * by_depth.unsqueeze(-1)).sum(-2);  // [B, A, V, n, 6]
  // What moves the view that a point is of moves the point as the opposite would that moves the view that
  // sees it, in the other's axes.
  const Tensor back = -seen.between, still = torch::zeros_like(back);
  const Tensor source = torch::cat({torch::cat({back, still}, -1), torch::cat({still, back}, -1)}, -2);
  const Tensor crossed = torch::matmul(squares, source);
  const Tensor of_source = torch::matmul(source.transpose(-1, -2), torch::cat({crossed, slopes}, -1)).sum(2);

  Normal normal;
  const int64_t batch = x.size(0), anchors = x.size(1), views = x.size(2);
  normal.matrix = torch::zeros({batch, views, 6, views, 6}, x.options());
  normal.matrix.diagonal(0, 1, 3).copy_((squares.sum(1) + torch::diag(prior_)).permute({0, 2, 3, 1}));
  normal.side = slopes.squeeze(-1).sum(1) + seen.from_prior * prior_;
  normal.mixed = by_both.permute({0, 1, 3, 2, 4}).contiguous();
  for (int64_t a = 0; a < anchors; ++a) {
    normal.matrix.select(3, a).add_(crossed.select(1, a));
    normal.matrix.select(1, a).add_(crossed.select(1, a).permute({0, 3, 1, 2}));
    normal.matrix.select(1, a).select(2, a).add_(of_source.select(1, a).narrow(-1, 0, 6));
    normal.side.select(1, a).add_(of_source.select(1, a).select(-1, 6));
    normal.mixed.select(1, a).select(2, a).add_(
        torch::matmul(by_both.select(1, a), source.select(1, a)).sum(1));
  }
  return normal;
}

Adjustment::Step Adjustment::StepFrom(const Unknowns& at, const Appearance& seen, double reach,
                                      const Tensor& damping) const {
  const Tensor weight = RobustWeight(seen, reach), by_depth = Shown(seen, seen.along);
  const Normal normal = OfPoses(seen, weight, by_depth);
  const Tensor of_depths = (weight * by_depth.square().sum(-1)).sum(2) + depth_weight_;  // [B, A, n]
  const Tensor depth_side =
      (weight * (by_depth * seen.error).sum(-1)).sum(2) + depth_weight_ * (at.log_depth - usual_);

  // The first view stays where it is.
  const int64_t batch = weight.size(0), views = weight.size(2), unknown = 6 * (views - 1);
  const Tensor matrix = normal.matrix.flatten(3).flatten(1, 2).narrow(1, 6, unknown).narrow(2, 6, unknown);
  const Tensor mixed = normal.mixed.flatten(3).flatten(1, 2).narrow(2, 6, unknown);  // [B, A n, 6 (V - 1)]
  const Tensor side = normal.side.flatten(1).narrow(1, 6, unknown).unsqueeze(-1);
  const Tensor damped = 1.0 + damping.unsqueeze(-1);  // [B, 1]
  matrix.diagonal(0, 1, 2).mul_(damped);
  const Tensor inverse = (of_depths.flatten(1) * damped).reciprocal().unsqueeze(-1);  // [B, A n, 1]
  const Tensor depth_slopes = depth_side.flatten(1).unsqueeze(-1);
  const Tensor mixed_over_depths = (mixed * inverse).transpose(1, 2);
  const Tensor reduced = matrix - torch::matmul(mixed_over_depths, mixed);
  const Tensor right = torch::matmul(mixed_over_depths, depth_slopes) - side;
  // Positive definite, thanks to the prior; where rounding says otherwise the step is not taken. This
  // factorisation does not wait for a GPU to tell of errors.
  const Tensor factor = std::get<0>(at::linalg_cholesky_ex(reduced));
  const Tensor half = torch::linalg_solve_triangular(factor, right, /*upper=*/false);
  const Tensor poses = torch::linalg_solve_triangular(factor.transpose(-1, -2), half, /*upper=*/true);
  const Tensor depths = -(depth_slopes + torch::matmul(mixed, poses)) * inverse;
  return {torch::cat({torch::zeros({batch, 1, 6}, poses.options()), poses.view({batch, views - 1, 6})}, 1),
          depths.view(of_depths.sizes()).clamp(-kLongestStepOfDepth, kLongestStepOfDepth)};
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

Tensor Adjustment::FitEachDepth() const {
  Unknowns at = start_;
  Tensor damping = torch::full_like(at.log_depth, 1e-3);
  for (const double reach : kReachesOfDepths) {
    for (int i = 0; i < kStepsOfAReach; ++i) {
      const Appearance seen = Look(at);
      const Tensor weight = RobustWeight(seen, reach);
      const Tensor by_depth = Shown(seen, seen.along);
      const Tensor curvature = (weight * by_depth.square().sum(-1)).sum(2) + depth_weight_;
      const Tensor slope =
          (weight * (by_depth * seen.error).sum(-1)).sum(2) + depth_weight_ * (at.log_depth - usual_);
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

Tensor Adjustment::MeanNearby(const Tensor& log_depth) const {
  const Tensor squares = (places_.unsqueeze(0) - places_.unsqueeze(1)).square().sum(-1);
  const Tensor near = torch::exp(squares * (-0.5 / (kNearby * kNearby)));  // [n, n]
  const Tensor told = weight_.sum(2).clamp_max(1.0) + 1e-3;
  return torch::matmul(told * log_depth, near) / torch::matmul(told, near);
}

Tensor Adjustment::SolveDepths() {
  depth_weight_ = kUsualWeight;
  Tensor log_depth = FitEachDepth();
  depth_weight_ = kNearbyWeight;
  for (int i = 0; i < kTimesDrawn; ++i) {
    usual_ = MeanNearby(log_depth);
    log_depth = FitEachDepth();
  }
  return log_depth;
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
  const int64_t others = c2w.size(1) - 1;
  const Tensor rotation = adjusted.rotation.narrow(1, 1, others).transpose(-1, -2);
  const Tensor position = -torch::matmul(rotation, adjusted.translation.narrow(1, 1, others).unsqueeze(-1));
  const Tensor top = torch::cat({rotation, position}, -1).to(c2w.scalar_type());
  const Tensor moved = torch::cat({top, c2w.narrow(1, 1, others).narrow(2, 3, 1)}, 2);
  return torch::cat({c2w.narrow(1, 0, 1), moved}, 1);
}

}  // namespace wildrayzer

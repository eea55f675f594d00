#include "wildrayzer/geometry/alignment.h"

#include <Eigen/SVD>
#include <cmath>
#include <numbers>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr double kDegreesPerRadian = 180 / std::numbers::pi;

void CheckCounts(std::span<const Camera> a, std::span<const Camera> b) {
  if (a.empty() || a.size() != b.size()) {
    throw UsageError("poses are compared between equal numbers of cameras: " + std::to_string(a.size()) +
                     " and " + std::to_string(b.size()) + " given");
  }
}

Eigen::Matrix3Xd Positions(std::span<const Camera> cameras) {
  Eigen::Matrix3Xd positions(3, cameras.size());
  for (size_t i = 0; i < cameras.size(); ++i)
    positions.col(static_cast<Eigen::Index>(i)) = cameras[i].position();
  return positions;
}

// Whether the positions span at least a plane, so that no turn leaves them in place.
bool SpansAPlane(const Eigen::Matrix3Xd& centred) {
  const Eigen::Vector3d values = Eigen::JacobiSVD<Eigen::Matrix3Xd>(centred).singularValues();
  return values.size() >= 2 && values[1] > 1e-6 * values[0];
}

Similarity AlignByOrientation(std::span<const Camera> source, std::span<const Camera> target,
                              const Eigen::Matrix3Xd& from, const Eigen::Matrix3Xd& to) {
  Eigen::Matrix3d sum = Eigen::Matrix3d::Zero();
  for (size_t i = 0; i < source.size(); ++i) sum += target[i].rotation() * source[i].rotation().transpose();
  Similarity similarity;
  similarity.rotation = NearestRotation(sum);
  const Eigen::Vector3d from_mean = from.rowwise().mean(), to_mean = to.rowwise().mean();
  const Eigen::Matrix3Xd turned = similarity.rotation * (from.colwise() - from_mean);
  const double spread = turned.squaredNorm();
  const double agreement = turned.cwiseProduct(to.colwise() - to_mean).sum();
  if (spread > 0 && agreement > 0) similarity.scale = agreement / spread;
  similarity.translation = to_mean - similarity.scale * similarity.rotation * from_mean;
  return similarity;
}

}  // namespace

Camera Similarity::operator*(const Camera& camera) const {
  Camera moved = camera;
  moved.c2w = Pose(rotation * camera.rotation(), *this * camera.position());
  return moved;
}

Similarity AlignCameras(std::span<const Camera> source, std::span<const Camera> target) {
  CheckCounts(source, target);
  const Eigen::Matrix3Xd from = Positions(source), to = Positions(target);
  const Eigen::Vector3d from_mean = from.rowwise().mean(), to_mean = to.rowwise().mean();
  if (source.size() < 3 || !SpansAPlane(from.colwise() - from_mean) || !SpansAPlane(to.colwise() - to_mean)) {
    return AlignByOrientation(source, target, from, to);
  }
  const Eigen::Matrix4d matrix = Eigen::umeyama(from, to);
  Similarity similarity;
  similarity.scale = matrix.col(0).head<3>().norm();
  similarity.rotation = matrix.topLeftCorner<3, 3>() / similarity.scale;
  similarity.translation = matrix.topRightCorner<3, 1>();
  return similarity;
}

double RotationErrorDegrees(const Eigen::Matrix3d& a, const Eigen::Matrix3d& b) {
  // By quaternion: exact near 0 and 180 degrees, where the arc cosine of the trace is not.
  const Eigen::Quaterniond relative(a.transpose() * b);
  return 2 * std::atan2(relative.vec().norm(), std::abs(relative.w())) * kDegreesPerRadian;
}

double DirectionErrorDegrees(const Eigen::Vector3d& a, const Eigen::Vector3d& b) {
  const bool a_rests = a.norm() == 0, b_rests = b.norm() == 0;
  if (a_rests || b_rests) return a_rests && b_rests ? 0 : 180;
  const Eigen::Vector3d u = a.normalized(), v = b.normalized();
  return std::atan2(u.cross(v).norm(), u.dot(v)) * kDegreesPerRadian;
}

std::vector<RelativePoseError> RelativePoseErrors(std::span<const Camera> estimated,
                                                  std::span<const Camera> truth) {
  CheckCounts(estimated, truth);
  std::vector<RelativePoseError> errors;
  for (size_t i = 0; i < truth.size(); ++i) {
    const Eigen::Matrix4d to_estimated = InversePose(estimated[i].c2w), to_truth = InversePose(truth[i].c2w);
    for (size_t j = i + 1; j < truth.size(); ++j) {
      const Eigen::Matrix4d a = to_estimated * estimated[j].c2w, b = to_truth * truth[j].c2w;
      errors.push_back({i, j, RotationErrorDegrees(a.topLeftCorner<3, 3>(), b.topLeftCorner<3, 3>()),
                        DirectionErrorDegrees(a.topRightCorner<3, 1>(), b.topRightCorner<3, 1>())});
    }
  }
  return errors;
}

std::vector<AbsolutePoseError> AbsolutePoseErrors(std::span<const Camera> estimated,
                                                  std::span<const Camera> truth) {
  const Similarity alignment = AlignCameras(estimated, truth);
  const double scale = SceneScale(truth);
  std::vector<AbsolutePoseError> errors;
  for (size_t i = 0; i < truth.size(); ++i) {
    const Camera aligned = alignment * estimated[i];
    const double distance = (aligned.position() - truth[i].position()).norm();
    errors.push_back({RotationErrorDegrees(aligned.rotation(), truth[i].rotation()), distance,
                      scale > 0 ? distance / scale : distance});
  }
  return errors;
}

}  // namespace wildrayzer

#include <gtest/gtest.h>

#include <cmath>

#include "wildrayzer/geometry/plucker.h"
#include "wildrayzer/geometry/rotation.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

torch::Tensor RandomTensor(torch::IntArrayRef shape, uint64_t seed) {
  torch::Generator generator = torch::make_generator<torch::CPUGeneratorImpl>(seed);
  return torch::randn(shape, generator, torch::TensorOptions(torch::kFloat64));
}

double MaxError(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

// Largest deviation from orthonormality and from determinant +1.
double RotationError(const torch::Tensor& rotation) {
  const torch::Tensor identity = torch::eye(3, rotation.options());
  return std::max(MaxError(rotation.transpose(-1, -2).matmul(rotation), identity),
                  (torch::linalg_det(rotation) - 1).abs().max().item<double>());
}

// Compares autograd with central differences, in double: the truncation error is O(step^2) = 1e-10 times
// third derivatives of order 10, the rounding error 1e-16 / step = 1e-11.
void CheckGradient(const std::function<torch::Tensor(const torch::Tensor&)>& function,
                   const torch::Tensor& at) {
  const double step = 1e-5;
  torch::Tensor input = at.clone().requires_grad_(true);
  const torch::Tensor output = function(input);
  const torch::Tensor weights = RandomTensor(output.sizes(), 99);
  (output * weights).sum().backward();
  const torch::Tensor flat = at.flatten();
  for (int64_t i = 0; i < flat.numel(); ++i) {
    torch::Tensor plus = flat.clone(), minus = flat.clone();
    plus[i] += step;
    minus[i] -= step;
    const double numeric =
        ((function(plus.view_as(at)) - function(minus.view_as(at))) * weights).sum().item<double>() /
        (2 * step);
    EXPECT_NEAR(input.grad().flatten()[i].item<double>(), numeric, 1e-7 * std::max(1.0, std::abs(numeric)))
        << i;
  }
}

TEST(Rotation, SixNumbersGiveProperRotations) {
  EXPECT_LT(RotationError(Rotation6dToMatrix(RandomTensor({50, 2, 6}, 1))), 1e-12);
  const torch::Tensor identity = torch::tensor({1, 0, 0, 0, 1, 0}, torch::kFloat32);
  EXPECT_TRUE(torch::equal(Rotation6dToMatrix(identity), torch::eye(3)));
}

TEST(Rotation, DegenerateTripletsStayFinite) {
  EXPECT_TRUE(Rotation6dToMatrix(torch::zeros({6})).isfinite().all().item<bool>());
  torch::Tensor parallel = torch::tensor({1.f, 2.f, 3.f, 2.f, 4.f, 6.f}).requires_grad_(true);
  const torch::Tensor rotation = Rotation6dToMatrix(parallel);
  EXPECT_TRUE(rotation.isfinite().all().item<bool>());
}

TEST(Rotation, QuaternionTurnsByItsAngle) {
  const double angle = 0.7;
  // Twice the unit quaternion of a turn about z: normalised inside.
  const torch::Tensor q =
      torch::tensor({2 * std::cos(angle / 2), 0., 0., 2 * std::sin(angle / 2)}, torch::kFloat64);
  const torch::Tensor expected =
      torch::tensor({std::cos(angle), -std::sin(angle), 0., std::sin(angle), std::cos(angle), 0., 0., 0., 1.},
                    torch::kFloat64)
          .view({3, 3});
  EXPECT_LT(MaxError(QuaternionToMatrix(q), expected), 1e-15);
}

TEST(Rotation, QuaternionRoundTripForEveryLargestComponent) {
  torch::Tensor quaternions = RandomTensor({200, 4}, 2);
  // Half turns about the axes are the cases where naive formulas divide by zero.
  quaternions = torch::cat({quaternions, torch::eye(4, torch::kFloat64)}, 0);
  const torch::Tensor rotation = QuaternionToMatrix(quaternions);
  EXPECT_LT(RotationError(rotation), 1e-14);
  const torch::Tensor back = MatrixToQuaternion(rotation);
  EXPECT_GE(back.select(-1, 0).min().item<double>(), 0);
  EXPECT_LT(MaxError(back.norm(2, -1), torch::ones({204}, torch::kFloat64)), 1e-14);
  EXPECT_LT(MaxError(QuaternionToMatrix(back), rotation), 1e-14);
}

TEST(Rotation, ReducedPrecisionIsPromoted) {
  const torch::Tensor input = RandomTensor({5, 6}, 3).to(torch::kBFloat16);
  const torch::Tensor rotation = Rotation6dToMatrix(input);
  EXPECT_EQ(rotation.scalar_type(), torch::kFloat32);
  EXPECT_LT(RotationError(rotation), 1e-6);  // float32 rounding; bf16 arithmetic would give 1e-2
  EXPECT_EQ(DecodeCameraInfo(RandomTensor({5, 11}, 3).to(torch::kBFloat16)).c2w.scalar_type(),
            torch::kFloat32);
}

TEST(Rotation, CameraInfoLayouts) {
  const torch::Tensor info = RandomTensor({2, 3, 13}, 4);
  const CameraTensors cameras = DecodeCameraInfo(info);
  ASSERT_EQ(cameras.c2w.sizes(), (torch::IntArrayRef{2, 3, 4, 4}));
  EXPECT_TRUE(torch::equal(cameras.c2w.narrow(-2, 0, 3).select(-1, 3), info.narrow(-1, 6, 3)));
  EXPECT_TRUE(torch::equal(cameras.c2w.select(-2, 3)[1][2], torch::tensor({0, 0, 0, 1}, torch::kFloat64)));
  EXPECT_TRUE(torch::equal(cameras.fxfycxcy, info.narrow(-1, 9, 4)));
  const torch::Tensor quaternion_info = RandomTensor({11}, 5);
  const CameraTensors one = DecodeCameraInfo(quaternion_info);
  EXPECT_TRUE(torch::equal(one.c2w.narrow(0, 0, 3).narrow(1, 0, 3),
                           QuaternionToMatrix(quaternion_info.narrow(0, 0, 4))));
  EXPECT_TRUE(torch::equal(one.fxfycxcy, quaternion_info.narrow(0, 7, 4)));
  EXPECT_THROW(DecodeCameraInfo(torch::zeros({2, 12})), UsageError);
}

TEST(Rotation, GradientsMatchFiniteDifferences) {
  CheckGradient(Rotation6dToMatrix, RandomTensor({3, 6}, 6));
  CheckGradient(QuaternionToMatrix, RandomTensor({3, 4}, 7));
  CheckGradient([](const torch::Tensor& info) { return DecodeCameraInfo(info).c2w; },
                RandomTensor({2, 13}, 8));
}

// The ray of every pixel by scalar arithmetic, from the definition.
TEST(Plucker, MatchesScalarDefinition) {
  const int64_t height = 3, width = 5;
  const torch::Tensor c2w = DecodeCameraInfo(RandomTensor({2, 13}, 9)).c2w;
  const torch::Tensor fxfycxcy = RandomTensor({2, 4}, 10).abs() + 0.5;
  const torch::Tensor rays = PluckerRays(c2w, fxfycxcy, height, width);
  ASSERT_EQ(rays.sizes(), (torch::IntArrayRef{2, 6, height, width}));
  const auto pose = c2w.accessor<double, 3>();
  const auto k = fxfycxcy.accessor<double, 2>();
  const auto got = rays.accessor<double, 4>();
  for (int64_t v = 0; v < 2; ++v) {
    for (int64_t i = 0; i < height; ++i) {
      for (int64_t j = 0; j < width; ++j) {
        const double local[3] = {((j + 0.5) / width - k[v][2]) / k[v][0],
                                 ((i + 0.5) / height - k[v][3]) / k[v][1], 1};
        double d[3], o[3], norm = 0;
        for (int r = 0; r < 3; ++r) {
          d[r] = pose[v][r][0] * local[0] + pose[v][r][1] * local[1] + pose[v][r][2] * local[2];
          o[r] = pose[v][r][3];
          norm += d[r] * d[r];
        }
        for (double& value : d) value /= std::sqrt(norm);
        const double m[3] = {o[1] * d[2] - o[2] * d[1], o[2] * d[0] - o[0] * d[2], o[0] * d[1] - o[1] * d[0]};
        for (int r = 0; r < 3; ++r) {
          EXPECT_NEAR(got[v][r][i][j], m[r], 1e-13);
          EXPECT_NEAR(got[v][3 + r][i][j], d[r], 1e-13);
        }
      }
    }
  }
}

TEST(Plucker, TakesPixelIntrinsicsAfterNormalisation) {
  const torch::Tensor c2w = DecodeCameraInfo(RandomTensor({2, 13}, 11)).c2w;
  const torch::Tensor normalised = RandomTensor({2, 4}, 12).abs() + 0.5;
  const torch::Tensor pixels = normalised * torch::tensor({12, 8, 12, 8}, torch::kFloat64);
  EXPECT_LT(MaxError(PluckerRays(c2w, NormaliseIntrinsics(pixels, 8, 12), 8, 12),
                     PluckerRays(c2w, normalised, 8, 12)),
            1e-14);
}

TEST(Plucker, ReducedPrecisionIsPromotedAndSizesAreChecked) {
  const torch::Tensor c2w = torch::eye(4).to(torch::kBFloat16);
  const torch::Tensor k = torch::tensor({1.25f, 1.25f, 0.5f, 0.5f});
  EXPECT_EQ(PluckerRays(c2w, k, 4, 4).scalar_type(), torch::kFloat32);
  EXPECT_THROW(PluckerRays(c2w, k, 0, 4), UsageError);
}

TEST(Plucker, GradientsMatchFiniteDifferences) {
  const torch::Tensor info = torch::cat({RandomTensor({2, 9}, 13), RandomTensor({2, 4}, 14).abs() + 0.5}, 1);
  CheckGradient(
      [](const torch::Tensor& cameras) {
        const CameraTensors decoded = DecodeCameraInfo(cameras);
        return PluckerRays(decoded.c2w, decoded.fxfycxcy, 2, 3);
      },
      info);
}

}  // namespace
}  // namespace wildrayzer

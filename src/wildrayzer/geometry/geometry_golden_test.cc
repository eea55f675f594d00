// Every tensor of geometry.safetensors but pose_head/* (tested with the models) and the position embeddings
// (with nn). The file decides the cases: sizes and options come from names and shapes. Tolerance 1e-5
// absolute, as documented with the vectors: inputs and outputs are float32.
#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "wildrayzer/geometry/camera_tensors.h"
#include "wildrayzer/geometry/plucker.h"
#include "wildrayzer/geometry/trajectory.h"
#include "wildrayzer/testing/golden.h"

namespace wildrayzer {
namespace {

using testing::GoldenFile;

constexpr double kGeometryTolerance = 1e-5;

void ExpectNear(const torch::Tensor& got, const torch::Tensor& expected, const std::string& name) {
  ASSERT_EQ(got.sizes(), expected.sizes()) << name;
  const torch::Tensor difference = (got.to(torch::kFloat64) - expected.to(torch::kFloat64)).abs();
  EXPECT_LE(difference.max().item<double>(), kGeometryTolerance) << name;
  EXPECT_TRUE(difference.isfinite().all().item<bool>()) << name;
}

// q and -q are the same rotation.
void ExpectNearUpToSign(const torch::Tensor& got, const torch::Tensor& expected, const std::string& name) {
  ASSERT_EQ(got.sizes(), expected.sizes()) << name;
  const torch::Tensor a = got.to(torch::kFloat64), b = expected.to(torch::kFloat64);
  const torch::Tensor error = torch::minimum((a - b).abs().amax(-1), (a + b).abs().amax(-1));
  EXPECT_LE(error.max().item<double>(), kGeometryTolerance) << name;
}

// Integer groups of `pattern` in `name`; empty when it does not match.
std::vector<int64_t> Numbers(const std::string& name, const std::string& pattern) {
  std::smatch match;
  std::vector<int64_t> numbers;
  if (!std::regex_match(name, match, std::regex(pattern))) return numbers;
  for (size_t i = 1; i < match.size(); ++i)
    numbers.push_back(match[i].matched ? std::stoll(match[i].str()) : 0);
  return numbers;
}

// The files of the golden folder, or our own copy without it.
class GeometryGolden : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto& path : testing::GoldenFiles("geometry")) files_.emplace_back(path);
    if (files_.empty()) files_.emplace_back(testing::TestData("geometry.safetensors"));
  }

  std::vector<GoldenFile> files_;
};

TEST_F(GeometryGolden, Rotations) {
  for (const GoldenFile& file : files_) {
    ExpectNear(Rotation6dToMatrix(file.Get("rot6d/in")), file.Get("rot6d/out"), "rot6d");
    ExpectNear(QuaternionToMatrix(file.Get("quat/in")), file.Get("quat/out"), "quat");
    ExpectNearUpToSign(MatrixToQuaternion(file.Get("quat/out")), file.Get("mat2quat/out"), "mat2quat");
  }
}

TEST_F(GeometryGolden, CameraVectorsAndRays) {
  for (const GoldenFile& file : files_) {
    size_t rays_tested = 0;
    for (const std::string& name : file.names()) {
      const std::vector<int64_t> width = Numbers(name, "cam(\\d+)/in");
      if (width.empty()) continue;
      const std::string prefix = "cam" + std::to_string(width[0]) + "/";
      const CameraTensors cameras = DecodeCameraInfo(file.Get(name));
      ExpectNear(cameras.c2w, file.Get(prefix + "c2w"), prefix + "c2w");
      ExpectNear(cameras.fxfycxcy, file.Get(prefix + "fxfycxcy"), prefix + "fxfycxcy");
      for (const std::string& rays_name : file.NamesWithPrefix(prefix + "plucker_")) {
        const auto size = Numbers(rays_name, "cam\\d+/plucker_(\\d+)x(\\d+)(?:_pixel_intrinsics)?");
        ASSERT_EQ(size.size(), 2u) << rays_name;
        torch::Tensor intrinsics = cameras.fxfycxcy;
        if (rays_name.ends_with("_pixel_intrinsics")) {
          const torch::Tensor pixels = torch::tensor({size[1], size[0], size[1], size[0]});
          intrinsics = NormaliseIntrinsics(intrinsics * pixels, size[0], size[1]);
        }
        ExpectNear(PluckerRays(cameras.c2w, intrinsics, size[0], size[1]), file.Get(rays_name), rays_name);
        ++rays_tested;
      }
    }
    EXPECT_GT(rays_tested, 0u) << file.path();
  }
}

TEST_F(GeometryGolden, SceneScale) {
  for (const GoldenFile& file : files_) {
    const torch::Tensor positions = file.Get("scene_scale/in").to(torch::kFloat64).contiguous();
    const torch::Tensor expected = file.Get("scene_scale/out").to(torch::kFloat64);
    ASSERT_EQ(positions.size(0), expected.size(0));
    for (int64_t scene = 0; scene < positions.size(0); ++scene) {
      std::vector<Eigen::Vector3d> points;
      for (int64_t i = 0; i < positions.size(1); ++i) {
        points.emplace_back(Eigen::Map<const Eigen::Vector3d>(positions[scene][i].data_ptr<double>()));
      }
      EXPECT_NEAR(SceneScale(points), expected[scene].item<double>(), kGeometryTolerance);
    }
  }
}

// poses [n, 3, 4] and Ks [n, 3, 3] (may be undefined) -> cameras. Interpolation does not care for the unit of
// Ks.
std::vector<Camera> CamerasOf(const torch::Tensor& poses, const torch::Tensor& ks) {
  const torch::Tensor bottom = torch::tensor({0, 0, 0, 1}, torch::kFloat64).expand({poses.size(0), 1, 4});
  torch::Tensor intrinsics = torch::ones({poses.size(0), 4}, torch::kFloat64);
  if (ks.defined()) {
    const auto element = [&](int64_t row, int64_t column) { return ks.select(1, row).select(1, column); };
    intrinsics = torch::stack({element(0, 0), element(1, 1), element(0, 2), element(1, 2)}, 1);
  }
  return CamerasFromTensors(torch::cat({poses.to(torch::kFloat64), bottom}, 1), intrinsics);
}

TEST_F(GeometryGolden, Quaternions) {
  for (const GoldenFile& file : files_) {
    const std::vector<Camera> cameras = CamerasOf(file.Get("traj/poses"), {});
    torch::Tensor got = torch::empty({static_cast<int64_t>(cameras.size()), 4}, torch::kFloat64);
    for (size_t i = 0; i < cameras.size(); ++i) {
      const Eigen::Quaterniond q = QuaternionOf(cameras[i].rotation());
      got[static_cast<int64_t>(i)] = torch::tensor({q.w(), q.x(), q.y(), q.z()}, torch::kFloat64);
    }
    ExpectNearUpToSign(got, file.Get("traj/quaternions"), "traj/quaternions");
    EXPECT_GE(got.select(1, 0).min().item<double>(), 0);
  }
}

TEST_F(GeometryGolden, Trajectories) {
  for (const GoldenFile& file : files_) {
    const std::vector<Camera> keys = CamerasOf(file.Get("traj/poses"), file.Get("traj/Ks"));
    size_t tested = 0;
    for (const std::string& name : file.NamesWithPrefix("traj/")) {
      const std::vector<int64_t> pair = Numbers(name, "traj/pair_steps(\\d+)/poses");
      const std::vector<int64_t> path = Numbers(name, "traj/steps(\\d+)_order(\\d+)/poses");
      if (pair.empty() && path.empty()) continue;
      const int steps = static_cast<int>(pair.empty() ? path[0] : pair[0]);
      const VisitOrder order = !path.empty() && path[1] == 1 ? VisitOrder::kNearest : VisitOrder::kGiven;
      const std::vector<Camera> cameras =
          InterpolatePairs(pair.empty() ? std::span(keys) : std::span(keys).first(2), steps, order);
      const CameraTensors got = CamerasToTensors(cameras);
      ExpectNear(got.c2w.narrow(1, 0, 3), file.Get(name), name);
      ++tested;
      const std::string ks_name = name.substr(0, name.size() - std::string("poses").size()) + "Ks";
      if (!file.Has(ks_name)) continue;
      const torch::Tensor ks = file.Get(ks_name);
      const auto element = [&](int64_t row, int64_t column) { return ks.select(1, row).select(1, column); };
      ExpectNear(got.fxfycxcy, torch::stack({element(0, 0), element(1, 1), element(0, 2), element(1, 2)}, 1),
                 ks_name);
    }
    EXPECT_GT(tested, 0u) << file.path();
  }
}

// A tensor that no test above knows would pass unseen.
TEST_F(GeometryGolden, NothingIsLeftOut) {
  const std::regex known(
      "(rot6d|quat)/(in|out)|mat2quat/out|cam1[13]/(in|c2w|fxfycxcy|plucker_\\d+x\\d+(_pixel_intrinsics)?)"
      "|scene_scale/(in|out)|pe1d/dim\\d+_pos.*|pe2d/dim\\d+_\\d+x\\d+(_every\\d+)?"
      "|traj/(poses|Ks|quaternions|steps\\d+_order[01]/(poses|Ks)|pair_steps\\d+/poses)|pose_head/.*");
  for (const GoldenFile& file : files_) {
    for (const std::string& name : file.names()) EXPECT_TRUE(std::regex_match(name, known)) << name;
  }
}

}  // namespace
}  // namespace wildrayzer

// Shared by the readers and writers of camera files.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "wildrayzer/geometry/camera_files.h"

namespace wildrayzer::internal {

// Content of a regular file of at most kLargestCameraFile bytes.
std::string ReadBoundedText(const std::filesystem::path& path);

// FileError when a camera that is about to be written holds a value that is not finite.
void CheckFinite(const std::filesystem::path& path, std::span<const NamedCamera> cameras);

// The object parser of one camera: collects the name of the file and of the camera for its messages.
class CameraFields {
 public:
  // `index` counts from 0.
  CameraFields(const nlohmann::json& object, const std::string& source, size_t index);

  [[noreturn]] void Fail(const std::string& problem) const;
  bool Has(const char* key) const { return object_.contains(key); }
  // A finite number of magnitude at most 1e9.
  double Number(const char* key) const;
  double PositiveNumber(const char* key) const;
  // An integer in [1, kLargestImageSide]; 64.0 is accepted for 64, since some writers write sizes as floats.
  int Side(const char* key) const;
  // A short text without control characters.
  std::string Text(const char* key) const;
  // [3 or 4][4] numbers -> rigid motion; the rotation is checked and made exact.
  Eigen::Matrix4d RigidMotion(const char* key) const;

 private:
  const nlohmann::json& object_;
  std::string source_;
  std::string label_;
};

// Checks a rotation within 1e-3 and returns the exact one nearest to it; `fail` gets the problem.
template <typename FailFunction>
Eigen::Matrix3d CheckedRotation(const Eigen::Matrix3d& rotation, const FailFunction& fail) {
  const double error = OrthonormalityError(rotation);
  if (!(error <= 1e-3)) {
    fail(
        "its rotation is not orthonormal within 0.001 with determinant +1; remove scale and mirroring from "
        "the matrix");
  }
  return error > 1e-14 ? NearestRotation(rotation) : rotation;
}

// transforms.json, already parsed: `root` is an object with an array "frames".
std::vector<NamedCamera> CamerasFromTransforms(const nlohmann::json& root, const std::string& source);

}  // namespace wildrayzer::internal

// cameras.txt in RealEstate10K form.
#pragma once

#include <Eigen/Core>
#include <filesystem>
#include <vector>

#include "wildrayzer/data/scene.h"

namespace wildrayzer {

struct CameraLine {
  StoredIntrinsics intrinsics;  // fractions of width and height
  Eigen::Matrix4d w2c;          // OpenCV axes
};

// One header line (an address, or a line that starts with '#'; may be missing), then one line per picture:
// timestamp fx fy cx cy k1 k2 and the 3 x 4 world-to-camera matrix row by row. Raises FileError naming the
// line.
std::vector<CameraLine> ReadCameraLines(const std::filesystem::path& path);

}  // namespace wildrayzer

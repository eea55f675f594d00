#include "wildrayzer/data/camera_lines.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr int kNumbers = 19;  // timestamp, 4 intrinsics, 2 distortions, 12 of the pose

bool ParseLine(const std::string& line, std::array<double, kNumbers>& numbers) {
  std::istringstream stream(line);
  stream.imbue(std::locale::classic());
  for (double& number : numbers) {
    if (!(stream >> number) || !std::isfinite(number)) return false;
  }
  std::string rest;
  return !(stream >> rest);
}

}  // namespace

std::vector<CameraLine> ReadCameraLines(const std::filesystem::path& path) {
  constexpr size_t kMaxLines = 1'000'000;
  std::ifstream file(path);
  if (!file) throw FileError(path.string(), "cannot be opened");
  std::vector<CameraLine> cameras;
  std::string line;
  for (size_t number = 1; std::getline(file, line); ++number) {
    if (number > kMaxLines) throw FileError(path.string(), "has more than a million lines");
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (number == 1 && (line[0] == '#' || line.find("://") != std::string::npos)) continue;
    std::array<double, kNumbers> v{};
    if (!ParseLine(line, v)) {
      throw FileError(path.string(), fmt::format("line {} is not a timestamp and 18 camera numbers", number));
    }
    CameraLine camera{{{v[1], v[2], v[3], v[4]}, true}, Eigen::Matrix4d::Identity()};
    for (int i = 0; i < 12; ++i) camera.w2c(i / 4, i % 4) = v[static_cast<size_t>(7 + i)];
    if (!(v[1] > 0) || !(v[2] > 0)) {
      throw FileError(path.string(), fmt::format("line {} has a focal length that is not positive", number));
    }
    cameras.push_back(camera);
  }
  return cameras;
}

}  // namespace wildrayzer

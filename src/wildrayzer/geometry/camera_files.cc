#include "wildrayzer/geometry/camera_files.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>

#include "wildrayzer/geometry/camera_files_internal.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {

using nlohmann::json;

namespace {

constexpr const char* kConvention = "OpenCV camera-to-world (x right, y down, z forward)";
constexpr int kDeepestNesting = 16;
// 100,000 cameras of 16 matrix elements and two dozen other values fit; a hostile list of zeros does not.
constexpr size_t kMostValues = 5'000'000;
constexpr std::array kRoles{CameraRole::kInput, CameraRole::kTarget, CameraRole::kTrajectory};

json ParseBoundedJson(std::string_view text, const std::string& source) {
  size_t values = 0;
  const auto bound = [&](int depth, json::parse_event_t event, json& /*parsed*/) {
    const bool opens =
        event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (opens && depth >= kDeepestNesting) {
      throw FileError(source, "nested too deeply for a list of cameras; check that it is the right file");
    }
    if ((opens || event == json::parse_event_t::value) && ++values > kMostValues) {
      throw FileError(source, "holds far more values than " + std::to_string(kMostCamerasInFile) +
                                  " cameras need; check that it is the right file");
    }
    return true;
  };
  try {
    return json::parse(text.begin(), text.end(), bound);
  } catch (const json::parse_error& error) {
    throw FileError(source, "not valid JSON (syntax error at byte " + std::to_string(error.byte) +
                                "); write it again or correct that place");
  } catch (const json::exception&) {
    throw FileError(source, "not valid JSON (a number out of range); write it again");
  }
}

CameraRole ParseRole(const internal::CameraFields& fields) {
  const std::string text = fields.Text("role");
  for (const CameraRole role : kRoles) {
    if (text == CameraRoleName(role)) return role;
  }
  fields.Fail("its role is not \"input\", \"target\" or \"trajectory\"");
}

NamedCamera ParseCamera(const json& object, const std::string& source, size_t index) {
  const internal::CameraFields fields(object, source, index);
  NamedCamera named;
  named.name = fields.Has("name") ? fields.Text("name") : "camera_" + std::to_string(index);
  if (fields.Has("role")) named.role = ParseRole(fields);
  named.width = fields.Side("width");
  named.height = fields.Side("height");
  named.camera.fx = fields.PositiveNumber("fx") / named.width;
  named.camera.fy = fields.PositiveNumber("fy") / named.height;
  named.camera.cx = fields.Number("cx") / named.width;
  named.camera.cy = fields.Number("cy") / named.height;
  named.camera.c2w = fields.RigidMotion("c2w");
  return named;
}

void CheckHeader(const json& root, const std::string& source) {
  if (const auto version = root.find("version");
      version == root.end() || !version->is_number_integer() || *version != 1) {
    throw FileError(source, "\"version\" is not 1; this program reads version 1 of cameras.json");
  }
  if (const auto convention = root.find("convention");
      convention != root.end() && (!convention->is_string() || *convention != kConvention)) {
    throw FileError(source,
                    std::string("\"convention\" must be \"") + kConvention + "\"; convert the cameras");
  }
}

}  // namespace

const char* CameraRoleName(CameraRole role) {
  switch (role) {
    case CameraRole::kInput:
      return "input";
    case CameraRole::kTarget:
      return "target";
    case CameraRole::kTrajectory:
      break;
  }
  return "trajectory";
}

std::vector<NamedCamera> ParseCameras(std::string_view text, const std::string& source) {
  if (text.size() > kLargestCameraFile) {
    throw FileError(source, "larger than 64 MiB, the limit for camera files; split it");
  }
  const json root = ParseBoundedJson(text, source);
  if (root.is_object() && root.contains("frames")) {
    return internal::CamerasFromTransforms(root, source);
  }
  if (!root.is_object() || !root.contains("cameras")) {
    throw FileError(source, "neither cameras.json (no \"cameras\") nor transforms.json (no \"frames\")");
  }
  CheckHeader(root, source);
  const json& list = root["cameras"];
  if (!list.is_array() || list.empty() || list.size() > kMostCamerasInFile) {
    throw FileError(source,
                    "\"cameras\" must be a list of 1 to " + std::to_string(kMostCamerasInFile) + " cameras");
  }
  std::vector<NamedCamera> cameras;
  for (const json& object : list) cameras.push_back(ParseCamera(object, source, cameras.size()));
  return cameras;
}

std::vector<NamedCamera> ReadCameras(const std::filesystem::path& path) {
  return ParseCameras(internal::ReadBoundedText(path), path.string());
}

std::string FormatCameras(std::span<const NamedCamera> cameras) {
  json list = json::array();
  for (const NamedCamera& named : cameras) {
    const Camera& camera = named.camera;
    json rows = json::array();
    for (int row = 0; row < 4; ++row) {
      rows.push_back({camera.c2w(row, 0), camera.c2w(row, 1), camera.c2w(row, 2), camera.c2w(row, 3)});
    }
    list.push_back({{"name", named.name},
                    {"role", CameraRoleName(named.role)},
                    {"width", named.width},
                    {"height", named.height},
                    {"fx", camera.fx * named.width},
                    {"fy", camera.fy * named.height},
                    {"cx", camera.cx * named.width},
                    {"cy", camera.cy * named.height},
                    {"c2w", std::move(rows)}});
  }
  const json root{{"version", 1}, {"convention", kConvention}, {"cameras", std::move(list)}};
  return root.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

void WriteCameras(const std::filesystem::path& path, std::span<const NamedCamera> cameras) {
  internal::CheckFinite(path, cameras);
  WriteFileAtomically(path, FormatCameras(cameras));
}

namespace internal {

std::string ReadBoundedText(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    throw FileError(path.string(), "no such file; check the path");
  }
  if (!std::filesystem::is_regular_file(path, error)) {
    throw FileError(path.string(), "not a file; name a camera file");
  }
  const uintmax_t size = std::filesystem::file_size(path, error);
  if (error || size > kLargestCameraFile) {
    throw FileError(path.string(), "larger than 64 MiB, the limit for camera files; split it");
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(size, '\0');
  file.read(text.data(), static_cast<std::streamsize>(size));
  if (!file || static_cast<uintmax_t>(file.gcount()) != size) {
    throw FileError(path.string(), "cannot be read; check its permissions");
  }
  return text;
}

void CheckFinite(const std::filesystem::path& path, std::span<const NamedCamera> cameras) {
  for (const NamedCamera& named : cameras) {
    const Camera& camera = named.camera;
    if (!camera.c2w.allFinite() || !std::isfinite(camera.fx + camera.fy + camera.cx + camera.cy)) {
      throw FileError(path.string(),
                      "not written: camera \"" + named.name + "\" is not finite; check the weights");
    }
  }
}

CameraFields::CameraFields(const json& object, const std::string& source, size_t index)
    : object_(object), source_(source), label_("camera " + std::to_string(index)) {
  if (!object.is_object()) Fail("is not a JSON object; write it as {\"width\": ..., ...}");
}

void CameraFields::Fail(const std::string& problem) const {
  throw FileError(source_, label_ + ": " + problem);
}

double CameraFields::Number(const char* key) const {
  const auto found = object_.find(key);
  if (found == object_.end() || !found->is_number())
    Fail(std::string("\"") + key + "\" must be a number; add it");
  const double value = found->get<double>();
  if (!(std::abs(value) <= 1e9))
    Fail(std::string("\"") + key + "\" is not a finite number up to 1e9; correct it");
  return value;
}

double CameraFields::PositiveNumber(const char* key) const {
  const double value = Number(key);
  if (!(value >= 1e-9)) Fail(std::string("\"") + key + "\" must be positive; correct it");
  return value;
}

int CameraFields::Side(const char* key) const {
  const double value = Number(key);
  if (value != std::floor(value) || value < 1 || value > kLargestImageSide) {
    Fail(std::string("\"") + key + "\" must be a whole number of pixels from 1 to " +
         std::to_string(kLargestImageSide) + "; correct it");
  }
  return static_cast<int>(value);
}

std::string CameraFields::Text(const char* key) const {
  const json& value = object_.at(key);
  if (!value.is_string()) Fail(std::string("\"") + key + "\" must be a text");
  std::string text = value.get<std::string>();
  const bool clean = std::none_of(text.begin(), text.end(),
                                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (text.empty() || text.size() > 4096 || !clean) {
    Fail(std::string("\"") + key + "\" must have 1 to 4096 bytes and no control characters; rename it");
  }
  return text;
}

Eigen::Matrix4d CameraFields::RigidMotion(const char* key) const {
  const auto fail = [this, key](const std::string& problem) {
    Fail(std::string("\"") + key + "\": " + problem);
  };
  const auto found = object_.find(key);
  if (found == object_.end() || !found->is_array() || (found->size() != 4 && found->size() != 3)) {
    fail("must be a 4 x 4 matrix, a list of four rows; add it");
  }
  Eigen::Matrix4d matrix = Eigen::Matrix4d::Identity();
  for (size_t row = 0; row < found->size(); ++row) {
    const json& values = (*found)[row];
    if (!values.is_array() || values.size() != 4) fail("every row must have four numbers; correct it");
    for (size_t column = 0; column < 4; ++column) {
      if (!values[column].is_number()) fail("every row must have four numbers; correct it");
      const double value = values[column].get<double>();
      if (!(std::abs(value) <= 1e9)) fail("holds a number that is not finite or above 1e9; correct it");
      matrix(static_cast<Eigen::Index>(row), static_cast<Eigen::Index>(column)) = value;
    }
  }
  if ((matrix.row(3) - Eigen::RowVector4d(0, 0, 0, 1)).cwiseAbs().maxCoeff() > 1e-6) {
    fail("the last row must be 0 0 0 1; write camera-to-world, row by row");
  }
  const Eigen::Matrix3d rotation = CheckedRotation(matrix.topLeftCorner<3, 3>(), fail);
  return Pose(rotation, matrix.topRightCorner<3, 1>());
}

}  // namespace internal
}  // namespace wildrayzer

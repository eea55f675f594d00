// Camera files of other programs: nerfstudio, COLMAP, RealEstate10K.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

#include "wildrayzer/geometry/camera_files.h"
#include "wildrayzer/geometry/camera_files_internal.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {

using nlohmann::json;

namespace {

// OpenGL cameras look along -z with y up: the y and z axes of the camera change sign, either way.
Eigen::Matrix4d FlipYAndZ(const Eigen::Matrix4d& c2w) {
  Eigen::Matrix4d flipped = c2w;
  flipped.col(1) *= -1;
  flipped.col(2) *= -1;
  return flipped;
}

// Intrinsics may stand with the frame or once for all frames.
const internal::CameraFields& Holder(const internal::CameraFields& frame, const internal::CameraFields& all,
                                     const char* key) {
  return frame.Has(key) ? frame : all;
}

// Focal length in pixels along one axis: given, or by the field of view in radians, or 0 when absent.
double FocalLength(const internal::CameraFields& frame, const internal::CameraFields& all,
                   const char* focal_key, const char* angle_key, int side) {
  if (frame.Has(focal_key) || all.Has(focal_key))
    return Holder(frame, all, focal_key).PositiveNumber(focal_key);
  if (!frame.Has(angle_key) && !all.Has(angle_key)) return 0;
  const double angle = Holder(frame, all, angle_key).PositiveNumber(angle_key);
  if (angle >= 3.1)
    frame.Fail(std::string("\"") + angle_key + "\" must be an angle below 3.1 radians; correct it");
  const double focal = side / (2 * std::tan(angle / 2));
  if (focal > 1e9) frame.Fail(std::string("\"") + angle_key + "\" is too small an angle; correct it");
  return focal;
}

NamedCamera CameraFromFrame(const internal::CameraFields& frame, const internal::CameraFields& all,
                            size_t index) {
  NamedCamera named;
  named.name = frame.Has("file_path") ? frame.Text("file_path") : "frame_" + std::to_string(index);
  named.width = Holder(frame, all, "w").Side("w");
  named.height = Holder(frame, all, "h").Side("h");
  const double fx = FocalLength(frame, all, "fl_x", "camera_angle_x", named.width);
  if (fx == 0) frame.Fail("has neither \"fl_x\" nor \"camera_angle_x\"; add the focal length");
  const double fy = FocalLength(frame, all, "fl_y", "camera_angle_y", named.height);
  const auto centre = [&](const char* key, int side) {
    return frame.Has(key) || all.Has(key) ? Holder(frame, all, key).Number(key) : 0.5 * side;
  };
  named.camera.fx = fx / named.width;
  named.camera.fy = (fy == 0 ? fx : fy) / named.height;  // square pixels unless told otherwise
  named.camera.cx = centre("cx", named.width) / named.width;
  named.camera.cy = centre("cy", named.height) / named.height;
  named.camera.c2w = FlipYAndZ(frame.RigidMotion("transform_matrix"));
  return named;
}

void CheckLens(const internal::CameraFields& fields, const std::string& source) {
  if (fields.Has("camera_model")) {
    const std::string model = fields.Text("camera_model");
    if (model != "OPENCV" && model != "PINHOLE" && model != "SIMPLE_PINHOLE") {
      fields.Fail(
          "only pinhole cameras are supported (\"camera_model\" OPENCV or PINHOLE); undistort the images");
    }
  }
  for (const char* key : {"k1", "k2", "k3", "k4", "p1", "p2"}) {
    if (fields.Has(key) && fields.Number(key) != 0) {
      LogWarning(source + ": lens distortion is ignored; undistort the images for exact cameras");
    }
  }
}

// One line of a RealEstate10K list; false when it does not hold 19 numbers of which all but the time stamp
// are at most 1e9.
bool ParseNumbers(std::string_view line, std::span<double, 19> numbers) {
  const char *at = line.data(), *end = line.data() + line.size();
  const auto skip = [&] {
    while (at != end && (*at == ' ' || *at == '\t' || *at == '\r')) ++at;
  };
  for (double& number : numbers) {
    const double limit = &number == numbers.data() ? std::numeric_limits<double>::max() : 1e9;
    skip();
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc() || !(std::abs(number) <= limit)) return false;
    at = next;
  }
  skip();
  return at == end;
}

Camera CameraFromRealEstate(std::span<const double, 19> numbers, const std::string& path, size_t line) {
  const auto fail = [&](const std::string& problem) {
    throw FileError(path, "line " + std::to_string(line) + ": " + problem);
  };
  Eigen::Matrix4d w2c = Eigen::Matrix4d::Identity();
  for (int i = 0; i < 12; ++i) w2c(i / 4, i % 4) = numbers[static_cast<size_t>(7 + i)];
  if (!(numbers[1] >= 1e-9 && numbers[2] >= 1e-9)) fail("focal lengths must be positive; correct them");
  const Eigen::Matrix3d rotation = internal::CheckedRotation(w2c.topLeftCorner<3, 3>(), fail);
  return {InversePose(Pose(rotation, w2c.topRightCorner<3, 1>())), numbers[1], numbers[2], numbers[3],
          numbers[4]};
}

}  // namespace

std::vector<NamedCamera> internal::CamerasFromTransforms(const json& root, const std::string& source) {
  const json& frames = root["frames"];
  if (!frames.is_array() || frames.empty() || frames.size() > kMostCamerasInFile) {
    throw FileError(source,
                    "\"frames\" must be a list of 1 to " + std::to_string(kMostCamerasInFile) + " frames");
  }
  std::vector<NamedCamera> cameras;
  const CameraFields first_all(root, source, 0);
  CheckLens(first_all, source);
  for (const json& object : frames) {
    const size_t index = cameras.size();
    const CameraFields frame(object, source, index), all(root, source, index);
    CheckLens(frame, source);
    cameras.push_back(CameraFromFrame(frame, all, index));
  }
  return cameras;
}

void WriteNerfstudio(const std::filesystem::path& path, std::span<const NamedCamera> cameras,
                     const NerfstudioFiles& files) {
  internal::CheckFinite(path, cameras);
  json frames = json::array(), train = json::array(), held_out = json::array();
  for (const NamedCamera& named : cameras) {
    const Eigen::Matrix4d c2w = FlipYAndZ(named.camera.c2w);
    json rows = json::array();
    for (int row = 0; row < 4; ++row) rows.push_back({c2w(row, 0), c2w(row, 1), c2w(row, 2), c2w(row, 3)});
    frames.push_back({{"file_path", named.name},
                      {"w", named.width},
                      {"h", named.height},
                      {"fl_x", named.camera.fx * named.width},
                      {"fl_y", named.camera.fy * named.height},
                      {"cx", named.camera.cx * named.width},
                      {"cy", named.camera.cy * named.height},
                      {"transform_matrix", std::move(rows)}});
    if (!files.masks.empty()) frames.back()["mask_path"] = files.masks + "/" + named.name + ".png";
    (named.role == CameraRole::kTarget ? held_out : train).push_back(named.name);
  }
  // Without these lists nerfstudio keeps a tenth of the pictures back, which of two to four is none or one.
  if (held_out.empty()) held_out = train;
  json root{{"camera_model", "OPENCV"},
            {"frames", std::move(frames)},
            {"train_filenames", std::move(train)},
            {"val_filenames", held_out},
            {"test_filenames", held_out}};
  if (!files.points.empty()) root["ply_file_path"] = files.points;
  WriteFileAtomically(path, root.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

void WriteColmap(const std::filesystem::path& folder, std::span<const NamedCamera> cameras,
                 std::span<const ColoredPoint> points) {
  internal::CheckFinite(folder, cameras);
  std::string lenses =
      "# Camera list with one line of data per camera:\n#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n";
  std::string images =
      "# Image list with two lines of data per image:\n"
      "#   IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME\n"
      "#   POINTS2D[] as (X, Y, POINT3D_ID)\n";
  std::map<std::tuple<int, int, double, double, double, double>, size_t> lens_ids;
  size_t image_id = 0;
  for (const NamedCamera& named : cameras) {
    if (named.name.find_first_of(" \t\r\n\v\f") != std::string::npos)
      throw Error("COLMAP's text cannot name a picture with white space: " + named.name);
    const Camera& camera = named.camera;
    const auto [lens, is_new] = lens_ids.try_emplace(
        {named.width, named.height, camera.fx, camera.fy, camera.cx, camera.cy}, lens_ids.size() + 1);
    if (is_new) {
      lenses += fmt::format("{} PINHOLE {} {} {:.17g} {:.17g} {:.17g} {:.17g}\n", lens->second, named.width,
                            named.height, camera.fx * named.width, camera.fy * named.height,
                            camera.cx * named.width, camera.cy * named.height);
    }
    const Eigen::Matrix4d w2c = InversePose(camera.c2w);
    const Eigen::Quaterniond q = QuaternionOf(w2c.topLeftCorner<3, 3>());
    images +=
        fmt::format("{} {:.17g} {:.17g} {:.17g} {:.17g} {:.17g} {:.17g} {:.17g} {} {}\n\n", ++image_id, q.w(),
                    q.x(), q.y(), q.z(), w2c(0, 3), w2c(1, 3), w2c(2, 3), lens->second, named.name);
  }
  WriteFileAtomically(folder / "cameras.txt", lenses);
  WriteFileAtomically(folder / "images.txt", images);
  std::string list =
      "# 3D point list with one line of data per point:\n"
      "#   POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as (IMAGE_ID, POINT2D_IDX)\n";
  size_t point_id = 0;
  for (const ColoredPoint& point : points) {
    list += fmt::format("{} {:.9g} {:.9g} {:.9g} {} {} {} 0\n", ++point_id, point.position[0],
                        point.position[1], point.position[2], point.rgb[0], point.rgb[1], point.rgb[2]);
  }
  WriteFileAtomically(folder / "points3D.txt", list);
}

void WritePly(const std::filesystem::path& path, std::span<const ColoredPoint> points) {
  std::string text = fmt::format(
      "ply\nformat ascii 1.0\nelement vertex {}\nproperty float x\nproperty float y\nproperty float z\n"
      "property uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n",
      points.size());
  for (const ColoredPoint& point : points) {
    text += fmt::format("{:.9g} {:.9g} {:.9g} {} {} {}\n", point.position[0], point.position[1],
                        point.position[2], point.rgb[0], point.rgb[1], point.rgb[2]);
  }
  WriteFileAtomically(path, text);
}

std::vector<Camera> ReadRealEstateCameras(const std::filesystem::path& path) {
  const std::string text = internal::ReadBoundedText(path);
  std::vector<Camera> cameras;
  size_t begin = 0;
  for (size_t line_number = 1; begin < text.size(); ++line_number) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    if (line_number == 1 || line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    std::array<double, 19> numbers{};
    if (!ParseNumbers(line, numbers)) {
      throw FileError(path.string(),
                      "line " + std::to_string(line_number) +
                          ": not the 19 numbers of a RealEstate10K camera; correct or remove it");
    }
    if (cameras.size() == kMostCamerasInFile) {
      throw FileError(path.string(),
                      "more than " + std::to_string(kMostCamerasInFile) + " cameras; split the file");
    }
    cameras.push_back(CameraFromRealEstate(numbers, path.string(), line_number));
  }
  if (cameras.empty()) {
    throw FileError(path.string(), "holds no camera after its header line; check that it is the right file");
  }
  return cameras;
}

}  // namespace wildrayzer

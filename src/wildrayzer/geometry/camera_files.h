// Camera files: our own cameras.json, nerfstudio's transforms.json, COLMAP's text model, RealEstate10K lists.
//
// Readers trust nothing: files are bounded (64 MiB, 100,000 cameras, nesting 16), numbers must be finite,
// rotations orthonormal within 1e-3 (they are then made exact), focal lengths positive. Every violation is a
// FileError of one line that names the file, the camera and the remedy. Writers are atomic.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wildrayzer/geometry/camera.h"

namespace wildrayzer {

enum class CameraRole { kInput, kTarget, kTrajectory };

// "input", "target", "trajectory".
const char* CameraRoleName(CameraRole role);

// A camera with the name and the size, in pixels, of its image.
struct NamedCamera {
  std::string name;
  CameraRole role = CameraRole::kTrajectory;
  int width = 256;
  int height = 256;
  Camera camera;
};

inline constexpr size_t kLargestCameraFile = size_t{64} << 20;
inline constexpr size_t kMostCamerasInFile = 100000;
inline constexpr int kLargestImageSide = 1 << 20;

// Reads cameras.json:
//   {"version": 1, "convention": "OpenCV camera-to-world (x right, y down, z forward)", "cameras": [
//     {"name": "a.jpg", "role": "input" | "target" | "trajectory", "width": 256, "height": 256,
//      "fx": ..., "fy": ..., "cx": ..., "cy": ..., (pixels)  "c2w": [[4 numbers], [4], [4], [0, 0, 0, 1]]},
//      ...]}
// `name`, `role` and `convention` may be missing. A nerfstudio or instant-ngp transforms.json (an object with
// "frames") is recognised and converted from OpenGL to OpenCV axes; its lens distortion, if any, is ignored
// with a warning.
std::vector<NamedCamera> ReadCameras(const std::filesystem::path& path);

// The same from text; `source` names it in messages.
std::vector<NamedCamera> ParseCameras(std::string_view text, const std::string& source);

// The text of cameras.json. Numbers are written so that they read back exactly in pixels.
std::string FormatCameras(std::span<const NamedCamera> cameras);
void WriteCameras(const std::filesystem::path& path, std::span<const NamedCamera> cameras);

// A point of the world and its colour.
struct ColoredPoint {
  Eigen::Vector3d position;
  std::array<uint8_t, 3> rgb;
};

// What transforms.json names beside the pictures, relative to its folder; empty: there is none.
struct NerfstudioFiles {
  std::string masks;   // a folder: the mask of picture NAME is masks/NAME.png, black what is to be ignored
  std::string points;  // WritePly
};

// nerfstudio transforms.json: OpenGL axes (x right, y up, z backward), intrinsics in pixels with every frame,
// file_path = name. Targets are for validation and test, or all pictures where there are no targets.
void WriteNerfstudio(const std::filesystem::path& path, std::span<const NamedCamera> cameras,
                     const NerfstudioFiles& files = {});

// COLMAP text model in an existing folder: cameras.txt (PINHOLE, one line for each distinct lens and size),
// images.txt (world-to-camera quaternion w x y z and translation; an empty line of points), points3D.txt
// (without tracks). Names must be free of white space, by which the format separates (Error).
void WriteColmap(const std::filesystem::path& folder, std::span<const NamedCamera> cameras,
                 std::span<const ColoredPoint> points = {});

// An ASCII PLY file of points with colours.
void WritePly(const std::filesystem::path& path, std::span<const ColoredPoint> points);

// RealEstate10K list: one header line, then `timestamp fx fy cx cy k1 k2` and the 3 x 4 world-to-camera
// matrix, row by row, one camera a line; intrinsics in units of the image size. Cameras in the order of the
// file.
std::vector<Camera> ReadRealEstateCameras(const std::filesystem::path& path);

}  // namespace wildrayzer

#include "wildrayzer/data/scene_json.h"

#include <fmt/format.h>

#include <Eigen/LU>
#include <cmath>

#include "wildrayzer/data/json_file.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// A rigid 4 x 4 matrix. Poses that came through text or fp32 are orthonormal to about 1e-6; 1e-2 refuses
// other data.
Eigen::Matrix4d RigidMatrix(const json& value, const fs::path& path, const std::string& where) {
  if (!value.is_array() || value.size() != 4)
    throw FileError(path.string(), where + " is not a 4 x 4 matrix");
  Eigen::Matrix4d matrix;
  for (int row = 0; row < 4; ++row) {
    const std::vector<double> numbers = FiniteNumbers(value[static_cast<size_t>(row)], 4, path, where);
    for (int column = 0; column < 4; ++column) matrix(row, column) = numbers[static_cast<size_t>(column)];
  }
  const Eigen::Matrix3d rotation = matrix.topLeftCorner<3, 3>();
  const double defect = (rotation * rotation.transpose() - Eigen::Matrix3d::Identity()).cwiseAbs().maxCoeff();
  const bool last_row = (matrix.row(3) - Eigen::RowVector4d(0, 0, 0, 1)).cwiseAbs().maxCoeff() < 1e-6;
  if (!(defect < 1e-2) || !(rotation.determinant() > 0) || !last_row) {
    throw FileError(path.string(), where + " is not a rotation and a translation");
  }
  return matrix;
}

FrameRecord ReadFrame(const json& frame, const fs::path& path, const fs::path& list_folder,
                      const std::string& scene, const std::string& where) {
  FrameRecord record;
  record.image_path = ResolvePicture(TextMember(frame, "image_path", path, where), path, list_folder, scene);
  if (const auto found = frame.find("fxfycxcy"); found != frame.end() && !found->is_null()) {
    const std::vector<double> k = FiniteNumbers(*found, 4, path, where + " fxfycxcy");
    if (!(k[0] > 0) || !(k[1] > 0))
      throw FileError(path.string(), where + " has a focal length that is not positive");
    record.intrinsics = StoredIntrinsics{{k[0], k[1], k[2], k[3]}, false};
  }
  if (const auto found = frame.find("w2c"); found != frame.end() && !found->is_null()) {
    record.w2c = RigidMatrix(*found, path, where + " w2c");
  } else if (const auto c2w = frame.find("transform_matrix"); c2w != frame.end() && !c2w->is_null()) {
    record.w2c = RigidMatrix(*c2w, path, where + " transform_matrix").inverse();
  }
  return record;
}

}  // namespace

fs::path ResolvePicture(const fs::path& written, const fs::path& metadata, const fs::path& list_folder,
                        const std::string& scene) {
  if (written.is_absolute()) return written;
  const fs::path first = (metadata.parent_path() / written).lexically_normal();
  std::error_code ignored;
  if (fs::exists(first, ignored)) return first;
  const fs::path beside_list = (list_folder / written).lexically_normal();
  if (fs::exists(beside_list, ignored)) return beside_list;
  const fs::path in_images = metadata.parent_path().parent_path() / "images" / scene / written.filename();
  if (fs::exists(in_images, ignored)) return in_images;
  return first;
}

SceneRecord ReadSceneJson(const fs::path& path, const fs::path& list_folder) {
  const json root = ReadJsonFile(path);
  const auto frames = root.is_object() ? root.find("frames") : root.end();
  if (!root.is_object() || frames == root.end() || !frames->is_array() || frames->empty()) {
    throw FileError(path.string(), "is not the description of a scene: it has no list 'frames'");
  }
  SceneRecord scene;
  scene.name = TextMember(root, "scene_name", path, "the description");
  scene.source = path;
  const json& first = frames->front();
  const bool paired = first.is_object() && first.contains("gt_image_path");
  scene.frames.reserve(frames->size());
  for (const json& frame : *frames) {
    const std::string where = fmt::format("frame {}", scene.frames.size());
    if (!frame.is_object()) throw FileError(path.string(), where + " is not an object");
    FrameRecord record = ReadFrame(frame, path, list_folder, scene.name, where);
    if (paired) {
      record.clean_path =
          ResolvePicture(TextMember(frame, "gt_image_path", path, where), path, list_folder, scene.name);
    }
    scene.frames.push_back(std::move(record));
  }
  return scene;
}

}  // namespace wildrayzer

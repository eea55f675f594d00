// The description of one scene in the preprocessed RealEstate10K layout (metadata/{scene}.json).
#pragma once

#include <filesystem>

#include "wildrayzer/data/scene.h"

namespace wildrayzer {

// Reads `scene_name` and `frames` (image_path, fxfycxcy in pixels, w2c; optionally transform_matrix, which is
// camera-to-world with OpenCV axes and used when w2c is missing, and gt_image_path, which counts only if the
// first frame has it). Frames without fxfycxcy or pose are accepted: neither is needed to run the model.
// `list_folder`: the folder of the list that named this file; pictures are searched as ResolvePicture says.
// Raises FileError naming the file and the frame at fault. Whether the pictures exist is found out when they
// are read.
SceneRecord ReadSceneJson(const std::filesystem::path& path, const std::filesystem::path& list_folder);

// An absolute picture path stays as it is; otherwise the first of these that exists: relative to the metadata
// file, relative to the list file, and images/{scene}/ beside metadata/ with its file name. None exists: the
// first.
std::filesystem::path ResolvePicture(const std::filesystem::path& written,
                                     const std::filesystem::path& metadata,
                                     const std::filesystem::path& list_folder, const std::string& scene);

}  // namespace wildrayzer

// What `wildrayzer render --export` leaves for other programs.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/geometry/camera_files.h"
#include "wildrayzer/pipeline/result_writer.h"

namespace wildrayzer {

// File names without extension, one for each of `names`: letters, digits, '_', '-' and '.' of ASCII, at most
// 100 of them, no two alike where case does not count. What COLMAP, Python and a file system read the same.
std::vector<std::string> PlainFileNames(std::span<const std::string> names);

// Two sets of pictures with cameras, for "nerfstudio" (transforms.json, which OpenSplat reads, too) and
// "colmap" (text in colmap/) in `exports`; none of these: nothing is written. Names of pictures are relative
// to the set's folder.
// - `folder`: images/, the photos upright in their own size, with image_masks/NAME.png beside them where
// there
//   are masks: black where something moves or the model did not look, white elsewhere.
// - `folder`/place: images/, the place as it was rendered from the photos' cameras and along the path.
// Both with points.ply, points of the place to begin with. `cameras`: of the photos in their own pixels.
void WriteExports(const std::filesystem::path& folder, const RenderResult& result,
                  std::span<const NamedCamera> cameras, const std::vector<std::string>& exports);

}  // namespace wildrayzer

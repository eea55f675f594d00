// Scenes written in the field's layouts: the preprocessed RealEstate10K tree, D-RE10K's masks,
// D-RE10K-iPhone's pairs.
#pragma once

#include <Eigen/Core>
#include <array>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "wildrayzer/io/images.h"

namespace wildrayzer {

// One frame of a scene; null: there is no such file. Maps are [height, width] of `rgb`, row-major. All frames
// of a scene have the same files.
struct FrameToWrite {
  const Image* rgb = nullptr;
  const Image* clean = nullptr;                       // the same view without the movers
  const std::vector<uint8_t>* mask = nullptr;         // 1 = moving
  const std::vector<uint8_t>* shadow = nullptr;       // 1 = a mover's shadow changes the pixel
  const std::vector<float>* depth = nullptr;          // camera z in metres; 0 = nothing was met
  std::array<double, 4> fxfycxcy = {};                // pixels
  Eigen::Matrix4d w2c = Eigen::Matrix4d::Identity();  // metres, OpenCV axes
};

// Writes below `root`, every folder complete or absent, the metadata last:
//   images/{name}/{%05d}.png           8-bit RGB
//   clean/{name}/{%05d}.png            likewise
//   binary_masks/{name}/{%05d}.npy     uint8 [H, W]
//   shadow_masks/{name}/{%05d}.npy     uint8 [H, W]
//   depth/{name}/{%05d}.npy            float32 [H, W]
//   metadata/{name}.json               scene_name, frames (image_path, fxfycxcy, w2c, and with `pairs` the
//   clean
//                                      picture as gt_image_path), and what else is known under "synthetic"
// Folders that a killed run left behind are replaced. Raises FileError when the disk refuses.
void WriteScene(const std::filesystem::path& root, const std::string& name,
                const std::vector<FrameToWrite>& frames, bool pairs, const nlohmann::ordered_json& synthetic);

// True when WriteScene has completed for this scene.
bool SceneIsComplete(const std::filesystem::path& root, const std::string& name);

// Removes hidden folders below `root` that a killed WriteScene did not come to remove.
void RemoveSceneLeftovers(const std::filesystem::path& root);

// A list of the scenes' metadata files, below `folder` and relative to the one in which that lies.
void WriteSceneList(const std::filesystem::path& list, const std::filesystem::path& folder,
                    const std::vector<std::string>& scenes);

// The views by which a scene is judged.
struct ListedViews {
  std::string scene;
  std::vector<int> inputs, targets;
};
void WriteViewIndex(const std::filesystem::path& path, const std::vector<ListedViews>& views);

// NumPy 1.0 files in C order. ReadNpyFloats reads back what WriteNpy wrote; FileError for anything else.
void WriteNpy(const std::filesystem::path& path, int height, int width, const std::vector<uint8_t>& values);
void WriteNpy(const std::filesystem::path& path, int height, int width, const std::vector<float>& values);
std::vector<float> ReadNpyFloats(const std::filesystem::path& path, int* height, int* width);

// Creates the folder of a data set that goes on where it was stopped, or checks that it is one that was made
// with these settings. They are kept in `settings_file` of the folder ("rooms.json"), which also tells that
// it is ours; `kind` names the data set ("rooms"). Raises UsageError naming the first setting that differs.
void OpenMadeFolder(const std::filesystem::path& folder, const std::string& settings_file,
                    const std::string& kind, const nlohmann::ordered_json& settings);

}  // namespace wildrayzer

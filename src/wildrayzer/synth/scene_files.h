// Files of one scene in the field's layouts: the preprocessed RealEstate10K tree, D-RE10K's masks,
// D-RE10K-iPhone's pairs.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "wildrayzer/synth/render.h"
#include "wildrayzer/synth/scene.h"

namespace wildrayzer::synth {

// What a scene's folder tree holds besides images/ and metadata/.
struct SceneFilesOptions {
  bool masks = false;  // binary_masks/, shadow_masks/ and clean/
  bool pairs = false;  // metadata names the clean pictures as gt_image_path
  bool depth = true;   // depth/
};

// Writes below `root`, every folder complete or absent, the metadata last:
//   images/{scene}/{%05d}.png           8-bit RGB
//   clean/{scene}/{%05d}.png            the same views without the movers
//   binary_masks/{scene}/{%05d}.npy     uint8 [H, W], 1 = moving
//   shadow_masks/{scene}/{%05d}.npy     uint8 [H, W], 1 = a mover's shadow changes the pixel
//   depth/{scene}/{%05d}.npy            float32 [H, W], camera z in metres, movers included; 0 = nothing was
//   met metadata/{scene}.json               scene_name, frames (image_path, fxfycxcy in pixels, w2c in
//   metres, OpenCV axes) and,
//                                       under "synthetic", seed, split, models and which of them move
// Folders that a killed run left behind are replaced. Raises FileError when the disk refuses.
void WriteSceneFiles(const std::filesystem::path& root, const std::string& name, const Scene& scene,
                     const Catalogue& catalogue, const SceneOptions& made_with,
                     const std::vector<Frame>& frames, const SceneFilesOptions& options);

// True when WriteSceneFiles has completed for this scene.
bool SceneIsComplete(const std::filesystem::path& root, const std::string& name);

// NumPy 1.0 files in C order. ReadNpyFloats reads back what WriteNpy wrote; FileError for anything else.
void WriteNpy(const std::filesystem::path& path, int height, int width, const std::vector<uint8_t>& values);
void WriteNpy(const std::filesystem::path& path, int height, int width, const std::vector<float>& values);
std::vector<float> ReadNpyFloats(const std::filesystem::path& path, int* height, int* width);

// Writes the bytes of one file; for files inside a folder that itself appears atomically.
void WriteBytes(const std::filesystem::path& path, const void* data, size_t size);

}  // namespace wildrayzer::synth

// Files of one scene of rooms (data/scene_writer.h has the layouts).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "wildrayzer/synth/render.h"
#include "wildrayzer/synth/scene.h"

namespace wildrayzer::synth {

// What a scene's folder tree holds besides images/ and metadata/.
struct SceneFilesOptions {
  bool masks = false;  // binary_masks/, shadow_masks/ and clean/
  bool pairs = false;  // metadata names the clean pictures as gt_image_path
  bool depth = true;   // depth/, movers included
};

// Writes below `root`; "synthetic" of the metadata holds seed, split, models and which of them move. Raises
// FileError when the disk refuses.
void WriteSceneFiles(const std::filesystem::path& root, const std::string& name, const Scene& scene,
                     const Catalogue& catalogue, const SceneOptions& made_with,
                     const std::vector<Frame>& frames, const SceneFilesOptions& options);

}  // namespace wildrayzer::synth

// A packed file as a data set, and packing one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "wildrayzer/data/listed_scenes.h"
#include "wildrayzer/data/packed_file.h"
#include "wildrayzer/data/scene.h"
#include "wildrayzer/data/views.h"
#include "wildrayzer/util/progress.h"

namespace wildrayzer {

// True for the extension of packed files: .safetensors.
bool HasPackedExtension(const std::filesystem::path& path);

// The scenes of a packed file. `options.view_index` chooses scenes and replaces the views that were packed.
// Masks come from the file itself; where `options.masks` asks for some and it has none, FileError says so.
// Raises FileError for files that are damaged or hold something else.
std::unique_ptr<SceneDataset> OpenPackedScenes(const std::filesystem::path& path,
                                               const ListedScenesOptions& options = {});

// The view of a frame that is packed, as LoadViews gives it; `index` is its place in the scene. Raises
// UsageError unless `options` ask for the size that was packed.
View PackedView(int index, const FrameRecord& frame, const ViewOptions& options);

struct PackOptions {
  int width = 256, height = 256, patch = 16;  // of the frames, as in ViewOptions
  int jpeg_quality = 0;                       // 1 to 100; 0: pixels as they are
  int threads = 2;                            // decoding
};

struct PackReport {
  int64_t scenes = 0, skipped = 0, frames = 0, clean = 0, masks = 0;
  uint64_t bytes = 0;  // of the file
};

// Writes all frames of a data set, with everything that is known about them, as the file `out`, which appears
// when it is complete; its bytes do not depend on the number of threads. A scene that cannot be read is left
// out with a warning. Raises FileError when none is left, UsageError for sizes that are no whole patches, and
// Interrupted.
PackReport PackScenes(const SceneDataset& scenes, const PackOptions& options,
                      const std::filesystem::path& out, Progress& progress);

}  // namespace wildrayzer

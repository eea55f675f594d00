// Data sets given by a list of metadata files: RealEstate10K as LVSM preprocesses it, D-RE10K and
// D-RE10K-iPhone.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "wildrayzer/data/scene.h"

namespace wildrayzer {

// Where the motion masks are: ROOT/{scene}/{%05d}.npy, one per frame, belonging to the cropped model picture.
struct MaskFolders {
  // Either one root under the key "default", or up to three under "wildrayzer", "dre10k" and "default": a
  // scene whose name contains "wildrayzer" uses the first, others the second, both fall back to the last.
  // Empty: no masks.
  std::map<std::string, std::filesystem::path> roots;
  // The folder carries the whole scene name; otherwise the name is cut at "_context_".
  bool preserve_suffix = false;
};

struct ListedScenesOptions {
  std::filesystem::path view_index;  // when given, only the scenes it lists are kept
  MaskFolders masks;
};

// Opens a list: one metadata path per line, blank lines are skipped. A path is taken as written (absolute or
// relative to the working directory), else relative to the list or to one of the three folders above it. A
// scene's name is its metadata file's name without the extension. Files are opened only by Read(), which also
// fills in the masks:
// {%05d}.npy is numbered from 1 when 00001.npy exists and 00000.npy does not, otherwise from 0; a missing
// folder raises FileError. Raises FileError for a list that is missing, empty, or names a scene twice, and
// when no scene is left.
std::unique_ptr<SceneDataset> OpenListedScenes(const std::filesystem::path& list,
                                               const ListedScenesOptions& options = {});

}  // namespace wildrayzer

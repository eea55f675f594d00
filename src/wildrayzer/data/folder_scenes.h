// Scenes found by looking at folders: DAVIS, folders of pictures with or without masks and cameras, videos.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "wildrayzer/data/listed_scenes.h"
#include "wildrayzer/data/scene.h"

namespace wildrayzer {

// ROOT/JPEGImages/[RESOLUTION/]SCENE/*.jpg with ROOT/Annotations/[RESOLUTION/]SCENE/*.png, whose colours
// above black mark what moves. `resolution` empty: 480p if present, else the first in order of name. Frames
// without annotation have no mask. Raises FileError naming the folder that is missing or empty.
std::vector<SceneRecord> FindDavisScenes(const std::filesystem::path& root,
                                         const std::string& resolution = "");

// One scene from FOLDER/*.jpg, or from FOLDER/images/*.jpg with, when present, FOLDER/masks/{same name}.png
// (0 = still) and FOLDER/cameras.txt (or beside images/). Pictures are ordered by name, numbers in names by
// value. Raises FileError if there are no pictures.
SceneRecord FindFolderScene(const std::filesystem::path& folder);
bool IsFolderScene(const std::filesystem::path& folder);

// Every frame of a video; frames are counted by decoding, as headers may lie.
SceneRecord FindVideoScene(const std::filesystem::path& video);

// Opens whatever `path` is: a list of metadata files (.txt), one metadata file (.json), packed scenes
// (.safetensors), a video, a folder with full_list.txt, a DAVIS root, a folder scene, or a folder of folder
// scenes. `options.view_index` applies to all of them, `options.masks` to lists (packed scenes must then have
// masks of their own). Raises FileError saying what was expected.
std::unique_ptr<SceneDataset> OpenScenes(const std::filesystem::path& path,
                                         const ListedScenesOptions& options = {});

}  // namespace wildrayzer

// Evaluation view lists: which frames of which scene are inputs and which are targets.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "wildrayzer/data/scene.h"

namespace wildrayzer {

// Reads a view-index file: scene name -> {"context": [...], "target": [...]} or null. Scenes given as null
// are to be skipped and are not in the result. Raises FileError for a file that is missing, not JSON, lists
// no scene, or has an entry with negative, repeated or non-integer indices (the message names the scene).
std::map<std::string, ViewList> ReadViewIndex(const std::filesystem::path& path);

// Raises FileError naming `scene.source` if the list asks for a frame that the scene does not have.
void CheckViews(const ViewList& views, const SceneRecord& scene);

}  // namespace wildrayzer

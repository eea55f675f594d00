// What is written once the scenes of a list are complete: lists, evaluation views, contact sheets,
// attribution.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "wildrayzer/synth/rooms.h"

namespace wildrayzer::synth {

std::string SceneName(const Subset& subset, int index);

// The list of metadata files, relative to `out`; for validation and test also the view lists with 2, 3 and 4
// inputs and up to 6 targets, spread as util/spread.h says.
void WriteLists(const std::filesystem::path& out, const Subset& subset);

// Up to 12 scenes a sheet, one a row: frames, the mask drawn on the last one, the clean view, depth.
void WriteSceneSheet(const std::filesystem::path& out, const Subset& subset);
void WriteCutoutSheet(const std::filesystem::path& root, int count);

// Collects the models from all metadata below `out`.
void WriteAttribution(const std::filesystem::path& out, const Catalogue& catalogue);

}  // namespace wildrayzer::synth

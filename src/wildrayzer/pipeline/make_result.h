// From an encoded scene to a finished folder of results, for `wildrayzer render` and `wildrayzer serve`.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/pipeline/reconstructor.h"
#include "wildrayzer/pipeline/result_writer.h"

namespace wildrayzer {

struct MakeResultOptions {
  bool clean = true;                      // photos without what moves, too
  std::vector<bool> told_masks = {};      // CleanOptions::told_masks
  std::vector<std::string> exports = {};  // WriteExports
  // Views of cameras of the scene; `stage` is what they are for.
  std::function<std::vector<Image>(std::span<const Camera> cameras, const std::string& stage)> render = {};
  // For cleaning and writing; rendering tells its own.
  ProgressCallback progress = {};
  // What metadata.json says of the program, the model and the machine; asked for when all else is written.
  std::function<nlohmann::ordered_json()> facts = {};
};

// result: its photos, scene and path; what `model`, which the scene is of, makes of them is added. Writes
// everything to `folder`, which is empty: WriteRenderFiles, metadata.json, index.html. Gives the metadata.
// FileError when something cannot be written.
nlohmann::ordered_json MakeResult(const std::filesystem::path& folder, const Reconstructor& model,
                                  RenderResult& result, const MakeResultOptions& options);

}  // namespace wildrayzer

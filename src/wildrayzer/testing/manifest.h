// Lists of generated weights (*.weights.json): filling a module by name.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "wildrayzer/nn/module.h"

namespace wildrayzer::testing {

struct ManifestEntry {
  std::string name;  // state-dict name
  std::string key;   // generator key
  std::vector<int64_t> shape;
  double scale = 1.0;
  double offset = 0.0;
};

// Entries in file order. FileError when the file is missing or has another form.
std::vector<ManifestEntry> ReadManifest(const std::filesystem::path& path);

// Sets every named parameter of the module to its generated values (in the parameter's own type). Buffers
// stay as they are. Error naming the parameter when the manifest lacks one, has one that the module lacks, or
// a shape differs.
void FillFromManifest(torch::nn::Module& module, const std::vector<ManifestEntry>& manifest);

// The same for parameters given as a map, for code without modules.
torch::Tensor Generate(const ManifestEntry& entry);

}  // namespace wildrayzer::testing

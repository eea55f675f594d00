#include "wildrayzer/testing/manifest.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "wildrayzer/testing/generator.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer::testing {

std::vector<ManifestEntry> ReadManifest(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw FileError(path.string(), "cannot open the list of weights");
  try {
    std::vector<ManifestEntry> entries;
    const nlohmann::json root = nlohmann::json::parse(file);
    for (const nlohmann::json& item : root.at("tensors")) {
      entries.push_back({item.at("name"), item.at("key"), item.at("shape").get<std::vector<int64_t>>(),
                         item.at("scale"), item.at("offset")});
    }
    return entries;
  } catch (const nlohmann::json::exception& error) {
    throw FileError(path.string(), std::string("not a list of generated weights: ") + error.what());
  }
}

torch::Tensor Generate(const ManifestEntry& entry) {
  return GeneratedTensor(entry.key, entry.shape, entry.scale, entry.offset);
}

void FillFromManifest(torch::nn::Module& module, const std::vector<ManifestEntry>& manifest) {
  const torch::NoGradGuard no_grad;
  auto parameters = module.named_parameters();
  std::set<std::string> filled;
  for (const ManifestEntry& entry : manifest) {
    torch::Tensor* parameter = parameters.find(entry.name);
    if (parameter == nullptr) throw Error("the module has no parameter '" + entry.name + "' of the manifest");
    if (parameter->sizes() != torch::IntArrayRef(entry.shape)) {
      throw Error("parameter '" + entry.name + "' has a shape other than the manifest's");
    }
    parameter->copy_(Generate(entry));
    filled.insert(entry.name);
  }
  for (const auto& parameter : parameters) {
    if (!filled.contains(parameter.key()))
      throw Error("the manifest lacks parameter '" + parameter.key() + "'");
  }
}

}  // namespace wildrayzer::testing

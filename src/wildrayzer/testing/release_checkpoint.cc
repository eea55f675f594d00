#include "wildrayzer/testing/release_checkpoint.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "wildrayzer/testing/manifest.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer::testing {
namespace {

struct ManifestTensor {
  std::string name;
  std::vector<int64_t> shape;
  bool parameter = false;
  bool trainable = false;
};

std::vector<ManifestTensor> ReadStateDictManifest(const std::filesystem::path& path,
                                                  const std::string& model) {
  std::ifstream file(path);
  if (!file) throw FileError(path.string(), "cannot open the state-dict manifest");
  const nlohmann::json root = nlohmann::json::parse(file);
  std::vector<ManifestTensor> tensors;
  for (const nlohmann::json& item : root.at("models").at(model).at("state_dict")) {
    if (item.at("dtype") != "float32") throw FileError(path.string(), "lists a tensor that is not float32");
    tensors.push_back({item.at("name"), item.at("shape").get<std::vector<int64_t>>(),
                       item.at("kind") == "parameter", item.value("requires_grad", false)});
  }
  return tensors;
}

TensorSource Zeros(const std::string& name, const std::vector<int64_t>& shape) {
  TensorSource source{name, DType::kF32, shape, {}};
  source.stream = [left = source.byte_size()](const ByteSink& sink) {
    const std::vector<std::byte> block(1 << 20);
    for (int64_t rest = left; rest > 0; rest -= static_cast<int64_t>(block.size())) {
      sink(std::span(block).first(
          static_cast<size_t>(std::min<int64_t>(rest, static_cast<int64_t>(block.size())))));
    }
  };
  return source;
}

TensorSource Generated(const ManifestEntry& entry) {
  return {entry.name, DType::kF32, entry.shape, [entry](const ByteSink& sink) {
            const torch::Tensor tensor = Generate(entry);
            sink({static_cast<const std::byte*>(tensor.data_ptr()), tensor.nbytes()});
          }};
}

// The buffers with which the DINOv3 branch normalises images: ImageNet's statistics.
TensorSource ImageStatistics(const std::string& name, const std::vector<int64_t>& shape) {
  const std::vector<float> values = name.ends_with("mean") ? std::vector<float>{0.485f, 0.456f, 0.406f}
                                                           : std::vector<float>{0.229f, 0.224f, 0.225f};
  return {name, DType::kF32, shape,
          [values](const ByteSink& sink) { sink(std::as_bytes(std::span(values))); }};
}

// Weights whose shape depends on the width of DINOv3 follow the rule for linear weights.
ManifestEntry EntryFor(const ManifestTensor& tensor, const std::map<std::string, ManifestEntry>& known) {
  const auto found = known.find(tensor.name);
  if (found != known.end() && found->second.shape == tensor.shape) return found->second;
  ManifestEntry entry{tensor.name, "wr/" + tensor.name, tensor.shape, 0.02, 0.0};
  if (tensor.shape.size() > 1) {
    const double fan_in =
        static_cast<double>(*CheckedNumel(tensor.shape)) / static_cast<double>(tensor.shape[0]);
    entry.scale = std::sqrt(3.0 / fan_in);
  } else if (tensor.name.ends_with(".weight")) {
    entry.scale = 0.1;  // a norm
    entry.offset = 1.0;
  }
  return entry;
}

TorchValue Optimizer(const std::vector<ManifestTensor>& tensors) {
  std::vector<TorchValue::Pair> states;
  std::vector<TorchValue> decayed;
  std::vector<TorchValue> plain;
  // Matrices first, vectors in the second group, as the published training does.
  for (const bool matrices : {true, false}) {
    for (const ManifestTensor& tensor : tensors) {
      if (!tensor.parameter || !tensor.trainable || (tensor.shape.size() != 1) != matrices) continue;
      const int64_t index = static_cast<int64_t>(states.size());
      states.emplace_back(index, TorchValue::MakeDict({{"step", Zeros("step", {})},
                                                       {"exp_avg", Zeros("exp_avg", tensor.shape)},
                                                       {"exp_avg_sq", Zeros("exp_avg_sq", tensor.shape)}}));
      (matrices ? decayed : plain).push_back(index);
    }
  }
  const auto group = [](double decay, std::vector<TorchValue> indices) {
    return TorchValue::MakeDict({{"weight_decay", decay},
                                 {"lr", 1e-4},
                                 {"betas", TorchValue::MakeTuple({0.9, 0.95})},
                                 {"eps", 1e-8},
                                 {"amsgrad", false},
                                 {"params", TorchValue::MakeList(std::move(indices))}});
  };
  return TorchValue::MakeDict({{"state", TorchValue::MakeDict(std::move(states))},
                               {"param_groups", TorchValue::MakeList({group(0.05, std::move(decayed)),
                                                                      group(0.0, std::move(plain))})}});
}

}  // namespace

std::vector<TensorSource> ReleaseStateDict(const std::filesystem::path& state_dict_manifest,
                                           const std::string& model,
                                           const std::filesystem::path& weights_manifest) {
  std::map<std::string, ManifestEntry> known;
  for (ManifestEntry& entry : ReadManifest(weights_manifest)) known.emplace(entry.name, entry);
  std::vector<TensorSource> sources;
  for (const ManifestTensor& tensor : ReadStateDictManifest(state_dict_manifest, model)) {
    if (tensor.name.starts_with("loss_computer.")) {
      sources.push_back(Zeros(tensor.name, tensor.shape));
    } else if (!tensor.parameter) {
      sources.push_back(ImageStatistics(tensor.name, tensor.shape));
    } else {
      sources.push_back(Generated(EntryFor(tensor, known)));
    }
  }
  return sources;
}

void WriteReleaseCheckpoint(const std::filesystem::path& path,
                            const std::filesystem::path& state_dict_manifest, const std::string& model,
                            const std::filesystem::path& weights_manifest) {
  const std::vector<ManifestTensor> tensors = ReadStateDictManifest(state_dict_manifest, model);
  const TorchValue scheduler = TorchValue::MakeDict({{"last_epoch", 3}, {"_step_count", 4}});
  WriteTorchArchive(path, TorchValue::MakeDict({{"model", TorchValue::MakeStateDict(ReleaseStateDict(
                                                              state_dict_manifest, model, weights_manifest))},
                                                {"optimizer", Optimizer(tensors)},
                                                {"lr_scheduler", scheduler},
                                                {"fwdbwd_pass_step", 3},
                                                {"param_update_step", 3}}));
}

}  // namespace wildrayzer::testing

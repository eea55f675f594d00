#include "wildrayzer/models/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "wildrayzer/io/dtype_conversion.h"
#include "wildrayzer/io/state_dict.h"
#include "wildrayzer/io/utf8.h"
#include "wildrayzer/models/int8_weights.h"
#include "wildrayzer/nn/init.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

constexpr char kNoiseToken[] = "noise_token";
constexpr char kMaskBias[] = "motion_mask_predictor.head.2.bias";
constexpr char kMatchEmbedding[] = "view_matcher.embedding.weight";
constexpr std::string_view kMotionPrefix = "motion_mask_predictor.";
constexpr std::string_view kEveryModelHas = "image_tokenizer.1.weight";
constexpr size_t kNamesInMessages = 5;

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool EndsWith(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

// Tensors that belong to no model.
bool IsTrainingAid(std::string_view name) {
  return StartsWith(name, "loss_computer.") || StartsWith(name, "dinov3_pseudolabel_maker.") ||
         StartsWith(name, "training.");
}

// What stands in front of the model's names, apart from what tools put there: "model." when a larger module
// held the model, "ema_model." and "online_model." when there are two of them. "" first, then averaged
// weights.
std::vector<std::string> ModelPrefixes(const Checkpoint& checkpoint) {
  std::vector<std::string> prefixes;
  for (const std::string& stored : checkpoint.names()) {
    const std::string name = WithoutToolNames(stored);
    if (!EndsWith(name, kEveryModelHas) || IsTrainingAid(name)) continue;
    const std::string prefix = name.substr(0, name.size() - kEveryModelHas.size());
    if (prefix.empty() || EndsWith(prefix, ".")) prefixes.push_back(prefix);
  }
  if (prefixes.empty()) prefixes.emplace_back();
  const auto rank = [](const std::string& prefix) {
    return prefix.empty() ? 0 : prefix.find("ema") != std::string::npos ? 1 : 2;
  };
  std::stable_sort(prefixes.begin(), prefixes.end(),
                   [&](const std::string& a, const std::string& b) { return rank(a) < rank(b); });
  return prefixes;
}

// Model name -> checkpoint name; the scales of matrices in int8 are part of these.
std::map<std::string, std::string> ModelNames(const Checkpoint& checkpoint) {
  std::map<std::string, std::string> names;
  const std::string prefix = ModelPrefixes(checkpoint).front();
  for (const std::string& stored : checkpoint.names()) {
    std::string name = WithoutToolNames(stored);
    if (StartsWith(name, prefix)) name.erase(0, prefix.size());
    if (IsTrainingAid(name) || IsInt8Scale(checkpoint, stored)) continue;
    if (!names.emplace(name, stored).second) {
      throw FileError(checkpoint.path(),
                      fmt::format("holds the tensor '{}' twice, with and without 'module.'", name));
    }
  }
  return names;
}

// "a, b, c and 7 more".
std::string Summary(const std::vector<std::string>& names) {
  const size_t shown = std::min(names.size(), kNamesInMessages);
  std::string text =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<long>(shown), ", "));
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

// All parameters and buffers by name.
std::map<std::string, torch::Tensor> ModelTensors(const torch::nn::Module& model) {
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& item : model.named_parameters()) tensors.emplace(item.key(), item.value());
  for (const auto& item : model.named_buffers()) tensors.emplace(item.key(), item.value());
  return tensors;
}

LoadReport Compare(const std::map<std::string, torch::Tensor>& tensors,
                   const std::map<std::string, std::string>& stored) {
  LoadReport report;
  bool has_motion = false;
  for (const auto& [name, tensor] : tensors) {
    has_motion = has_motion || StartsWith(name, kMotionPrefix);
    if (!stored.count(name)) report.missing.push_back(name);
  }
  for (const auto& [name, stored_name] : stored) {
    const bool unwanted = !has_motion && (StartsWith(name, kMotionPrefix) || name == kNoiseToken);
    if (!tensors.count(name) && !unwanted) report.unexpected.push_back(name);
  }
  return report;
}

// The type in which the model keeps a tensor.
torch::ScalarType WantedType(const std::string& name, const torch::Tensor& tensor, Precision precision) {
  // Cameras come out of the first, their rays, whose moments reach 2.6 (bfloat16 has steps of 0.016 there),
  // go into the second, displacements into the third: geometry is float32.
  const bool geometry = StartsWith(name, "pose_predictor.") || StartsWith(name, "target_pose_tokenizer") ||
                        name == kMatchEmbedding;
  const bool matrix = tensor.dim() == 2 && EndsWith(name, ".weight") && !geometry;
  const bool kernel = tensor.dim() == 4 && StartsWith(name, "view_matcher.");
  return precision == Precision::kBf16 && (matrix || kernel) ? torch::kBFloat16 : torch::kFloat32;
}

void CheckEntry(const Checkpoint& checkpoint, const std::string& stored_name, const torch::Tensor& tensor) {
  const TensorEntry& entry = checkpoint.Entry(stored_name);
  if (tensor.sizes().vec() != entry.shape) {
    throw FileError(checkpoint.path(),
                    fmt::format("tensor '{}' has shape [{}], the model needs [{}]", stored_name,
                                fmt::join(entry.shape, ", "), fmt::join(tensor.sizes(), ", ")));
  }
  // What is no large matrix of a block is never in int8.
  const bool in_int8 = entry.dtype == DType::kI8 && IsBlockMatrix(stored_name, entry.shape);
  if (!IsFloat(entry.dtype) && !in_int8) {
    throw FileError(checkpoint.path(),
                    fmt::format("tensor '{}' has type {}, the model needs floating-point numbers",
                                stored_name, DTypeName(entry.dtype)));
  }
}

// Values for tensors that known files lack; true when `name` is one of them.
bool FillKnownGap(const std::string& name, torch::Tensor& tensor, const std::string& path) {
  if (name == kNoiseToken) {
    LogWarning("{}: has no noise_token; masked tokens are replaced by the same random token in every run",
               path);
    FillTruncatedNormal(tensor, 0.02, /*seed=*/0, kNoiseToken);
    return true;
  }
  if (name == kMaskBias) {
    LogDebug(path + ": has no " + kMaskBias + ", taken as zero");
    tensor.zero_();
    return true;
  }
  return EndsWith(name, "dino_norm_mean") || EndsWith(name, "dino_norm_std");
}

}  // namespace

const char* PrecisionName(Precision precision) {
  return precision == Precision::kInt8 ? "int8" : precision == Precision::kBf16 ? "bf16" : "fp32";
}

void CastWeights(torch::nn::Module& model, Precision precision, bool keep_int8) {
  for (const auto& [name, linear] : BlockLinears(model)) {
    if (precision == Precision::kInt8) linear->RoundToInt8();
    if (precision != Precision::kInt8 && !keep_int8) linear->LeaveInt8();
  }
  for (const auto& item : model.named_parameters()) {
    torch::Tensor parameter = item.value();
    if (parameter.scalar_type() == torch::kInt8) continue;
    parameter.set_data(parameter.to(WantedType(item.key(), parameter, precision)));
  }
}

bool HoldsInt8(const torch::nn::Module& model) {
  const auto linears = BlockLinears(model);
  return std::any_of(linears.begin(), linears.end(), [](const auto& item) { return item.second->is_int8(); });
}

LoadReport CompareNames(const torch::nn::Module& model, const Checkpoint& checkpoint) {
  return Compare(ModelTensors(model), ModelNames(checkpoint));
}

LoadReport LoadWeights(torch::nn::Module& model, const Checkpoint& checkpoint, const LoadOptions& options) {
  torch::NoGradGuard no_grad;
  std::map<std::string, torch::Tensor> tensors = ModelTensors(model);
  const std::map<std::string, std::string> stored = ModelNames(checkpoint);
  const LoadReport report = Compare(tensors, stored);
  const std::vector<std::string> prefixes = ModelPrefixes(checkpoint);
  if (prefixes.size() > 1) {
    LogWarning("{}: holds the model {} times; what is named '{}*' is used", checkpoint.path(),
               prefixes.size(), Printable(prefixes.front()));
  }

  std::vector<std::string> lacking;
  for (const std::string& name : report.missing) {
    if (!FillKnownGap(name, tensors.at(name), checkpoint.path())) lacking.push_back(name);
  }
  if (!lacking.empty() && options.require_all) {
    throw FileError(checkpoint.path(), "lacks tensors of the model: " + Summary(lacking) +
                                           "; check that the configuration belongs to these weights");
  }
  if (!lacking.empty()) {
    LogWarning("{}: lacks {}; they keep their initial values", checkpoint.path(), Summary(lacking));
  }
  if (!report.unexpected.empty()) {
    LogWarning("{}: ignored tensors that the model does not have: {}", checkpoint.path(),
               Summary(report.unexpected));
  }

  std::vector<std::string> used;
  for (auto& [name, tensor] : tensors) {
    const auto found = stored.find(name);
    if (found == stored.end()) continue;
    CheckEntry(checkpoint, found->second, tensor);
    used.push_back(found->second);
  }
  checkpoint.CheckFinite(used);
  const std::map<std::string, LinearImpl*> linears = BlockLinears(model);
  for (auto& [name, tensor] : tensors) {
    const auto found = stored.find(name);
    if (found == stored.end()) continue;
    if (checkpoint.Entry(found->second).dtype == DType::kI8) {
      linears.at(name)->UseInt8(Int8MatrixOf(checkpoint, found->second));
      continue;
    }
    const torch::Tensor value = checkpoint.Get(found->second);
    tensor.set_data(value.to(options.device, WantedType(name, tensor, options.precision),
                             /*non_blocking=*/false, /*copy=*/options.writable));
  }
  CastWeights(model, options.precision, options.keep_int8);  // into int8 or out of it
  model.to(options.device);                                  // and what the file did not have
  return report;
}

TensorShapes ModelTensorShapes(const Checkpoint& checkpoint) {
  TensorShapes shapes;
  for (const auto& [name, stored] : ModelNames(checkpoint))
    shapes.emplace(name, checkpoint.Entry(stored).shape);
  return shapes;
}

std::vector<std::string> StoredModelNames(const Checkpoint& checkpoint) {
  std::vector<std::string> names;
  for (const auto& [name, stored] : ModelNames(checkpoint)) {
    names.push_back(stored);
    const std::string scales = stored + std::string(kScaleSuffix);
    if (IsInt8Scale(checkpoint, scales)) names.push_back(scales);
  }
  return names;
}

ModelConfig ConfigOfCheckpoint(const Checkpoint& checkpoint) {
  const auto written = checkpoint.metadata().find(kConfigMetadataKey);
  if (written != checkpoint.metadata().end()) {
    return ModelConfig::FromConfig(Config::Parse(written->second, checkpoint.path()));
  }
  return GuessFromCheckpoint(ModelTensorShapes(checkpoint), checkpoint.path());
}

}  // namespace wildrayzer

// wildrayzer convert: checkpoints between containers and element types.

#include <cstdio>
#include <map>

#include "wildrayzer/cli/command.h"
#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/io/dtype_conversion.h"
#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/io/tensor_files.h"
#include "wildrayzer/io/torch_writer.h"
#include "wildrayzer/models/int8_weights.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/interrupt.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

struct ConvertOptions {
  std::string in;
  std::string out;
  std::string mean_with;
  std::string dtype = "keep";
  std::vector<std::string> settings;  // KEY=VALUE
  bool keep_loss_networks = false;
  bool overwrite = false;
  bool json = false;
};

// VGG of the perceptual loss, stored in the release's training checkpoints and never needed to render.
bool IsLossNetwork(const std::string& name) { return name.rfind("loss_computer.", 0) == 0; }

// Optimizer and counters in the checkpoints of `wildrayzer train`.
bool IsTrainingState(const std::string& name) { return name.rfind("training.", 0) == 0; }

// Weights that the configuration does not fit would be of no use to anybody.
void CheckFits(const ModelConfig& before, const ModelConfig& changed, const Checkpoint& checkpoint) {
  const auto refuse = [&](const std::string& why) {
    throw UsageError(checkpoint.path() + ": the settings of --set do not fit its weights: " + why);
  };
  const TensorShapes stored = ModelTensorShapes(checkpoint);
  const WildRayZer model(changed);
  for (const auto& item : model->named_parameters()) {
    const auto found = stored.find(item.key());
    const std::vector<int64_t> wanted = item.value().sizes().vec();
    if (found == stored.end() || found->second == wanted) continue;
    refuse(fmt::format("tensor '{}' has shape [{}], they ask for [{}]", item.key(),
                       fmt::join(found->second, ", "), fmt::join(wanted, ", ")));
  }
  const LoadReport fit = CompareNames(*WildRayZer(before), checkpoint);
  const LoadReport names = CompareNames(*model, checkpoint);
  if (names.missing.size() > fit.missing.size())
    refuse("they ask for a tensor '" + names.missing.front() + "'");
  if (names.unexpected.size() > fit.unexpected.size())
    refuse("they have no place for tensor '" + names.unexpected.front() + "'");
}

// The configuration of the input with the settings of --set.
std::string ChangedConfig(const ConvertOptions& options) {
  const Checkpoint checkpoint = Checkpoint::Open(options.in);
  const ModelConfig before = ConfigOfCheckpoint(checkpoint);
  Config yaml = Config::Parse(before.ToYaml(), "--set");
  for (const std::string& setting : options.settings) yaml.Override(setting);
  try {
    const ModelConfig config = ModelConfig::FromConfig(yaml);
    for (const std::string& key : yaml.UnusedKeys())
      throw UsageError(fmt::format("--set: key '{}' is unknown; configs/README.md lists the keys", key));
    CheckFits(before, config, checkpoint);
    return config.ToYaml();
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    throw UsageError(error.what());  // the command line's fault, not the file's
  }
}

// What the input says of itself, its configuration above all: without it a small model could not be used on
// its own. The state of a training stays behind with its tensors.
std::map<std::string, std::string> MetadataOf(const OpenedFiles& opened, const ConvertOptions& options) {
  std::map<std::string, std::string> metadata = opened.files.front().metadata();
  metadata.erase("wildrayzer.training");
  metadata.erase("format");  // of safetensors files
  if (!options.settings.empty()) metadata[kConfigMetadataKey] = ChangedConfig(options);
  return metadata;
}

const TensorEntry* FindTensor(const OpenedFiles& opened, const std::string& name) {
  const TensorEntry* found = nullptr;
  for (const TensorFile& file : opened.files) {
    if (found == nullptr) found = file.Find(name);
  }
  return found;
}

// Matrices and convolutions lose little in bf16 and are nearly all of the size; vectors (norms, biases) stay
// exact.
DType TypeFor(const TensorEntry& entry, const std::string& dtype) {
  if (!IsFloat(entry.dtype) || dtype == "keep") return entry.dtype;
  return dtype == "bf16" && entry.shape.size() >= 2 ? DType::kBF16 : DType::kF32;
}

// What becomes of one tensor: two of a matrix that goes into int8, none of the scales of one that leaves it.
std::vector<TensorSource> SourcesFor(const TensorEntry& entry, const OpenedFiles& opened,
                                     const std::string& dtype) {
  const bool leaves_int8 = dtype == "fp32" || dtype == "bf16";
  if (leaves_int8 && entry.name.ends_with(kScaleSuffix)) {
    const TensorEntry* matrix =
        FindTensor(opened, entry.name.substr(0, entry.name.size() - kScaleSuffix.size()));
    if (matrix != nullptr && matrix->dtype == DType::kI8) return {};
  }
  if (leaves_int8 && entry.dtype == DType::kI8) {
    const TensorEntry* scales = FindTensor(opened, entry.name + std::string(kScaleSuffix));
    if (scales != nullptr)
      return {DequantizedSource(entry, *scales, dtype == "bf16" ? DType::kBF16 : DType::kF32)};
  }
  if (dtype == "int8" && IsFloat(entry.dtype) && IsBlockMatrix(entry.name, entry.shape))
    return QuantizedSources(entry);
  const DType wanted = TypeFor(entry, dtype);
  return {wanted == entry.dtype ? TensorSource::Of(entry) : ConvertedSource(entry, wanted)};
}

// Of tensors that two files must both have.
TensorSource MeanFor(const TensorEntry& entry, const OpenedFiles& others, const ConvertOptions& options) {
  const TensorEntry* other = FindTensor(others, entry.name);
  if (other == nullptr || other->shape != entry.shape || !IsFloat(other->dtype) || !IsFloat(entry.dtype)) {
    throw UsageError(options.mean_with + ": has no tensor '" + entry.name + "' of the shape that " +
                     options.in + " has; --mean-with takes weights of the same model");
  }
  const DType wanted = TypeFor(entry, options.dtype);
  return MeanSource(entry, *other, wanted == DType::kBF16 ? wanted : DType::kF32);
}

// Raises Interrupted between two pieces of a tensor, so that Ctrl-C takes effect at once.
TensorSource Interruptible(TensorSource source) {
  source.stream = [inner = std::move(source.stream)](const ByteSink& sink) {
    inner([&sink](std::span<const std::byte> piece) {
      ThrowIfInterrupted();
      sink(piece);
    });
  };
  return source;
}

void Run(const ConvertOptions& options) {
  if (!options.mean_with.empty() && options.dtype == "int8")
    throw UsageError("--mean-with writes fp32 or bf16: convert its result to int8 afterwards");
  const std::filesystem::path out = options.out;
  const std::string extension = out.extension().string();
  if (extension != ".safetensors" && extension != ".pt" && extension != ".pth") {
    throw UsageError(options.out + ": the output must end in .safetensors or .pt");
  }
  if (std::filesystem::exists(out) && !options.overwrite) {
    throw UsageError(options.out + ": exists; add --overwrite to replace it");
  }
  const OpenedFiles opened = OpenTensorFiles(options.in);
  const OpenedFiles others = options.mean_with.empty() ? OpenedFiles() : OpenTensorFiles(options.mean_with);
  std::vector<TensorSource> tensors;
  int64_t elements = 0;
  size_t dropped = 0;
  for (const TensorFile& file : opened.files) {
    for (const TensorEntry& entry : file.tensors()) {
      if (IsTrainingState(entry.name)) continue;
      if (!options.keep_loss_networks && IsLossNetwork(entry.name)) {
        ++dropped;
        continue;
      }
      elements += entry.numel();
      const std::vector<TensorSource> sources = options.mean_with.empty()
                                                    ? SourcesFor(entry, opened, options.dtype)
                                                    : std::vector{MeanFor(entry, others, options)};
      for (const TensorSource& source : sources) tensors.push_back(Interruptible(source));
    }
  }
  const size_t count = tensors.size();
  std::map<std::string, std::string> metadata = MetadataOf(opened, options);
  if (extension == ".safetensors") {
    metadata["format"] = "pt";
    WriteSafetensors(out, std::move(tensors), metadata);
  } else {
    WriteTorchArchive(out, TorchValue::MakeCheckpoint(std::move(tensors), metadata));
  }
  if (dropped > 0)
    LogInfo("left out {} tensors of the loss network (--keep-loss-networks keeps them)", dropped);
  const nlohmann::ordered_json result = {{"out", options.out},
                                         {"tensors", count},
                                         {"elements", elements},
                                         {"bytes", std::filesystem::file_size(out)},
                                         {"left_out", dropped}};
  if (options.json) {
    std::printf("%s\n", result.dump(2).c_str());
  } else {
    LogInfo("{}: {} tensors, {} numbers, {} bytes", options.out, count, elements,
            std::filesystem::file_size(out));
  }
}

}  // namespace

void AddConvertCommand(CLI::App& app) {
  auto options = std::make_shared<ConvertOptions>();
  CLI::App* command =
      app.add_subcommand("convert", "Checkpoints between .pt and safetensors, fp32, bf16 and int8");
  command->add_option("in", options->in, "Checkpoint: .pt, .pth, .safetensors or a folder of safetensors")
      ->required();
  command
      ->add_option("out", options->out,
                   "File to write: .safetensors or .pt. Only weights are written, never an optimizer")
      ->required();
  command
      ->add_option(
          "--mean-with", options->mean_with,
          "Write the mean with these weights of the same model, for instance those that a run began with "
          "(docs/training.md)")
      ->type_name("FILE");
  command
      ->add_option(
          "--dtype", options->dtype,
          "keep, fp32, bf16 (matrices; vectors stay fp32), or int8 (matrices of transformer blocks; the "
          "rest is fp32; docs/quantization.md)")
      ->check(CLI::IsMember({"keep", "fp32", "bf16", "int8"}))
      ->capture_default_str();
  command
      ->add_option("--set", options->settings,
                   "Change the configuration that the file carries, for instance model.motion.threshold=0.2 "
                   "(repeatable)")
      ->type_name("KEY=VALUE");
  command->add_flag("--keep-loss-networks", options->keep_loss_networks,
                    "Keep loss_computer.* (VGG, needed by nothing here)");
  command->add_flag("--overwrite", options->overwrite, "Replace the output if it exists");
  command->add_flag("--json", options->json, "Print what was written as JSON");
  command->footer(
      "Example:\n  wildrayzer convert wildrayzer_2view.pt wildrayzer.safetensors --dtype bf16\n"
      "  wildrayzer convert run/model.safetensors model.safetensors --set model.motion.threshold=0.12");
  command->callback([options] { Run(*options); });
}

}  // namespace wildrayzer

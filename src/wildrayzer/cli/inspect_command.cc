// wildrayzer inspect: what is in a checkpoint, and whether it fits the model.

#include <cstdio>
#include <map>

#include "wildrayzer/cli/command.h"
#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/models/dinov3_weights.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using Json = nlohmann::ordered_json;

struct InspectOptions {
  std::string path;
  bool tensors = false;
  bool check_values = false;
  bool hash = false;
  bool json = false;
};

// "transformer_encoder.3.attn.fc.weight" -> "transformer_encoder".
std::string ModuleOf(const std::string& name) { return name.substr(0, name.find('.')); }

Json DescribeTensors(const Checkpoint& checkpoint) {
  Json list = Json::array();
  for (const std::string& name : checkpoint.names()) {
    const TensorEntry& entry = checkpoint.Entry(name);
    list.push_back({{"name", name}, {"dtype", DTypeName(entry.dtype)}, {"shape", entry.shape}});
  }
  return list;
}

Json CountByModule(const Checkpoint& checkpoint) {
  std::map<std::string, std::pair<int64_t, int64_t>> modules;  // tensors, numbers
  for (const std::string& name : checkpoint.names()) {
    auto& [tensors, numbers] = modules[ModuleOf(name)];
    ++tensors;
    numbers += checkpoint.Entry(name).numel();
  }
  Json counts = Json::object();
  for (const auto& [module, count] : modules)
    counts[module] = {{"tensors", count.first}, {"parameters", count.second}};
  return counts;
}

// Numbers by element type: "I8" are matrices in int8 (docs/quantization.md).
Json CountByType(const Checkpoint& checkpoint) {
  Json counts = Json::object();
  for (const std::string& name : checkpoint.names()) {
    const TensorEntry& entry = checkpoint.Entry(name);
    Json& count = counts[std::string(DTypeName(entry.dtype))];
    count = (count.is_null() ? 0 : count.get<int64_t>()) + entry.numel();
  }
  return counts;
}

// What a training checkpoint holds beside the weights ("optimizer", counters), without reading it.
Json DescribeSiblings(const TorchArchive& archive) {
  Json siblings = Json::object();
  for (const std::string& key : archive.siblings()) {
    if (const auto object = archive.root().Find(key)) siblings[key] = object->Describe(60);
  }
  return siblings;
}

// Fills what can be said of the checkpoint as a model of ours, as DINOv3, or as neither.
void DescribeModel(const Checkpoint& checkpoint, Json& report) {
  if (IsDinov3(checkpoint)) {
    report["kind"] = "DINOv3";
    report["variant"] =
        GuessDinov3Config(checkpoint, MapDinov3Names(checkpoint.path(), checkpoint.names())).Name();
    return;
  }
  ModelConfig config;
  try {
    config = ConfigOfCheckpoint(checkpoint);
  } catch (const Error& error) {
    report["kind"] = "unknown";
    report["why"] = error.what();
    return;
  }
  report["kind"] = config.use_motion ? "WildRayZer" : "RayZer";
  report["config"] = config.ToYaml();
  const LoadReport names = CompareNames(*WildRayZer(config), checkpoint);
  report["missing"] = names.missing;
  report["unexpected"] = names.unexpected;
}

void Print(const Json& report, bool tensors) {
  std::printf("%s: %s, %s\n", report["path"].get<std::string>().c_str(),
              report["format"].get<std::string>().c_str(), report["kind"].get<std::string>().c_str());
  if (report.contains("variant")) std::printf("variant: %s\n", report["variant"].get<std::string>().c_str());
  if (report.contains("why"))
    std::printf("not a model of this program: %s\n", report["why"].get<std::string>().c_str());
  std::printf("tensors: %zu, parameters: %lld, bytes: %lld\n", report["tensor_count"].get<size_t>(),
              report["parameters"].get<long long>(), report["bytes"].get<long long>());
  for (const auto& [type, count] : report["types"].items())
    std::printf("  %-28s %27lld numbers\n", type.c_str(), count.get<long long>());
  for (const auto& [module, count] : report["modules"].items()) {
    std::printf("  %-28s %5lld tensors %14lld parameters\n", module.c_str(),
                count["tensors"].get<long long>(), count["parameters"].get<long long>());
  }
  if (report.contains("beside_the_weights")) {
    for (const auto& [key, text] : report["beside_the_weights"].items()) {
      std::printf("beside the weights: %s = %s\n", key.c_str(), text.get<std::string>().c_str());
    }
  }
  for (const char* kind : {"missing", "unexpected"}) {
    if (!report.contains(kind)) continue;
    std::printf("%s keys: %zu\n", kind, report[kind].size());
    for (const Json& name : report[kind]) std::printf("  %s\n", name.get<std::string>().c_str());
  }
  if (report.contains("config"))
    std::printf("configuration:\n%s", report["config"].get<std::string>().c_str());
  if (report.contains("weights_sha256"))
    std::printf("weights sha256: %s\n", report["weights_sha256"].get<std::string>().c_str());
  if (report.contains("finite")) std::printf("all values are finite\n");
  if (!tensors) return;
  for (const Json& tensor : report["tensors"]) {
    std::printf("  %-60s %-5s %s\n", tensor["name"].get<std::string>().c_str(),
                tensor["dtype"].get<std::string>().c_str(), tensor["shape"].dump().c_str());
  }
}

void Run(const InspectOptions& options) {
  const Checkpoint checkpoint = Checkpoint::Open(options.path);
  Json report;
  report["path"] = options.path;
  report["format"] = checkpoint.format();
  int64_t numbers = 0, bytes = 0;
  for (const std::string& name : checkpoint.names()) {
    numbers += checkpoint.Entry(name).numel();
    bytes += checkpoint.Entry(name).byte_size();
  }
  DescribeModel(checkpoint, report);
  report["tensor_count"] = checkpoint.names().size();
  report["parameters"] = numbers;
  report["bytes"] = bytes;
  report["types"] = CountByType(checkpoint);
  report["modules"] = CountByModule(checkpoint);
  report["metadata"] = checkpoint.metadata();
  if (checkpoint.archive()) report["beside_the_weights"] = DescribeSiblings(*checkpoint.archive());
  if (options.check_values) {
    checkpoint.CheckFinite(checkpoint.names());
    report["finite"] = true;
  }
  if (options.hash) report["weights_sha256"] = checkpoint.WeightsHash();
  if (options.tensors) report["tensors"] = DescribeTensors(checkpoint);
  if (options.json) {
    std::printf("%s\n", report.dump(2).c_str());
  } else {
    Print(report, options.tensors);
  }
}

}  // namespace

void AddInspectCommand(CLI::App& app) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command = app.add_subcommand("inspect", "What is in a checkpoint, and whether it fits the model");
  command->add_option("checkpoint", options->path, ".pt, .pth, .safetensors or a folder of safetensors")
      ->required();
  command->add_flag("--tensors", options->tensors, "List every tensor");
  command->add_flag("--check-values", options->check_values,
                    "Read all values; a NaN or an infinity is an error that names the tensor");
  command->add_flag("--hash", options->hash,
                    "SHA-256 of names, types, shapes and values, the same in every container");
  command->add_flag("--json", options->json, "Print as JSON");
  command->footer("Example:\n  wildrayzer inspect wildrayzer_2view.pt");
  command->callback([options] { Run(*options); });
}

}  // namespace wildrayzer

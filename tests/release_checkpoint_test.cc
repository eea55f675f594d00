// A checkpoint in the published layout at full size: opened without reading what is not needed, same picture
// from every container.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/io/torch_writer.h"
#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/testing/golden.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using namespace ::wildrayzer::testing;

// What is needed to make one tensor of the release.
struct ReleaseTensor {
  ManifestEntry entry;
  bool of_loss_network = false;
  bool trained = false;  // has an optimizer state
};

// The published inference model: names and shapes from the manifest of the release, values from the generator
// with the scales of the golden weights. The released file lacks the noise token.
std::vector<ReleaseTensor> ReleaseTensors() {
  std::map<std::string, ManifestEntry> golden;
  for (const ManifestEntry& entry : ReadManifest(GoldenDir() / "wildrayzer_v3.weights.json"))
    golden[entry.name] = entry;
  std::ifstream file(GoldenDir() / "state_dict_manifest.json");
  const auto manifest = nlohmann::json::parse(file);
  std::vector<ReleaseTensor> tensors;
  for (const auto& item : manifest["models"]["inference_v3"]["state_dict"]) {
    ReleaseTensor tensor;
    tensor.entry.name = item["name"];
    if (item.contains("alias_of") || tensor.entry.name == "noise_token") continue;
    const auto known = golden.find(tensor.entry.name);
    if (known != golden.end()) tensor.entry = known->second;
    tensor.entry.key = "release/" + tensor.entry.name;
    tensor.entry.shape = item["shape"].get<std::vector<int64_t>>();
    tensor.of_loss_network = tensor.entry.name.rfind("loss_computer.", 0) == 0;
    tensor.trained = item.value("requires_grad", false);
    tensors.push_back(tensor);
  }
  return tensors;
}

TensorSource SourceOf(const ManifestEntry& entry) {
  TensorSource source;
  source.name = entry.name;
  source.shape = entry.shape;
  source.stream = [entry](const ByteSink& sink) {
    const torch::Tensor values = Generate(entry);
    sink({reinterpret_cast<const std::byte*>(values.data_ptr<float>()),
          static_cast<size_t>(values.numel()) * sizeof(float)});
  };
  return source;
}

// Optimizer moments and the loss network: only their size matters here.
TensorSource Filler(const std::string& name, const std::vector<int64_t>& shape) {
  TensorSource source;
  source.name = name;
  source.shape = shape;
  source.stream = [bytes = source.byte_size()](const ByteSink& sink) {
    static const std::vector<std::byte> block(1 << 20);
    for (int64_t left = bytes; left > 0; left -= static_cast<int64_t>(block.size())) {
      sink({block.data(), static_cast<size_t>(std::min<int64_t>(left, static_cast<int64_t>(block.size())))});
    }
  };
  return source;
}

TorchValue Optimizer(const std::vector<ReleaseTensor>& tensors) {
  std::vector<TorchValue::Pair> state;
  std::vector<TorchValue> indices;
  for (const ReleaseTensor& tensor : tensors) {
    if (!tensor.trained) continue;
    const auto index = static_cast<int64_t>(indices.size());
    indices.emplace_back(index);
    state.emplace_back(index, TorchValue::MakeDict({{"step", Filler("", {})},
                                                    {"exp_avg", Filler("", tensor.entry.shape)},
                                                    {"exp_avg_sq", Filler("", tensor.entry.shape)}}));
  }
  return TorchValue::MakeDict(
      {{"state", TorchValue::MakeDict(std::move(state))},
       {"param_groups", TorchValue::MakeList({TorchValue::MakeDict(
                            {{"lr", 2e-4}, {"params", TorchValue::MakeList(indices)}})})}});
}

// Resident bytes of the mapping of `path` in this process.
int64_t ResidentBytes(const fs::path& path) {
  std::ifstream smaps("/proc/self/smaps");
  int64_t resident = 0;
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    if (line.find('-') < line.find(' '))
      inside = line.size() > path.string().size() && line.ends_with(path.string());
    if (inside && line.rfind("Rss:", 0) == 0) resident += std::stoll(line.substr(4)) * 1024;
  }
  return resident;
}

struct Rendered {
  torch::Tensor images;
  int64_t resident = 0;
  double seconds = 0;  // to open the file and load the model
};

Rendered RenderFrom(const fs::path& path) {
  torch::NoGradGuard no_grad;
  Rendered rendered;
  const auto start = std::chrono::steady_clock::now();
  const Checkpoint checkpoint = Checkpoint::Open(path);
  const ModelConfig config = ConfigOfCheckpoint(checkpoint);
  EXPECT_EQ(config.motion.dino_width, 4096);
  WildRayZer model(config);
  const LoadReport report = LoadWeights(*model, checkpoint);
  rendered.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_THAT(report.unexpected, ::testing::IsEmpty());
  ForwardOptions options;
  options.dino_features = GeneratedTensor("release/features", {1, 3, 4096, 16, 16});
  rendered.images = model->forward(SmoothImage("release/image", 3, 256, 256).unsqueeze(0), 2, options).images;
  rendered.resident = ResidentBytes(fs::canonical(path));
  return rendered;
}

TEST(ReleaseCheckpoint, IsMappedAndRendersTheSameFromEveryContainer) {
  WRZ_NEED_GOLDEN();
  const fs::path folder = fs::path(::testing::TempDir()) / "wildrayzer_release";
  fs::remove_all(folder);
  fs::create_directories(folder);
  if (fs::space(folder).available < (8ull << 30)) GTEST_SKIP() << "needs 8 GB of disk in " << folder;
  SetThreadsFromMachine();

  const std::vector<ReleaseTensor> tensors = ReleaseTensors();
  std::vector<TensorSource> all, model_only;
  int64_t model_bytes = 0;
  for (const ReleaseTensor& tensor : tensors) {
    all.push_back(tensor.of_loss_network ? Filler(tensor.entry.name, tensor.entry.shape)
                                         : SourceOf(tensor.entry));
    if (tensor.of_loss_network) continue;
    model_only.push_back(SourceOf(tensor.entry));
    model_bytes += model_only.back().byte_size();
  }
  WriteSafetensors(folder / "model.safetensors", model_only);
  WriteTorchArchive(folder / "release.pt", TorchValue::MakeDict({{"model", TorchValue::MakeStateDict(all)},
                                                                 {"optimizer", Optimizer(tensors)},
                                                                 {"fwdbwd_pass_step", 40000},
                                                                 {"param_update_step", 40000}}));
  const auto file_bytes = static_cast<int64_t>(fs::file_size(folder / "release.pt"));
  EXPECT_GT(file_bytes, 3'300'000'000);  // weights, loss network, two moments of the trained parameters

  const Rendered from_pt = RenderFrom(folder / "release.pt");
  const Rendered from_safetensors = RenderFrom(folder / "model.safetensors");
  std::printf("%.2f GB .pt: opened and loaded in %.2f s, %.2f GB of it resident for %.2f GB of weights\n",
              file_bytes / 1e9, from_pt.seconds, static_cast<double>(from_pt.resident) / 1e9,
              static_cast<double>(model_bytes) / 1e9);
  // The product's bound: resident memory within 1.2x of the weights used.
  EXPECT_LT(from_pt.resident, model_bytes * 6 / 5);
  EXPECT_TRUE(torch::equal(from_pt.images, from_safetensors.images));
  EXPECT_GT(from_pt.images.std().item<float>(), 1e-3);  // a picture, not a constant
  fs::remove_all(folder);
}

}  // namespace
}  // namespace wildrayzer

// A checkpoint in the published layout at full size: opened without reading what is not needed, same picture
// from every container.
#include "wildrayzer/testing/release_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <fstream>

#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/models/pass.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/testing/golden.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using namespace ::wildrayzer::testing;

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
  torch::Tensor images, motion;
  int64_t resident = 0;
  double seconds = 0;  // to open the file and load the model
};

Rendered RenderFrom(const fs::path& path, Precision precision = Precision::kFp32) {
  torch::NoGradGuard no_grad;
  Rendered rendered;
  const auto start = std::chrono::steady_clock::now();
  const Checkpoint checkpoint = Checkpoint::Open(path);
  const ModelConfig config = ConfigOfCheckpoint(checkpoint);
  EXPECT_EQ(config.motion.dino_width, 4096);
  WildRayZer model(config);
  LoadOptions load;
  load.precision = precision;
  const LoadReport report = LoadWeights(*model, checkpoint, load);
  rendered.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_THAT(report.unexpected, ::testing::IsEmpty());
  PredictOptions options;
  // A quarter of the release's tokens: every weight is read all the same.
  options.features = FeatureSource::Given(GeneratedTensor("release/features", {1, 3, 4096, 8, 8}));
  const Prediction prediction =
      Predict(model, SmoothImage("release/image", 3, 128, 128).unsqueeze(0), 2, options);
  rendered.images = prediction.images;
  rendered.motion = prediction.input_logits;
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

  const fs::path manifest = GoldenDir() / "state_dict_manifest.json";
  const fs::path weights = GoldenDir() / "wildrayzer_v3.weights.json";
  WriteReleaseCheckpoint(folder / "release.pt", manifest, "stage3_joint", weights);
  std::vector<TensorSource> model_only = ReleaseStateDict(manifest, "stage3_joint", weights);
  std::erase_if(model_only,
                [](const TensorSource& tensor) { return tensor.name.starts_with("loss_computer."); });
  int64_t model_bytes = 0;
  for (const TensorSource& tensor : model_only) model_bytes += tensor.byte_size();
  WriteSafetensors(folder / "model.safetensors", model_only);
  const auto file_bytes = static_cast<int64_t>(fs::file_size(folder / "release.pt"));
  EXPECT_GT(file_bytes, 3'900'000'000);  // weights, loss network, two moments of the trained parameters

  const Rendered from_pt = RenderFrom(folder / "release.pt");
  const Rendered from_safetensors = RenderFrom(folder / "model.safetensors");
  std::printf("%.2f GB .pt: opened and loaded in %.2f s, %.2f GB of it resident for %.2f GB of weights\n",
              file_bytes / 1e9, from_pt.seconds, static_cast<double>(from_pt.resident) / 1e9,
              static_cast<double>(model_bytes) / 1e9);
  // The product's bound: resident memory within 1.2x of the weights used.
  EXPECT_LT(from_pt.resident, model_bytes * 6 / 5);
  EXPECT_TRUE(torch::equal(from_pt.images, from_safetensors.images));
  EXPECT_GT(from_pt.images.std().item<float>(), 1e-3);  // a picture, not a constant

  // In int8 nearly the same: 40 dB, and motion to a tenth of how much it varies, for these weights are random
  // and each of the twenty blocks in a row is off by a hundredth.
  const Rendered rounded = RenderFrom(folder / "model.safetensors", Precision::kInt8);
  const double error = torch::mse_loss(rounded.images, from_pt.images).item<double>();
  const double motion = ((rounded.motion - from_pt.motion).std() / from_pt.motion.std()).item<double>();
  std::printf("int8: %.1f dB from fp32, motion off by %.4f of its deviation\n", -10 * std::log10(error),
              motion);
  EXPECT_GT(error, 0);
  EXPECT_LT(error, 1e-4);
  EXPECT_LT(motion, 0.1);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace wildrayzer

#include "wildrayzer/training/shards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/testing/files.h"
#include "wildrayzer/training/master_weights.h"
#include "wildrayzer/training/starting_model.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TrainConfig ShardedConfig() {
  TrainConfig config;
  config.model.width = config.model.height = 32;
  config.model.patch = 8;
  config.model.d = 32;
  config.model.d_head = 16;
  config.model.camera_estimator_layers = config.model.scene_encoder_layers = config.model.renderer_layers = 1;
  config.model.scene_tokens = 8;
  config.model.use_motion = false;
  config.model.focal = FocalLength::kCentred;
  config.seed = 3;
  return config;
}

NamedParameters WeightsOf(WildRayZer model) {
  NamedParameters weights;
  for (const auto& item : model->named_parameters()) weights.emplace_back(item.key(), item.value().detach());
  return weights;
}

// Weights in shards are where another run begins: the same numbers, to the rounding of bfloat16.
TEST(Shards, ARunStartsFromThem) {
  const fs::path folder = testing::FreshFolder("shards") / "shards";
  TrainConfig config = ShardedConfig();
  WildRayZer model = StartingModel(config);
  const NamedParameters weights = WeightsOf(model);
  constexpr int64_t kMost = 32 << 10;
  WriteShards(folder, weights, config.model.ToYaml(), kMost);
  int64_t shards = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    EXPECT_LE(fs::file_size(entry.path()), static_cast<uintmax_t>(kMost)) << entry.path();
    shards += entry.path().extension() == ".safetensors";
  }
  EXPECT_GT(shards, 3);

  config.seed = 4;
  for (const fs::path& name : {folder, folder / "model.safetensors.index.json"}) {
    const ModelConfig stored = ConfigOfCheckpoint(Checkpoint::Open(name));
    EXPECT_EQ(stored.ToYaml(), config.model.ToYaml());
    config.init_checkpoint = name;
    WildRayZer started = StartingModel(config);
    MasterWeights masters(*started, Precision::kFp32, [](const std::string&) { return true; });
    ASSERT_EQ(masters.masters().size(), weights.size());
    bool rounds = false;
    for (size_t i = 0; i < weights.size(); ++i) {
      const auto& [weight_name, weight] = weights[i];
      const torch::Tensor master = masters.masters()[i].second.detach();
      EXPECT_EQ(masters.masters()[i].first, weight_name);
      EXPECT_EQ(master.scalar_type(), torch::kFloat32);
      // Half of a bfloat16's last place; 1-D weights are kept.
      const double unit = weight.dim() >= 2 ? 0x1p-8 : 0.0;
      const torch::Tensor error = (master - weight).abs();
      EXPECT_TRUE((error <= unit * weight.abs()).all().item<bool>()) << weight_name;
      rounds = rounds || error.gt(0).any().item<bool>();
    }
    EXPECT_TRUE(rounds);
  }
}

// While one thread replaces the set again and again, a reader always finds a whole one.
TEST(Shards, AreReplacedAtOnce) {
  const fs::path folder = testing::FreshFolder("shards_swap") / "shards";
  const NamedParameters weights{{"a", torch::ones({64, 64})}, {"b", torch::ones({64, 64})}};
  WriteShards(folder, weights, "model: {}", 12 << 10);
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 40; ++i) WriteShards(folder, weights, "model: {}", 12 << 10);
    done = true;
  });
  int64_t read = 0;
  while (!done) {
    ASSERT_NO_THROW(EXPECT_EQ(Checkpoint::Open(folder).names().size(), 2U));
    ++read;
  }
  writer.join();
  EXPECT_GT(read, 10);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.parent_path()), fs::directory_iterator()), 1);
}

TEST(Shards, LeaveOtherPeoplesFilesAlone) {
  const fs::path folder = testing::FreshFolder("shards_foreign") / "shards";
  fs::create_directories(folder);
  WriteFileAtomically(folder / "notes.txt", "mine");
  try {
    WriteShards(folder, {{"a", torch::ones({2, 2})}}, "model: {}");
    FAIL() << "somebody's notes were removed";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("notes.txt"));
    EXPECT_THAT(error.what(), HasSubstr("training.export_every"));
  }
  EXPECT_EQ(testing::ReadText(folder / "notes.txt"), "mine");
}

}  // namespace
}  // namespace wildrayzer

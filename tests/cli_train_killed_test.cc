// Training runs that are killed and go on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>

#include "train_run.h"
#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

enum class Moment { kStartingUp, kBetweenSteps, kWhileSaving };

bool IsSaving(const fs::path& run) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints", error)) {
    if (entry.path().filename().string().starts_with(".step_")) return true;
  }
  return false;
}

std::string Newest(const fs::path& run) {
  const auto files = Checkpoints(run);
  return files.empty() ? "" : files.back().filename().string();
}

// Runs until the moment has come and kills. False if the run was over before.
bool RunAndKill(const std::vector<std::string>& arguments, const fs::path& run, Moment moment,
                Random& random) {
  const std::string before = Newest(run);
  RunningProgram program(arguments);
  const auto sleep = [](uint64_t microseconds) { ::usleep(static_cast<useconds_t>(microseconds)); };
  if (moment == Moment::kStartingUp) {
    sleep(random.Below(400'000));
  } else {
    // At least one checkpoint further, so that a run that is always killed gets on.
    while (!program.Ended() && Newest(run) == before) sleep(200);
    if (moment == Moment::kWhileSaving) {
      while (!program.Ended() && !IsSaving(run)) sleep(50);
      sleep(random.Below(300));
    } else {
      sleep(random.Below(50'000));
    }
  }
  program.Kill();
  return program.Wait().exit_code == 128 + SIGKILL;
}

// Metadata of a checkpoint without the time that the run took.
nlohmann::json Description(const fs::path& checkpoint) {
  nlohmann::json json =
      nlohmann::json::parse(OpenSafetensors(checkpoint).metadata().at("wildrayzer.training"));
  json.erase("seconds");
  return json;
}

void KilledRunsEndTheSame(const std::string& name, const std::string& threads,
                          const std::vector<std::string>& settings, const std::vector<Moment>& moments,
                          int steps) {
  const fs::path root = FreshFolder(name);
  const fs::path config = WriteTrainConfig(root / "config.yaml", "  print_every: 1\n  checkpoint_every: 2\n");
  std::vector<std::string> more = settings;
  more.push_back("training.train_steps=" + std::to_string(steps));
  const auto arguments_of = [&](const fs::path& out) {
    std::vector<std::string> arguments = TrainArguments(config, out, more);
    *(std::find(arguments.begin(), arguments.end(), "--threads") + 1) = threads;
    return arguments;
  };
  ASSERT_EQ(RunProgram(arguments_of(root / "unbroken")).exit_code, 0);

  more.insert(more.begin(), "--resume");
  const auto arguments = arguments_of(root / "killed");
  Random random(11, name);
  int while_saving = 0;
  for (const Moment moment : moments) {
    ASSERT_TRUE(RunAndKill(arguments, root / "killed", moment, random)) << "it was over before it was killed";
    while_saving += IsSaving(root / "killed");
  }
  EXPECT_GT(while_saving, 0) << "no kill met a half-written checkpoint";
  const ProgramResult last = RunProgram(arguments);
  ASSERT_EQ(last.exit_code, 0) << last.err;
  EXPECT_THAT(last.err, HasSubstr("resuming"));

  // Not EXPECT_EQ, which would print the files.
  EXPECT_TRUE(ReadText(root / "killed" / "model.safetensors") ==
              ReadText(root / "unbroken" / "model.safetensors"));
  EXPECT_TRUE(ReadText(root / "killed" / "model.pt") == ReadText(root / "unbroken" / "model.pt"));
  const auto expected = Checkpoints(root / "unbroken"), got = Checkpoints(root / "killed");
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].filename(), expected[i].filename());
    EXPECT_EQ(ReadTensors(got[i]), ReadTensors(expected[i]));
    EXPECT_EQ(Description(got[i]), Description(expected[i]));
  }
  EXPECT_FALSE(IsSaving(root / "killed")) << "half-written files are left";
  // Every step is told once, with the same numbers.
  const auto curve = ReadCurve(root / "unbroken", "train/loss");
  EXPECT_EQ(curve.size(), static_cast<size_t>(steps));
  EXPECT_EQ(ReadCurve(root / "killed", "train/loss"), curve);
}

TEST(KilledTraining, EndsAsIfItHadNotBeen) {
  const auto saving = Moment::kWhileSaving, between = Moment::kBetweenSteps;
  // Two threads: scenes are learnt from in two pieces at once.
  KilledRunsEndTheSame("killed_pretraining", "2", {"--stage", "1"},
                       {Moment::kStartingUp, saving, between, saving, between, saving}, 40);
}

// Everything that has a state: labels, pasted objects, virtual worlds, Muon, averaged weights, accumulation.
TEST(KilledTraining, EndsAsIfItHadNotBeenInTheJointStage) {
  const std::string coco = (Rooms() / "coco" / "train").string();
  KilledRunsEndTheSame(
      "killed_joint", "2",
      {"--stage", "4", "training.batch_size_per_gpu=2", "training.grad_accum_steps=2",
       "training.optimizer=muon", "training.ema_decay=0.9",
       "training.worlds={scenes: 1, views: 4, min_views: 2, textures: 8, figures: 4}",
       "training.copy_paste={enabled: true, coco_root: " + coco + ", coco_ann_file: " + coco +
           "/instances.json}"},
      {Moment::kWhileSaving, Moment::kBetweenSteps, Moment::kStartingUp, Moment::kWhileSaving}, 24);
}

// The same with the inputs' tokens as the scene, from which hidden ones are dropped, worlds that render with
// either cameras and any number of inputs, attention that is taught, and a view matcher.
TEST(KilledTraining, EndsAsIfItHadNotBeenWithScenesOfTokens) {
  const std::string coco = (Rooms() / "coco" / "train").string();
  KilledRunsEndTheSame(
      "killed_tokens", "2",
      {"--stage", "4", "training.batch_size_per_gpu=2", "model.scene=tokens", "model.token_masking=drop",
       "model.view_code=canonical", "model.any_shape=true", "model.camera_attention=alternating",
       "model.match_views=true", "model.transformer.encoder_n_layer=2", "model.pose_latent.focal=centred",
       "training.optimizer=muon", "training.ema_decay=0.9", "training.mask_positive_weight=3",
       "training.mask_dice_weight=1",
       "training.dynamic_masks_path=" + (Rooms() / "dynamic_re10k" / "train" / "binary_masks").string(),
       "training.worlds={scenes: 2, views: 5, min_views: 3, max_inputs: 3, true_cameras: 0.5, "
       "min_overlap: 0.3, huber: 0.01, textures: 8, figures: 4, match_attention: 1, look_attention: [1, 0]}",
       "training.copy_paste={enabled: true, coco_root: " + coco + ", coco_ann_file: " + coco +
           "/instances.json}"},
      {Moment::kStartingUp, Moment::kWhileSaving, Moment::kBetweenSteps}, 16);
}

// In bfloat16 a frozen matrix has a float32 copy, which is what the checkpoint holds; the run must go on
// computing with it, even when the weights that it began with are no longer there.
TEST(KilledTraining, RestoresFrozenWeightsInBfloat16) {
  const fs::path root = FreshFolder("killed_frozen");
  const fs::path config = WriteTrainConfig(root / "config.yaml", "  print_every: 1\n  checkpoint_every: 2\n");
  const auto run = [&](const std::string& name, std::vector<std::string> settings) {
    settings.insert(settings.end(), {"training.use_amp=true", "training.amp_dtype=bf16"});
    return TrainArguments(config, root / name, settings);
  };
  ASSERT_EQ(RunProgram(run("pretraining", {"--stage", "1", "training.train_steps=4"})).exit_code, 0);
  const std::vector<std::string> masks = {"--resume", "--stage", "2", "training.train_steps=12"};
  std::vector<std::string> begun = masks;
  begun.push_back("training.init_checkpoint=" + (root / "pretraining" / "model.safetensors").string());
  ASSERT_EQ(RunProgram(run("unbroken", begun)).exit_code, 0);

  Random random(3, "killed_frozen");
  ASSERT_TRUE(RunAndKill(run("killed", begun), root / "killed", Moment::kBetweenSteps, random));
  const ProgramResult last = RunProgram(run("killed", masks));  // and nothing to begin with
  ASSERT_EQ(last.exit_code, 0) << last.err;
  EXPECT_THAT(last.err, HasSubstr("resuming"));
  EXPECT_TRUE(ReadText(root / "killed" / "model.safetensors") ==
              ReadText(root / "unbroken" / "model.safetensors"));
}

// The bits depend on the number of threads, so a run that goes on with another one says so.
TEST(KilledTraining, SaysThatTheThreadsHaveChanged) {
  const fs::path root = FreshFolder("threads_changed");
  const fs::path config = WriteTrainConfig(root / "config.yaml", "  checkpoint_every: 2\n");
  const auto run = [&](const std::string& threads, const std::string& steps) {
    auto arguments =
        TrainArguments(config, root / "run", {"--resume", "--stage", "1", "training.train_steps=" + steps});
    *(std::find(arguments.begin(), arguments.end(), "--threads") + 1) = threads;
    return RunProgram(arguments).err;
  };
  EXPECT_THAT(run("1", "2"), Not(HasSubstr("not the same bits")));
  EXPECT_THAT(run("1", "4"), Not(HasSubstr("not the same bits")));
  EXPECT_THAT(run("2", "6"), HasSubstr("1 processes of 1 threads, now there are 1 of 2"));
}

}  // namespace
}  // namespace wildrayzer

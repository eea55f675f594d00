// The train command with bad input, on a full disk, and with several processes.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>

#include "train_run.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// Lines that tell of the failure; the log's own lines begin with their level.
std::vector<std::string> Complaints(const std::string& err) {
  std::vector<std::string> lines;
  std::istringstream stream(err);
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with("info: ") && !line.starts_with("warning: ")) lines.push_back(line);
  }
  return lines;
}

void ExpectFailure(const ProgramResult& result, int exit_code, const std::string& message) {
  EXPECT_EQ(result.exit_code, exit_code) << result.err;
  const auto lines = Complaints(result.err);
  ASSERT_EQ(lines.size(), 1U) << result.err;
  EXPECT_THAT(lines[0], HasSubstr(message));
}

double Distance(const std::string& a, const std::string& b) {
  double sum = 0;
  for (size_t i = 0; i + sizeof(float) <= a.size(); i += sizeof(float)) {
    float x = 0, y = 0;
    std::memcpy(&x, a.data() + i, sizeof(float));
    std::memcpy(&y, b.data() + i, sizeof(float));
    sum += (static_cast<double>(x) - y) * (static_cast<double>(x) - y);
  }
  return sum;
}

// L2 distance of two models' weights.
double Distance(const fs::path& a, const fs::path& b) {
  const auto first = ReadTensors(a), second = ReadTensors(b);
  EXPECT_EQ(first.size(), second.size());
  double sum = 0;
  for (const auto& [name, tensor] : first) sum += Distance(tensor.bytes, second.at(name).bytes);
  return std::sqrt(sum);
}

TEST(TrainBadInput, IsNamedInOneLine) {
  const fs::path root = FreshFolder("bad");
  const fs::path config = WriteTrainConfig(root / "config.yaml");
  const auto fails = [&](const std::vector<std::string>& more, int exit_code, const std::string& message) {
    SCOPED_TRACE(message);
    ExpectFailure(RunProgram(TrainArguments(config, root / "run", more)), exit_code, message);
    EXPECT_TRUE(!fs::exists(root / "run") || Checkpoints(root / "run").empty());
  };
  fails({"training.learning_rate=1e-3"}, 2, "training.learning_rate");
  fails({"model.transformer.encoder_layers=2"}, 2, "model.transformer.encoder_layers");
  fails({"training.static_re10k_path=''", "training.dynamic_re10k_path=''"}, 2, "no data");
  fails({"--stage", "1", "training.static_re10k_path=/nowhere/list.txt"}, 1, "/nowhere/list.txt");
  fails({"--stage", "2", "model.use_motion_mask=false"}, 2, "use_motion_mask");
  fails({"--stage", "2", "model.motion.features=dinov3"}, 2, "training.dinov3_path");
  fails({"--stage", "7"}, 2, "--stage");
  fails({"--part", "one"}, 2, "has no recipe");
  fails({"training.init_checkpoint=" + (root / "no.safetensors").string()}, 1, "no.safetensors");
  std::ofstream(root / "broken.yaml") << "model: [";
  ExpectFailure(RunProgram(TrainArguments(root / "broken.yaml", root / "run", {})), 1, "broken.yaml");
  const fs::path recipe = WriteTrainConfig(
      root / "recipe.yaml", "recipe:\n  - {name: one, settings: []}\n  - {name: one, settings: []}\n");
  ExpectFailure(RunProgram(TrainArguments(recipe, root / "run", {})), 2, "'one'");
}

TEST(TrainBadInput, CheckpointsThatDoNotBelongHereAreRefused) {
  const fs::path root = FreshFolder("resume");
  const fs::path config = WriteTrainConfig(root / "config.yaml", "  print_every: 1\n  checkpoint_every: 1\n");
  const auto train = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"--stage", "3", "--resume"});
    return RunProgram(TrainArguments(config, root / "run", more));
  };
  ASSERT_EQ(train({"training.train_steps=2"}).exit_code, 0);
  const auto files = Checkpoints(root / "run");
  ASSERT_EQ(files.size(), 2U);
  const std::string newest = ReadText(files[1]);
  ExpectFailure(train({"training.train_steps=3", "training.seed=6"}), 2, "seed 5");
  ExpectFailure(train({"training.train_steps=3", "training.stage=1"}), 2, "is of stage 3");
  ExpectFailure(train({"training.train_steps=3", "model.transformer.d=64"}), 1, files[1].string());
  ExpectFailure(train({"training.train_steps=3", "model.transformer.decoder_n_layer=2"}), 1,
                files[1].string());
  // Fewer tensors than the checkpoint has are as wrong as more: they would be lost.
  ExpectFailure(train({"training.train_steps=3", "model.use_motion_mask=false"}), 1, "motion_mask_predictor");
  EXPECT_EQ(ReadText(files[1]), newest);
  EXPECT_EQ(Checkpoints(root / "run"), files);

  std::ofstream(files[1], std::ios::binary) << newest.substr(0, newest.size() / 2);
  ExpectFailure(train({"training.train_steps=3"}), 1, files[1].string());
  // The remedy: without the damaged file the run goes on from the one before, to the same end.
  fs::remove(files[1]);
  ASSERT_EQ(train({"training.train_steps=2"}).exit_code, 0);
  EXPECT_EQ(ReadTensors(files[1]).size(), ReadTensors(files[0]).size());
}

TEST(TrainBadInput, AFullDiskCostsNothingThatWasSaved) {
  const fs::path root = FreshFolder("full");
  const fs::path config = WriteTrainConfig(root / "config.yaml", "  checkpoint_every: 2\n");
  const auto arguments = [&](int steps) {
    return TrainArguments(config, root / "run",
                          {"--stage", "1", "--resume", "training.train_steps=" + std::to_string(steps)});
  };
  ASSERT_EQ(RunProgram(arguments(2)).exit_code, 0);
  const auto before = Checkpoints(root / "run");
  ASSERT_EQ(before.size(), 1U);
  const std::string saved = ReadText(before[0]);
  const ProgramResult full = RunProgram(arguments(4), /*file_size_limit=*/saved.size() / 2);
  ExpectFailure(full, 1, "step_0000000004.safetensors");
  EXPECT_EQ(Checkpoints(root / "run"), before);
  EXPECT_EQ(ReadText(before[0]), saved);
  EXPECT_THAT(Tree(root / "run" / "checkpoints"), ::testing::SizeIs(1));
  // With space again it goes on.
  EXPECT_EQ(RunProgram(arguments(4)).exit_code, 0);
}

TEST(TrainBadInput, NothingOfSomebodyElseIsWrittenOver) {
  const fs::path root = FreshFolder("train_foreign");
  const fs::path config = WriteTrainConfig(root / "config.yaml");
  for (const std::string name : {"model.safetensors", "model.pt", "report.html", "log.jsonl"}) {
    const fs::path folder = root / ("home_" + name);
    fs::create_directories(folder);
    std::ofstream(folder / name) << "years of work";
    for (const std::string resume : {"", "--resume"}) {
      std::vector<std::string> more = {"--stage", "1", "training.train_steps=1"};
      if (!resume.empty()) more.push_back(resume);
      ExpectFailure(RunProgram(TrainArguments(config, folder, more)), 2, (folder / name).string() + ": ");
      EXPECT_THAT(Tree(folder), ::testing::ElementsAre(name));
      EXPECT_EQ(ReadText(folder / name), "years of work");
    }
  }
  // A recipe looks at the folders of all its parts before it begins the first.
  const fs::path recipe = WriteTrainConfig(root / "recipe.yaml",
                                           "recipe:\n  - {name: one, settings: [training.stage=1]}\n"
                                           "  - {name: two, settings: [training.stage=3]}\n");
  fs::create_directories(root / "run" / "two");
  std::ofstream(root / "run" / "two" / "model.pt") << "years of work";
  ExpectFailure(RunProgram(TrainArguments(recipe, root / "run", {"training.train_steps=1"})), 2,
                "two/model.pt");
  EXPECT_THAT(Tree(root / "run"), ::testing::ElementsAre("two", "two/model.pt"));
}

TEST(TrainBadInput, ScenesWithMissingFramesAreSkippedAndCounted) {
  const fs::path root = FreshFolder("missing");
  fs::copy(Rooms(), root / "data", fs::copy_options::recursive);
  const fs::path scene = root / "data" / "re10k" / "train" / "images" / "room_train_000001";
  ASSERT_TRUE(fs::remove_all(scene) > 0);
  const fs::path config = WriteTrainConfig(root / "config.yaml");
  const ProgramResult result =
      RunProgram(TrainArguments(config, root / "run",
                                {"--stage", "1", "training.train_steps=4",
                                 "training.static_re10k_path=" + (root / "data" / kStaticScenes).string()}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("room_train_000001"));
  // Every step asks for all 4 scenes; what is drawn instead may be the broken one again.
  EXPECT_THAT(result.err, ContainsRegex("4 steps, 0 skipped, [1-9][0-9]* scenes could not be read"));
}

TEST(TrainBadInput, StepsWithTooLargeGradientsAreSkippedAndCounted) {
  const fs::path root = FreshFolder("skipped");
  const fs::path config = WriteTrainConfig(root / "config.yaml", "  print_every: 1\n");
  const ProgramResult start = RunProgram(
      TrainArguments(config, root / "start", {"--stage", "1", "training.train_steps=1", "training.lr=0"}));
  ASSERT_EQ(start.exit_code, 0) << start.err;
  const ProgramResult result =
      RunProgram(TrainArguments(config, root / "run",
                                {"--stage", "1", "training.train_steps=3", "training.warmup=1",
                                 "training.grad_clip_norm=1e-5", "training.allowed_gradnorm_factor=1"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("3 steps, 3 skipped"));
  EXPECT_THAT(result.err, HasSubstr("warning: 1 of the last 1 steps skipped"));
  EXPECT_EQ(ReadCurve(root / "run", "train/skipped_steps").back().second, 3);
  EXPECT_EQ(ReadTensors(root / "run" / "model.safetensors"),
            ReadTensors(root / "start" / "model.safetensors"));
}

// --- Several processes ---

// A port that was free a moment ago.
int FreePort() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ::bind(descriptor, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(descriptor);
  return ntohs(address.sin_port);
}

std::vector<std::unique_ptr<RunningProgram>> StartTwo(const std::vector<std::string>& arguments) {
  const std::string port = std::to_string(FreePort());
  std::vector<std::unique_ptr<RunningProgram>> ranks;
  for (const char* const rank : {"0", "1"}) {
    ProgramSurroundings surroundings;
    surroundings.environment = {{"RANK", rank},
                                {"WORLD_SIZE", "2"},
                                {"MASTER_ADDR", "127.0.0.1"},
                                {"MASTER_PORT", port},
                                {"GLOO_SOCKET_IFNAME", "lo"}};
    ranks.push_back(std::make_unique<RunningProgram>(arguments, surroundings));
  }
  return ranks;
}

TEST(TrainProcesses, TwoWithHalfTheBatchEqualOneWithTheWhole) {
  const fs::path root = FreshFolder("two");
  const fs::path config =
      WriteTrainConfig(root / "config.yaml", "  perceptual_loss_weight: 0\n  print_every: 1\n");
  const auto arguments = [&](const char* out, int batch, const std::string& more) {
    return TrainArguments(config, root / out,
                          {"--stage", "1", more, "training.batch_size_per_gpu=" + std::to_string(batch)});
  };
  ASSERT_EQ(RunProgram(arguments("start", 4, "training.train_steps=1")).exit_code, 0);
  ASSERT_EQ(RunProgram(arguments("one", 4, "training.train_steps=6")).exit_code, 0);
  auto ranks = StartTwo(arguments("both", 2, "training.train_steps=6"));
  for (auto& rank : ranks) {
    const ProgramResult result = rank->Wait();
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  const auto model = [&](const char* run) { return root / run / "model.safetensors"; };
  // How far six steps go, and how far apart they end. AdamW divides by the gradient's size, so rounding of
  // nearly vanishing gradients counts; other scenes would end as far apart as the steps went.
  const double way = Distance(model("start"), model("one"));
  EXPECT_GT(way, 0.1);
  EXPECT_LT(Distance(model("one"), model("both")), 1e-3 * way);
  const auto one = ReadCurve(root / "one", "train/scenes"), both = ReadCurve(root / "both", "train/scenes");
  EXPECT_EQ(one, both);
  EXPECT_EQ(both.back().second, 24);
}

// Each has a clock of its own: without one of them that counts for both, one would wait for the other.
TEST(TrainProcesses, EndATimedRunTogether) {
  const fs::path root = FreshFolder("timed_two");
  const fs::path config = WriteTrainConfig(root / "config.yaml", "  print_every: 1\n");
  auto ranks = StartTwo(TrainArguments(
      config, root / "run", {"--stage", "1", "training.batch_size_per_gpu=2", "training.time_budget=2s"}));
  for (auto& rank : ranks) {
    const ProgramResult result = rank->Wait();
    EXPECT_EQ(result.exit_code, 0) << result.err;
  }
  EXPECT_FALSE(ReadCurve(root / "run", "train/lr").empty());
}

TEST(TrainProcesses, ALostProcessEndsTheOtherInOneLine) {
  const fs::path root = FreshFolder("lost");
  const fs::path config = WriteTrainConfig(root / "config.yaml", "  checkpoint_every: 2\n");
  const auto arguments = TrainArguments(
      config, root / "run",
      {"--stage", "1", "--resume", "training.batch_size_per_gpu=2", "training.train_steps=5000"});
  auto ranks = StartTwo(arguments);
  while (Checkpoints(root / "run").empty() && !ranks[0]->Ended() && !ranks[1]->Ended()) ::usleep(1000);
  ranks[1]->Kill();
  EXPECT_EQ(ranks[1]->Wait().exit_code, 128 + SIGKILL);
  const ProgramResult other = ranks[0]->Wait();
  ExpectFailure(other, 1, "process");
  // One process goes on from what was saved.
  const auto files = Checkpoints(root / "run");
  ASSERT_FALSE(files.empty());
  const int step = std::stoi(files.back().stem().string().substr(5));
  const ProgramResult on = RunProgram(
      TrainArguments(config, root / "run",
                     {"--stage", "1", "--resume", "training.train_steps=" + std::to_string(step + 1)}));
  EXPECT_EQ(on.exit_code, 0) << on.err;
  EXPECT_THAT(on.err, HasSubstr("resuming"));
}

}  // namespace
}  // namespace wildrayzer

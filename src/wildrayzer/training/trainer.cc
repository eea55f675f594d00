#include "wildrayzer/training/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "wildrayzer/data/prefetcher.h"
#include "wildrayzer/kernels/device.h"
#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/training/checkpoint_store.h"
#include "wildrayzer/training/distributed.h"
#include "wildrayzer/training/master_weights.h"
#include "wildrayzer/training/objective.h"
#include "wildrayzer/training/run_folder.h"
#include "wildrayzer/training/run_log.h"
#include "wildrayzer/training/run_report.h"
#include "wildrayzer/training/scene_pieces.h"
#include "wildrayzer/training/shards.h"
#include "wildrayzer/training/starting_model.h"
#include "wildrayzer/training/training_pictures.h"
#include "wildrayzer/training/validation.h"
#include "wildrayzer/training/weight_average.h"
#include "wildrayzer/training/world_batches.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/interrupt.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

using Clock = std::chrono::steady_clock;

constexpr char kOptimizer[] = "optimizer.";
constexpr char kAverage[] = "average.";
constexpr char kMatchHead[] = "match_head.";
constexpr char kMotionEstimator[] = "motion_mask_predictor.";
// Numbers of a step that are of the optimizer.
constexpr char kGradientNorm[] = "gradient_norm", kSkipped[] = "skipped";

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Trainer {
 public:
  Trainer(const TrainConfig& config, std::filesystem::path folder);
  TrainingResult Run();

 private:
  // What the run is, without what it has become.
  TrainingState Described() const;
  void Restore(const std::filesystem::path& checkpoint);
  void Save();
  // One update. What comes of it is read in Report, and nothing before: on a GPU every reading waits.
  struct Update {
    double rate;
    StepResult result;
  };
  Update Step();
  void Learn(const std::vector<ScenePiece>& pieces,
             const std::function<Outcome(const ScenePiece&, const SumOverPieces&)>& pass);
  void Report(const Update& update);
  void NameSkippedSteps(const std::map<std::string, double>& values);
  void ValidateAndLog();
  void ExportIfDue();
  void Finish();
  // Takes the time, the leader's in all processes. True if one of them was asked to stop.
  bool LookUp();
  double Seconds() const { return seconds_before_ + SecondsSince(start_); }
  bool Leads() const { return group_->is_main(); }
  NamedParameters AllTrained() const;

  TrainConfig config_;
  std::filesystem::path folder_;
  std::unique_ptr<ProcessGroup> group_;
  CheckpointStore store_;
  WildRayZer model_;
  FeatureSource features_;
  Objective objective_;
  MasterWeights weights_;
  Optimizer optimizer_;
  std::vector<torch::Tensor> learnt_;  // the tensors of the module behind AllTrained(), in their precision
  std::optional<WeightAverage> average_;
  LoaderState loader_state_;
  std::unique_ptr<TrainingLoader> loader_;
  std::unique_ptr<WorldBatches> worlds_;
  std::optional<TextureBank> scored_bank_;  // of validation, from the first one on
  std::unique_ptr<RunLog> log_;

  RunProgress progress_;
  int64_t step_ = 0;
  int64_t scenes_ = 0;
  double seconds_before_ = 0;
  double exported_ = 0;  // at so many seconds
  Clock::time_point start_ = Clock::now();
  // Since the last report.
  std::map<std::string, std::pair<Number, int64_t>> sums_;
  Clock::time_point report_start_ = Clock::now();
  int64_t report_scenes_ = 0;
  double waited_ = 0;
  Number step_loss_;
  int64_t reported_skips_ = 0;
  Outcome shown_;
};

// Goes on from the newest checkpoint in the folder.
Trainer::Trainer(const TrainConfig& config, std::filesystem::path folder)
    : config_(config),
      folder_(std::move(folder)),
      group_(std::make_unique<ProcessGroup>(ReadProcessEnvironment(), config.device)),
      store_(folder_ / "checkpoints", config.keep_checkpoints),
      model_(StartingModel(config)),
      features_(StartingFeatures(config)),
      objective_(config, model_, features_),
      weights_(*model_, config.precision,
               [stage = config.stage](const std::string& name) { return StageTrains(stage, name); }),
      optimizer_(AllTrained(), config.optimizer),
      progress_(config.schedule.total_steps, config.time_budget) {
  if (config_.precision == Precision::kBf16) AllowTf32Convolutions();
  learnt_ = weights_.used();
  if (config_.worlds.scenes > 0) {
    for (const torch::Tensor& aid : objective_.match_head()->parameters()) learnt_.push_back(aid);
  }
  if (config_.ema_decay > 0) average_.emplace(weights_.masters(), config_.ema_decay);
  loader_state_.seed = config_.loader.seed;
  const auto newest = store_.Newest();
  if (newest) Restore(*newest);
  config_.loader.rank = group_->rank();
  config_.loader.world_size = group_->world_size();
  const bool learns_from_scenes =
      config_.stage != Stage::kCameraWarmup || config_.known_cameras.IsEverPositive();
  if (config_.HasScenes() && learns_from_scenes) {
    loader_ = std::make_unique<TrainingLoader>(config_.loader, loader_state_);
  }
  if (config_.worlds.scenes > 0) worlds_ = std::make_unique<WorldBatches>(config_, step_);
  if (Leads()) log_ = std::make_unique<RunLog>(folder_, newest ? step_ : RunLog::kFresh);
}

NamedParameters Trainer::AllTrained() const {
  NamedParameters all = weights_.masters();
  if (config_.worlds.scenes > 0) {
    for (const auto& item : objective_.match_head()->named_parameters()) {
      all.emplace_back(kMatchHead + item.key(), item.value());
    }
  }
  return all;
}

TrainingState Trainer::Described() const {
  TrainingState state;
  state.stage = static_cast<int>(config_.stage);
  state.seed = config_.seed;
  state.threads = NumThreads();
  state.processes = group_->world_size();
  state.device = config_.device.is_cpu() ? "cpu" : "cuda";
  state.yaml = config_.yaml;
  return state;
}

void Trainer::Restore(const std::filesystem::path& checkpoint) {
  const TrainingState state = LoadTrainingState(checkpoint);
  CheckContinues(state, Described(), checkpoint.string());
  NamedParameters stored = state.weights;
  if (!config_.model.use_motion && config_.stage <= Stage::kPretraining) {
    // Before stage 2 nothing has taught a motion estimator, and a checkpoint may have one all the same.
    std::erase_if(stored, [](const auto& weight) { return weight.first.starts_with(kMotionEstimator); });
  }
  weights_.Restore(stored, checkpoint.string());
  optimizer_.ImportState(state.Extra(kOptimizer), checkpoint.string());
  if (average_) average_->ImportState(state.Extra(kAverage), checkpoint.string());
  if (config_.worlds.scenes > 0) {
    const auto aids = state.Extra(kMatchHead);
    NamedParameters head;
    for (const auto& item : objective_.match_head()->named_parameters())
      head.emplace_back(item.key(), item.value());
    CopyParameters({aids.begin(), aids.end()}, head, checkpoint.string());
  }
  step_ = state.step;
  reported_skips_ = optimizer_.counters().skipped();
  scenes_ = state.scenes;
  seconds_before_ = exported_ = state.seconds;
  loader_state_ = state.loader;
  if (Leads()) LogInfo("resuming {} at step {}", checkpoint.string(), step_);
}

void Trainer::Save() {
  group_->Barrier();  // no rank may be ahead of what is saved
  if (!Leads()) return;
  log_->Flush();
  TrainingState state = Described();
  state.step = step_;
  state.loader = loader_ ? loader_->state() : loader_state_;
  state.seconds = Seconds();
  state.scenes = scenes_ + report_scenes_;
  state.model_yaml = config_.model.ToYaml();
  state.weights = weights_.FullPrecision();
  state.AddExtra(kOptimizer, optimizer_.ExportState());
  if (average_) state.AddExtra(kAverage, average_->ExportState());
  if (config_.worlds.scenes > 0) {
    for (const auto& item : objective_.match_head()->named_parameters()) {
      state.extra[kMatchHead + item.key()] = item.value().detach();
    }
  }
  store_.Save(state);
}

void Trainer::Learn(const std::vector<ScenePiece>& pieces,
                    const std::function<Outcome(const ScenePiece&, const SumOverPieces&)>& pass) {
  Outcome outcome = LearnFromPieces(pieces, 1.0 / config_.accumulation, learnt_, pass,
                                    [this] { weights_.CollectGradients(); });
  for (const auto& [name, value] : outcome.numbers) {
    auto& [sum, count] = sums_[name];
    sum = sum + value;
    ++count;
  }
  if (!outcome.loss.defined()) return;
  step_loss_ = step_loss_ + Number(outcome.loss) * (1.0 / config_.accumulation);
  outcome.loss.reset();
  shown_ = std::move(outcome);
}

Trainer::Update Trainer::Step() {
  step_loss_ = 0.0;
  objective_.SetProgress(progress_.value());
  // A GPU is kept busy by whole batches, the cores by a scene each.
  const int64_t workers = config_.device.is_cpu() ? NumThreads() : 1;
  for (int pass = 0; pass < config_.accumulation; ++pass) {
    if (worlds_) {
      worlds_->SetProgress(progress_.value());
      const Clock::time_point before = Clock::now();
      const WorldBatch batch = worlds_->Next();
      waited_ += SecondsSince(before);
      report_scenes_ += batch.images.size(0) * group_->world_size();
      Learn(SplitScenes(batch.images.size(0), workers),
            [&](const ScenePiece& piece, const SumOverPieces& sum) {
              return objective_.Worlds(batch.Scenes(piece.first, piece.count), sum);
            });
    }
    if (!loader_) continue;
    const Clock::time_point before = Clock::now();
    const Batch batch = loader_->Next();
    waited_ += SecondsSince(before);
    report_scenes_ += static_cast<int64_t>(batch.samples.size()) * group_->world_size();
    const TrainingBatch rooms = ToTensors(batch, config_.device);
    Learn(SplitScenes(rooms.images.size(0), workers), [&](const ScenePiece& piece, const SumOverPieces& sum) {
      return objective_.Rooms(rooms.Scenes(piece.first, piece.count), step_ * config_.accumulation + pass,
                              sum);
    });
  }
  group_->AverageGradients(optimizer_.parameters());
  const Number loss = group_->Mean(step_loss_);
  const CosineSchedule& schedule = config_.schedule;
  Update update;
  update.rate =
      config_.lr * (progress_.timed() ? schedule.Factor(step_, progress_.value()) : schedule.Factor(step_));
  update.result = optimizer_.Step(update.rate, loss);
  optimizer_.ZeroGrad();
  weights_.Publish();
  if (average_) average_->Update();
  ++step_;
  return update;
}

bool Trainer::LookUp() {
  const std::vector<double> sums =
      group_->AllReduceSum({InterruptRequested() ? 1.0 : 0.0, Leads() ? Seconds() : 0.0});
  progress_.Update(step_, sums[1]);
  return sums[0] > 0;
}

void Trainer::NameSkippedSteps(const std::map<std::string, double>& values) {
  const auto skipped = static_cast<int64_t>(values.at(kSkipped));
  if (skipped > reported_skips_) {
    LogWarning(
        "{} of the last {} steps skipped (their gradient was too large or not finite); gradient norm now "
        "{:.4g}",
        skipped - reported_skips_, config_.print_every, values.at(kGradientNorm));
  }
  reported_skips_ = skipped;
}

void Trainer::Report(const Update& update) {
  scenes_ += report_scenes_;
  Numbers numbers{{kGradientNorm, update.result.gradient_norm}, {kSkipped, update.result.skipped}};
  for (const auto& [name, sum] : sums_) numbers[name] = sum.first;
  const std::map<std::string, double> values = Read(numbers);
  const double seconds = SecondsSince(report_start_);
  if (Leads()) {
    NameSkippedSteps(values);
    std::string line;
    for (const auto& [name, sum] : sums_) {
      const double mean = values.at(name) / static_cast<double>(sum.second);
      log_->Scalar(step_, "train/" + name, mean);
      if (name == "loss" || name.ends_with("psnr") || name == "mask_bce" || name == "world_match_r2") {
        line += fmt::format("{} {:.4g}  ", name, mean);
      }
    }
    const double scenes_per_second = static_cast<double>(report_scenes_) / seconds;
    log_->Scalar(step_, "train/lr", update.rate);
    log_->Scalar(step_, "train/gradient_norm", values.at(kGradientNorm));
    log_->Scalar(step_, "train/scenes_per_second", scenes_per_second);
    log_->Scalar(step_, "train/waiting_share", waited_ / seconds);
    log_->Scalar(step_, "train/skipped_steps", values.at(kSkipped));
    log_->Scalar(step_, "train/scenes", static_cast<double>(scenes_));
    const double left = progress_.SecondsLeft(seconds / static_cast<double>(config_.print_every));
    const std::string done = progress_.timed() ? fmt::format(" ({:.0f} %)", 100 * progress_.value())
                                               : fmt::format("/{}", config_.schedule.total_steps);
    LogInfo("{} {}{}  {}{:.1f} scenes/s  {:.0f} min left", StageName(config_.stage), step_, done, line,
            scenes_per_second, left / 60);
    if (step_ % config_.picture_every == 0 && shown_.images.defined()) {
      log_->Image(step_, "train/scene",
                  TrainingPicture(shown_.images, shown_.renderings, shown_.masks, shown_.labels));
    }
  }
  sums_.clear();
  report_scenes_ = 0;
  waited_ = 0;
  report_start_ = Clock::now();
}

void Trainer::ValidateAndLog() {
  const ValidationOptions& validation = config_.validation;
  if ((validation.scenes.empty() && validation.worlds.worlds == 0) || !Leads()) return;
  if (average_) average_->Swap(), weights_.Publish();
  std::map<std::string, double> scores;
  if (!validation.scenes.empty()) scores = Validate(model_, features_, config_);
  if (const WorldScoreOptions& worlds = validation.worlds; worlds.worlds > 0) {
    if (!scored_bank_) scored_bank_ = TextureBank::Make(worlds.textures, worlds.seed, NumThreads());
    for (const auto& [name, value] : ScoreOnWorlds(model_, features_, worlds, *scored_bank_, config_.device))
      scores["world_" + name] = value;
  }
  if (average_) average_->Swap(), weights_.Publish();
  std::string line;
  for (const auto& [name, value] : scores) {
    log_->Scalar(step_, "validation/" + name, value);
    line += fmt::format("  {} {:.4g}", name, value);
  }
  LogInfo("validation at step {}:{}", step_, line);
  report_start_ = Clock::now();
}

void Trainer::ExportIfDue() {
  if (config_.export_every <= 0 || !Leads() || Seconds() - exported_ < config_.export_every) return;
  if (average_) average_->Swap();
  WriteShards(folder_ / kShardFolder, weights_.FullPrecision(), config_.model.ToYaml());
  if (average_) average_->Swap();
  exported_ = Seconds();
}

void Trainer::Finish() {
  if (!Leads()) return;
  if (average_) average_->Swap();
  const std::string yaml = config_.model.ToYaml();
  if (config_.export_every > 0) WriteShards(folder_ / kShardFolder, weights_.FullPrecision(), yaml);
  ExportModel(folder_ / "model.pt", weights_.FullPrecision(), yaml);
  // The last file to appear: whoever finds it may take the stage as finished.
  ExportModel(folder_ / "model.safetensors", weights_.FullPrecision(), yaml);
  if (average_) average_->Swap();
  log_->Flush();
  WriteRunReport(folder_, "Training run: " + StageName(config_.stage));
}

TrainingResult Trainer::Run() {
  if (Leads()) {
    log_->Text(step_, "configuration", config_.yaml);
    log_->Text(step_, "seed", std::to_string(config_.seed));
    const std::string device = DeviceText(config_.device) + ", " + DeviceName(config_.device);
    log_->Text(step_, "device", device);
    LogInfo("stage {} ({}), {} parameters trained, seed {}, on {}", static_cast<int>(config_.stage),
            StageName(config_.stage), weights_.masters().size(), config_.seed, device);
  }
  if (step_ == 0) ValidateAndLog();
  int64_t saved = step_;
  LookUp();
  while (!progress_.over()) {
    const Update update = Step();
    const bool stop = LookUp();
    const bool last = progress_.over();
    if (last || step_ % config_.print_every == 0) Report(update);
    const bool due = config_.validation.every > 0 && step_ % config_.validation.every == 0;
    if (last || due) ValidateAndLog();
    if (!last) ExportIfDue();
    if (last || stop || step_ % config_.checkpoint_every == 0) {
      Save();
      saved = step_;
    }
    if (stop) {
      if (Leads()) LogInfo("saved at step {}; --resume goes on from there", step_);
      ThrowIfInterrupted();
    }
  }
  if (saved != step_) Save();
  Finish();
  TrainingResult result;
  result.model = folder_ / "model.safetensors";
  result.step = step_;
  result.skipped_steps = optimizer_.counters().skipped();
  result.skipped_scenes = loader_ ? loader_->skipped() : 0;
  result.seconds = Seconds();
  return result;
}

}  // namespace

TrainingResult Train(const TrainConfig& config, const std::filesystem::path& folder, bool resume) {
  CheckRunFolder(folder, resume);
  if (config.export_every > 0) CheckShardFolder(folder / kShardFolder);
  return Trainer(config, folder).Run();
}

}  // namespace wildrayzer

#include "wildrayzer/cli/score_worlds.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

struct ToldScore {
  const char* name;
  const char* words;
};
constexpr ToldScore kToldScores[] = {
    {"psnr", "renderings of unseen worlds, dB"},
    {"truth_psnr", "at the true cameras, with the true masks, dB"},
    {"mean_input_psnr", "the mean of the inputs instead, dB"},
    {"transfer_psnr", "another world at the cameras estimated on this one, dB"},
    {"transfer_truth_psnr", "that world at its true cameras, dB"},
    {"rotation_degrees", "rotations off by, degrees"},
    {"still_degrees", "if nothing had turned, degrees"},
    {"translation_r2", "translations, R2 against the best constant guess"},
    {"focal_error", "focal lengths off by, in logarithms"},
    {"mask_iou", "masks, mean IoU at the model's threshold"},
    {"mask_recall", "masks, recall"},
    {"best_mask_iou", "masks, mean IoU at the best threshold"},
    {"best_threshold", "the best threshold"},
    {"twin_false_positives", "pixels of still twins taken for moving, share"},
};

}  // namespace

void ScoreModelOnWorlds(const std::filesystem::path& path, const WorldScoreOptions& options,
                        torch::Device device, const std::filesystem::path& out) {
  const Checkpoint checkpoint = Checkpoint::Open(path);
  WildRayZer model(ConfigOfCheckpoint(checkpoint));
  LoadOptions load;
  load.device = device;
  LoadWeights(*model, checkpoint, load);
  model->eval();
  if (model->config().use_motion && model->config().motion.features == MotionFeatures::kDinov3)
    LogWarning(
        "{}: its motion estimator sees DINOv3 features, which are not computed here; masks are not scored",
        path.string());
  const auto scores = ScoreOnWorlds(model, FeatureSource(), options,
                                    TextureBank::Make(options.textures, options.seed, NumThreads()), device);
  nlohmann::ordered_json json = {
      {"model", path.string()}, {"worlds", options.worlds}, {"seed", options.seed}};
  for (const ToldScore& told : kToldScores) {
    const auto score = scores.find(told.name);
    if (score == scores.end()) continue;
    std::printf("%10.3f  %s\n", score->second, told.words);
    json[told.name] = score->second;
  }
  WriteFileAtomically(out / "scores.json", json.dump(1) + "\n");
}

}  // namespace wildrayzer

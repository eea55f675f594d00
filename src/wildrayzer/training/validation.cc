#include "wildrayzer/training/validation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <vector>

#include "wildrayzer/data/folder_scenes.h"
#include "wildrayzer/evaluation/camera_metrics.h"
#include "wildrayzer/evaluation/image_metrics.h"
#include "wildrayzer/evaluation/mask_metrics.h"
#include "wildrayzer/geometry/alignment.h"
#include "wildrayzer/geometry/camera_tensors.h"
#include "wildrayzer/training/training_batch.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

Planes ToPlanes(const torch::Tensor& planes) {
  const torch::Tensor flat = planes.to(torch::kCPU, torch::kFloat32).contiguous();
  Planes out(static_cast<int>(flat.size(0)), static_cast<int>(flat.size(1)), static_cast<int>(flat.size(2)));
  std::copy_n(flat.data_ptr<float>(), flat.numel(), out.values.begin());
  return out;
}

// Mean values under a name, over however many scenes had them.
class Means {
 public:
  void Add(const std::string& name, double value) {
    if (!std::isfinite(value)) return;
    sums_[name] += value;
    ++counts_[name];
  }
  std::map<std::string, double> Values() const {
    std::map<std::string, double> values;
    for (const auto& [name, sum] : sums_) values[name] = sum / counts_.at(name);
    return values;
  }

 private:
  std::map<std::string, double> sums_;
  std::map<std::string, int> counts_;
};

// Cameras relative to the first view of their scene, so that no alignment can flatter them: only the unit of
// length, which no method knows, is fitted (one factor a scene, not negative).
struct RelativeCameras {
  double rotation = 0, still_rotation = 0;  // sums of degrees: of the estimate, of "nothing turned"
  double error = 0, variance = 0;           // of translations, over scenes of equal weight
  int views = 0;

  void Add(std::span<const Camera> estimated, std::span<const Camera> truth) {
    const Eigen::Matrix4d to_estimated = estimated[0].c2w.inverse();
    const Eigen::Matrix4d to_true = truth[0].c2w.inverse();
    std::vector<Eigen::Vector3d> guesses, positions;
    double product = 0, guessed = 0, squared = 0;
    for (size_t i = 1; i < truth.size(); ++i) {
      const Eigen::Matrix4d guess = to_estimated * estimated[i].c2w;
      const Eigen::Matrix4d real = to_true * truth[i].c2w;
      rotation += RotationErrorDegrees(guess.topLeftCorner<3, 3>(), real.topLeftCorner<3, 3>());
      still_rotation += RotationErrorDegrees(Eigen::Matrix3d::Identity(), real.topLeftCorner<3, 3>());
      ++views;
      guesses.emplace_back(guess.topRightCorner<3, 1>());
      positions.emplace_back(real.topRightCorner<3, 1>());
      product += guesses.back().dot(positions.back());
      guessed += guesses.back().squaredNorm();
      squared += positions.back().squaredNorm();
    }
    if (squared <= 0) return;
    const double scale = guessed > 0 ? std::max(0.0, product / guessed) : 0.0;
    for (size_t i = 0; i < guesses.size(); ++i) {
      error += (scale * guesses[i] - positions[i]).squaredNorm() / squared;
    }
    variance += 1;
  }
};

std::vector<Camera> TrueCameras(const Sample& sample) {
  std::vector<Camera> cameras;
  for (const View& view : sample.views) {
    if (!view.w2c) return {};
    Camera camera;
    camera.c2w = view.w2c->inverse();
    cameras.push_back(camera);
  }
  return cameras;
}

void ScoreViews(const Sample& sample, const Prediction& prediction, int64_t inputs, Means& means) {
  Planes mean = PlanesFrom(sample.views[0].image);
  for (int64_t i = 1; i < inputs; ++i) {
    const Planes input = PlanesFrom(sample.views[static_cast<size_t>(i)].image);
    for (size_t p = 0; p < mean.values.size(); ++p) mean.values[p] += input.values[p];
  }
  for (float& value : mean.values) value /= static_cast<float>(inputs);
  for (int64_t t = 0; t < prediction.images.size(1); ++t) {
    const View& view = sample.views[static_cast<size_t>(inputs + t)];
    const Planes truth = PlanesFrom(view.clean.rgb.empty() ? view.image : view.clean);
    const Planes rendering = ToPlanes(prediction.images[0][t]);
    means.Add("psnr", Psnr(rendering, truth));
    means.Add("mean_input_psnr", Psnr(mean, truth));
    if (view.mask.empty()) continue;
    const Planes moves = PlanesFrom(view.mask);
    means.Add("transient_psnr", MaskedPsnr(rendering, truth, moves));
    means.Add("static_psnr", MaskedPsnr(rendering, truth, Complement(moves)));
  }
}

void ScoreMasks(const Sample& sample, const torch::Tensor& logits, int64_t first, double threshold,
                Means& means) {
  if (!logits.defined()) return;
  for (int64_t i = 0; i < logits.size(1); ++i) {
    const View& view = sample.views[static_cast<size_t>(first + i)];
    if (view.mask.empty()) continue;
    const Confusion counts = CompareMasks(ToPlanes(torch::sigmoid(logits[0][i].to(torch::kFloat32))),
                                          PlanesFrom(view.mask), threshold);
    means.Add("mask_iou", Iou(counts));
    means.Add("mask_recall", Recall(counts));
  }
}

// The next scene that can be read; the others are named and counted.
std::optional<Sample> NextReadable(EvaluationLoader& loader, size_t scenes, size_t& failed) {
  while (true) {
    try {
      return loader.Next();
    } catch (const FileError& error) {
      if (++failed == scenes) throw;  // nothing to validate on
      LogWarning("validation: scene skipped: {}", error.what());
    }
  }
}

}  // namespace

std::map<std::string, double> Validate(WildRayZer model, const FeatureSource& features,
                                       const TrainConfig& config) {
  const torch::NoGradGuard no_grad;
  ListedScenesOptions listed;
  listed.view_index = config.validation.view_index;
  if (!config.validation.masks.empty()) listed.masks.roots["default"] = config.validation.masks;
  const std::shared_ptr<const SceneDataset> scenes = OpenScenes(config.validation.scenes, listed);
  std::vector<size_t> chosen(std::min(scenes->size(), static_cast<size_t>(config.validation.max_scenes)));
  std::iota(chosen.begin(), chosen.end(), 0);
  EvaluationLoader::Options options;
  options.view = config.loader.view;
  options.view.clean = options.view.masks = true;
  options.inputs = config.validation.inputs;
  options.targets = config.validation.targets;
  options.threads = 1;
  EvaluationLoader loader(scenes, chosen, options);

  Means means;
  RelativeCameras cameras;
  size_t failed = 0;
  while (std::optional<Sample> sample = NextReadable(loader, chosen.size(), failed)) {
    Batch batch;
    batch.inputs = static_cast<int>(sample->list.inputs.size());
    batch.samples.push_back(std::move(*sample));
    const TrainingBatch tensors = ToTensors(batch, config.device);
    PredictOptions predict;
    predict.features = features;
    const Prediction prediction = Predict(model, tensors.images, tensors.inputs, predict);
    ScoreViews(batch.samples[0], prediction, tensors.inputs, means);
    ScoreMasks(batch.samples[0], prediction.input_logits, 0, config.model.motion.threshold, means);
    ScoreMasks(batch.samples[0], prediction.target_logits, tensors.inputs, config.model.motion.threshold,
               means);
    const std::vector<Camera> truth = TrueCameras(batch.samples[0]);
    if (truth.empty()) continue;
    const std::vector<Camera> estimated =
        CamerasFromTensors(prediction.cameras.c2w[0], prediction.cameras.fxfycxcy[0]);
    means.Add("pose_auc30", CompareCameras(estimated, truth).auc_30);
    cameras.Add(estimated, truth);
  }
  std::map<std::string, double> values = means.Values();
  if (cameras.views > 0) {
    values["rotation_degrees"] = cameras.rotation / cameras.views;
    values["still_rotation_degrees"] = cameras.still_rotation / cameras.views;
  }
  if (cameras.variance > 0) values["translation_r2"] = 1.0 - cameras.error / cameras.variance;
  return values;
}

}  // namespace wildrayzer

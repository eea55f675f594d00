// One loss and its backward pass through the whole model, in each stage that has masks, against golden terms
// and gradients of every parameter.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "wildrayzer/models/testing/golden_model.h"
#include "wildrayzer/training/objective.h"

namespace wildrayzer {
namespace {

using testing::GoldenFile;
using testing::RelativeError;
using torch::Tensor;

std::shared_ptr<const PerceptualLoss> StageVgg() {
  std::map<std::string, testing::ManifestEntry> entries;
  for (auto& entry : testing::ReadManifest(testing::GoldenDir() / "vgg19.weights.json"))
    entries[entry.name.substr(entry.name.find("features."))] = entry;
  const auto source = [&](const std::string& key) { return testing::Generate(entries.at(key)); };
  return std::make_shared<VggPerceptualLoss>(
      VggTrunk(VggDepth::k19, VggPooling::kAverage, VggPerceptualLoss::Taps(VggDepth::k19), source),
      "golden weights");
}

// One stage's file: its model, its inputs, and the pass through the model.
class StageCase {
 public:
  explicit StageCase(const std::string& stem) : golden_(testing::GoldenFiles(stem).front()) {
    const auto manifest = testing::ReadManifest(testing::ManifestPath(
        testing::GoldenDir() / ((stem == "train_stage2" ? stem : "train_stage3") + ".safetensors")));
    TensorShapes shapes;
    for (const auto& entry : manifest) shapes.emplace(entry.name, entry.shape);
    config_ = GuessFromCheckpoint(shapes, stem);
    config_.token_masking = shapes.contains("noise_token") ? TokenMasking::kNoise : TokenMasking::kZero;
    // "As the full model", says the golden README of what shapes cannot tell.
    config_.canonical = testing::ModelCase(testing::GoldenFiles("wildrayzer_v3").at(0)).config.canonical;
    model_ = testing::GoldenModel(config_, manifest);
    model_->train();

    const bool pasted = golden_.Has("copy_paste_mask");
    const std::string stored = pasted ? "copy_paste_mask" : "pseudo", key = golden_.Key("input/train");
    masks_ = golden_.Get(stored);
    const int64_t views = masks_.size(0), size = masks_.size(2);
    const Tensor field =
        testing::GeneratedField(key + (pasted ? "_cp" : "_pseudo"), views, pasted ? 4 : 5, size);
    testing::CheckInput(golden_, stored, field.gt(pasted ? 0.3 : 0.25));
    clean_ = testing::SmoothImage(key, 4, size, size).unsqueeze(0);
    images_ = clean_;
    if (pasted) {
      const Tensor alpha = masks_.to(torch::kFloat32);
      const Tensor objects = testing::SmoothImage(key + "_obj", 4, size, size);
      images_ = (clean_[0] * (1 - alpha) + objects * alpha).unsqueeze(0);
    }
  }

  const GoldenFile& golden() const { return golden_; }
  WildRayZer& model() { return model_; }
  Tensor images() const { return images_; }
  Tensor masks() const { return masks_; }
  Tensor targets() const { return clean_.slice(1, kInputs); }
  Tensor features() const { return testing::GoldenDinoFeatures(images_, config_.motion.dino_width); }

  // The golden tensor of a rendering or of logits, every 4th pixel.
  void CheckStride4(const std::string& name, const Tensor& value) const {
    const Tensor wanted = golden_.Get(name + "_stride4");
    const Tensor strided = value.detach().slice(-2, 0, {}, 4).slice(-1, 0, {}, 4).contiguous();
    EXPECT_LT(RelativeError(strided.view(wanted.sizes()), wanted), 1e-4) << name;
  }

  void CheckLoss(const std::string& prefix, const LossOptions& options, const LossInputs& inputs) {
    SCOPED_TRACE(golden_.stem() + " " + prefix);
    for (auto& parameter : model_->parameters()) parameter.mutable_grad() = Tensor();
    const LossTerms terms = Losses(options, options.perceptual != 0 ? StageVgg() : nullptr)(inputs);
    terms.total.backward({}, /*keep_graph=*/true);
    const auto expect = [&](const char* what, double value, double tolerance) {
      const double wanted = golden_.Get(prefix + "/" + what).item<double>();
      EXPECT_NEAR(value, wanted, tolerance * std::abs(wanted)) << what;
    };
    expect("loss", terms.loss, 1e-4);
    expect("l2_loss", terms.mse, 1e-4);
    expect("psnr", terms.psnr, 1e-4);
    expect("perceptual_loss", terms.perceptual, 1e-4);
    expect("mask_bce_loss", terms.target_mask, 1e-4);
    expect("input_mask_bce_loss", terms.input_mask, 1e-4);
    CheckGradients(prefix);
    if (prefix != "filtered") {
      const Tensor psnr = terms.view_psnr;
      EXPECT_LT(RelativeError(psnr, golden_.Get("psnr_per_view")), 1e-4);
    }
  }

  static constexpr int64_t kInputs = 2;

  // The gradients that the model holds.
  void CheckGradients(const std::string& prefix) const {
    std::ifstream stream(golden_.path().parent_path() / (golden_.stem() + ".gradnorms.json"));
    const nlohmann::json file = nlohmann::json::parse(stream);
    const nlohmann::json& norms = file.at(prefix);
    double squares = 0;
    for (const auto& [name, norm] : norms.items()) squares += std::pow(norm.get<double>(), 2);
    const double total = std::sqrt(squares);
    size_t compared = 0, compared_slices = 0;
    double sum = 0;
    for (const auto& item : model_->named_parameters()) {
      const Tensor gradient = item.value().grad();
      const double norm = gradient.defined() ? gradient.norm().item<double>() : 0.0;
      sum += norm * norm;
      if (!norms.contains(item.key())) {
        EXPECT_EQ(norm, 0.0) << item.key() << " must not train";
        continue;
      }
      const double wanted = norms[item.key()].get<double>();
      // Norms of a ten millionth of the whole are rounding.
      EXPECT_NEAR(norm, wanted, 1e-3 * wanted + 1e-7 * total) << item.key();
      ++compared;
      const std::string slice = prefix + "/grad/" + item.key();
      if (!golden_.Has(slice)) continue;
      const Tensor head = golden_.Get(slice);
      EXPECT_LT(RelativeError(gradient.flatten().slice(0, 0, head.numel()), head), 1e-3) << item.key();
      ++compared_slices;
    }
    EXPECT_EQ(compared, norms.size());
    EXPECT_EQ(compared_slices, golden_.NamesWithPrefix(prefix + "/grad/").size());
    EXPECT_NEAR(std::sqrt(sum), total, 1e-3 * total);
    if (golden_.Has(prefix + "/total_grad_norm")) {
      EXPECT_NEAR(std::sqrt(sum), golden_.Get(prefix + "/total_grad_norm").item<double>(), 1e-3 * total);
    }
  }

 private:
  GoldenFile golden_;
  ModelConfig config_;
  WildRayZer model_{nullptr};
  Tensor masks_, clean_, images_;
};

LossOptions Options(double perceptual) {
  LossOptions options;
  options.perceptual = perceptual;
  return options;
}

// What the trainer does in stage 2, with the labels of the file and the renderings' PSNR for the gate.
Outcome RunStage2(StageCase& stage, std::optional<double> gate) {
  TrainConfig config;
  config.stage = Stage::kMotionMasks;
  config.model = stage.model()->config();
  config.loss.psnr_gate = gate;
  const auto labels = [&](const Pass& pass, const LabelScene& scene) {
    EXPECT_EQ(scene.name, "golden");
    Pass known = pass;
    known.Encode();
    const Tensor error = (known.RenderTargets() - stage.targets()).square().flatten(2).mean(2);
    return TargetLabels{stage.masks(), error.log10().mul(-10)[0]};
  };
  for (auto& parameter : stage.model()->parameters()) parameter.mutable_grad() = Tensor();
  Objective objective(config, stage.model(), FeatureSource::Given(stage.features()), labels);
  Sample sample;
  sample.scene = "golden";
  TrainingBatch batch;
  batch.inputs = StageCase::kInputs;
  batch.images = batch.clean = stage.images();
  batch.pasted = {false};
  batch.dynamic = {true};
  batch.samples = {&sample};
  Outcome outcome = objective.Rooms(batch, 0);
  outcome.loss.backward();
  return outcome;
}

// Stage 2: the backbone is frozen and renders without masking; the motion estimator learns from labels.
TEST(TrainGolden, Stage2) {
  WRZ_NEED_GOLDEN();
  StageCase stage("train_stage2");
  for (auto& item : stage.model()->named_parameters())
    item.value().set_requires_grad(item.key().starts_with("motion_mask_predictor."));
  // As the trainer runs it: masks alone are judged.
  for (const std::string prefix : {"perceptual0", "filtered"}) {
    SCOPED_TRACE(prefix);
    const bool filtered = prefix == "filtered";
    std::optional<double> gate;
    if (filtered) gate = stage.golden().Get("filtered/psnr_filter_threshold").item<double>();
    const Outcome outcome = RunStage2(stage, gate);
    const auto wanted = [&](const char* what) {
      return stage.golden().Get(prefix + "/" + what).item<double>();
    };
    EXPECT_NEAR(outcome.numbers.at("mask_bce"), wanted("mask_bce_loss"), 1e-4 * wanted("mask_bce_loss"));
    EXPECT_NEAR(outcome.numbers.at("loss"), wanted("mask_bce_loss"), 1e-4 * wanted("mask_bce_loss"));
    EXPECT_DOUBLE_EQ(outcome.numbers.at("gated_share"), filtered ? 0.5 : 0.0);
    stage.CheckGradients(prefix);
  }
  // And the loss as the release can be told to take it, with the renderings, which are frozen.
  Pass pass(stage.model(), FeatureSource::Given(stage.features()), stage.images(), StageCase::kInputs);
  pass.Encode();
  LossInputs inputs;
  inputs.rendering = pass.RenderTargets();
  inputs.target = stage.targets();
  inputs.target_logits = pass.TargetMotion();
  inputs.target_labels = stage.masks().unsqueeze(0);
  stage.CheckStride4("render", inputs.rendering);
  stage.CheckStride4("target_logits", inputs.target_logits);
  LossOptions options = Options(0.2);
  options.mse = 0;
  stage.CheckLoss("perceptual0.2", options, inputs);
  options = Options(0);
  options.mse = 0;
  options.psnr_gate = stage.golden().Get("filtered/psnr_filter_threshold").item<double>();
  stage.CheckLoss("filtered", options, inputs);
}

void CheckStage3(StageCase& stage, const PredictOptions& forward, LossInputs inputs) {
  const Prediction prediction = Predict(stage.model(), stage.images(), StageCase::kInputs, forward);
  stage.CheckStride4("render", prediction.images);
  stage.CheckStride4("target_logits", prediction.target_logits);
  stage.CheckStride4("input_logits", prediction.input_logits);
  const Tensor patches = stage.golden().Get("input_patch_mask");
  EXPECT_TRUE(
      torch::equal(prediction.scene.patch_is_dynamic.to(torch::kFloat32).view(patches.sizes()), patches));
  inputs.rendering = prediction.images;
  inputs.target = stage.targets();
  inputs.target_logits = prediction.target_logits;
  inputs.input_logits = prediction.input_logits;
  for (const double perceptual : {0.0, 0.2}) {
    LossOptions options = Options(perceptual);
    options.static_pixels_only = true;
    options.psnr_gate = stage.golden().Get("psnr_filter_threshold").item<double>();
    stage.CheckLoss(perceptual == 0 ? "perceptual0" : "perceptual0.2", options, inputs);
  }
}

TEST(TrainGolden, Stage3CopyPaste) {
  WRZ_NEED_GOLDEN();
  StageCase stage("train_stage3cp");
  PredictOptions forward;
  forward.features = FeatureSource::Given(stage.features());
  forward.input_masks = stage.masks().slice(0, 0, 2).unsqueeze(0);
  LossInputs inputs;
  inputs.scene_is_dynamic = {false};
  inputs.target_labels = stage.masks().slice(0, 2).unsqueeze(0);
  inputs.input_labels = forward.input_masks;
  CheckStage3(stage, forward, inputs);
}

TEST(TrainGolden, Stage3Dynamic) {
  WRZ_NEED_GOLDEN();
  StageCase stage("train_stage3dyn");
  PredictOptions forward;
  forward.features = FeatureSource::Given(stage.features());
  LossInputs inputs;
  inputs.scene_is_dynamic = {true};
  inputs.target_labels = stage.masks().unsqueeze(0);
  CheckStage3(stage, forward, inputs);
}

}  // namespace
}  // namespace wildrayzer

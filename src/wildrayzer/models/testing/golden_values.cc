#include <fmt/format.h>

#include <cmath>
#include <regex>

#include "wildrayzer/geometry/plucker.h"
#include "wildrayzer/models/testing/golden_model.h"

namespace wildrayzer::testing {
namespace {

// fp32 runs of the reference differ by up to 7e-6 from fp64 (golden README, section 2): 1e-4 is a bug.
constexpr double kTolerance = 1e-4;

bool IsProbed(const std::string& name) {
  return name.find("input") == std::string::npos && name.find("_tokens") == std::string::npos;
}

torch::Tensor EveryNth(const torch::Tensor& value, int64_t axis, int64_t step) {
  return value.slice(axis, 0, value.size(axis), step);
}

// Rows {0, 1, T/2, T-1} and 16 channels of [T, C].
torch::Tensor RowsOf(const torch::Tensor& tokens) {
  const int64_t rows = tokens.size(0);
  const torch::Tensor index = torch::tensor({int64_t{0}, std::min<int64_t>(1, rows - 1), rows / 2, rows - 1});
  return tokens.index_select(0, index).slice(1, 0, 16);
}

// 16 channels of [C, H, W] at four pixels.
torch::Tensor PixelsOf(const torch::Tensor& map) {
  const int64_t h = map.size(1);
  const int64_t w = map.size(2);
  const std::vector<std::pair<int64_t, int64_t>> pixels{
      {0, 0}, {h / 3, w / 2}, {h / 2, w / 3}, {h - 1, w - 1}};
  std::vector<torch::Tensor> values;
  for (const auto& [y, x] : pixels) values.push_back(map.slice(0, 0, 16).select(2, x).select(1, y));
  return torch::stack(values);
}

// Views or chunks, whichever way a reference may have batched them: the slice of sample 0.
std::vector<torch::Tensor> SlicesOf(const torch::Tensor& value) {
  if (value.dim() == 4) return {PixelsOf(value[0])};
  if (value.dim() == 2) return {RowsOf(value)};
  return {RowsOf(value[0]), RowsOf(value.flatten(0, 1))};
}

}  // namespace

Trace GoldenValues::MakeTrace() {
  Trace trace;
  trace.record = [this](const std::string& name, const torch::Tensor& tensor) {
    const torch::Tensor value = tensor.detach().to(torch::kCPU);
    if (!IsProbed(name) || value.numel() < (1 << 20)) recorded_[name].push_back(value);
    Probe& probe = probes_[name];
    probe.squares += value.to(torch::kFloat64).square().sum().item<double>();
    probe.count += value.numel();
    if (!probe.first.defined()) probe.first = value;
  };
  return trace;
}

torch::Tensor GoldenValues::Recorded(const std::string& name) const {
  const auto found = recorded_.find(name);
  return found == recorded_.end() ? torch::Tensor() : torch::cat(found->second, 0);
}

// The whole value, or the part that a suffix selects: "/everyK" rows, "/strideK" pixels, "viewK" one view.
torch::Tensor GoldenValues::Find(const std::string& name) const {
  if (const auto found = values_.find(name); found != values_.end()) return found->second;
  static const std::regex kSelection("(.*)[/_](every|stride|view)([0-9]+)");
  std::smatch match;
  if (!std::regex_match(name, match, kSelection)) return {};
  const auto found = values_.find(match[1]);
  if (found == values_.end()) return {};
  const int64_t number = std::stoll(match[3]);
  if (match[2] == "view") return found->second[number];
  if (match[2] == "every") return EveryNth(found->second.flatten(0, -2), 0, number);
  return EveryNth(EveryNth(found->second, -1, number), -2, number);
}

double GoldenValues::CompareProbe(const GoldenFile& file, const std::string& name) const {
  const bool is_slice = name.ends_with("/slice");
  const std::string module = name.substr(6, name.rfind('/') - 6);
  const auto found = probes_.find(module);
  if (found == probes_.end()) return std::nan("");
  const Probe& probe = found->second;
  const torch::Tensor golden = file.Get(name);
  if (!is_slice) {
    const double rms = std::sqrt(probe.squares / static_cast<double>(probe.count));
    return std::abs(rms / golden.item<double>() - 1.0);
  }
  double best = std::numeric_limits<double>::infinity();
  for (const torch::Tensor& slice : SlicesOf(probe.first))
    best = std::min(best, RelativeError(slice, golden));
  return best;
}

double GoldenValues::Compare(const GoldenFile& file, const std::vector<std::string>& skipped) const {
  double worst = 0;
  for (const std::string& name : file.names()) {
    const auto has_prefix = [&](const std::string& prefix) { return name.starts_with(prefix); };
    if (std::any_of(skipped.begin(), skipped.end(), has_prefix)) continue;
    double error;
    if (name.starts_with("probe/")) {
      error = CompareProbe(file, name);
    } else {
      const torch::Tensor golden = file.Get(name);
      const torch::Tensor value = Find(name);
      if (!value.defined() || value.numel() != golden.numel()) {
        ADD_FAILURE() << file.stem() << ": nothing to compare with " << name << " " << golden.sizes()
                      << (value.defined() ? " (other size)" : "");
        continue;
      }
      error = RelativeError(value.to(torch::kFloat32).reshape_as(golden), golden);
      if (name.ends_with("_mask")) {
        EXPECT_TRUE(torch::equal(value.to(torch::kBool).reshape_as(golden), golden.to(torch::kBool))) << name;
      }
    }
    EXPECT_LE(error, kTolerance) << file.stem() << ": " << name;
    worst = std::max(worst, error);
  }
  return worst;
}

namespace {

// Renderings and what is measured of them. A file that has single views only gets those alone.
void AddRenderings(const ModelCase& test_case, WildRayZer& model, Pass& pass, const EncodedScene& scene,
                   GoldenValues& values) {
  const GoldenFile& file = test_case.file;
  if (file.Has("render_input")) values.Set("render_input", pass.RenderInputs()[0]);
  const std::string single = "render_view";
  if (const std::vector<std::string> names = file.NamesWithPrefix(single);
      !names.empty() && !file.Has("render")) {
    for (const std::string& name : names) {
      const Cameras camera = pass.cameras().Views(pass.inputs() + std::stoll(name.substr(single.size())), 1);
      values.Set(name, model->Render(scene.memory, camera, test_case.height, test_case.width)[0][0]);
    }
    return;
  }
  const torch::Tensor targets = pass.RenderTargets();
  values.Set("render", targets[0]);
  const torch::Tensor loss = torch::mse_loss(targets, pass.images().slice(1, pass.inputs()));
  values.Set("l2_loss", loss.view({1}));
  values.Set("psnr", (loss.log10() * -10.0).view({1}));
}

}  // namespace

GoldenValues RunCase(const ModelCase& test_case, WildRayZer& model, const torch::Tensor& images) {
  const int64_t views = test_case.views;
  const int64_t inputs = test_case.inputs;
  const GoldenFile& file = test_case.file;
  GoldenValues values;
  const std::optional<Cameras> known = test_case.KnownCameras();
  FeatureSource source;
  if (test_case.NeedsDino()) {
    const torch::Tensor features = GoldenDinoFeatures(images, test_case.config.motion.dino_width);
    source = FeatureSource::Given(features);
    values.Set("motion/dino_features", features[0].slice(0, 0, inputs).flatten(2).transpose(1, 2));
  } else if (known) {  // nobody reads any; the model's own would be read off the estimator
    source = FeatureSource::Given(torch::empty({1, views, 0, 0, 0}));
  }
  Pass pass(model, source, images, inputs, values.MakeTrace());
  if (known) pass.UseCameras(*known);
  const Cameras& cameras = pass.cameras();
  if (cameras.camera_info.defined()) {  // estimated
    const torch::Tensor sequence = values.Recorded("camera_estimator_input")[0];
    values.Set("encoder_input", sequence);
    values.Set("encoder_input/cam", sequence.slice(0, 0, views));
    values.Set("encoder_input/img", sequence.slice(0, views));
    values.Set("cam_tokens", cameras.camera_tokens[0]);
    values.Set("cam_info", cameras.camera_info[0]);
  }
  torch::Tensor masks;
  if (file.Has("gt_motion_masks")) {
    masks = file.Get("gt_motion_masks").slice(0, 0, inputs).unsqueeze(0).to(images.device());
  } else if (pass.HasMotion()) {
    values.Set("motion/input_logits", pass.InputMotion()[0]);
    values.Set("motion/fused", values.Recorded("motion_mask_predictor.fusion_mlp"));
    masks = pass.InputMotionProbability();
  }
  const EncodedScene& scene = pass.Encode(masks);
  if (!file.NamesWithPrefix("motion/target_logits").empty())
    values.Set("motion/target_logits", pass.TargetMotion()[0]);
  AddRenderings(test_case, model, pass, scene, values);

  values.Set("c2w", cameras.c2w[0]);
  values.Set("fxfycxcy", cameras.fxfycxcy[0]);
  values.Set("plucker", PluckerRays(cameras.c2w, cameras.fxfycxcy, test_case.height, test_case.width)[0]);
  const torch::Tensor conditioning =
      model->ConditioningRayTokens(cameras.Views(0, inputs), test_case.height, test_case.width)[0];
  const torch::Tensor render =
      model->RenderRayTokens(cameras.Views(inputs, views - inputs), test_case.height, test_case.width)[0];
  for (const char* separator : {"/", "_"}) {
    values.Set(std::string("plucker_tokens") + separator + "input", conditioning);
    values.Set(std::string("plucker_tokens") + separator + "target", render);
  }
  values.Set("fused_tokens", values.Recorded("fused_tokens")[0]);
  values.Set("scene_tokens", scene.tokens[0]);
  // Whole sequences are kept for small models only.
  const std::vector<std::pair<std::string, std::string>> sequences{
      {"encoder_output", fmt::format("transformer_encoder.{}", test_case.config.camera_estimator_layers - 1)},
      {"geom_input", "scene_encoder_input"},
      {"geom_output", fmt::format("transformer_encoder_geom.{}", test_case.config.scene_encoder_layers - 1)},
      {"decoder_input", "decoder_ln"},
      {"decoder_output", fmt::format("transformer_decoder.{}", test_case.config.renderer_layers - 1)}};
  for (const auto& [name, recorded] : sequences) {
    const torch::Tensor value = values.Recorded(recorded);
    if (!value.defined()) continue;
    values.Set(name, name.starts_with("decoder") ? value : value[0]);
  }

  if (scene.patch_is_dynamic.defined()) {
    values.Set("motion/input_pooled_prob", scene.patch_probability[0].unsqueeze(1));
    values.Set("motion/input_patch_mask", scene.patch_is_dynamic[0].unsqueeze(1));
    values.Set("masked_tokens",
               values.Recorded("masked_tokens")[0].view_as(values.Recorded("fused_tokens")[0]));
  }
  return values;
}

}  // namespace wildrayzer::testing

#include <fmt/format.h>

#include <algorithm>

#include "wildrayzer/models/dinov3_test_files.h"
#include "wildrayzer/models/dinov3_weights.h"
#include "wildrayzer/models/testing/golden_model.h"
#include "wildrayzer/testing/test_device.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer::testing {

namespace fs = std::filesystem;

fs::path ManifestPath(const fs::path& golden_file) {
  std::string stem = golden_file.stem().string();
  while (true) {
    const fs::path path = golden_file.parent_path() / (stem + ".weights.json");
    if (fs::exists(path)) return path;
    const size_t cut = stem.find_last_of("_-.");
    if (cut == std::string::npos)
      throw FileError(golden_file.string(), "has no list of generated weights beside it");
    stem.resize(cut);
  }
}

ModelCase::ModelCase(const fs::path& path) : file(path), manifest(ReadManifest(ManifestPath(path))) {
  TensorShapes shapes;
  for (const ManifestEntry& entry : manifest) shapes.emplace(entry.name, entry.shape);
  config = GuessFromCheckpoint(shapes, path.string());
  config.token_masking = shapes.contains("noise_token") ? TokenMasking::kNoise : TokenMasking::kZero;
  if (file.stem().find("_drop") != std::string::npos) config.token_masking = TokenMasking::kZero;
  FindSizes();
  config.canonical = Canonical();
}

GoldenFile ModelCase::WithTensor(const std::string& name) const {
  if (file.Has(name)) return file;
  for (const fs::directory_entry& entry : fs::directory_iterator(file.path().parent_path())) {
    if (entry.path().extension() != ".safetensors" || entry.path() == file.path()) continue;
    const std::string prefix = ManifestPath(file.path()).stem().stem().string();
    if (!entry.path().stem().string().starts_with(prefix)) continue;
    GoldenFile other(entry.path());
    if (other.Has(name)) return other;
  }
  throw FileError(file.path().string(), "neither it nor a file of the same weights has '" + name + "'");
}

void ModelCase::FindSizes() {
  for (const char* name : {"render", "render_view0", "render_input", "motion/input_logits"}) {
    if (!file.Has(name)) continue;
    const std::vector<int64_t> shape = file.Shape(name);
    height = shape[shape.size() - 2];
    width = shape[shape.size() - 1];
    break;
  }
  if (height == 0) throw FileError(file.path().string(), "has no rendering that tells the image size");
  const int64_t masked = file.Has("motion/input_patch_mask") ? file.Shape("motion/input_patch_mask")[0] : 0;
  if (file.Has("gt_motion_masks")) {
    views = file.Shape("gt_motion_masks")[0];
  } else if (masked > 0 && file.Has("render")) {
    views = masked + file.Shape("render")[0];
  } else {
    views = WithTensor("c2w").Shape("c2w")[0];
  }
  inputs = masked > 0 ? masked : views - file.Shape("render")[0];
}

CanonicalView ModelCase::Canonical() const {
  // By definition the view whose camera is the identity: the camera head multiplies its offset by zero.
  const torch::Tensor c2w = WithTensor("c2w").Get("c2w"), world = torch::eye(4);
  if (torch::equal(c2w[0], world)) return CanonicalView::kFirst;
  if (torch::equal(c2w[c2w.size(0) / 2], world)) return CanonicalView::kMiddle;
  throw FileError(file.path().string(), "neither the first nor the middle camera is the world frame");
}

bool ModelCase::NeedsDino() const { return config.use_motion && !file.Has("gt_motion_masks"); }

std::optional<Cameras> ModelCase::KnownCameras() const {
  if (file.Has("c2w")) return std::nullopt;
  const auto known = [this](const char* name) {
    return WithTensor(name).Get(name).unsqueeze(0).to(TestDevice());
  };
  return Cameras::Given(known("c2w"), known("fxfycxcy"));
}

torch::Tensor ModelCase::Images() const {
  const bool tiny = file.stem().starts_with("rayzer_tiny");
  const torch::Tensor images =
      SmoothImage(file.Key(tiny ? "input/tiny" : "input/image"), views, height, width);
  // The small model's files have no corners: their first tensor is made of the images alone.
  if (!tiny) CheckInput(WithTensor("check/image_corner"), "check/image_corner", images);
  return images.unsqueeze(0).to(TestDevice());
}

WildRayZer GoldenModel(const ModelConfig& config, const std::vector<ManifestEntry>& manifest) {
  static std::map<std::string, torch::Tensor> made;  // 1 GB for the full-size model, shared by all cases
  const torch::NoGradGuard no_grad;
  WildRayZer model(config);
  auto parameters = model->named_parameters();
  size_t filled = 0;
  for (const ManifestEntry& entry : manifest) {
    torch::Tensor* parameter = parameters.find(entry.name);
    if (parameter == nullptr) {
      if (entry.name == "noise_token") continue;  // the same list serves the cases that mask with zeros
      throw Error("the model has no parameter '" + entry.name + "' of the manifest");
    }
    const std::string id = fmt::format("{} {} {}", entry.key, entry.scale, entry.offset);
    torch::Tensor& value = made[id];
    if (!value.defined() || value.sizes() != torch::IntArrayRef(entry.shape)) value = Generate(entry);
    if (parameter->sizes() != value.sizes()) throw Error("parameter '" + entry.name + "' has another shape");
    parameter->set_data(value);
    ++filled;
  }
  if (filled != parameters.size()) throw Error("the manifest lacks parameters of the model");
  model->to(TestDevice());
  return model;
}

namespace {

// The backbone of the goldens whose features are `width` wide, written and loaded in the original release's
// layout.
Dinov3 GoldenDinov3(int64_t width) {
  for (const fs::directory_entry& entry : fs::directory_iterator(GoldenDir())) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("dinov3_") || !name.ends_with(".weights.json")) continue;
    const std::vector<ManifestEntry> manifest = ReadManifest(entry.path());
    const auto has_width = [&](const ManifestEntry& tensor) {
      return tensor.name == "cls_token" && tensor.shape.back() == width;
    };
    if (std::none_of(manifest.begin(), manifest.end(), has_width)) continue;
    const TemporaryFolder folder;
    WriteMetaSafetensors(folder.path() / "dinov3.safetensors", manifest, /*periods=*/16);
    Dinov3LoadOptions options;
    options.device = TestDevice();
    return LoadDinov3(folder.path() / "dinov3.safetensors", options);
  }
  throw Error(fmt::format("{}: no DINOv3 weights of width {}", GoldenDir().string(), width));
}

}  // namespace

torch::Tensor GoldenDinoFeatures(const torch::Tensor& images, int64_t width) {
  const torch::NoGradGuard no_grad;
  static std::map<int64_t, Dinov3> backbones;
  auto found = backbones.find(width);
  if (found == backbones.end()) found = backbones.emplace(width, GoldenDinov3(width)).first;
  Dinov3& dino = found->second;
  const torch::Tensor features = dino->PatchFeatures(images.flatten(0, 1));
  return features.unflatten(0, {images.size(0), images.size(1)});
}

}  // namespace wildrayzer::testing

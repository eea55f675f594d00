#include "wildrayzer/models/rayzer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "wildrayzer/geometry/plucker.h"
#include "wildrayzer/geometry/rotation.h"
#include "wildrayzer/kernels/cpu_kernels.h"
#include "wildrayzer/nn/positional_encoding.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// Targets are rendered together up to this many tokens: enough for full speed, little enough for the memory
// (on a GPU about 3 GB at d = 768).
int64_t RenderTokensAtOnce(torch::Device device) { return OnCpu(device) ? 1024 : 1 << 16; }

int64_t PatchesOf(int64_t pixels, int64_t patch) {
  if (pixels < patch || pixels % patch != 0) {
    throw UsageError(
        fmt::format("an image side of {} pixels is not a multiple of the patch size {}", pixels, patch));
  }
  return pixels / patch;
}

void CheckCameras(const Cameras& cameras, int64_t batch) {
  const bool good = cameras.c2w.dim() == 4 && cameras.fxfycxcy.dim() == 3 && cameras.c2w.size(0) == batch &&
                    cameras.fxfycxcy.size(0) == batch && cameras.c2w.size(1) == cameras.fxfycxcy.size(1) &&
                    cameras.c2w.size(2) == 4 && cameras.c2w.size(3) == 4 && cameras.fxfycxcy.size(2) == 4;
  if (!good) {
    throw UsageError(fmt::format("cameras must be c2w [{0}, V, 4, 4] and fxfycxcy [{0}, V, 4]", batch));
  }
}

// `cameras` with `part` of each tensor, but without those that only training reads.
template <typename Part>
Cameras PartOf(const Cameras& cameras, const Part& part) {
  Cameras some;
  for (const auto field : {&Cameras::c2w, &Cameras::fxfycxcy, &Cameras::camera_info, &Cameras::camera_tokens,
                           &Cameras::features}) {
    if ((cameras.*field).defined()) some.*field = part(cameras.*field);
  }
  return some;
}

}  // namespace

ViewTokens ViewTokens::Views(int64_t first, int64_t count) const {
  ViewTokens part = *this;
  part.tokens = tokens.narrow(1, first, count);
  if (images.defined()) part.images = images.narrow(1, first, count);
  return part;
}

Cameras Cameras::Given(const torch::Tensor& c2w, const torch::Tensor& fxfycxcy) {
  Cameras cameras;
  cameras.c2w = c2w;
  cameras.fxfycxcy = fxfycxcy;
  return cameras;
}

Cameras Cameras::Views(int64_t first, int64_t count) const {
  return PartOf(*this, [&](const torch::Tensor& all) { return all.narrow(1, first, count); });
}

Cameras Cameras::Scene(int64_t b) const {
  return PartOf(*this, [b](const torch::Tensor& all) { return all.detach().narrow(0, b, 1); });
}

SceneMemory SceneMemory::Scene(int64_t b) const {
  const auto part = [b](const torch::Tensor& all) {
    return all.defined() ? all.detach().narrow(0, b, 1) : all;
  };
  SceneMemory scene{part(codes), {}, {}, surface.Scene(b)};
  for (const KeysAndValues& block : blocks) scene.blocks.push_back({part(block.keys), part(block.values)});
  scene.counts = part(counts);
  return scene;
}

RayZerImpl::RayZerImpl(const ModelConfig& config) : config_(config) {
  config_.Validate("model configuration");
  const int64_t d = config_.d;
  const bool codes = config_.scene == SceneLayout::kCodes;
  if (codes) scene_code_ = register_parameter("scene_code", torch::empty({config_.scene_tokens, d}));
  camera_code_ = register_parameter("cam_code", torch::empty({1, d}));
  // The order is that of the release's state dict, so that optimiser states can be matched by position.
  image_tokenizer_ = register_module("image_tokenizer", PatchTokenizer(3, config_.patch, d));
  if (config_.match_views) view_matcher_ = register_module("view_matcher", ViewMatcher(config_.patch, d));
  position_embedder_ = register_module("pe_embedder", SiluMlp(d, d, d));
  view_embedder_ = register_module("temporal_pe_embedder", SiluMlp(d, d, d));
  const auto stack = [&](const char* name, int64_t layers) {
    return register_module(name, BlockStack(layers, d, config_.d_head));
  };
  camera_estimator_ = register_module("transformer_encoder",
                                      BlockStack(config_.camera_estimator_layers, d, config_.d_head,
                                                 config_.camera_attention == CameraAttention::kAlternating));
  scene_encoder_ = stack("transformer_encoder_geom", config_.scene_encoder_layers);
  render_norm_ = register_module("decoder_ln", LayerNorm(d));
  if (codes) {
    renderer_ = stack("transformer_decoder", config_.renderer_layers);
  } else {
    attending_renderer_ =
        register_module("transformer_decoder", CrossStack(config_.renderer_layers, d, config_.d_head));
  }
  camera_head_ =
      register_module("pose_predictor", CameraHead(d, config_.pose, config_.canonical, config_.focal));
  conditioning_ray_tokenizer_ = register_module("target_pose_tokenizer", PatchTokenizer(6, config_.patch, d));
  render_ray_tokenizer_ = register_module("target_pose_tokenizer2", PatchTokenizer(6, config_.patch, d));
  fusion_ = register_module("mlp_fuse", FusionMlp(2 * d, d, Activation::kSilu));
  pixel_head_ = register_module("image_token_decoder",
                                NormLinear(d, 3 * config_.patch * config_.patch, /*bias=*/false));
  if (config_.copy_inputs) copy_head_ = register_module("copy_head", CopyHead(config_.patch, d));
}

void RayZerImpl::RecomputeBlocks(int64_t every) {
  for (BlockStack* stack : {&camera_estimator_, &scene_encoder_, &renderer_})
    if (!stack->is_empty()) (*stack)->RecomputeBlocks(every);
  if (!attending_renderer_.is_empty()) attending_renderer_->RecomputeBlocks(every);
}

torch::Tensor RayZerImpl::ViewPositions(int64_t views) const {
  if (config_.view_code == ViewCode::kNumber) return torch::arange(views, torch::kFloat64);
  return torch::arange(views).ne(camera_head_->CanonicalIndex(views)).to(torch::kFloat64);
}

torch::Tensor RayZerImpl::PlaceCodes(int64_t views, int64_t rows, int64_t columns) {
  return codes_.Get({views, rows, columns}, camera_code_.device(), [&] {
    const int64_t half = config_.d / 2;
    const int64_t n = rows * columns;
    const torch::Tensor place = SinCos2d(half, rows, columns).unsqueeze(0).expand({views, n, half});
    const torch::Tensor view = SinCos1d(half, ViewPositions(views)).unsqueeze(1).expand({views, n, half});
    return torch::cat({place, view}, -1);
  });
}

torch::Tensor RayZerImpl::ViewCodes(int64_t views) {
  return codes_.Get({views}, camera_code_.device(),
                    [&] { return SinCos1d(config_.d, ViewPositions(views)); });
}

torch::Tensor RayZerImpl::PositionCode(int64_t views, int64_t rows, int64_t columns, const Trace& trace) {
  const torch::Tensor code = position_embedder_->forward(PlaceCodes(views, rows, columns));
  trace.Record("pe_embedder", code);
  return code;  // [V, n, d], the same for every scene
}

ViewTokens RayZerImpl::Tokenize(const torch::Tensor& images, const Trace& trace) {
  if (images.dim() != 5 || images.size(1) < 1 || images.size(2) != 3) {
    throw UsageError(
        fmt::format("images must be [B, V, 3, H, W], not [{}]", fmt::join(images.sizes(), ", ")));
  }
  ViewTokens views;
  views.height = images.size(3);
  views.width = images.size(4);
  views.rows = PatchesOf(views.height, config_.patch);
  views.columns = PatchesOf(views.width, config_.patch);
  const torch::Tensor centred = images.to(torch::kFloat32).flatten(0, 1) * 2.0 - 1.0;
  const torch::Tensor patches = image_tokenizer_->forward(centred);  // [B V, n, d]
  trace.Record("image_tokenizer", patches);
  const torch::Tensor code = PositionCode(images.size(1), views.rows, views.columns, trace);
  views.tokens = patches.view({images.size(0), images.size(1), views.rows * views.columns, config_.d}) + code;
  if (config_.match_views) views.images = centred.view(images.sizes());
  return views;
}

Cameras RayZerImpl::EstimateCameras(const ViewTokens& views, const Trace& trace) {
  const int64_t batch = views.tokens.size(0);
  const int64_t count = views.tokens.size(1);
  const torch::Tensor view_code = view_embedder_->forward(ViewCodes(count));  // [V, d]
  trace.Record("temporal_pe_embedder", view_code);
  const torch::Tensor camera_tokens =
      (camera_code_ + view_code).unsqueeze(0).expand({batch, count, config_.d});
  Cameras cameras;
  torch::Tensor image_tokens = views.tokens;
  if (config_.match_views) {
    const ViewMatches matches =
        view_matcher_->forward(views.images, config_.adjust_poses || config_.WarpsInputs());
    cameras.of_points = matches.of_points;
    image_tokens = image_tokens + view_matcher_->Tell(matches, views.rows, views.columns);
    cameras.match_logits = matches.logits;
  }
  const torch::Tensor sequence =
      torch::cat({camera_tokens, image_tokens.flatten(1, 2)}, 1);  // [B, V + V n, d]
  trace.Record("camera_estimator_input", sequence);

  std::array taps{BlockStackImpl::Tap{config_.motion.feature_layer, {}},
                  BlockStackImpl::Tap{MatchingBlock(), {}}};
  cameras.camera_tokens = camera_estimator_->forward(sequence, count, "transformer_encoder", trace, taps);
  if (torch::GradMode::is_enabled()) cameras.matching = taps[1].tokens;
  cameras.features = taps[0]
                         .tokens.narrow(1, count, sequence.size(1) - count)
                         .view({batch, count, views.rows, views.columns, config_.d})
                         .permute({0, 1, 4, 2, 3});
  cameras.camera_info = camera_head_->forward(cameras.camera_tokens, views.height, views.width);
  const CameraTensors decoded = DecodeCameraInfo(cameras.camera_info);
  cameras.c2w = cameras.told_c2w = decoded.c2w;
  cameras.fxfycxcy = decoded.fxfycxcy;
  if (config_.adjust_poses && cameras.of_points.seen.defined()) {
    const torch::Tensor adjusted =
        AdjustPoses(decoded.c2w, decoded.fxfycxcy, cameras.of_points, views.rows, views.columns);
    cameras.c2w = decoded.c2w + (adjusted - decoded.c2w).detach();
  }
  return cameras;
}

int64_t RayZerImpl::MatchingBlock() const {
  // The second one that sees all views, if there is one: the first has nothing but raw patches to compare.
  const int64_t second = config_.camera_attention == CameraAttention::kAlternating ? 2 : 1;
  return second < config_.camera_estimator_layers ? second : 0;
}

torch::Tensor RayZerImpl::MatchLogits(const Cameras& cameras) {
  const int64_t views = cameras.c2w.size(1), batch = cameras.c2w.size(0);
  const AttentionOperands all = camera_estimator_->Operands(MatchingBlock(), cameras.matching);
  const int64_t heads = std::max<int64_t>(1, all.q.size(2) / 2);
  const auto by_view = [&](const torch::Tensor& x) {  // [B, V, h, n, D]
    const torch::Tensor image = x.narrow(1, views, x.size(1) - views).narrow(2, 0, heads).to(torch::kFloat32);
    return image.reshape({batch, views, -1, heads, x.size(3)}).transpose(2, 3);
  };
  const torch::Tensor first = by_view(all.k).narrow(1, 0, 1).transpose(-1, -2);
  return torch::matmul(by_view(all.q), first) / std::sqrt(static_cast<double>(config_.d_head));
}

torch::Tensor RayZerImpl::RayTokens(PatchTokenizer& tokenizer, const Cameras& cameras, int64_t height,
                                    int64_t width) {
  CheckCameras(cameras, cameras.c2w.size(0));
  const int64_t n = PatchesOf(height, config_.patch) * PatchesOf(width, config_.patch);
  const torch::Tensor rays = PluckerRays(cameras.c2w, cameras.fxfycxcy, height, width);  // [B, V, 6, H, W]
  return tokenizer->forward(rays.flatten(0, 1)).view({rays.size(0), rays.size(1), n, config_.d});
}

torch::Tensor RayZerImpl::ConditioningRayTokens(const Cameras& cameras, int64_t height, int64_t width) {
  return RayTokens(conditioning_ray_tokenizer_, cameras, height, width);
}

torch::Tensor RayZerImpl::RenderRayTokens(const Cameras& cameras, int64_t height, int64_t width) {
  return RayTokens(render_ray_tokenizer_, cameras, height, width);
}

torch::Tensor RayZerImpl::FuseTokens(const torch::Tensor& image_tokens, const torch::Tensor& ray_tokens) {
  return fusion_->forward(torch::cat({image_tokens, ray_tokens}, -1));
}

TokenSet RayZerImpl::EncodeTokens(const TokenSet& fused, const Trace& trace) {
  constexpr char kName[] = "transformer_encoder_geom";
  if (config_.scene == SceneLayout::kTokens) {
    trace.Record("scene_encoder_input", fused.tokens);
    return {scene_encoder_->forward(fused.tokens, fused.tokens.size(1), kName, trace, {}, fused.counts),
            fused.counts};
  }
  const torch::Tensor code =
      scene_code_.to(torch::kFloat32).unsqueeze(0).expand({fused.tokens.size(0), -1, -1});
  const torch::Tensor sequence = torch::cat({code, fused.tokens}, 1);  // [B, S + N, d]
  trace.Record("scene_encoder_input", sequence);
  const torch::Tensor counts = fused.counts.defined() ? fused.counts + config_.scene_tokens : fused.counts;
  return {scene_encoder_->forward(sequence, config_.scene_tokens, kName, trace, {}, counts), {}};
}

SceneMemory RayZerImpl::Remember(const TokenSet& scene) {
  // The norm in front of the renderer acts on each token alone, so that of the scene serves all views.
  const torch::Tensor normalised = render_norm_->forward(scene.tokens);
  if (config_.scene == SceneLayout::kCodes) return {normalised, {}, {}, {}};
  return {{}, attending_renderer_->Remember(normalised), scene.counts, {}};
}

torch::Tensor RayZerImpl::Render(const SceneMemory& scene, const Cameras& cameras, int64_t height,
                                 int64_t width, const Trace& trace, std::vector<torch::Tensor>* looks) {
  const bool codes = config_.scene == SceneLayout::kCodes;
  const int64_t batch = (codes ? scene.codes : scene.blocks.at(0).keys).size(0);
  CheckCameras(cameras, batch);
  const int64_t targets = cameras.c2w.size(1);
  const int64_t n = PatchesOf(height, config_.patch) * PatchesOf(width, config_.patch);
  const int64_t carried = codes ? config_.scene_tokens : 0;
  const int64_t at_once =
      std::max<int64_t>(1, RenderTokensAtOnce(cameras.c2w.device()) / (batch * (n + carried)));
  std::vector<torch::Tensor> images;
  for (int64_t first = 0; first < targets; first += at_once) {
    const int64_t count = std::min(at_once, targets - first);
    images.push_back(RenderChunk(scene, cameras.Views(first, count), height, width, trace, looks));
    for (int64_t i = 0; i < count; ++i) trace.Step();
  }
  if (images.empty()) return torch::empty({batch, 0, 3, height, width}, camera_code_.options());
  return torch::cat(images, 1);
}

torch::Tensor RayZerImpl::RenderChunk(const SceneMemory& scene, const Cameras& cameras, int64_t height,
                                      int64_t width, const Trace& trace, std::vector<torch::Tensor>* looks) {
  torch::Tensor rays = render_norm_->forward(RenderRayTokens(cameras, height, width));  // [B, t, n, d]
  WarpedInputs warped;
  if (scene.surface.defined()) {
    warped = WarpInputs(scene.surface, cameras.c2w, cameras.fxfycxcy);
    rays = rays + copy_head_->Tell(warped);
  }
  Trace without_steps;
  without_steps.record = trace.record;
  torch::Tensor asked;
  const torch::Tensor tokens =
      config_.scene == SceneLayout::kCodes
          ? CarryCodes(rays, scene.codes, without_steps)
          : attending_renderer_->forward(rays, scene.blocks, scene.counts, "transformer_decoder",
                                         without_steps, looks ? &asked : nullptr);
  if (looks) looks->push_back(asked);
  const torch::Tensor pixels = pixel_head_->forward(tokens.flatten(0, 1));
  trace.Record("image_token_decoder.1", pixels);
  const torch::Tensor picture = Unpatchify(torch::sigmoid(pixels), config_.patch, height, width)
                                    .view({rays.size(0), rays.size(1), 3, height, width});
  if (!warped.image.defined()) return picture;
  const torch::Tensor gate = copy_head_->Gate(tokens, height, width);
  const torch::Tensor mixed = MixCopies(picture, gate, warped);
  if (!scene.surface.detail.defined()) return mixed;
  std::vector<torch::Tensor> detailed;  // one by one: they are large
  for (int64_t t = 0; t < mixed.size(1); ++t) {
    const Cameras one = cameras.Views(t, 1);
    detailed.push_back(AddDetail(mixed.narrow(1, t, 1), gate.narrow(1, t, 1), warped.View(t),
                                 WarpInputs(scene.surface, one.c2w, one.fxfycxcy, /*detail=*/true)));
  }
  return torch::cat(detailed, 1);
}

torch::Tensor RayZerImpl::LookLogits(const SceneMemory& scene, const std::vector<torch::Tensor>& looks,
                                     const torch::Tensor& is_hidden, int64_t views) {
  const int64_t batch = is_hidden.size(0), n = is_hidden.size(1);
  const auto half = [](const torch::Tensor& x) {
    return x.narrow(2, 0, std::max<int64_t>(1, x.size(2) / 2)).to(torch::kFloat32).transpose(1, 2);
  };
  const torch::Tensor q = half(torch::cat(looks, 1));                                       // [B, h, T n, D]
  const torch::Tensor k = half(scene.blocks.at(attending_renderer_->LookingBlock()).keys);  // [B, h, S, D]
  torch::Tensor logits =
      torch::matmul(q, k.transpose(-1, -2)) / std::sqrt(static_cast<double>(config_.d_head));
  if (config_.token_masking == TokenMasking::kDrop) {
    // Those that stayed are first and in their order.
    const torch::Tensor place = (is_hidden.logical_not().cumsum(1) - 1).clamp(0, k.size(2) - 1);
    logits = logits.gather(-1, place.view({batch, 1, 1, n}).expand({batch, q.size(1), q.size(2), n}));
  }
  return logits.narrow(-1, 0, n).view({batch, q.size(1), views, -1, n}).transpose(1, 2);
}

torch::Tensor RayZerImpl::CarryCodes(const torch::Tensor& rays, const torch::Tensor& codes,
                                     const Trace& trace) {
  const torch::Tensor scene =
      codes.unsqueeze(1).expand({rays.size(0), rays.size(1), codes.size(1), config_.d});
  const torch::Tensor sequence = torch::cat({rays, scene}, 2).flatten(0, 1);  // [B t, n + S, d]
  if (trace.record) trace.Record("decoder_ln", sequence);
  return renderer_->forward(sequence, rays.size(2), "transformer_decoder", trace).view(rays.sizes());
}

}  // namespace wildrayzer

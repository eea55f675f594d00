// Sizes and switches of a DINOv3 vision transformer (weights.md section 1.1).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace wildrayzer {

struct Dinov3Config {
  int64_t width = 384;     // of the residual stream (D)
  int64_t layers = 12;     // blocks
  int64_t heads = 6;       // attention heads; width / heads must be a multiple of 4 (RoPE)
  int64_t hidden = 1536;   // inner width of the MLP (F)
  int64_t registers = 4;   // register tokens
  int64_t patch = 16;      // patch size in pixels
  bool gated = false;      // gated MLP: down(act(gate x) * up x); else down(act(up x))
  bool silu = false;       // act is SiLU; else exact GELU
  bool query_bias = true;  // biases of the projections
  bool key_bias = false;
  bool value_bias = true;
  bool output_bias = true;
  bool mlp_bias = true;
  double norm_eps = 1e-5;     // LayerNorm
  double rope_theta = 100.0;  // base of the RoPE periods
  // Rounds the RoPE periods to bfloat16, as the original release (torch.hub) does; Hugging Face computes them
  // in float32.
  bool bf16_periods = false;

  int64_t head_size() const { return width / heads; }
  // Tokens before the patches: class token and registers.
  int64_t prefix_tokens() const { return 1 + registers; }

  // The released sizes: vits16, vits16plus, vitb16, vitl16, vitl16plus, vith16plus, vit7b16. Throws
  // UsageError for other names.
  static Dinov3Config Variant(const std::string& name);
  static const std::vector<std::string>& VariantNames();
  // Name of the released size with this width, depth and kind of MLP, or "width W, L layers".
  std::string Name() const;
  // Reads a Hugging Face config.json (model_type dinov3_vit). Throws FileError when a field is missing or
  // senseless.
  static Dinov3Config FromJsonFile(const std::string& path);
  // Throws Error naming `origin` unless all sizes are positive, bounded and divide as they must.
  void Validate(const std::string& origin) const;

  bool operator==(const Dinov3Config&) const = default;
};

// Mean and standard deviation of the pixels that a model was trained on, RGB in [0, 1].
struct PixelStatistics {
  std::array<double, 3> mean;
  std::array<double, 3> deviation;
};
// LVD-1689M weights (the ImageNet numbers), and SAT-493M satellite weights.
inline constexpr PixelStatistics kImageNetPixels{{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};
inline constexpr PixelStatistics kSatellitePixels{{0.430, 0.411, 0.296}, {0.213, 0.156, 0.143}};

}  // namespace wildrayzer

// Repeating textures: 8-bit sRGB with a mip pyramid, sampled as linear light.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "wildrayzer/synth/vec.h"

namespace wildrayzer::synth {

// sRGB transfer functions (IEC 61966-2-1) on [0, 1].
float SrgbToLinear(float encoded);
float LinearToSrgb(float linear);
// Linear value of an 8-bit code, from a table.
float LinearFromByte(uint8_t code);
// round(255 * LinearToSrgb(clamp(linear, 0, 1))), from a table.
uint8_t ByteFromLinear(float linear);

class Texture {
 public:
  // rgb: [height, width, 3] 8-bit sRGB, top row first; 1 <= width, height <= 4096.
  Texture(int width, int height, std::vector<uint8_t> rgb);

  int width() const { return levels_[0].width; }
  int height() const { return levels_[0].height; }

  // Linear RGB at uv (v = 0 is the bottom row; repeats outside [0, 1]), bilinear within the mip level in
  // which one sample covers about one texel. footprint: extent of the sample in texels of the finest level.
  Vec3 Sample(const Vec2& uv, float footprint) const;

  // Average linear colour.
  const Vec3& mean() const { return mean_; }

 private:
  struct Level {
    int width, height;
    std::vector<uint8_t> rgb;
  };
  std::vector<Level> levels_;
  Vec3 mean_;
};

using TexturePtr = std::shared_ptr<const Texture>;

}  // namespace wildrayzer::synth

#include "wildrayzer/worlds/palette.h"

#include <algorithm>
#include <cmath>

namespace wildrayzer {

Float3 ColourFromHsv(float hue, float saturation, float value) {
  const float sixth = 6.0F * (hue - std::floor(hue));
  const auto channel = [&](float offset) {
    const float k = std::fmod(offset + sixth, 6.0F);
    return value * (1.0F - saturation * std::clamp(std::min(k, 4.0F - k), 0.0F, 1.0F));
  };
  return {channel(5), channel(3), channel(1)};
}

Palette::Palette(Random& random) {
  const double kind = random.Uniform();
  float hue = DrawFloat(random, 0, 1), spread = DrawFloat(random, 0.02, 0.5);
  float least = 0.02F, most = 0.35F;  // saturation
  if (kind < 0.30) {                  // wood, leather, plaster, brick
    hue = DrawFloat(random, 0.02, 0.13), spread = 0.05F;
    least = 0.1F, most = 0.6F;
  } else if (kind < 0.42) {  // grey
    least = 0, most = 0.06F;
  } else if (kind < 0.60) {  // toys, books, clothes
    least = 0.4F, most = 0.95F;
    spread = DrawFloat(random, 0.05, 1);
  }
  const float dark = DrawFloat(random, 0.05, 0.65), bright = DrawFloat(random, dark + 0.15, 1);
  for (size_t i = 0; i < colours_.size(); ++i) {
    const float along = static_cast<float>(i) / static_cast<float>(colours_.size() - 1);
    const float value = dark + (bright - dark) * std::clamp(along + DrawFloat(random, -0.1, 0.1), 0.0F, 1.0F);
    const float own = hue + spread * DrawFloat(random, -0.5, 0.5);
    colours_[i] = ColourFromHsv(own, DrawFloat(random, least, most), value);
  }
}

Float3 Palette::Along(float t) const {
  const float place = std::clamp(t, 0.0F, 1.0F) * static_cast<float>(colours_.size() - 1);
  const size_t below = std::min(static_cast<size_t>(place), colours_.size() - 2);
  return Blend(colours_[below], colours_[below + 1], place - static_cast<float>(below));
}

float FractalNoise(uint32_t seed, float x, float y, int octaves, float gain) {
  float sum = 0, total = 0, amplitude = 1;
  for (int octave = 0; octave < octaves; ++octave) {
    sum += amplitude * LatticeNoise(seed + static_cast<uint32_t>(octave) * 0x632BE5ABU, x, y);
    total += amplitude;
    amplitude *= gain;
    x *= 2.0F, y *= 2.0F;
  }
  return sum / total;
}

}  // namespace wildrayzer

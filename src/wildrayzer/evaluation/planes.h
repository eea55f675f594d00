// Pictures and masks as floats, the common currency of the metrics.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/io/images.h"

namespace wildrayzer {

// `channels` planes of height x width values, row-major, plane after plane ([C, H, W]). Pictures: 3 channels
// RGB in [0, 1]. Masks: 1 channel, 1 = moving, 0 = static; values between are weights.
struct Planes {
  int channels = 0;
  int height = 0;
  int width = 0;
  std::vector<float> values;

  Planes() = default;
  // All values `fill`. Raises Error for a size below 1 or above 2^16 a side.
  Planes(int channels, int height, int width, float fill = 0.0f);

  size_t pixels() const { return static_cast<size_t>(height) * width; }
  std::span<float> Plane(int c) { return std::span(values).subspan(c * pixels(), pixels()); }
  std::span<const float> Plane(int c) const { return std::span(values).subspan(c * pixels(), pixels()); }
  float& At(int c, int y, int x) { return values[(static_cast<size_t>(c) * height + y) * width + x]; }
  float At(int c, int y, int x) const { return values[(static_cast<size_t>(c) * height + y) * width + x]; }
  bool SameSize(const Planes& other) const { return height == other.height && width == other.width; }
  // "3 x 128 x 256" for messages.
  std::string SizeText() const;
};

// byte / 255, and round(255 clamp(x)) back (weights.md 6.6).
Planes PlanesFrom(const Image& image);
Image ImageFrom(const Planes& picture);
// One channel likewise: probabilities, or masks as 0 and 1.
Planes PlanesFrom(const GrayImage& image);
GrayImage GrayFrom(const Planes& mask);

// 1 - mask.
Planes Complement(const Planes& mask);
// values > threshold -> 1, else 0.
Planes Binarise(const Planes& mask, double threshold);
// PyTorch's "nearest": source index floor(dst * in / out).
Planes ResizeNearest(const Planes& picture, int height, int width);
// PyTorch's "area": every target pixel is the mean of source rows floor(i in/out) .. ceil((i+1) in/out) - 1,
// likewise columns.
Planes ResizeArea(const Planes& picture, int height, int width);
// Bilinear, align_corners = false, source coordinates clamped at the borders.
Planes ResizeBilinear(const Planes& picture, int height, int width);

// Raises Error unless both are pictures of the same size with the same number of channels and every value is
// finite: a metric of a picture that holds NaN must never enter a mean. `what` names the picture in the
// message.
void CheckComparable(const Planes& picture, const Planes& truth, const std::string& what);

}  // namespace wildrayzer

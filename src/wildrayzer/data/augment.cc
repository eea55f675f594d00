#include "wildrayzer/data/augment.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "wildrayzer/vision/resize.h"

namespace wildrayzer {
namespace {

// The window of `side` pixels that a factor enlarges to all of them: its first coordinate.
double WindowBegin(int side, double zoom) { return 0.5 * side * (1.0 - 1.0 / zoom); }

ResampleAxis WindowAxis(int side, double zoom) { return {WindowBegin(side, zoom), 1.0 / zoom, 0, side}; }

void MirrorPicture(Image& image) {
  for (int y = 0; y < image.height; ++y) {
    for (int left = 0, right = image.width - 1; left < right; ++left, --right)
      std::swap_ranges(image.Pixel(left, y), image.Pixel(left, y) + 3, image.Pixel(right, y));
  }
}

void TintPicture(const std::array<double, 3>& gains, Image& image) {
  std::array<std::array<uint8_t, 256>, 3> table;
  for (size_t channel = 0; channel < 3; ++channel) {
    for (size_t value = 0; value < 256; ++value) {
      const double scaled = std::round(static_cast<double>(value) * gains[channel]);
      table[channel][value] = static_cast<uint8_t>(std::clamp(scaled, 0.0, 255.0));
    }
  }
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = table[i % 3][image.rgb[i]];
}

void AugmentPicture(const Augmentation& drawn, Image& image) {
  if (image.empty()) return;
  if (drawn.zoom != 1.0) {
    image = Resample(image, WindowAxis(image.width, drawn.zoom), WindowAxis(image.height, drawn.zoom),
                     Filter::kLanczos);
  }
  if (drawn.flip) MirrorPicture(image);
  if (drawn.gains != Augmentation().gains) TintPicture(drawn.gains, image);
}

// Nearest pixels: what moves stays certain.
GrayImage ZoomedMask(const GrayImage& mask, double zoom) {
  GrayImage out(mask.width, mask.height);
  const auto nearest = [zoom](int i, int side) {
    return std::clamp(static_cast<int>(std::floor(WindowBegin(side, zoom) + (i + 0.5) / zoom)), 0, side - 1);
  };
  for (int y = 0; y < mask.height; ++y) {
    const int row = nearest(y, mask.height);
    for (int x = 0; x < mask.width; ++x) out.At(x, y) = mask.At(nearest(x, mask.width), row);
  }
  return out;
}

}  // namespace

Augmentation DrawAugmentation(const AugmentOptions& options, Random& random) {
  Augmentation drawn;
  drawn.flip = random.Uniform() < options.flip;
  drawn.reverse = random.Uniform() < options.reverse;
  drawn.zoom = std::exp(random.Uniform() * std::log(options.zoom));
  const auto gain = [&] { return random.Uniform(1.0 - options.colour, 1.0 + options.colour); };
  const double brightness = gain();
  for (double& channel : drawn.gains) channel = brightness * gain();
  return drawn;
}

void Augment(const Augmentation& drawn, View& view) {
  const int width = view.image.width, height = view.image.height;
  AugmentPicture(drawn, view.image);
  AugmentPicture(drawn, view.clean);
  Augment(drawn, view.mask);
  if (view.intrinsics) {
    PixelIntrinsics& k = *view.intrinsics;
    k = {k.fx * drawn.zoom, k.fy * drawn.zoom, (k.cx - WindowBegin(width, drawn.zoom)) * drawn.zoom,
         (k.cy - WindowBegin(height, drawn.zoom)) * drawn.zoom};
    if (drawn.flip) k.cx = width - k.cx;
  }
  if (drawn.flip && view.w2c) {
    view.w2c->row(0) *= -1.0;
    view.w2c->col(0) *= -1.0;
  }
}

void Augment(const Augmentation& drawn, GrayImage& mask) {
  if (mask.empty()) return;
  if (drawn.zoom != 1.0) mask = ZoomedMask(mask, drawn.zoom);
  if (!drawn.flip) return;
  for (int y = 0; y < mask.height; ++y) {
    uint8_t* row = &mask.At(0, y);
    std::reverse(row, row + mask.width);
  }
}

}  // namespace wildrayzer

#include "wildrayzer/io/samples.h"

#include <algorithm>

namespace wildrayzer {
namespace {

template <typename T>
Samples<T> TurnedSamples(Samples<T> stored, int orientation) {
  if (orientation == 1) return stored;
  const bool transposed = orientation >= 5;
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  const bool from_below = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  Samples<T> upright(transposed ? stored.height : stored.width, transposed ? stored.width : stored.height,
                     stored.channels);
  upright.cmyk = stored.cmyk;
  for (int y = 0; y < upright.height; ++y) {
    const int row = from_below ? upright.height - 1 - y : y;
    for (int x = 0; x < upright.width; ++x) {
      const int column = from_right ? upright.width - 1 - x : x;
      const T* in = transposed ? stored.Pixel(row, column) : stored.Pixel(column, row);
      std::copy_n(in, stored.channels, upright.Pixel(x, y));
    }
  }
  return upright;
}

template <typename T>
Image ImageOfSamples(const Samples<T>& samples) {
  constexpr uint64_t kMax = static_cast<T>(-1);
  const int channels = samples.channels;
  Image image(samples.width, samples.height);
  const T* in = samples.values.data();
  uint8_t* out = image.rgb.data();
  for (size_t i = image.rgb.size() / 3; i > 0; --i, in += channels, out += 3) {
    for (int c = 0; c < 3; ++c) {
      const T value = channels == 1 ? in[0] : in[c];
      if (channels < 4) {
        out[c] = To8Bit(value);
      } else {
        const uint64_t alpha = in[3];
        out[c] = To8Bit(static_cast<T>((value * alpha + kMax * (kMax - alpha) + kMax / 2) / kMax));
      }
    }
  }
  return image;
}

template <typename T>
Samples<T> RgbOfInks(const Samples<T>& inks) {
  constexpr int64_t kMax = static_cast<T>(-1);
  Samples<T> rgb(inks.width, inks.height, 3);
  const T* in = inks.values.data();
  for (T* out = rgb.values.data(); out != rgb.values.data() + rgb.values.size(); in += 4, out += 3) {
    const int64_t black = in[3];
    for (int c = 0; c < 3; ++c) out[c] = static_cast<T>(black - (kMax - in[c]) * black / (kMax + 1));
  }
  return rgb;
}

}  // namespace

DecodedSamples Upright(DecodedSamples stored, int orientation) {
  return std::visit(
      [&](auto& samples) -> DecodedSamples { return TurnedSamples(std::move(samples), orientation); },
      stored);
}

DecodedSamples PlainRgbOfCmyk(const DecodedSamples& inks) {
  return std::visit([](const auto& samples) -> DecodedSamples { return RgbOfInks(samples); }, inks);
}

Image ToRgb(const DecodedSamples& samples) {
  return std::visit([](const auto& s) { return ImageOfSamples(s); }, samples);
}

}  // namespace wildrayzer

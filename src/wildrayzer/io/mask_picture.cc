#include "wildrayzer/io/mask_picture.h"

#include <algorithm>

#include "wildrayzer/io/codecs.h"

namespace wildrayzer {
namespace {

constexpr int kLabels = 32;  // below it grey values are labels

template <typename T>
GrayImage MaskOf(const Samples<T>& samples) {
  const auto channels = static_cast<size_t>(samples.channels);
  const bool has_colours = channels >= 3 && !samples.cmyk, has_alpha = channels == 4 && !samples.cmyk;
  const T opaque = static_cast<T>(-1);
  bool transparent = false, coloured = false;
  T most = 0;
  for (size_t i = 0; i < samples.values.size(); i += channels) {
    const T* pixel = samples.values.data() + i;
    transparent = transparent || (has_alpha && pixel[3] != opaque);
    coloured = coloured || (has_colours && (pixel[0] != pixel[1] || pixel[1] != pixel[2]));
    most = std::max(most, pixel[0]);
  }
  // 16-bit files hold labels as they are, too.
  const bool labels = most < kLabels;
  GrayImage mask(samples.width, samples.height);
  const T* pixel = samples.values.data();
  for (uint8_t& value : mask.values) {
    if (transparent) {
      value = To8Bit(pixel[3]);
    } else if (coloured) {
      value = std::max({pixel[0], pixel[1], pixel[2]}) > 0 ? 255 : 0;
    } else {
      value = labels ? (pixel[0] > 0 ? 255 : 0) : To8Bit(pixel[0]);
    }
    pixel += channels;
  }
  return mask;
}

}  // namespace

GrayImage ReadMaskPicture(const std::filesystem::path& path) {
  return std::visit([](const auto& samples) { return MaskOf(samples); }, ReadSamples(path));
}

}  // namespace wildrayzer

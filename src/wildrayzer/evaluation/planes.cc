#include "wildrayzer/evaluation/planes.h"

#include <algorithm>
#include <cmath>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// A resampling of one axis: target i is the weighted sum of two sources.
struct LinearTap {
  int low, high;
  float weight_high;
};

std::vector<LinearTap> LinearTaps(int in, int out) {
  std::vector<LinearTap> taps(out);
  for (int i = 0; i < out; ++i) {
    const double position = std::max(0.0, (i + 0.5) * in / out - 0.5);
    const int low = std::min(static_cast<int>(position), in - 1);
    taps[i] = {low, std::min(low + 1, in - 1), static_cast<float>(position - low)};
  }
  return taps;
}

}  // namespace

Planes::Planes(int channels_in, int height_in, int width_in, float fill)
    : channels(channels_in), height(height_in), width(width_in) {
  constexpr int kLargest = 1 << 16;
  if (channels < 1 || height < 1 || width < 1 || channels > 64 || height > kLargest || width > kLargest) {
    throw Error("a picture of " + SizeText() + " values is outside the supported sizes");
  }
  values.assign(static_cast<size_t>(channels) * height * width, fill);
}

std::string Planes::SizeText() const {
  return std::to_string(channels) + " x " + std::to_string(height) + " x " + std::to_string(width);
}

Planes PlanesFrom(const Image& image) {
  Planes out(3, image.height, image.width);
  out.values = ToPlanes(image);
  return out;
}

Image ImageFrom(const Planes& picture) {
  if (picture.channels != 3)
    throw Error("only pictures of 3 channels can be shown, got " + picture.SizeText());
  return FromPlanes(picture.values, picture.width, picture.height);
}

Planes PlanesFrom(const GrayImage& image) {
  Planes out(1, image.height, image.width);
  for (size_t i = 0; i < out.values.size(); ++i) out.values[i] = static_cast<float>(image.values[i]) / 255.0f;
  return out;
}

GrayImage GrayFrom(const Planes& mask) {
  if (mask.channels != 1) throw Error("a mask must have 1 channel, got " + mask.SizeText());
  return FromProbabilities(mask.values, mask.width, mask.height);
}

Planes Complement(const Planes& mask) {
  Planes out = mask;
  for (float& value : out.values) value = 1.0f - value;
  return out;
}

Planes Binarise(const Planes& mask, double threshold) {
  Planes out = mask;
  for (float& value : out.values) value = value > threshold ? 1.0f : 0.0f;
  return out;
}

Planes ResizeNearest(const Planes& picture, int height, int width) {
  Planes out(picture.channels, height, width);
  for (int c = 0; c < out.channels; ++c) {
    for (int y = 0; y < height; ++y) {
      const int from_y = static_cast<int>(static_cast<int64_t>(y) * picture.height / height);
      for (int x = 0; x < width; ++x) {
        out.At(c, y, x) =
            picture.At(c, from_y, static_cast<int>(static_cast<int64_t>(x) * picture.width / width));
      }
    }
  }
  return out;
}

Planes ResizeArea(const Planes& picture, int height, int width) {
  Planes out(picture.channels, height, width);
  const auto begin = [](int i, int in, int n) { return static_cast<int>(static_cast<int64_t>(i) * in / n); };
  const auto end = [](int i, int in, int n) {
    return static_cast<int>((static_cast<int64_t>(i + 1) * in + n - 1) / n);
  };
  for (int c = 0; c < out.channels; ++c) {
    for (int y = 0; y < height; ++y) {
      const int y0 = begin(y, picture.height, height), y1 = end(y, picture.height, height);
      for (int x = 0; x < width; ++x) {
        const int x0 = begin(x, picture.width, width), x1 = end(x, picture.width, width);
        double sum = 0.0;
        for (int v = y0; v < y1; ++v) {
          for (int u = x0; u < x1; ++u) sum += picture.At(c, v, u);
        }
        out.At(c, y, x) = static_cast<float>(sum / (static_cast<double>(y1 - y0) * (x1 - x0)));
      }
    }
  }
  return out;
}

Planes ResizeBilinear(const Planes& picture, int height, int width) {
  Planes out(picture.channels, height, width);
  const std::vector<LinearTap> rows = LinearTaps(picture.height, height);
  const std::vector<LinearTap> columns = LinearTaps(picture.width, width);
  for (int c = 0; c < out.channels; ++c) {
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const auto& [y0, y1, wy] = rows[y];
        const auto& [x0, x1, wx] = columns[x];
        const float top = picture.At(c, y0, x0) * (1 - wx) + picture.At(c, y0, x1) * wx;
        const float bottom = picture.At(c, y1, x0) * (1 - wx) + picture.At(c, y1, x1) * wx;
        out.At(c, y, x) = top * (1 - wy) + bottom * wy;
      }
    }
  }
  return out;
}

void CheckComparable(const Planes& picture, const Planes& truth, const std::string& what) {
  if (picture.channels != truth.channels || !picture.SameSize(truth) || picture.values.empty()) {
    throw Error(what + ": the pictures differ in size (" + picture.SizeText() + " and " + truth.SizeText() +
                ")");
  }
  const auto finite = [](float value) { return std::isfinite(value); };
  for (const Planes* planes : {&picture, &truth}) {
    if (!std::all_of(planes->values.begin(), planes->values.end(), finite)) {
      throw Error(what + ": a picture holds values that are not finite");
    }
  }
}

}  // namespace wildrayzer

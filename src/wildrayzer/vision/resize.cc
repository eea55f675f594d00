#include "wildrayzer/vision/resize.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr int kPrecisionBits =
    22;  // 32-bit accumulator, 8-bit samples, 2 bits for the overshoot of the lobes

double Sinc(double x) { return x == 0.0 ? 1.0 : std::sin(x * std::numbers::pi) / (x * std::numbers::pi); }

double Support(Filter filter) {
  switch (filter) {
    case Filter::kBilinear:
      return 1.0;
    case Filter::kBicubic:
      return 2.0;
    case Filter::kLanczos:
      break;
  }
  return 3.0;
}

double Kernel(Filter filter, double x) {
  switch (filter) {
    case Filter::kBilinear:
      return std::max(0.0, 1.0 - std::abs(x));
    case Filter::kBicubic: {
      constexpr double kA = -0.5;
      x = std::abs(x);
      if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1.0;
      return x < 2.0 ? (((x - 5.0) * x + 8.0) * x - 4.0) * kA : 0.0;
    }
    case Filter::kLanczos:
      break;
  }
  return -3.0 <= x && x < 3.0 ? Sinc(x) * Sinc(x / 3.0) : 0.0;
}

// The contributions to one output sample: source samples [first, first + count), weights at `offset`.
struct Taps {
  int first = 0;
  int count = 0;
  size_t offset = 0;
};

struct AxisTaps {
  std::vector<Taps> taps;
  std::vector<int32_t> weights;
  int first = 0;  // range of source samples used by any output
  int last = 0;
};

AxisTaps MakeTaps(const ResampleAxis& axis, int in, Filter filter) {
  const double stretch = std::max(axis.step, 1.0);
  const double support = Support(filter) * stretch;
  AxisTaps result;
  result.first = in;
  std::vector<double> weights;
  for (int i = 0; i < axis.count; ++i) {
    const double centre = axis.origin + (static_cast<double>(axis.first + i) + 0.5) * axis.step;
    // Truncation as in Pillow; far outside the picture the nearest sample is used.
    const auto first = static_cast<int64_t>(std::clamp(centre - support + 0.5, 0.0, in - 1.0));
    const auto end =
        static_cast<int64_t>(std::clamp(centre + support + 0.5, first + 1.0, static_cast<double>(in)));
    weights.clear();
    double sum = 0;
    for (int64_t j = first; j < end; ++j) {
      weights.push_back(Kernel(filter, (static_cast<double>(j) - centre + 0.5) * (1.0 / stretch)));
      sum += weights.back();
    }
    if (sum == 0.0) {  // outside the picture by more than the support
      std::fill(weights.begin(), weights.end(), 1.0);
      sum = static_cast<double>(weights.size());
    }
    for (double& weight : weights) weight /= sum;
    result.taps.push_back({static_cast<int>(first), static_cast<int>(end - first), result.weights.size()});
    for (const double weight : weights) {
      const double scaled = weight * (1 << kPrecisionBits);
      result.weights.push_back(static_cast<int32_t>(weight < 0 ? scaled - 0.5 : scaled + 0.5));
    }
    result.first = std::min(result.first, static_cast<int>(first));
    result.last = std::max(result.last, static_cast<int>(end));
  }
  return result;
}

uint8_t Clip(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255)); }

constexpr int32_t kHalf = 1 << (kPrecisionBits - 1);

// One row of `C` interleaved channels.
template <int C>
void HorizontalPass(const uint8_t* in, const AxisTaps& axis, uint8_t* out) {
  for (const Taps& taps : axis.taps) {
    int32_t sums[C];
    std::fill_n(sums, C, kHalf);
    const int32_t* weights = axis.weights.data() + taps.offset;
    const uint8_t* samples = in + static_cast<size_t>(C) * static_cast<size_t>(taps.first);
    for (int j = 0; j < taps.count; ++j) {
      for (int c = 0; c < C; ++c) sums[c] += samples[C * j + c] * weights[j];
    }
    for (int c = 0; c < C; ++c) *out++ = Clip(sums[c]);
  }
}

template <int C>
std::vector<uint8_t> ResampleBytes(const std::vector<uint8_t>& in, int width, int height,
                                   const ResampleAxis& x, const ResampleAxis& y, Filter filter) {
  if (in.empty() || x.count <= 0 || y.count <= 0) throw Error("an empty picture cannot be resized");
  const AxisTaps columns = MakeTaps(x, width, filter);
  const AxisTaps rows = MakeTaps(y, height, filter);
  const size_t row_bytes = static_cast<size_t>(C) * static_cast<size_t>(x.count);
  std::vector<uint8_t> middle(row_bytes * static_cast<size_t>(rows.last - rows.first));
  for (int row = rows.first; row < rows.last; ++row) {
    HorizontalPass<C>(
        in.data() + static_cast<size_t>(C) * static_cast<size_t>(width) * static_cast<size_t>(row), columns,
        middle.data() + row_bytes * static_cast<size_t>(row - rows.first));
  }
  std::vector<uint8_t> out(row_bytes * static_cast<size_t>(y.count));
  std::vector<int32_t> sums(row_bytes);
  for (size_t i = 0; i < rows.taps.size(); ++i) {
    const Taps& taps = rows.taps[i];
    std::fill(sums.begin(), sums.end(), kHalf);
    for (int j = 0; j < taps.count; ++j) {
      const int32_t weight = rows.weights[taps.offset + static_cast<size_t>(j)];
      const uint8_t* samples = middle.data() + row_bytes * static_cast<size_t>(taps.first + j - rows.first);
      for (size_t k = 0; k < row_bytes; ++k) sums[k] += samples[k] * weight;
    }
    std::transform(sums.begin(), sums.end(), out.begin() + static_cast<std::ptrdiff_t>(row_bytes * i), Clip);
  }
  return out;
}

}  // namespace

ResampleAxis ResizeAxis(int in, int64_t out, int64_t first, int count) {
  return {0.0, static_cast<double>(in) / static_cast<double>(out), first, count};
}

Image Resample(const Image& image, const ResampleAxis& x, const ResampleAxis& y, Filter filter) {
  Image result;
  result.rgb = ResampleBytes<3>(image.rgb, image.width, image.height, x, y, filter);
  result.width = x.count;
  result.height = y.count;
  return result;
}

GrayImage Resample(const GrayImage& image, const ResampleAxis& x, const ResampleAxis& y, Filter filter) {
  GrayImage result;
  result.values = ResampleBytes<1>(image.values, image.width, image.height, x, y, filter);
  result.width = x.count;
  result.height = y.count;
  return result;
}

Image Resize(const Image& image, int width, int height, Filter filter) {
  return Resample(image, ResizeAxis(image.width, width, 0, width),
                  ResizeAxis(image.height, height, 0, height), filter);
}

GrayImage Resize(const GrayImage& image, int width, int height, Filter filter) {
  return Resample(image, ResizeAxis(image.width, width, 0, width),
                  ResizeAxis(image.height, height, 0, height), filter);
}

}  // namespace wildrayzer

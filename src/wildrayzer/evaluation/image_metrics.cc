#include "wildrayzer/evaluation/image_metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr double kEmptyMask = 1e-8;
constexpr int kRadius = 5;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double Clamped(float value) { return std::clamp(static_cast<double>(value), 0.0, 1.0); }

double Decibels(double mse, double floor) { return -10.0 * std::log10(std::max(mse, floor)); }

Planes MaskOfSize(const Planes& mask, const Planes& picture) {
  if (mask.channels != 1) throw Error("a mask must have 1 channel, got " + mask.SizeText());
  return mask.SameSize(picture) ? mask : ResizeNearest(mask, picture.height, picture.width);
}

double Sum(const Planes& mask) { return std::accumulate(mask.values.begin(), mask.values.end(), 0.0); }

// Source index of position i outside [0, n): reflected (d c b a | a b c d | d c b a), or -1 for zero padding.
int BorderIndex(int i, int n, bool zero_padding) {
  if (i >= 0 && i < n) return i;
  if (zero_padding) return -1;
  const int period = 2 * n;
  i = ((i % period) + period) % period;
  return i < n ? i : period - 1 - i;
}

// Blurs `lines` lines of `n` values; value i of line l is at data[l * line_stride + i * stride].
void BlurLines(std::vector<double>& data, int lines, size_t line_stride, int n, size_t stride,
               bool zero_padding) {
  const std::array<double, 11>& window = SsimWindow();
  std::vector<double> padded(n + 2 * kRadius);
  for (int l = 0; l < lines; ++l) {
    double* line = data.data() + l * line_stride;
    for (int i = -kRadius; i < n + kRadius; ++i) {
      const int source = BorderIndex(i, n, zero_padding);
      padded[i + kRadius] = source < 0 ? 0.0 : line[source * stride];
    }
    for (int i = 0; i < n; ++i) {
      double sum = 0.0;
      for (int k = 0; k < 11; ++k) sum += window[k] * padded[i + k];
      line[i * stride] = sum;
    }
  }
}

void Blur(std::vector<double>& plane, int height, int width, bool zero_padding) {
  BlurLines(plane, width, 1, height, width, zero_padding);
  BlurLines(plane, height, width, width, 1, zero_padding);
}

// One channel of the map.
void SsimPlane(std::span<const float> a, std::span<const float> b, int height, int width,
               const SsimRule& rule, std::span<float> out) {
  constexpr double kC1 = 0.01 * 0.01, kC2 = 0.03 * 0.03;
  const double scale = rule.sample_covariance ? 121.0 / 120.0 : 1.0;
  const size_t n = a.size();
  std::vector<double> x(n), y(n), xx(n), yy(n), xy(n);
  for (size_t i = 0; i < n; ++i) {
    x[i] = Clamped(a[i]);
    y[i] = Clamped(b[i]);
    xx[i] = x[i] * x[i];
    yy[i] = y[i] * y[i];
    xy[i] = x[i] * y[i];
  }
  for (std::vector<double>* plane : {&x, &y, &xx, &yy, &xy}) Blur(*plane, height, width, rule.zero_padding);
  for (size_t i = 0; i < n; ++i) {
    const double product = x[i] * y[i], squares = x[i] * x[i] + y[i] * y[i];
    const double covariance = scale * (xy[i] - product);
    const double variances = scale * (xx[i] + yy[i] - squares);
    out[i] = static_cast<float>((2.0 * product + kC1) * (2.0 * covariance + kC2) /
                                ((squares + kC1) * (variances + kC2)));
  }
}

}  // namespace

const std::array<double, 11>& SsimWindow() {
  static const std::array<double, 11> window = [] {
    std::array<double, 11> w{};
    for (int i = 0; i < 11; ++i) w[i] = std::exp(-0.5 * (i - kRadius) * (i - kRadius) / (1.5 * 1.5));
    const double sum = std::accumulate(w.begin(), w.end(), 0.0);
    for (double& value : w) value /= sum;
    return w;
  }();
  return window;
}

double Psnr(const Planes& picture, const Planes& truth) {
  CheckComparable(picture, truth, "PSNR");
  double sum = 0.0;
  for (size_t i = 0; i < picture.values.size(); ++i) {
    const double difference = Clamped(picture.values[i]) - Clamped(truth.values[i]);
    sum += difference * difference;
  }
  return Decibels(sum / static_cast<double>(picture.values.size()), 1e-10);
}

Planes SsimMap(const Planes& picture, const Planes& truth, const SsimRule& rule) {
  CheckComparable(picture, truth, "SSIM");
  Planes map(picture.channels, picture.height, picture.width);
  for (int c = 0; c < picture.channels; ++c) {
    SsimPlane(picture.Plane(c), truth.Plane(c), picture.height, picture.width, rule, map.Plane(c));
  }
  return map;
}

double Ssim(const Planes& picture, const Planes& truth) {
  if (picture.height < 11 || picture.width < 11) {
    throw Error("SSIM needs pictures of at least 11 pixels a side, got " + picture.SizeText());
  }
  const Planes map = SsimMap(picture, truth, kFrameSsim);
  double sum = 0.0;
  for (int c = 0; c < map.channels; ++c) {
    for (int y = kRadius; y < map.height - kRadius; ++y) {
      for (int x = kRadius; x < map.width - kRadius; ++x) sum += map.At(c, y, x);
    }
  }
  return sum / (static_cast<double>(map.channels) * (map.height - 2 * kRadius) * (map.width - 2 * kRadius));
}

double MaskedPsnr(const Planes& picture, const Planes& truth, const Planes& mask) {
  CheckComparable(picture, truth, "masked PSNR");
  const Planes weights = MaskOfSize(mask, picture);
  const double total = Sum(weights);
  if (total < kEmptyMask) return kNaN;
  double sum = 0.0;
  for (int c = 0; c < picture.channels; ++c) {
    const auto a = picture.Plane(c), b = truth.Plane(c);
    for (size_t i = 0; i < a.size(); ++i) {
      const double difference = Clamped(a[i]) - Clamped(b[i]);
      sum += weights.values[i] * difference * difference;
    }
  }
  return Decibels(sum / (total * picture.channels), 1e-8);
}

double MaskedSsim(const Planes& picture, const Planes& truth, const Planes& mask) {
  const Planes weights = MaskOfSize(mask, picture);
  const double total = Sum(weights);
  if (total < kEmptyMask) return kNaN;
  const Planes map = SsimMap(picture, truth, kMaskedSsim);
  double sum = 0.0;
  for (int c = 0; c < map.channels; ++c) {
    const auto values = map.Plane(c);
    for (size_t i = 0; i < values.size(); ++i) sum += static_cast<double>(weights.values[i]) * values[i];
  }
  return sum / (total * map.channels);
}

}  // namespace wildrayzer

#include "wildrayzer/labels/dissimilarity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr int kRadius = 5;
constexpr int kWindow = (2 * kRadius + 1) * (2 * kRadius + 1);

// The release's 8-bit pictures: its floats are truncated, not rounded.
std::vector<int32_t> Bytes(std::span<const float> plane) {
  std::vector<int32_t> bytes(plane.size());
  std::transform(plane.begin(), plane.end(), bytes.begin(),
                 [](float v) { return static_cast<int32_t>(std::clamp(v, 0.0f, 1.0f) * 255.0f); });
  return bytes;
}

// Index inside [0, n) of position i, reflected as d c b a | a b c d | d c b a.
int Reflected(int i, int n) {
  const int period = 2 * n;
  i = ((i % period) + period) % period;
  return i < n ? i : period - 1 - i;
}

// Sums over windows of 11 along one axis: value i of line l is at data[l * line_stride + i * stride].
void SumLines(std::vector<int32_t>& data, int lines, size_t line_stride, int n, size_t stride) {
  std::vector<int32_t> padded(n + 2 * kRadius);
  for (int l = 0; l < lines; ++l) {
    int32_t* line = data.data() + l * line_stride;
    for (int i = -kRadius; i < n + kRadius; ++i) padded[i + kRadius] = line[Reflected(i, n) * stride];
    int32_t sum = 0;
    for (int i = 0; i < 2 * kRadius; ++i) sum += padded[i];
    for (int i = 0; i < n; ++i) {
      sum += padded[i + 2 * kRadius];
      line[i * stride] = sum;
      sum -= padded[i];
    }
  }
}

// The window sum of f(a, b), exact: 121 * 255^2 is below 2^23.
std::vector<int32_t> WindowSums(const std::vector<int32_t>& a, const std::vector<int32_t>& b, int height,
                                int width, const std::function<int32_t(int32_t, int32_t)>& f) {
  std::vector<int32_t> sums(a.size());
  std::transform(a.begin(), a.end(), b.begin(), sums.begin(), f);
  SumLines(sums, width, 1, height, width);
  SumLines(sums, height, width, width, 1);
  return sums;
}

// Adds the similarity of one channel to `total`.
void AddSsim(const std::vector<int32_t>& a, const std::vector<int32_t>& b, int height, int width,
             std::vector<double>& total) {
  constexpr double kC1 = (0.01 * 255) * (0.01 * 255), kC2 = (0.03 * 255) * (0.03 * 255);
  constexpr double kSample = kWindow / (kWindow - 1.0);
  const auto sums = [&](const auto& f) { return WindowSums(a, b, height, width, f); };
  const auto x = sums([](int32_t p, int32_t) { return p; });
  const auto y = sums([](int32_t, int32_t q) { return q; });
  const auto squares = sums([](int32_t p, int32_t q) { return p * p + q * q; });
  const auto products = sums([](int32_t p, int32_t q) { return p * q; });
  for (size_t i = 0; i < total.size(); ++i) {
    const double mean_x = x[i] / static_cast<double>(kWindow), mean_y = y[i] / static_cast<double>(kWindow);
    const double means = mean_x * mean_x + mean_y * mean_y;
    const double covariance = kSample * (products[i] / static_cast<double>(kWindow) - mean_x * mean_y);
    const double variances = kSample * (squares[i] / static_cast<double>(kWindow) - means);
    total[i] += (2 * mean_x * mean_y + kC1) * (2 * covariance + kC2) / ((means + kC1) * (variances + kC2));
  }
}

double Dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

}  // namespace

std::vector<float> SsimDissimilarity(std::span<const float> image, std::span<const float> rendering,
                                     int height, int width) {
  const size_t pixels = static_cast<size_t>(height) * width;
  if (height < 1 || width < 1 || image.size() != 3 * pixels || rendering.size() != 3 * pixels) {
    throw Error(fmt::format("SSIM: pictures of {} and {} values are not 3 x {} x {}", image.size(),
                            rendering.size(), height, width));
  }
  std::vector<double> total(pixels, 0.0);
  for (int c = 0; c < 3; ++c) {
    AddSsim(Bytes(image.subspan(c * pixels, pixels)), Bytes(rendering.subspan(c * pixels, pixels)), height,
            width, total);
  }
  std::vector<float> map(pixels);
  std::transform(total.begin(), total.end(), map.begin(),
                 [](double sum) { return static_cast<float>(1.0 - sum / 3.0); });
  return map;
}

std::vector<float> FeatureDissimilarity(std::span<const float> features,
                                        std::span<const float> rendered_features, int64_t channels) {
  if (channels < 1 || features.size() != rendered_features.size() || features.size() % channels != 0) {
    throw Error(fmt::format("features of {} and {} values are not of {} channels each", features.size(),
                            rendered_features.size(), channels));
  }
  std::vector<float> map(features.size() / channels);
  for (size_t i = 0; i < map.size(); ++i) {
    const auto a = features.subspan(i * channels, channels);
    const auto b = rendered_features.subspan(i * channels, channels);
    const double dot = Dot(a, b), squares_a = Dot(a, a), squares_b = Dot(b, b);
    if (!std::isfinite(dot) || !std::isfinite(squares_a) || !std::isfinite(squares_b)) {
      throw Error(fmt::format("the features of patch {} are not finite", i));
    }
    const double lengths = std::sqrt(squares_a) * std::sqrt(squares_b);
    map[i] = static_cast<float>(1.0 - (lengths > 0 ? std::clamp(dot / lengths, -1.0, 1.0) : 0.0));
  }
  return map;
}

std::vector<float> PoolToGrid(std::span<const float> map, int height, int width, int rows, int columns) {
  if (rows < 1 || columns < 1 || height % rows != 0 || width % columns != 0 ||
      map.size() != static_cast<size_t>(height) * width) {
    throw Error(fmt::format("a grid of {} x {} patches does not divide {} x {} pixels", rows, columns, height,
                            width));
  }
  const int patch_height = height / rows, patch_width = width / columns;
  std::vector<double> sums(static_cast<size_t>(rows) * columns, 0.0);
  for (int y = 0; y < height; ++y) {
    const size_t row = static_cast<size_t>(y / patch_height) * columns;
    for (int x = 0; x < width; ++x) {
      sums[row + x / patch_width] += map[static_cast<size_t>(y) * width + x];
    }
  }
  std::vector<float> pooled(sums.size());
  const double area = static_cast<double>(patch_height) * patch_width;
  std::transform(sums.begin(), sums.end(), pooled.begin(),
                 [area](double sum) { return static_cast<float>(sum / area); });
  return pooled;
}

std::vector<float> ZScores(std::span<const float> map) {
  std::vector<float> scores(map.size(), 0.0f);
  if (map.size() < 2) return scores;
  const auto n = static_cast<double>(map.size());
  double mean = 0, squares = 0;
  for (const float v : map) mean += v / n;
  for (const float v : map) squares += (v - mean) * (v - mean);
  const double deviation = std::sqrt(squares / (n - 1)) + 1e-8;
  std::transform(map.begin(), map.end(), scores.begin(),
                 [&](float v) { return static_cast<float>((v - mean) / deviation); });
  return scores;
}

double PicturePsnr(std::span<const float> image, std::span<const float> rendering) {
  if (image.empty() || image.size() != rendering.size()) {
    throw Error(fmt::format("PSNR: pictures of {} and {} values", image.size(), rendering.size()));
  }
  double sum = 0;
  for (size_t i = 0; i < image.size(); ++i) {
    const double difference = std::clamp(image[i], 0.0f, 1.0f) - std::clamp(rendering[i], 0.0f, 1.0f);
    sum += difference * difference;
  }
  return -10.0 * std::log10(std::max(sum / static_cast<double>(image.size()), 1e-10));
}

}  // namespace wildrayzer

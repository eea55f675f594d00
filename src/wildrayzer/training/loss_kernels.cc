#include "wildrayzer/training/loss_kernels.h"

#include <algorithm>
#include <cmath>

namespace wildrayzer {
namespace {

constexpr int64_t kWindow = StructuralDistance::kWindow;
constexpr float kC1 = 0.01f * 0.01f, kC2 = 0.03f * 0.03f;  // SSIM's constants for the data range 1
constexpr float kSmooth = 1e-3f;                           // below it |d| is a parabola

// In place: a[i][j] = sum of the window that starts at (i, j). Sums of 2, 4 and 8 by doubling.
void WindowSums(float* a, int64_t rows, int64_t columns) {
  static_assert(kWindow == 8);
  for (int64_t i = 0; i < rows; ++i) {
    float* row = a + i * columns;
    for (int64_t j = 0; j < columns - 1; ++j) row[j] += row[j + 1];
    for (int64_t j = 0; j < columns - 3; ++j) row[j] += row[j + 2];
    for (int64_t j = 0; j < columns - 7; ++j) row[j] += row[j + 4];
  }
  for (int64_t step = 1; step < kWindow; step *= 2) {
    for (int64_t i = 0; i < rows - 2 * step + 1; ++i) {
      float* row = a + i * columns;
      const float* other = row + step * columns;
      for (int64_t j = 0; j < columns; ++j) row[j] += other[j];
    }
  }
}

// Sum of (sqrt(d^2 + s^2) - s) over d = e[j + step] - e[j], and the derivative after e times weight.
double SlopeRow(const float* x, const float* y, int64_t count, int64_t step, float weight, float* gradient) {
  float sum = 0;
  if (gradient == nullptr) {
    for (int64_t j = 0; j < count; ++j) {
      const float d = (x[j + step] - y[j + step]) - (x[j] - y[j]);
      sum += std::sqrt(d * d + kSmooth * kSmooth) - kSmooth;
    }
    return sum;
  }
  constexpr int64_t kBlock = 256;
  float slope[kBlock];
  for (int64_t first = 0; first < count; first += kBlock) {
    const int64_t length = std::min(kBlock, count - first);
    for (int64_t j = 0; j < length; ++j) {
      const int64_t at = first + j;
      const float d = (x[at + step] - y[at + step]) - (x[at] - y[at]);
      const float root = std::sqrt(d * d + kSmooth * kSmooth);
      sum += root - kSmooth;
      slope[j] = weight * d / root;
    }
    for (int64_t j = 0; j < length; ++j) gradient[first + j] -= slope[j];
    for (int64_t j = 0; j < length; ++j) gradient[first + j + step] += slope[j];
  }
  return sum;
}

}  // namespace

double SquaredError(const float* __restrict x, const float* __restrict y, const uint8_t* __restrict mask,
                    int64_t pixels, float* __restrict gradient) {
  constexpr int64_t kBlock = 1024;  // float sums inside, double sums of blocks
  double total = 0;
  for (int64_t first = 0; first < pixels; first += kBlock) {
    const int64_t end = std::min(first + kBlock, pixels);
    float sum = 0;
    for (int64_t i = first; i < end; ++i) {
      const float keep = mask == nullptr || mask[i] != 0 ? 1.0f : 0.0f;
      // Selected, not multiplied: what does not count may be anything, even NaN.
      const float d = keep != 0.0f ? x[i] - y[i] : 0.0f;
      sum += d * d;
      if (gradient != nullptr) gradient[i] = 2.0f * d;
    }
    total += sum;
  }
  return total;
}

StructuralDistance::StructuralDistance(int64_t height, int64_t width) {
  for (int i = 0; i < kMaxLevels; ++i) {
    Level level;
    level.height = height >> i;
    level.width = width >> i;
    if (i > 0 && std::min(level.height, level.width) < kWindow) break;
    const size_t size = static_cast<size_t>(level.height * level.width);
    level.x.resize(size);
    level.y.resize(size);
    level.gradient.resize(size);
    levels_.push_back(std::move(level));
  }
  for (auto& sums : sums_) sums.resize(levels_[0].x.size());
  // A frame of zeros around the derivatives: the sums of all windows that touch a pixel.
  for (auto& adjoint : adjoint_) adjoint.resize((height + kWindow - 1) * (width + kWindow - 1));
}

void StructuralDistance::Fill(const float* x, const float* y, const uint8_t* mask) {
  Level& first = levels_[0];
  const int64_t pixels = first.height * first.width;
  std::copy(y, y + pixels, first.y.begin());
  for (int64_t i = 0; i < pixels; ++i) first.x[i] = mask == nullptr || mask[i] != 0 ? x[i] : y[i];
  for (size_t k = 1; k < levels_.size(); ++k) {
    const Level& fine = levels_[k - 1];
    Level& coarse = levels_[k];
    for (int64_t i = 0; i < coarse.height; ++i) {
      for (int64_t j = 0; j < coarse.width; ++j) {
        const int64_t at = 2 * i * fine.width + 2 * j, below = at + fine.width;
        const int64_t to = i * coarse.width + j;
        coarse.x[to] = 0.25f * (fine.x[at] + fine.x[at + 1] + fine.x[below] + fine.x[below + 1]);
        coarse.y[to] = 0.25f * (fine.y[at] + fine.y[at + 1] + fine.y[below] + fine.y[below + 1]);
      }
    }
  }
}

double StructuralDistance::Ssim(Level& level, float weight, bool with_gradient) {
  const int64_t height = level.height, width = level.width, pixels = height * width;
  const int64_t rows = height - kWindow + 1, columns = width - kWindow + 1;
  if (rows < 1 || columns < 1) return 0;
  const float *x = level.x.data(), *y = level.y.data();
  float *sx = sums_[0].data(), *sy = sums_[1].data(), *sxxyy = sums_[2].data(), *sxy = sums_[3].data();
  for (int64_t i = 0; i < pixels; ++i) {
    sx[i] = x[i];
    sy[i] = y[i];
    sxxyy[i] = x[i] * x[i] + y[i] * y[i];
    sxy[i] = x[i] * y[i];
  }
  for (auto& sums : sums_) WindowSums(sums.data(), height, width);

  const int64_t frame = kWindow - 1, padded = width + frame;
  if (with_gradient) {
    for (auto& adjoint : adjoint_) std::fill_n(adjoint.begin(), (height + frame) * padded, 0.0f);
  }
  constexpr float kMean = 1.0f / (kWindow * kWindow);
  const float scale = -weight * kMean / static_cast<float>(rows * columns);
  double total = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t from = i * width, to = (i + frame) * padded + frame;
    float *g1 = adjoint_[0].data() + to, *g2 = adjoint_[1].data() + to, *g3 = adjoint_[2].data() + to;
    float sum = 0;
    for (int64_t j = 0; j < columns; ++j) {
      const float mx = kMean * sx[from + j], my = kMean * sy[from + j];
      const float squares = mx * mx + my * my;
      const float a1 = 2 * mx * my + kC1, a2 = 2 * (kMean * sxy[from + j] - mx * my) + kC2;
      const float b1 = squares + kC1, b2 = kMean * sxxyy[from + j] - squares + kC2;
      const float inverse1 = 1.0f / b1, inverse2 = 1.0f / b2, inverse = inverse1 * inverse2;
      const float s = a1 * a2 * inverse;
      sum += 1.0f - s;
      if (with_gradient) {
        // Derivatives after the means of x, x^2 and x y over the window.
        g1[j] = scale * (2 * my * (a2 - a1) * inverse + 2 * mx * s * (inverse2 - inverse1));
        g2[j] = -scale * s * inverse2;
        g3[j] = scale * 2 * a1 * inverse;
      }
    }
    total += sum;
  }
  if (with_gradient) {
    for (auto& adjoint : adjoint_) WindowSums(adjoint.data(), height + frame, padded);
    for (int64_t i = 0; i < height; ++i) {
      const int64_t from = i * padded;
      const float *g1 = adjoint_[0].data() + from, *g2 = adjoint_[1].data() + from,
                  *g3 = adjoint_[2].data() + from;
      const float *row_x = x + i * width, *row_y = y + i * width;
      float* gradient = level.gradient.data() + i * width;
      for (int64_t j = 0; j < width; ++j) gradient[j] += g1[j] + 2 * row_x[j] * g2[j] + row_y[j] * g3[j];
    }
  }
  return weight * total / static_cast<double>(rows * columns);
}

double StructuralDistance::Slopes(Level& level, float weight, bool with_gradient) {
  const int64_t height = level.height, width = level.width;
  const int64_t count = height * (width - 1) + (height - 1) * width;
  const float scale = weight / static_cast<float>(count);
  double total = 0;
  for (int64_t i = 0; i < height; ++i) {
    const float *x = level.x.data() + i * width, *y = level.y.data() + i * width;
    float* gradient = with_gradient ? level.gradient.data() + i * width : nullptr;
    total += SlopeRow(x, y, width - 1, 1, scale, gradient);
    if (i + 1 < height) total += SlopeRow(x, y, width, width, scale, gradient);
  }
  return weight * total / static_cast<double>(count);
}

double StructuralDistance::Compute(const float* x, const float* y, const uint8_t* mask, float* gradient) {
  Fill(x, y, mask);
  const bool with_gradient = gradient != nullptr;
  const float share = 1.0f / static_cast<float>(levels_.size());
  double total = 0;
  for (Level& level : levels_) {
    if (with_gradient) std::fill(level.gradient.begin(), level.gradient.end(), 0.0f);
    total += Ssim(level, 0.5f * share, with_gradient) + Slopes(level, share, with_gradient);
  }
  if (!with_gradient) return total;
  for (size_t k = levels_.size() - 1; k > 0; --k) {
    Level& fine = levels_[k - 1];
    const Level& coarse = levels_[k];
    for (int64_t i = 0; i < 2 * coarse.height; ++i) {
      const float* from = coarse.gradient.data() + i / 2 * coarse.width;
      float* to = fine.gradient.data() + i * fine.width;
      for (int64_t j = 0; j < 2 * coarse.width; ++j) to[j] += 0.25f * from[j / 2];
    }
  }
  const int64_t pixels = levels_[0].height * levels_[0].width;
  for (int64_t i = 0; i < pixels; ++i)
    gradient[i] = mask == nullptr || mask[i] != 0 ? levels_[0].gradient[i] : 0.0f;
  return total;
}

}  // namespace wildrayzer

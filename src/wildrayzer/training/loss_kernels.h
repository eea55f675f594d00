// Differences of two pictures and their gradients, one plane at a time, each plane read once.
// Single-threaded; the callers split the work. Planes are row-major float32; a mask has one byte a pixel, not
// 0 = the pixel counts, null = all count.
#pragma once

#include <cstdint>
#include <vector>

namespace wildrayzer {

// Sum over the pixels that count of (x - y)^2. gradient (unless null): its derivative after x, written for
// every pixel.
double SquaredError(const float* x, const float* y, const uint8_t* mask, int64_t pixels, float* gradient);

// The structural distance, which stands in for VGG where its weights are absent:
//   1 / levels * sum over levels [ (1 - SSIM) / 2 + mean |difference of the slopes| ].
// Level 0 is the picture, every further level the 2 x 2 means of the one before, as long as it has kWindow
// rows and columns. SSIM: uniform kWindow x kWindow windows that lie inside, population moments, data range
// 1, mean over the windows. Slopes: differences of neighbouring pixels along both axes, |d| smoothed to
// sqrt(d^2 + 1e-6) - 1e-3, mean over all. Pixels that do not count are given y's values first, so they add
// nothing, and (as with the VGG loss) the means still run over all pixels.
class StructuralDistance {
 public:
  static constexpr int64_t kWindow = 8;
  static constexpr int kMaxLevels = 3;

  // height, width >= 2.
  StructuralDistance(int64_t height, int64_t width);

  // The distance of one plane, at least 0. gradient (unless null) as above.
  double Compute(const float* x, const float* y, const uint8_t* mask, float* gradient);

 private:
  struct Level {
    int64_t height = 0;
    int64_t width = 0;
    std::vector<float> x, y, gradient;
  };

  void Fill(const float* x, const float* y, const uint8_t* mask);
  double Ssim(Level& level, float weight, bool with_gradient);
  double Slopes(Level& level, float weight, bool with_gradient);

  std::vector<Level> levels_;
  // Window sums: of x, y, x^2 + y^2, x y; then of the derivatives after the moments of x.
  std::vector<float> sums_[4];
  std::vector<float> adjoint_[3];
};

}  // namespace wildrayzer

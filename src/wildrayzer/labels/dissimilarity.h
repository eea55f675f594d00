// How a static rendering differs from the picture that it should show: the two cues of pseudo motion labels
// (method.md section 5, points 1 to 3). Pictures are planes [3, height, width] RGB in [0, 1].
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace wildrayzer {

// 1 - SSIM of every pixel, [height, width] in [0, 2]: on 8-bit values trunc(255 v), uniform 11 x 11 window,
// covariance of a sample (121 / 120), K1 0.01, K2 0.03, borders reflected (half-sample symmetric), mean over
// the channels. Raises Error for sizes that differ from 3 * height * width.
std::vector<float> SsimDissimilarity(std::span<const float> image, std::span<const float> rendering,
                                     int height, int width);

// 1 - cosine of every patch, in [0, 2]; features [patches, channels] row-major, of any length (a zero vector
// is orthogonal to everything). Raises Error for sizes that differ and for values that are not finite.
std::vector<float> FeatureDissimilarity(std::span<const float> features,
                                        std::span<const float> rendered_features, int64_t channels);

// Mean over the blocks of a grid: [height, width] -> [rows, columns], which must divide height and width
// (Error).
std::vector<float> PoolToGrid(std::span<const float> map, int height, int width, int rows, int columns);

// (v - mean) / (std + 1e-8) with the unbiased standard deviation; zeros for a single value.
std::vector<float> ZScores(std::span<const float> map);

// -10 log10(max(MSE, 1e-10)) over all channels and pixels, values clamped to [0, 1]: at most 100 dB.
double PicturePsnr(std::span<const float> image, std::span<const float> rendering);

}  // namespace wildrayzer

// PSNR and SSIM, over the whole frame and over a mask (weights.md 6.4 and 6.5).
//
// Pictures are [0, 1] by contract and are clamped to it. The release instead guesses the range of a tensor
// that holds a negative value and remaps it; no picture of this program is in another range.
#pragma once

#include <array>

#include "wildrayzer/evaluation/planes.h"

namespace wildrayzer {

// -10 log10(max(MSE, 1e-10)) over all channels and pixels: at most 100 dB.
double Psnr(const Planes& picture, const Planes& truth);

// Whether the window of SSIM is reflected at the border (half-sample symmetric) or padded with zeros, and
// whether variances are those of a sample (times 121 / 120) or of the population.
struct SsimRule {
  bool zero_padding = false;
  bool sample_covariance = true;
};
inline constexpr SsimRule kFrameSsim = {.zero_padding = false, .sample_covariance = true};
inline constexpr SsimRule kMaskedSsim = {.zero_padding = true, .sample_covariance = false};

// The 11 taps of the Gaussian of sigma 1.5, sum 1.
const std::array<double, 11>& SsimWindow();

// The map of structural similarity (Wang et al. 2004; K1 0.01, K2 0.03, range 1), one plane a channel, same
// size.
Planes SsimMap(const Planes& picture, const Planes& truth, const SsimRule& rule);

// scikit-image's structural_similarity with gaussian_weights: mean of the map without a border of 5 pixels.
// Raises Error for pictures under 11 pixels a side.
double Ssim(const Planes& picture, const Planes& truth);

// mask: 1 channel, weights; a mask of another size is resized (nearest). NaN where the mask sums to less than
// 1e-8. PSNR = -10 log10(max(sum(M (a - b)^2) / sum(M), 1e-8)): at most 80 dB.
double MaskedPsnr(const Planes& picture, const Planes& truth, const Planes& mask);
// Mean of the kMaskedSsim map weighted by the mask. Near the border not comparable with Ssim.
double MaskedSsim(const Planes& picture, const Planes& truth, const Planes& mask);

}  // namespace wildrayzer

#include <fmt/format.h>

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "wildrayzer/io/mat.h"
#include "wildrayzer/labels/refinement.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

constexpr int kSeedErosion = 7;

GrayImage Complement(const GrayImage& mask) {
  GrayImage out = mask;
  for (uint8_t& v : out.values) v = v ? 0 : 255;
  return out;
}

bool IsUniform(const GrayImage& mask) {
  return std::all_of(mask.values.begin(), mask.values.end(),
                     [&](uint8_t v) { return (v != 0) == (mask.values.front() != 0); });
}

// GrabCut's classes of every pixel.
GrayImage Seeds(const GrayImage& mask) {
  const GrayImage sure_foreground = ErodeMask(mask, kSeedErosion);
  const GrayImage sure_background = ErodeMask(Complement(mask), kSeedErosion);
  GrayImage seeds(mask.width, mask.height, cv::GC_PR_FGD);
  for (size_t i = 0; i < seeds.values.size(); ++i) {
    if (sure_background.values[i]) seeds.values[i] = cv::GC_BGD;
    if (sure_foreground.values[i]) seeds.values[i] = cv::GC_FGD;
  }
  return seeds;
}

}  // namespace

GrayImage GrabCutMask(const Image& image, const GrayImage& mask, int iterations, int seed) {
  if (mask.empty() || IsUniform(mask)) return mask;
  GrayImage classes = Seeds(mask);
  try {
    cv::Mat state = AsMat(classes), background, foreground;
    cv::setRNGSeed(seed);
    cv::grabCut(AsMat(image), state, {}, background, foreground, iterations, cv::GC_INIT_WITH_MASK);
  } catch (const cv::Exception& error) {
    LogDebug(fmt::format("GrabCut failed, the mask stays as it was: {}", error.err));
    return mask;
  }
  for (uint8_t& v : classes.values) v = v == cv::GC_FGD || v == cv::GC_PR_FGD ? 255 : 0;
  const bool nothing_left = IsUniform(classes) && classes.values.front() == 0;
  return nothing_left ? mask : classes;
}

}  // namespace wildrayzer

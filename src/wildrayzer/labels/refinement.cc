#include "wildrayzer/labels/refinement.h"

#include <fmt/format.h>

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "wildrayzer/io/mat.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

constexpr int kSeedErosion = 7;

GrayImage Morphology(const GrayImage& mask, int operation, int shape, int size, int iterations) {
  const cv::Mat kernel = cv::getStructuringElement(shape, {size, size});
  GrayImage out(mask.width, mask.height);
  cv::Mat result = AsMat(out);
  cv::morphologyEx(AsMat(mask), result, operation, kernel, {-1, -1}, iterations);
  return out;
}

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

GrayImage PatchesToPixels(std::span<const uint8_t> patches, int rows, int columns, int height, int width) {
  if (rows < 1 || columns < 1 || height % rows != 0 || width % columns != 0 ||
      patches.size() != static_cast<size_t>(rows) * columns) {
    throw Error(fmt::format("{} patches are no grid of {} x {} that divides {} x {} pixels", patches.size(),
                            rows, columns, height, width));
  }
  GrayImage mask(width, height);
  for (int y = 0; y < height; ++y) {
    const size_t row = static_cast<size_t>(y / (height / rows)) * columns;
    for (int x = 0; x < width; ++x) mask.At(x, y) = patches[row + x / (width / columns)] ? 255 : 0;
  }
  return mask;
}

GrayImage CloseMask(const GrayImage& mask, int size, int iterations) {
  return Morphology(mask, cv::MORPH_CLOSE, cv::MORPH_ELLIPSE, size, iterations);
}

GrayImage OpenMask(const GrayImage& mask, int size, int iterations) {
  return Morphology(mask, cv::MORPH_OPEN, cv::MORPH_ELLIPSE, size, iterations);
}

GrayImage ErodeMask(const GrayImage& mask, int size) {
  return Morphology(mask, cv::MORPH_ERODE, cv::MORPH_RECT, size, 1);
}

GrayImage LargeComponents(const GrayImage& mask, int min_area) {
  cv::Mat labels, statistics, centroids;
  cv::connectedComponentsWithStats(AsMat(mask), labels, statistics, centroids, 8, CV_32S);
  GrayImage kept(mask.width, mask.height);
  for (int y = 0; y < mask.height; ++y) {
    const int* row = labels.ptr<int>(y);
    for (int x = 0; x < mask.width; ++x) {
      const bool large = row[x] > 0 && statistics.at<int>(row[x], cv::CC_STAT_AREA) >= min_area;
      kept.At(x, y) = large ? 255 : 0;
    }
  }
  return kept;
}

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

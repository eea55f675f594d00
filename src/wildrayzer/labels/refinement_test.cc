#include "wildrayzer/labels/refinement.h"

#include <gtest/gtest.h>

#include <opencv2/imgproc.hpp>

#include "wildrayzer/io/mat.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {
namespace {

// Blobs, holes and dots, some of them at the border.
GrayImage RandomMask(int width, int height, Random& random) {
  GrayImage mask(width, height);
  const int blobs = static_cast<int>(random.Below(8));
  for (int blob = 0; blob < blobs; ++blob) {
    const int left = static_cast<int>(random.Below(width)), top = static_cast<int>(random.Below(height));
    const int right = left + static_cast<int>(random.Below(20)),
              bottom = top + static_cast<int>(random.Below(20));
    const uint8_t value = random.Below(4) == 0 ? 0 : 255;
    for (int y = top; y < std::min(bottom, height); ++y) {
      for (int x = left; x < std::min(right, width); ++x) mask.At(x, y) = value;
    }
  }
  for (uint8_t& value : mask.values) {
    if (random.Below(50) == 0) value = static_cast<uint8_t>(255 - value);
  }
  return mask;
}

GrayImage ByOpenCv(const GrayImage& mask, int operation, int shape, int size, int iterations) {
  GrayImage out(mask.width, mask.height);
  cv::Mat result = AsMat(out);
  cv::morphologyEx(AsMat(mask), result, operation, cv::getStructuringElement(shape, {size, size}), {-1, -1},
                   iterations);
  return out;
}

TEST(Refinement, MorphologyIsOpenCvs) {
  Random random(3, "masks");
  for (const auto& [width, height] : {std::pair{48, 32}, {17, 40}, {5, 3}, {1, 1}}) {
    for (int n = 0; n < 8; ++n) {
      const GrayImage mask = RandomMask(width, height, random);
      for (const int size : {1, 3, 5, 7, 9}) {
        for (const int iterations : {1, 2}) {
          EXPECT_EQ(CloseMask(mask, size, iterations),
                    ByOpenCv(mask, cv::MORPH_CLOSE, cv::MORPH_ELLIPSE, size, iterations))
              << size << " " << iterations;
          EXPECT_EQ(OpenMask(mask, size, iterations),
                    ByOpenCv(mask, cv::MORPH_OPEN, cv::MORPH_ELLIPSE, size, iterations))
              << size << " " << iterations;
        }
        EXPECT_EQ(ErodeMask(mask, size), ByOpenCv(mask, cv::MORPH_ERODE, cv::MORPH_RECT, size, 1)) << size;
      }
    }
  }
}

TEST(Refinement, ComponentsAreOpenCvs) {
  Random random(4, "masks");
  for (int n = 0; n < 20; ++n) {
    const GrayImage mask = RandomMask(40, 30, random);
    cv::Mat labels, statistics, centroids;
    cv::connectedComponentsWithStats(AsMat(mask), labels, statistics, centroids, 8, CV_32S);
    for (const int min_area : {0, 1, 2, 9, 100}) {
      GrayImage expected(mask.width, mask.height);
      for (int y = 0; y < mask.height; ++y) {
        for (int x = 0; x < mask.width; ++x) {
          const int label = labels.at<int>(y, x);
          if (label > 0 && statistics.at<int>(label, cv::CC_STAT_AREA) >= min_area) expected.At(x, y) = 255;
        }
      }
      EXPECT_EQ(LargeComponents(mask, min_area), expected) << min_area;
    }
  }
}

}  // namespace
}  // namespace wildrayzer

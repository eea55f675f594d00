#include "wildrayzer/io/mat.h"

#include <mutex>
#include <opencv2/core/utils/logger.hpp>

namespace wildrayzer {

cv::Mat ToBgr(const Image& image) {
  cv::Mat bgr(image.height, image.width, CV_8UC3);
  for (int y = 0; y < image.height; ++y) {
    const uint8_t* in = image.Pixel(0, y);
    uint8_t* out = bgr.ptr(y);
    for (int x = 0; x < image.width; ++x, in += 3, out += 3) {
      out[0] = in[2];
      out[1] = in[1];
      out[2] = in[0];
    }
  }
  return bgr;
}

Image FromBgr(const cv::Mat& bgr) {
  Image image(bgr.cols, bgr.rows);
  for (int y = 0; y < bgr.rows; ++y) {
    const uint8_t* in = bgr.ptr(y);
    uint8_t* out = image.Pixel(0, y);
    for (int x = 0; x < bgr.cols; ++x, in += 3, out += 3) {
      out[0] = in[2];
      out[1] = in[1];
      out[2] = in[0];
    }
  }
  return image;
}

void SilenceOpenCv() {
  static std::once_flag once;
  std::call_once(once, [] { cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT); });
}

}  // namespace wildrayzer

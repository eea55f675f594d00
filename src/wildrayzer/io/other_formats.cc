#include <opencv2/imgcodecs.hpp>

#include "wildrayzer/io/codecs.h"
#include "wildrayzer/io/mat.h"

namespace wildrayzer {
namespace {

// BGR(A) or grey to our order.
template <typename T>
Samples<T> SamplesOf(const cv::Mat& mat) {
  const int channels = mat.channels();
  Samples<T> samples(mat.cols, mat.rows, channels);
  for (int y = 0; y < mat.rows; ++y) {
    const T* in = mat.ptr<T>(y);
    T* out = samples.Pixel(0, y);
    for (int x = 0; x < mat.cols; ++x, in += channels, out += channels) {
      for (int c = 0; c < channels; ++c) out[c] = in[channels > 1 && c < 3 ? 2 - c : c];
    }
  }
  return samples;
}

}  // namespace

bool DecodeOther(std::span<const std::byte> bytes, ImageFormat format, DecodedSamples& out) {
  SilenceOpenCv();
  // UNCHANGED keeps alpha and depth. The alpha of BMP and TIFF is left out: writers disagree on what it means
  // there.
  int flags = cv::IMREAD_UNCHANGED;
  if (format == ImageFormat::kBmp) flags = cv::IMREAD_COLOR;
  if (format == ImageFormat::kTiff) flags = cv::IMREAD_ANYDEPTH | cv::IMREAD_ANYCOLOR;
  if (flags != cv::IMREAD_UNCHANGED) flags |= cv::IMREAD_IGNORE_ORIENTATION;
  cv::Mat decoded;
  try {
    const cv::Mat raw(1, static_cast<int>(bytes.size()), CV_8UC1,
                      const_cast<std::byte*>(bytes.data()));  // only read
    decoded = cv::imdecode(raw, flags);
  } catch (const std::exception&) {
    return false;  // the text is a stack position inside OpenCV, of no use to anybody
  }
  if (decoded.empty()) return false;
  if (decoded.depth() == CV_8U) {
    out = SamplesOf<uint8_t>(decoded);
  } else if (decoded.depth() == CV_16U) {
    out = SamplesOf<uint16_t>(decoded);
  } else {
    out = Samples<uint8_t>();  // floating point: no channels that we know
  }
  return true;
}

}  // namespace wildrayzer

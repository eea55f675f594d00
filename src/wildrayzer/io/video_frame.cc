#include "wildrayzer/io/video_frame.h"

#include <fmt/format.h>

extern "C" {
#include <libavutil/dovi_meta.h>
#include <libavutil/pixdesc.h>
}

#include <cmath>
#include <cstdlib>
#include <cstring>

#include "wildrayzer/io/colour.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

// Stored pixel (x, y) is shown at (a x + c y, b x + d y), y downwards.
int OrientationOf(const int32_t* matrix) {
  const int64_t a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
  if (std::abs(a) + std::abs(d) >= std::abs(b) + std::abs(c))
    return a >= 0 ? (d >= 0 ? 1 : 4) : (d >= 0 ? 2 : 3);
  return c >= 0 ? (b >= 0 ? 5 : 8) : (b >= 0 ? 6 : 7);
}

int MatrixOf(const AVFrame& frame, const AVCodecParameters& track) {
  if (frame.colorspace != AVCOL_SPC_UNSPECIFIED) return frame.colorspace;
  if (track.color_space != AVCOL_SPC_UNSPECIFIED) return track.color_space;
  return frame.width >= 1280 || frame.height > 576 ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
}

bool IsFullRange(const AVFrame& frame, const AVCodecParameters& track) {
  if (frame.color_range != AVCOL_RANGE_UNSPECIFIED) return frame.color_range == AVCOL_RANGE_JPEG;
  return track.color_range == AVCOL_RANGE_JPEG;
}

ColourSpace ColourOf(const AVFrame& frame, const AVCodecParameters& track, const FrameLook& look) {
  const int primaries =
      frame.color_primaries != AVCOL_PRI_UNSPECIFIED ? frame.color_primaries : track.color_primaries;
  const int transfer = frame.color_trc != AVCOL_TRC_UNSPECIFIED ? frame.color_trc : track.color_trc;
  ColourSpace colour = ColourSpaceOfCodes(primaries, transfer);
  const AVPixFmtDescriptor* format = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  const int matrix = MatrixOf(frame, track);
  const bool linear_sum = matrix <= AVCOL_SPC_SMPTE240M || matrix == AVCOL_SPC_BT2020_NCL;
  if (!linear_sum && format != nullptr && (format->flags & AV_PIX_FMT_FLAG_RGB) == 0)
    colour.problem = fmt::format("its colour matrix ({} of ITU-T H.273) is not supported", matrix);
  if (!look.problem.empty()) colour.problem = look.problem;
  return colour;
}

template <typename T>
Samples<T> SamplesOfFrame(const AVFrame& rgb) {
  Samples<T> samples(rgb.width, rgb.height, 3);
  for (int y = 0; y < rgb.height; ++y) {
    std::memcpy(samples.Pixel(0, y), rgb.data[0] + static_cast<ptrdiff_t>(y) * rgb.linesize[0],
                3 * sizeof(T) * static_cast<size_t>(rgb.width));
  }
  return samples;
}

}  // namespace

FrameLook LookOf(AVFormatContext* format, AVStream* stream, const std::string& name) {
  FrameLook look;
  look.width = stream->codecpar->width;
  look.height = stream->codecpar->height;
  const AVRational shape = av_guess_sample_aspect_ratio(format, stream, nullptr);
  if (shape.num > 0 && shape.den > 0 && shape.num != shape.den) {
    const double ratio = av_q2d(shape);
    if (ratio < 0.25 || ratio > 4) {
      LogWarning("{}: says that its pixels are {}:{}; they are read as square", name, shape.num, shape.den);
    } else {
      look.width = static_cast<int>(std::max(1L, std::lround(look.width * ratio)));
    }
  }
  const auto* matrix =
      reinterpret_cast<const int32_t*>(av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, nullptr));
  if (matrix != nullptr) look.orientation = OrientationOf(matrix);
  const auto* dolby = reinterpret_cast<const AVDOVIDecoderConfigurationRecord*>(
      av_stream_get_side_data(stream, AV_PKT_DATA_DOVI_CONF, nullptr));
  if (dolby != nullptr && dolby->dv_profile == 5)
    look.problem = "its colours are Dolby Vision's own (profile 5), which is not supported";
  return look;
}

Image FrameConverter::Convert(const AVFrame& frame, const AVCodecParameters& track, const FrameLook& look,
                              const std::string& name) {
  const ColourSpace colour = ColourOf(frame, track, look);
  const bool wide = !colour.IsSrgb() && colour.problem.empty();
  const FramePtr rgb(av_frame_alloc());
  if (!rgb) return {};
  rgb->width = look.width;
  rgb->height = look.height;
  rgb->format = wide ? AV_PIX_FMT_RGB48 : AV_PIX_FMT_RGB24;
  scaler_.reset(sws_getCachedContext(
      scaler_.release(), frame.width, frame.height, static_cast<AVPixelFormat>(frame.format), rgb->width,
      rgb->height, static_cast<AVPixelFormat>(rgb->format), kScalerFlags, nullptr, nullptr, nullptr));
  if (!scaler_ || av_frame_get_buffer(rgb.get(), 0) < 0) return {};
  const int* matrix = sws_getCoefficients(MatrixOf(frame, track));
  // Not for formats in RGB, which have neither matrix nor range: the result says so, and nothing is to be
  // done.
  sws_setColorspaceDetails(scaler_.get(), matrix, IsFullRange(frame, track) ? 1 : 0, matrix, 1, 0, 1 << 16,
                           1 << 16);
  if (sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, rgb->data, rgb->linesize) <= 0)
    return {};
  DecodedSamples samples;
  if (wide) {
    samples = SamplesOfFrame<uint16_t>(*rgb);
  } else {
    samples = SamplesOfFrame<uint8_t>(*rgb);
  }
  ConvertToSrgb(samples, colour, name);
  return ToRgb(Upright(std::move(samples), look.orientation));
}

}  // namespace wildrayzer

// One decoded frame to an sRGB picture with square pixels; for .cc files of io only.
#pragma once

#include <string>

#include "wildrayzer/io/ffmpeg.h"
#include "wildrayzer/io/images.h"

namespace wildrayzer {

// What the container says of a track's pictures.
struct FrameLook {
  int width = 0;  // with square pixels, before the turn
  int height = 0;
  int orientation = 1;  // as EXIF's tag
  std::string problem;  // why colours cannot be converted; empty: they can
};

// Reads the pixels' shape, the display matrix (turns by quarters and mirrors) and what may be said of Dolby
// Vision. Pixels of shapes beyond 1:4 are taken for square, with a warning that begins with `name`.
FrameLook LookOf(AVFormatContext* format, AVStream* stream, const std::string& name);

// Converts frames, the matrix, range, primaries and curve of which are told by themselves, or else by the
// container. What neither says is guessed as players do: BT.709 from 1280 columns or 577 rows on, BT.601
// below.
class FrameConverter {
 public:
  // Empty when the frame cannot be converted. Warnings begin with `name`.
  Image Convert(const AVFrame& frame, const AVCodecParameters& track, const FrameLook& look,
                const std::string& name);

 private:
  ScalerPtr scaler_;
};

}  // namespace wildrayzer

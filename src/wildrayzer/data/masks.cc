#include "wildrayzer/data/masks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

bool IsJpeg(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".jpg" || extension == ".jpeg" || extension == ".JPG" || extension == ".JPEG";
}

GrayImage ReadPictureMask(const fs::path& path) {
  const Image picture = ReadImage(path);
  const int threshold = IsJpeg(path) ? 128 : 1;
  GrayImage mask(picture.width, picture.height);
  for (size_t i = 0; i < mask.values.size(); ++i) {
    const uint8_t* rgb = picture.rgb.data() + 3 * i;
    mask.values[i] = std::max({rgb[0], rgb[1], rgb[2]}) >= threshold ? 255 : 0;
  }
  return mask;
}

// The source pixel under the centre of output pixel `i` when `in` pixels are stretched over `out`.
int Nearest(int64_t i, int64_t in, int64_t out) { return static_cast<int>((2 * i + 1) * in / (2 * out)); }

}  // namespace

GrayImage ReadMask(const fs::path& path) { return ReadPictureMask(path); }

GrayImage ResizeMask(const GrayImage& mask, int width, int height) {
  GrayImage result(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      result.At(x, y) = mask.At(Nearest(x, mask.width, width), Nearest(y, mask.height, height));
    }
  }
  return result;
}

GrayImage FrameMask(const GrayImage& mask, const Framing& framing) {
  GrayImage result(framing.width, framing.height);
  for (int y = 0; y < framing.height; ++y) {
    const int row = Nearest(y + framing.crop_y, mask.height, framing.resized_height);
    for (int x = 0; x < framing.width; ++x) {
      result.At(x, y) = mask.At(Nearest(x + framing.crop_x, mask.width, framing.resized_width), row);
    }
  }
  return result;
}

}  // namespace wildrayzer

#include "wildrayzer/data/masks.h"

#include <fmt/format.h>

#include <algorithm>

#include "wildrayzer/io/npy.h"
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

GrayImage ReadNpyMask(const fs::path& path) {
  const NpyArray array = ReadNpy(path);
  if (array.dtype != DType::kU8 && array.dtype != DType::kI8 && array.dtype != DType::kBool) {
    throw FileError(path.string(),
                    fmt::format("holds {}; a mask holds bool or 8-bit integers", DTypeName(array.dtype)));
  }
  std::vector<int64_t> shape = array.shape;
  if (shape.size() == 3 && shape.back() == 1) shape.pop_back();
  if (shape.size() == 3 && shape.front() == 1) shape.erase(shape.begin());
  if (shape.size() != 2 || shape[0] < 1 || shape[1] < 1 || shape[0] > kMaxImageSide ||
      shape[1] > kMaxImageSide) {
    throw FileError(path.string(), "is not a mask: expected an array of shape [height, width]");
  }
  GrayImage mask(static_cast<int>(shape[1]), static_cast<int>(shape[0]));
  std::transform(array.data.begin(), array.data.end(), mask.values.begin(),
                 [](std::byte value) -> uint8_t { return value == std::byte{0} ? 0 : 255; });
  return mask;
}

GrayImage ReadMask(const fs::path& path) {
  return path.extension() == ".npy" ? ReadNpyMask(path) : ReadPictureMask(path);
}

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

#include "wildrayzer/vision/framing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "wildrayzer/util/error.h"
#include "wildrayzer/vision/resize.h"

namespace wildrayzer {
namespace {

// trunc(target / from * other), then to a multiple of `patch`, ties to even. The order of the operations is
// the released one; it decides the last bit and with it the truncation.
int64_t FollowingSide(int target, int from, int other, int patch) {
  const double scaled =
      std::trunc(static_cast<double>(target) / static_cast<double>(from) * static_cast<double>(other));
  return std::llrint(scaled / patch) * patch;  // the default rounding mode is to nearest, ties to even
}

void CheckPositive(int photo_width, int photo_height, int patch) {
  if (photo_width <= 0 || photo_height <= 0 || patch <= 0)
    throw Error("a photo without pixels cannot be framed");
}

// Whole photo pixels of one axis whose centres lie inside the crop.
struct PixelRange {
  int first = 0;
  int count = 0;
};

PixelRange SeenPixels(double low, double high, int limit) {
  const int first = static_cast<int>(std::clamp(std::ceil(low - 0.5), 0.0, static_cast<double>(limit)));
  const int end = static_cast<int>(
      std::clamp(std::ceil(high - 0.5), static_cast<double>(first), static_cast<double>(limit)));
  if (end > first) return {first, end - first};
  // A sliver between two centres (a photo of very few pixels, far enlarged): the pixel that holds its middle.
  return {std::clamp(static_cast<int>(0.5 * (low + high)), 0, limit - 1), 1};
}

struct PixelRectangle {
  PixelRange x;
  PixelRange y;
};

PixelRectangle SeenPixels(const Framing& framing) {
  const Rectangle seen = framing.VisiblePhoto();
  return {SeenPixels(seen.left, seen.right, framing.photo_width),
          SeenPixels(seen.top, seen.bottom, framing.photo_height)};
}

ResampleAxis BackAxis(double scale, int64_t crop, const PixelRange& pixels) {
  return {-static_cast<double>(crop), scale, pixels.first, pixels.count};
}

template <typename Picture>
Picture ResampleBack(const Picture& model, const Framing& framing, const PixelRectangle& seen,
                     Filter filter) {
  if (model.width != framing.width || model.height != framing.height) {
    throw Error(fmt::format("a picture of {} x {} does not belong to a frame of {} x {}", model.width,
                            model.height, framing.width, framing.height));
  }
  return Resample(model, BackAxis(framing.scale_x(), framing.crop_x, seen.x),
                  BackAxis(framing.scale_y(), framing.crop_y, seen.y), filter);
}

template <typename Picture>
Picture ResampleIn(const Picture& photo, const Framing& framing, Filter filter) {
  if (photo.width != framing.photo_width || photo.height != framing.photo_height) {
    throw Error(fmt::format("a picture of {} x {} does not belong to a photo of {} x {}", photo.width,
                            photo.height, framing.photo_width, framing.photo_height));
  }
  return Resample(photo, ResizeAxis(photo.width, framing.resized_width, framing.crop_x, framing.width),
                  ResizeAxis(photo.height, framing.resized_height, framing.crop_y, framing.height), filter);
}

}  // namespace

Framing Framing::Times(int factor) const {
  Framing times = *this;
  times.resized_width *= factor;
  times.resized_height *= factor;
  times.crop_x *= factor;
  times.crop_y *= factor;
  times.width *= factor;
  times.height *= factor;
  return times;
}

Point Framing::PhotoToModel(Point photo) const {
  return {photo.x * scale_x() - static_cast<double>(crop_x),
          photo.y * scale_y() - static_cast<double>(crop_y)};
}

Point Framing::ModelToPhoto(Point model) const {
  return {(model.x + static_cast<double>(crop_x)) / scale_x(),
          (model.y + static_cast<double>(crop_y)) / scale_y()};
}

Rectangle Framing::VisiblePhoto() const {
  const Point low = ModelToPhoto({0, 0});
  const Point high = ModelToPhoto({static_cast<double>(width), static_cast<double>(height)});
  return {low.x, low.y, high.x, high.y};
}

PixelIntrinsics Framing::ToModel(const PixelIntrinsics& photo) const {
  const Point centre = PhotoToModel({photo.cx, photo.cy});
  return {photo.fx * scale_x(), photo.fy * scale_y(), centre.x, centre.y};
}

PixelIntrinsics Framing::ToPhoto(const PixelIntrinsics& model) const {
  const Point centre = ModelToPhoto({model.cx, model.cy});
  return {model.fx / scale_x(), model.fy / scale_y(), centre.x, centre.y};
}

Framing ReleaseFraming(int photo_width, int photo_height, int target, int patch, bool square_crop) {
  CheckPositive(photo_width, photo_height, patch);
  if (target <= 0) throw Error("the model's picture height must be positive");
  Framing framing;
  framing.photo_width = photo_width;
  framing.photo_height = photo_height;
  framing.resized_height = target;
  framing.resized_width = std::max<int64_t>(FollowingSide(target, photo_height, photo_width, patch), patch);
  const int64_t side = std::min(framing.resized_width, framing.resized_height);
  framing.width = static_cast<int>(square_crop ? side : framing.resized_width);
  framing.height = static_cast<int>(square_crop ? side : framing.resized_height);
  framing.crop_x = (framing.resized_width - framing.width) / 2;
  framing.crop_y = (framing.resized_height - framing.height) / 2;
  return framing;
}

Framing CoverFraming(int photo_width, int photo_height, int width, int height, int patch) {
  CheckPositive(photo_width, photo_height, patch);
  if (width <= 0 || height <= 0 || width % patch != 0 || height % patch != 0) {
    throw UsageError(fmt::format("the model's picture size {} x {} is not a multiple of its patch size {}",
                                 width, height, patch));
  }
  Framing framing;
  framing.photo_width = photo_width;
  framing.photo_height = photo_height;
  framing.width = width;
  framing.height = height;
  framing.resized_height = height;
  framing.resized_width = FollowingSide(height, photo_height, photo_width, patch);
  if (framing.resized_width < width) {
    framing.resized_width = width;
    framing.resized_height =
        std::max<int64_t>(FollowingSide(width, photo_width, photo_height, patch), height);
  }
  framing.crop_x = (framing.resized_width - width) / 2;
  framing.crop_y = (framing.resized_height - height) / 2;
  return framing;
}

Image ApplyFraming(const Image& photo, const Framing& framing) {
  return ResampleIn(photo, framing, Filter::kLanczos);
}

GrayImage ApplyFraming(const GrayImage& mask, const Framing& framing) {
  return ResampleIn(mask, framing, Filter::kBilinear);
}

FramedImage FrameToModel(const Image& photo, int width, int height, int patch) {
  const Framing framing = CoverFraming(photo.width, photo.height, width, height, patch);
  return {ApplyFraming(photo, framing), framing};
}

UncroppedMask UncropMask(const GrayImage& model_mask, const Framing& framing) {
  const PixelRectangle seen = SeenPixels(framing);
  const GrayImage part = ResampleBack(model_mask, framing, seen, Filter::kBilinear);
  UncroppedMask result{GrayImage(framing.photo_width, framing.photo_height),
                       GrayImage(framing.photo_width, framing.photo_height)};
  for (int y = 0; y < part.height; ++y) {
    std::copy_n(&part.values[static_cast<size_t>(y) * part.width], part.width,
                &result.mask.At(seen.x.first, seen.y.first + y));
    std::fill_n(&result.known.At(seen.x.first, seen.y.first + y), part.width, uint8_t{255});
  }
  return result;
}

UncroppedImage UncropImage(const Image& render, const Framing& framing) {
  const PixelRectangle seen = SeenPixels(framing);
  return {seen.x.first, seen.y.first, ResampleBack(render, framing, seen, Filter::kBicubic)};
}

}  // namespace wildrayzer

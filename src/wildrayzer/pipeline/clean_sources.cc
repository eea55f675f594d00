#include <algorithm>
#include <array>

#include "wildrayzer/pipeline/clean_photos.h"

namespace wildrayzer {

CleanPhoto RenderedPhoto(const Image& photo, const Framing& framing, const Image& rendered) {
  const UncroppedImage part = UncropImage(rendered, framing.Times(rendered.width / framing.width));
  CleanPhoto clean{photo, GrayImage(photo.width, photo.height), 1, 0, 0};
  for (int y = 0; y < part.image.height; ++y) {
    std::copy_n(part.image.Pixel(0, y), 3 * part.image.width, clean.image.Pixel(part.x, part.y + y));
    std::fill_n(&clean.source.At(part.x, part.y + y), part.image.width, uint8_t{kRenderedPixel});
  }
  clean.CountShares();
  return clean;
}

void CleanPhoto::CountShares() {
  size_t of_photo = 0, of_rendering = 0;
  for (const uint8_t s : source.values) {
    of_photo += s == kOwnPixel;
    of_rendering += s == kRenderedPixel;
  }
  const auto count = static_cast<double>(source.values.size());
  own = static_cast<double>(of_photo) / count;
  rendered = static_cast<double>(of_rendering) / count;
  photos = static_cast<double>(source.values.size() - of_photo - of_rendering) / count;
}

Rgb SourceColour(uint8_t source) {
  constexpr std::array<Rgb, 6> kPhotos = {Rgb{0, 114, 178}, {0, 158, 115},  {240, 228, 66},
                                          {204, 121, 167},  {86, 180, 233}, {230, 159, 0}};
  if (source == kOwnPixel) return {96, 96, 96};
  if (source == kRenderedPixel) return {213, 40, 0};
  return kPhotos[(source - kFirstPhoto) % kPhotos.size()];
}

Image ColourSources(const GrayImage& source) {
  Image colours(source.width, source.height);
  for (size_t i = 0; i < source.values.size(); ++i) {
    const Rgb colour = SourceColour(source.values[i]);
    std::copy(colour.begin(), colour.end(), &colours.rgb[3 * i]);
  }
  return colours;
}

}  // namespace wildrayzer

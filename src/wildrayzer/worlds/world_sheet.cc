#include "wildrayzer/worlds/world_sheet.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "wildrayzer/util/error.h"
#include "wildrayzer/vision/overlay.h"
#include "wildrayzer/vision/resize.h"
#include "wildrayzer/worlds/palette.h"

namespace wildrayzer {
namespace {

constexpr int kSheetGap = 4;  // pixels between the cells
constexpr Rgb kFirstFrame = {240, 140, 0}, kInputFrame = {30, 110, 220};

// Values of one view, `each` a pixel.
std::span<const float> ViewOf(const RenderedWorld& world, const std::vector<float>& values, int view,
                              int each) {
  const size_t count =
      static_cast<size_t>(each) * static_cast<size_t>(world.width()) * static_cast<size_t>(world.height());
  return std::span<const float>(values).subspan(static_cast<size_t>(view) * count, count);
}

Image PictureOf(const RenderedWorld& world, const std::vector<float>& planes, int view) {
  return FromPlanes(ViewOf(world, planes, view, 3), world.width(), world.height());
}

void Paint(Image& image, int x, int y, const Rgb& colour) {
  if (x >= 0 && y >= 0 && x < image.width && y < image.height)
    std::copy(colour.begin(), colour.end(), image.Pixel(x, y));
}

void AddFrame(Image& image, const Rgb& colour) {
  const int thick = std::max(2, std::max(image.width, image.height) / 40);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      if (std::min({x, y, image.width - 1 - x, image.height - 1 - y}) < thick) Paint(image, x, y, colour);
    }
  }
}

// Half the median depth is white.
Image DepthColours(const RenderedWorld& world, int view) {
  GrayImage near(world.width(), world.height());
  const std::span<const float> depth = ViewOf(world, world.depth, view, 1);
  for (size_t i = 0; i < depth.size(); ++i) {
    near.values[i] = static_cast<uint8_t>(255 * std::clamp(0.5F / std::max(depth[i], 0.01F), 0.0F, 1.0F));
  }
  return HeatMap(near);
}

// The patch's colour follows from its place, so that the same point is found in both pictures.
Rgb PointColour(const RenderedWorld& world, int patch) {
  const float x = static_cast<float>(patch % world.shape.columns) / static_cast<float>(world.shape.columns);
  const float y = static_cast<float>(patch / world.shape.columns) / static_cast<float>(world.shape.rows);
  const Float3 colour = ColourFromHsv(0.9F * x, 1.0F - 0.45F * y, 1.0F);
  const auto byte = [](float value) { return static_cast<uint8_t>(std::lround(255 * value)); };
  return {byte(colour.x), byte(colour.y), byte(colour.z)};
}

// Dims the picture, on which points are to be drawn.
Image Dimmed(Image image) {
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(value * 2 / 5);
  return image;
}

void AddPoint(Image& image, float u, float v, const Rgb& colour) {
  const int x = static_cast<int>(u * static_cast<float>(image.width)),
            y = static_cast<int>(v * static_cast<float>(image.height));
  const int radius = std::max(1, std::min(image.width, image.height) / 128);
  for (int dy = -radius; dy <= radius; ++dy) {
    for (int dx = -radius; dx <= radius; ++dx) Paint(image, x + dx, y + dy, colour);
  }
}

}  // namespace

std::vector<Image> SheetRow(const RenderedWorld& world, int inputs) {
  std::vector<Image> row;
  for (int view = 0; view < world.views; ++view) {
    row.push_back(PictureOf(world, world.seen, view));
    if (view < inputs) AddFrame(row.back(), view == 0 ? kFirstFrame : kInputFrame);
  }
  const int last = world.views - 1;
  row.push_back(PictureOf(world, world.clean, last));
  row.push_back(
      OverlayMask(PictureOf(world, world.seen, last),
                  FromProbabilities(ViewOf(world, world.cover, last, 1), world.width(), world.height())));
  row.push_back(DepthColours(world, last));
  Image there = Dimmed(PictureOf(world, world.seen, last)), here = Dimmed(PictureOf(world, world.seen, 0));
  for (int patch = 0; patch < world.patches(); ++patch) {
    const auto at = static_cast<size_t>(last * world.patches() + patch);
    if (world.visible[at] == 0) continue;
    const Rgb colour = PointColour(world, patch);
    AddPoint(
        there,
        (static_cast<float>(patch % world.shape.columns) + 0.5F) / static_cast<float>(world.shape.columns),
        (static_cast<float>(patch / world.shape.columns) + 0.5F) / static_cast<float>(world.shape.rows),
        colour);
    AddPoint(here, world.matches[2 * at], world.matches[2 * at + 1], colour);
  }
  row.push_back(std::move(there));
  row.push_back(std::move(here));
  return row;
}

Image Sheet(const std::vector<std::vector<Image>>& rows, int cell) {
  if (rows.empty() || rows[0].empty()) throw Error("a sheet without pictures");
  const int step = cell + kSheetGap;
  Image sheet(static_cast<int>(rows[0].size()) * step + kSheetGap,
              static_cast<int>(rows.size()) * step + kSheetGap);
  std::fill(sheet.rgb.begin(), sheet.rgb.end(), uint8_t{255});
  for (size_t r = 0; r < rows.size(); ++r) {
    for (size_t c = 0; c < rows[r].size(); ++c) {
      const Image& picture = rows[r][c];
      const double scale = static_cast<double>(cell) / std::max(picture.width, picture.height);
      const int width = std::max(1, static_cast<int>(std::lround(picture.width * scale)));
      const int height = std::max(1, static_cast<int>(std::lround(picture.height * scale)));
      const Image fitted = Resize(picture, width, height, Filter::kBicubic);
      const int left = static_cast<int>(c) * step + kSheetGap + (cell - width) / 2;
      const int top = static_cast<int>(r) * step + kSheetGap + (cell - height) / 2;
      for (int y = 0; y < height; ++y) std::copy_n(fitted.Pixel(0, y), 3 * width, sheet.Pixel(left, top + y));
    }
  }
  return sheet;
}

}  // namespace wildrayzer

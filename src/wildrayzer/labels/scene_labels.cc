#include "wildrayzer/labels/scene_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "wildrayzer/labels/cosegmentation.h"
#include "wildrayzer/labels/refinement.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/vision/overlay.h"

namespace wildrayzer {
namespace {

LabelShape ShapeOf(const PatchFeatures& features, const Image& picture) {
  return {picture.height, picture.width, features.rows, features.columns, features.channels};
}

void CheckSize(const Image& picture, int width, int height) {
  if (picture.width == width && picture.height == height) return;
  throw UsageError(fmt::format("the model renders {} x {} pixels, the pictures have {} x {}", width, height,
                               picture.width, picture.height));
}

// A value in [low, high] as 0 to 255.
uint8_t Level(double value, double low, double high) {
  const double t = high > low ? (value - low) / (high - low) : 0.0;
  return static_cast<uint8_t>(std::lround(255.0 * std::clamp(t, 0.0, 1.0)));
}

// Smallest and largest value of a grid over all frames.
std::pair<double, double> Range(const PseudoLabels& labels, std::vector<float> FrameLabels::*grid) {
  double low = 0, high = 0;
  for (const FrameLabels& frame : labels.frames) {
    for (const float v : frame.*grid) {
      low = std::min<double>(low, v);
      high = std::max<double>(high, v);
    }
  }
  return {low, high};
}

// The patch that a pixel belongs to.
size_t PatchAt(const LabelShape& shape, int x, int y) {
  return static_cast<size_t>(y / (shape.height / shape.rows)) * shape.columns +
         x / (shape.width / shape.columns);
}

Image GridHeatMap(const std::vector<float>& grid, const LabelShape& shape, std::pair<double, double> range) {
  GrayImage levels(shape.width, shape.height);
  for (int y = 0; y < shape.height; ++y) {
    for (int x = 0; x < shape.width; ++x) {
      levels.At(x, y) = Level(grid[PatchAt(shape, x, y)], range.first, range.second);
    }
  }
  return HeatMap(levels);
}

Image PixelHeatMap(const std::vector<float>& map, const LabelShape& shape) {
  GrayImage levels(shape.width, shape.height);
  std::transform(map.begin(), map.end(), levels.values.begin(), [](float v) { return Level(v, 0, 1); });
  return HeatMap(levels);
}

// Colours that differ for neighbouring numbers: hues a golden angle apart, in three shades.
Rgb ClusterColor(int cluster) {
  const double hue = 6.0 * std::fmod(0.381966 * cluster, 1.0);
  const double value = 1.0 - 0.22 * (cluster % 3);
  const auto channel = [&](double offset) {
    const double k = std::fmod(hue + offset, 6.0);
    return static_cast<uint8_t>(255 * value * (1.0 - 0.75 * std::clamp(std::min(k, 4.0 - k), 0.0, 1.0)));
  };
  return {channel(5), channel(3), channel(1)};
}

Image ClusterMap(const std::vector<int>& clusters, const LabelShape& shape) {
  Image image(shape.width, shape.height);
  for (int y = 0; y < shape.height; ++y) {
    for (int x = 0; x < shape.width; ++x) {
      const Rgb color = ClusterColor(clusters[PatchAt(shape, x, y)]);
      std::copy(color.begin(), color.end(), image.Pixel(x, y));
    }
  }
  return image;
}

}  // namespace

SceneLabels LabelTargets(const Reconstructor& model, std::span<const Image> views, int num_inputs,
                         const LabelOptions& options, const ProgressCallback& progress) {
  options.Validate();
  const auto inputs = static_cast<size_t>(std::max(num_inputs, 0));
  if (inputs < 2 || inputs >= views.size()) {
    throw UsageError(fmt::format("labels need two inputs and a target; {} of {} views are inputs", num_inputs,
                                 views.size()));
  }
  SceneLabels scene;
  scene.images.assign(views.begin() + num_inputs, views.end());
  const size_t targets = scene.images.size();
  std::vector<MotionMask> still;  // masks that take the place of the estimator's, so that nothing is masked
  for (size_t i = 0; i < inputs && model.has_motion(); ++i) {
    still.push_back({views[i].width, views[i].height,
                     std::vector<float>(static_cast<size_t>(views[i].width) * views[i].height, 0.0f), 0});
  }
  const Scene place = model.Reconstruct(views, static_cast<int>(targets), progress, still);
  CheckSize(views[0], place.width, place.height);
  scene.renderings = model.Render(place, std::span(place.cameras).subspan(inputs), progress);

  std::vector<Image> rendered_views(views.begin(), views.begin() + num_inputs);
  rendered_views.insert(rendered_views.end(), scene.renderings.begin(), scene.renderings.end());
  const PatchFeatures features = model.Features(views, progress);
  const PatchFeatures rendered = model.Features(rendered_views, progress);
  scene.shape = ShapeOf(features, views[0]);
  std::vector<std::vector<float>> planes;
  for (const Image& image : scene.images) planes.push_back(ToPlanes(image));
  for (const Image& image : scene.renderings) planes.push_back(ToPlanes(image));
  std::vector<LabelFrame> frames;
  for (size_t i = 0; i < targets; ++i) {
    frames.push_back({planes[i], planes[targets + i], features.View(inputs + i), rendered.View(inputs + i)});
  }
  scene.labels = MakePseudoLabels(frames, scene.shape, options);
  return scene;
}

std::vector<GrayImage> CoSegmentViews(const Reconstructor& model, std::span<const Image> views,
                                      const LabelOptions& options, const ProgressCallback& progress) {
  const PatchFeatures features = model.Features(views, progress);
  std::vector<std::vector<float>> planes;
  for (const Image& view : views) planes.push_back(ToPlanes(view));
  std::vector<LabelFrame> frames;
  for (size_t i = 0; i < views.size(); ++i) frames.push_back({planes[i], {}, features.View(i), {}});
  std::vector<GrayImage> masks;
  for (FrameLabels& frame : CoSegment(frames, ShapeOf(features, views[0]), options).frames) {
    masks.push_back(std::move(frame.mask));
  }
  return masks;
}

std::vector<LabelPicture> ExplainTarget(const SceneLabels& scene, size_t index) {
  const FrameLabels& frame = scene.labels.frames.at(index);
  const LabelShape& shape = scene.shape;
  const Image& image = scene.images[index];
  const GrayImage selected =
      PatchesToPixels(frame.selected, shape.rows, shape.columns, shape.height, shape.width);
  return {{"rendering", scene.renderings[index]},
          {"ssim", PixelHeatMap(frame.ssim_map, shape)},
          {"features", GridHeatMap(frame.features, shape, Range(scene.labels, &FrameLabels::features))},
          {"saliency", GridHeatMap(frame.saliency, shape, Range(scene.labels, &FrameLabels::saliency))},
          {"clusters", ClusterMap(frame.clusters, shape)},
          {"selected", OverlayMask(image, selected)},
          {"unrefined", OverlayMask(image, frame.unrefined)},
          {"label", OverlayMask(image, frame.mask)}};
}

Image LabelSheet(const SceneLabels& scene, std::span<const std::string> titles) {
  std::vector<SheetEntry> entries;
  int columns = 0;
  for (size_t i = 0; i < scene.images.size(); ++i) {
    entries.push_back({scene.images[i], titles[i]});
    for (LabelPicture& picture : ExplainTarget(scene, i)) {
      const std::string label =
          picture.name == "rendering" ? fmt::format("{:.1f} dB", scene.labels.frames[i].psnr) : picture.name;
      entries.push_back({std::move(picture.image), label});
    }
    if (i == 0) columns = static_cast<int>(entries.size());
  }
  return ContactSheet(entries, columns, scene.shape.width, scene.shape.height);
}

}  // namespace wildrayzer

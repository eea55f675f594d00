// What is measured of a rendered world, and kept as one line of JSON.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "wildrayzer/vision/frame_shape.h"
#include "wildrayzer/worlds/draw_world.h"
#include "wildrayzer/worlds/render_worlds.h"

namespace wildrayzer {

// One world's pictures and truths; the layouts are those of WorldFrames with B = 1.
struct RenderedWorld {
  FrameShape shape;
  int patch = 8, views = 0;
  std::vector<float> seen, clean, cover, depth, matches, log_depth, visible;

  RenderedWorld() = default;
  // Room for everything.
  RenderedWorld(const FrameShape& shape, int patch, int views);
  int width() const { return patch * shape.columns; }
  int height() const { return patch * shape.rows; }
  int patches() const { return shape.columns * shape.rows; }
  WorldFrames frames();
};

// Renders a world; may be called from several threads.
using RenderWorldFunction =
    std::function<RenderedWorld(const World& world, const FrameShape& shape, int patch)>;

struct MeasuredView {
  WorldViewFacts facts;
  double visible = 0;  // share of the patch centres whose match in the first view holds
};

struct MeasuredWorld {
  int index = 0;
  FrameShape shape;
  bool open = false;
  int movers = 0, twins = 0;
  double unit = 1;           // metres
  double field_of_view = 0;  // degrees, along the square root of the frame's area
  double brightness = 0;     // mean of all values of all views as seen, in [0, 1]
  double contrast = 0;       // standard deviation of the pixels' brightness
  std::vector<MeasuredView> views;
};

MeasuredWorld MeasureWorld(int index, const World& world, const TextureBank& bank,
                           const RenderedWorld& rendered);

// One line of JSON with its line feed, numbers with six significant digits.
std::string FactsLine(const MeasuredWorld& world);
// The inverse. FileError naming `path` for anything else.
MeasuredWorld ParseFactsLine(const std::string& line, const std::filesystem::path& path);

}  // namespace wildrayzer

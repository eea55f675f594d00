// Virtual worlds made from single pictures, for the camera warm-up: boxes papered with photos, seen by a
// camera of our own. No label is involved: whoever makes the world knows its cameras.
//
// A world is a rectangular room with cuboids in it; every face shows a mosaic of pictures. It has what
// matching needs to be learnt from: rotation, translation, parallax, occlusion, foreshortening, changing
// focal lengths.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <span>
#include <vector>

#include "wildrayzer/io/images.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {

// A picture at full, half, quarter ... size (box filter), so that distant faces do not flicker.
class PicturePyramid {
 public:
  explicit PicturePyramid(const Image& picture);

  // Colour in [0, 1] at (u, v), 0 <= u, v <= 1, bilinear, on the level whose texels are not smaller than
  // `footprint` (as a fraction of the picture's width).
  Eigen::Vector3f Sample(float u, float v, float footprint) const;

 private:
  struct Level {
    int width = 0, height = 0;
    std::vector<float> rgb;  // interleaved
  };
  std::vector<Level> levels_;
};

struct VirtualWorldOptions {
  int width = 128, height = 128;  // pixels of a view
  int patch = 16;
  int views = 5;
  // Multiplies rotation and translation between the views, in (0, 1]: a curriculum from small motions.
  double motion = 1.0;
  double translation = 1.0;  // multiplies translation only; 0: pure rotations
  // Least share of a view's patches, of every view, that are seen in the first one. Paths with less are drawn
  // again, of ever smaller motion.
  double min_overlap = 0.0;
};

// What the warm-up learns from. Cameras are relative to the first view (OpenCV axes), translations in units
// of the median depth of the first view.
struct VirtualScene {
  std::vector<Image> views;
  std::vector<Eigen::Matrix4f> c2w;  // of every view; the first is the identity
  float focal = 1.0F;                // fx in image widths and fy in image heights, of all views
  // For every view and patch (row-major), at the patch's centre: where that point of the world appears in the
  // first view (u, v in [0, 1] inside it; may lie outside), and its depth in its own view.
  struct PatchTruth {
    float u = 0, v = 0;
    float depth = 1;
    bool visible = false;  // in the first view's frame and not hidden from it
  };
  std::vector<std::vector<PatchTruth>> patches;
};

// Makes one world and its views. Views are ordered as training samples are: the first and the last of the
// path, then those between. Depends only on its arguments.
VirtualScene MakeVirtualScene(std::span<const PicturePyramid> pictures, const VirtualWorldOptions& options,
                              Random& random);

}  // namespace wildrayzer

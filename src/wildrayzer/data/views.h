// Pictures from disk as the model sees them: decoded, resized, cropped, with intrinsics and mask in the same
// frame.
#pragma once

#include <Eigen/Core>
#include <optional>
#include <span>
#include <vector>

#include "wildrayzer/data/scene.h"
#include "wildrayzer/io/images.h"
#include "wildrayzer/vision/framing.h"

namespace wildrayzer {

struct ViewOptions {
  int width = 256;
  int height = 256;
  int patch = 16;
  // Crop to width x height (landscape photos: exactly the released preprocessing; portrait ones fill the
  // frame too). Otherwise only the height is fitted and the width follows the photo in whole patches.
  bool crop = true;
  bool clean = false;  // also read FrameRecord::clean_path where there is one
  bool masks = false;  // also read FrameRecord::mask_path where there is one
};

// One view, everything in the frame of `image`.
struct View {
  int frame = 0;  // index into SceneRecord::frames
  Image image;
  Framing framing;
  std::optional<PixelIntrinsics> intrinsics;  // pixels of `image`
  std::optional<Eigen::Matrix4d> w2c;         // untouched
  Image clean;                                // empty: not asked for or not there
  GrayImage mask;                             // 255 = moving; empty: not asked for or not there
};

// The framing of a photo that the options ask for.
Framing ChooseFraming(int photo_width, int photo_height, const ViewOptions& options);

// Loads the frames with the given indices, in that order. All views have one size. A mask is resized with the
// nearest pixel; masks that belong to the photo are then cropped like it. Raises FileError for indices that
// the scene does not have, damaged or missing files (each names the file), a clean picture of another size,
// and views of different sizes; UsageError when the frames are packed in another size.
std::vector<View> LoadViews(const SceneRecord& scene, std::span<const int> frames,
                            const ViewOptions& options);

}  // namespace wildrayzer

#include "wildrayzer/data/views.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "wildrayzer/data/masks.h"
#include "wildrayzer/data/packed_scenes.h"
#include "wildrayzer/data/view_lists.h"
#include "wildrayzer/io/video.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

GrayImage LoadMask(const FrameRecord& frame, const Framing& framing) {
  const GrayImage mask = ReadMask(frame.mask_path);
  if (frame.mask_frame == MaskFrame::kModel) return ResizeMask(mask, framing.width, framing.height);
  const int64_t across = int64_t{mask.width} * framing.photo_height;
  const int64_t down = int64_t{mask.height} * framing.photo_width;
  // Another resolution is fine, another shape (beyond the rounding of a resize) belongs to another picture.
  if (std::abs(across - down) > 2 * std::max(across, down) / std::min(mask.width, mask.height)) {
    throw FileError(frame.mask_path.string(),
                    fmt::format("a mask of {} x {} does not fit its picture of {} x {}", mask.width,
                                mask.height, framing.photo_width, framing.photo_height));
  }
  return FrameMask(mask, framing);
}

View MakeView(int index, const FrameRecord& frame, const Image& photo, const ViewOptions& options) {
  View view;
  view.frame = index;
  view.framing = ChooseFraming(photo.width, photo.height, options);
  view.image = ApplyFraming(photo, view.framing);
  view.w2c = frame.w2c;
  if (frame.intrinsics) {
    PixelIntrinsics k = frame.intrinsics->values;
    if (frame.intrinsics->fractions) {
      k = {k.fx * photo.width, k.fy * photo.height, k.cx * photo.width, k.cy * photo.height};
    }
    view.intrinsics = view.framing.ToModel(k);
  }
  if (options.clean && !frame.clean_path.empty()) {
    const Image clean = ReadImage(frame.clean_path);
    if (clean.width != photo.width || clean.height != photo.height) {
      throw FileError(frame.clean_path.string(),
                      fmt::format("is {} x {}, but its pair {} is {} x {}", clean.width, clean.height,
                                  frame.image_path.string(), photo.width, photo.height));
    }
    view.clean = ApplyFraming(clean, view.framing);
  }
  if (options.masks && !frame.mask_path.empty()) view.mask = LoadMask(frame, view.framing);
  return view;
}

// Decodes the wanted frames of one video in a single pass.
std::map<int64_t, Image> VideoFrames(const fs::path& video, std::vector<int64_t> wanted) {
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  std::vector<Image> images = ReadFrames(video, wanted);
  std::map<int64_t, Image> frames;
  for (size_t i = 0; i < wanted.size(); ++i) frames.emplace(wanted[i], std::move(images[i]));
  return frames;
}

View LoadView(int index, const FrameRecord& frame, const std::map<fs::path, std::map<int64_t, Image>>& videos,
              const ViewOptions& options) {
  if (frame.pack) return PackedView(index, frame, options);
  if (frame.video_frame >= 0)
    return MakeView(index, frame, videos.at(frame.image_path).at(frame.video_frame), options);
  return MakeView(index, frame, ReadImage(frame.image_path), options);
}

}  // namespace

Framing ChooseFraming(int photo_width, int photo_height, const ViewOptions& options) {
  if (options.crop)
    return CoverFraming(photo_width, photo_height, options.width, options.height, options.patch);
  return ReleaseFraming(photo_width, photo_height, options.height, options.patch, /*square_crop=*/false);
}

std::vector<View> LoadViews(const SceneRecord& scene, std::span<const int> frames,
                            const ViewOptions& options) {
  CheckViews(ViewList{{frames.begin(), frames.end()}, {}}, scene);
  std::map<fs::path, std::vector<int64_t>> wanted;
  for (const int index : frames) {
    const FrameRecord& frame = scene.frames[static_cast<size_t>(index)];
    if (frame.video_frame >= 0) wanted[frame.image_path].push_back(frame.video_frame);
  }
  std::map<fs::path, std::map<int64_t, Image>> videos;
  for (auto& [video, numbers] : wanted) videos.emplace(video, VideoFrames(video, std::move(numbers)));

  std::vector<View> views;
  for (const int index : frames) {
    const FrameRecord& frame = scene.frames[static_cast<size_t>(index)];
    views.push_back(LoadView(index, frame, videos, options));
    const Image& first = views.front().image;
    const Image& last = views.back().image;
    if (last.width != first.width || last.height != first.height) {
      throw FileError(
          frame.image_path.string(),
          fmt::format("gives a view of {} x {}, the scene's first one is {} x {}; turn cropping on",
                      last.width, last.height, first.width, first.height));
    }
  }
  return views;
}

}  // namespace wildrayzer

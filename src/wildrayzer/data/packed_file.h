// Frames of many scenes in one file, cropped for the model already: what `wildrayzer pack` writes and the
// loader maps into memory.
//
// It is a safetensors file. Its metadata "wildrayzer.packed" is a JSON object: version 1; width, height and
// patch (pixels) of the frames, as LoadViews was asked for them; pictures: "raw" or "jpeg". Its tensors:
//   data     U8 [bytes]   the frames one after the other, each at a multiple of 8: picture, clean picture,
//                         mask. Raw: [height, width, 3] RGB, the same, [height, width] with 255 = moves.
//                         jpeg: two JPEG files, and the mask as a run-length string of the COCO format
//   frames   I64 [F, 6]   where the frame begins in `data`; bytes of its picture, of its clean picture and of
//                         its mask (0: there is none); width and height of the photo that it was made from
//   cameras  F64 [F, 20]  fx fy cx cy in pixels of the frame, world to camera (OpenCV axes) row by row; NaN
//                         where unknown
//   scenes   U8 [bytes]   JSON: [{"name": text, "frames": number}, ...], and where the data set came with
//                         evaluation views "inputs" and "targets": [frame of the scene, ...]
#pragma once

#include <Eigen/Core>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/data/scene.h"
#include "wildrayzer/io/images.h"
#include "wildrayzer/vision/framing.h"

namespace wildrayzer {

class MappedFile;

inline constexpr int kPackedVersion = 1;
inline constexpr char kPackedMetadataKey[] = "wildrayzer.packed";
inline constexpr int64_t kPackedFrameNumbers = 6;    // a row of `frames`
inline constexpr int64_t kPackedCameraNumbers = 20;  // a row of `cameras`

// How all pictures of a packed file are made and stored.
struct PackedLayout {
  int width = 0, height = 0, patch = 0;  // pixels
  bool jpeg = false;
};

struct PackedScene {
  std::string name;
  int64_t first_frame = 0;  // of the file's
  int64_t frames = 0;
  std::optional<ViewList> views;  // on which it is judged; indices into its own frames
};

// A packed file, mapped. Opening it checks all sizes, places and names against each other; what a frame holds
// is looked at when it is asked for. All functions are const and may be called from several threads. `frame`
// is below frames(). Raises FileError naming the file.
class PackedFile {
 public:
  static std::shared_ptr<const PackedFile> Open(const std::filesystem::path& path);
  static std::shared_ptr<const PackedFile> Parse(std::shared_ptr<const MappedFile> file);

  const std::string& path() const { return path_; }
  const PackedLayout& layout() const { return layout_; }
  const std::vector<PackedScene>& scenes() const { return scenes_; }
  int64_t frames() const { return frames_; }
  bool has_masks() const { return has_masks_; }  // of any frame

  // From the photo to the stored picture.
  Framing FramingOf(int64_t frame) const;
  // Pixels of the stored picture; and world to camera. Raises FileError for numbers that are not finite.
  std::optional<PixelIntrinsics> Intrinsics(int64_t frame) const;
  std::optional<Eigen::Matrix4d> WorldToCamera(int64_t frame) const;
  // Empty: there is none. Raise FileError for what cannot be decoded or has another size.
  Image Picture(int64_t frame) const;
  Image CleanPicture(int64_t frame) const;
  GrayImage Mask(int64_t frame) const;

 private:
  struct Place {
    int64_t begin = 0, picture = 0, clean = 0, mask = 0;  // bytes
    int64_t photo_width = 0, photo_height = 0;
  };

  PackedFile() = default;
  void CheckPlaces();
  Place PlaceOf(int64_t frame) const;
  Image DecodePicture(int64_t frame, int64_t begin, int64_t size) const;
  template <size_t kCount>
  std::optional<std::array<double, kCount>> Camera(int64_t frame, size_t first) const;

  std::string path_;
  std::shared_ptr<const MappedFile> mapping_;
  PackedLayout layout_;
  std::vector<PackedScene> scenes_;
  int64_t frames_ = 0;
  bool has_masks_ = false;
  std::span<const std::byte> data_;
  const std::byte* places_ = nullptr;   // rows of `frames`; the addresses may be unaligned
  const std::byte* cameras_ = nullptr;  // rows of `cameras`
};

}  // namespace wildrayzer

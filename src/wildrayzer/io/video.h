// Videos in (anything common that FFmpeg opens) and out (MP4), frame by frame.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/io/images.h"

namespace wildrayzer {

// Reads the frames of a video in order, upright (the turn that phones write into the file is applied), with
// square pixels (the width is what it is shown at) and in sRGB: by the matrix, range, primaries and curve
// that the file tells, HDR (HLG, PQ) for an ordinary display; what cannot be converted gives a warning. The
// container (MP4, MOV, MKV, WebM, AVI, MPEG, transport streams, OGG, FLV, WMV, GIF, DV, MXF) is recognised by
// its first bytes, whatever the name: play lists and network addresses, which FFmpeg would follow, are
// refused. Image size limits as for pictures. Errors: FileError for missing, empty, damaged or foreign files
// and files without a decodable frame.
class VideoReader {
 public:
  explicit VideoReader(const std::filesystem::path& path);
  ~VideoReader();
  VideoReader(VideoReader&&) noexcept;
  VideoReader& operator=(VideoReader&&) noexcept;

  int width() const;   // upright
  int height() const;  // upright
  // Frames a second; 0 when the file does not say.
  double fps() const;
  // What the file's header promises; may be wrong, 0 when unknown.
  int64_t expected_frames() const;
  // Frames read or skipped so far = index of the next frame.
  int64_t position() const;

  // The next frame, or nothing at the end. A file that ends long before its header promises gives a warning.
  std::optional<Image> Read();
  // Passes over the next frame (decoded, as later ones depend on it, but not converted). False at the end.
  bool Skip();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// `count` indices spread evenly over [0, frames), the first and the last among them (the middle one if count
// is 1). Raises Error unless 1 <= count <= frames.
std::vector<int64_t> EvenIndices(int64_t frames, int64_t count);

// The frames with the given indices, which must be increasing. FileError if the video ends before the last of
// them.
std::vector<Image> ReadFrames(const std::filesystem::path& path, std::span<const int64_t> indices);

// `count` frames spread evenly over the whole video, counted by decoding where the header is wrong.
struct SampledFrames {
  std::vector<int64_t> indices;
  std::vector<Image> images;
};
SampledFrames SampleVideo(const std::filesystem::path& path, int64_t count);

// True for a file in one of the containers above, by its first bytes.
bool IsVideoFile(const std::filesystem::path& path);

// Stops FFmpeg from writing its own lines to stderr: what is wrong with a file is said once, by FileError.
void SilenceFfmpeg();

// Writes an MP4 that browsers play: H.264, or MPEG-4 part 2 with a warning where the installed FFmpeg has no
// H.264 encoder. Colours are BT.709's, and the file says so. Odd sizes are padded by repeating the last
// column or row, as the codecs need even ones. The file appears under its name only at Commit().
class VideoWriter {
 public:
  // fps in (0, 240]. `codecs`: FourCC names, tried in order. FileError if the file cannot be created,
  // UsageError for a name that does not end in .mp4 and for impossible sizes or rates.
  VideoWriter(const std::filesystem::path& path, int width, int height, double fps,
              const std::vector<std::string>& codecs = {"avc1", "mp4v"});
  ~VideoWriter();
  VideoWriter(const VideoWriter&) = delete;
  VideoWriter& operator=(const VideoWriter&) = delete;

  // Size as given to the constructor, otherwise Error.
  void Write(const Image& frame);
  // Completes the file, reads it back to see that every frame is there (encoders do not report a full disk),
  // and renames it.
  void Commit();

  // The FourCC in use.
  const std::string& codec() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wildrayzer

// Finds the photos that a command was given: image files, a folder of them, or a video.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "wildrayzer/io/images.h"

namespace wildrayzer {

// One decoded photo and the name that its outputs get (file stem, or "frame_000123" for a video).
struct Photo {
  std::string name;
  std::string source;  // path, and the frame number of a video
  Image image;
};

// What can be read before decoding anything: the files of a folder in natural order, or a video's frame
// numbers.
class PhotoSource {
 public:
  // `paths`: image files, or exactly one folder or video; told apart by their first bytes. A folder without
  // images but with a subfolder `images` means that subfolder, one with nothing but one video that video.
  // Raises UsageError (no such path, no image, mixed kinds) and FileError (no photo; formats that are not
  // read, with the remedy).
  explicit PhotoSource(const std::vector<std::string>& paths);

  size_t size() const { return is_video_ ? frame_count_ : files_.size(); }
  bool is_video() const { return is_video_; }
  // The image files, or the video.
  const std::vector<std::filesystem::path>& files() const { return files_; }

  // Decodes the photos with these indices (ascending for a video). Names are unique.
  std::vector<Photo> Read(const std::vector<size_t>& indices) const;

  // Takes those of these photos out of the source that cannot be decoded, with a warning each, and says
  // whether there were any: then indices mean other photos, and the choice is to be made again. Only of a
  // folder: a file that was named is wanted. FileError when fewer than two photos remain.
  bool LeaveOutUnreadable(const std::vector<size_t>& indices);
  // Error (once the result is written) when photos were left out.
  void FailIfLeftOut(const std::string& result) const;

 private:
  std::vector<std::filesystem::path> files_;
  std::vector<std::string> names_;  // of the files: stems, made unique
  bool is_video_ = false;
  bool is_folder_ = false;
  size_t left_out_ = 0;
  size_t frame_count_ = 0;
};

// `count` indices of 0 .. size-1, evenly spread, first and last included. count >= size gives all.
std::vector<size_t> SpreadIndices(size_t size, size_t count);

// Splits evenly spread views into inputs and held-out targets as the method does (method.md, section 6): the
// first and the last view are always inputs, the others are spread between them; targets are the rest.
// Indices ascend in both.
struct ViewSplit {
  std::vector<size_t> inputs;
  std::vector<size_t> targets;
};
ViewSplit SplitViews(size_t size, size_t num_inputs, size_t num_targets);

}  // namespace wildrayzer

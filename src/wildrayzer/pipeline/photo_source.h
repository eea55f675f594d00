// Finds the photos that a command was given: image files, a folder of them, or a video.
#pragma once

#include <filesystem>
#include <set>
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

  // Decodes the photos with these (different) indices. Names are unique. Of a folder, photos that
  // cannot be decoded are left out with a warning each, so that fewer may come back (a file that was named is
  // wanted); FileError when fewer than two remain. What is among `known`, read before, is taken from there.
  std::vector<Photo> Read(const std::vector<size_t>& indices, std::vector<Photo> known = {});
  // Indices of all that Read has not left out.
  std::vector<size_t> Readable() const;
  // What to end with once the result is written without photos that were left out; else empty.
  std::string LeftOut(const std::string& result) const;

 private:
  std::vector<Photo> ReadVideo(const std::vector<size_t>& indices) const;

  std::vector<std::filesystem::path> files_;
  std::vector<std::string> names_;  // of the files: stems, made unique
  bool is_video_ = false;
  bool is_folder_ = false;
  std::set<size_t> unreadable_;
  size_t frame_count_ = 0;
};

// The folders and videos in a folder, which may be a place each, in natural order; hidden ones are passed
// over. FileError when it cannot be listed.
std::vector<std::filesystem::path> PlacesIn(const std::filesystem::path& folder);

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

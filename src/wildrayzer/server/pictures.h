// Photos, masks and clean photos as they are sent: made small, encoded, and remembered for a while.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "wildrayzer/io/images.h"
#include "wildrayzer/vision/framing.h"

namespace wildrayzer {

// A size that a picture is wanted in: the long side has at most so many pixels; 0: as it is.
// width, height: of the picture that is sent.
struct SentSize {
  int width = 0;
  int height = 0;
};
SentSize SizeToSend(int width, int height, int longest);

// The mask of the model's frame in the pixels of the photo that is sent in this size; 0 where the model did
// not look.
GrayImage MaskToSend(const GrayImage& mask, const Framing& framing, SentSize size);

// A map of names of things, not of amounts: of pixels that become one, that in the middle counts.
GrayImage ShrunkMap(const GrayImage& map, SentSize size);

// Encoded pictures by a key that says all of what is in them.
class PictureCache {
 public:
  // Decoding takes memory: so many pictures are made at a time.
  explicit PictureCache(size_t most_bytes = 64 << 20, int at_a_time = 2)
      : most_bytes_(most_bytes), free_(at_a_time) {}

  // What `make` gives, or gave before.
  std::string Get(const std::string& key, const std::function<std::string()>& make);

 private:
  struct Entry {
    std::string key;
    std::string bytes;
  };
  bool Find(const std::string& key, std::string& bytes);  // under the mutex

  const size_t most_bytes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Entry> entries_;  // the latest first
  size_t bytes_ = 0;
  int free_;
};

// JPEG or PNG as text.
std::string JpegText(const Image& image, int quality);
std::string PngText(const GrayImage& image);
std::string PngText(const Image& image);

}  // namespace wildrayzer

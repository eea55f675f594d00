#include "wildrayzer/server/pictures.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace wildrayzer {
namespace {

std::string ToText(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

SentSize SizeToSend(int width, int height, int longest) {
  const int side = std::max(width, height);
  if (longest <= 0 || side <= longest) return {width, height};
  const double scale = static_cast<double>(longest) / side;
  const auto scaled = [&](int pixels) { return std::max(1, static_cast<int>(std::lround(pixels * scale))); };
  return {scaled(width), scaled(height)};
}

GrayImage MaskToSend(const GrayImage& mask, const Framing& framing, SentSize size) {
  Framing small = framing;
  small.photo_width = size.width;
  small.photo_height = size.height;
  return UncropMask(mask, small).mask;
}

GrayImage ShrunkMap(const GrayImage& map, SentSize size) {
  GrayImage small(size.width, size.height);
  const auto middle = [](int at, int from, int to) { return static_cast<int>((at + 0.5) * from / to); };
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x)
      small.At(x, y) = map.At(middle(x, map.width, size.width), middle(y, map.height, size.height));
  }
  return small;
}

bool PictureCache::Find(const std::string& key, std::string& bytes) {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.key == key; });
  if (found == entries_.end()) return false;
  entries_.splice(entries_.begin(), entries_, found);
  bytes = entries_.front().bytes;
  return true;
}

std::string PictureCache::Get(const std::string& key, const std::function<std::string()>& make) {
  struct Slot {
    explicit Slot(PictureCache& owner) : cache(owner) {}
    ~Slot() {
      const std::lock_guard<std::mutex> lock(cache.mutex_);
      ++cache.free_;
      cache.changed_.notify_one();
    }
    PictureCache& cache;
  };
  std::string bytes;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    if (Find(key, bytes)) return bytes;
    changed_.wait(lock, [this] { return free_ > 0; });
    if (Find(key, bytes)) {
      changed_.notify_one();
      return bytes;
    }
    --free_;
  }
  const Slot slot(*this);
  bytes = make();
  const std::lock_guard<std::mutex> lock(mutex_);
  std::string again;
  if (bytes.size() > most_bytes_ / 4 || Find(key, again)) return bytes;
  entries_.push_front({key, bytes});
  bytes_ += bytes.size();
  while (bytes_ > most_bytes_) {
    bytes_ -= entries_.back().bytes.size();
    entries_.pop_back();
  }
  return bytes;
}

std::string JpegText(const Image& image, int quality) { return ToText(EncodeJpeg(image, quality)); }
std::string PngText(const GrayImage& image) { return ToText(EncodePng(image)); }
std::string PngText(const Image& image) { return ToText(EncodePng(image)); }

}  // namespace wildrayzer

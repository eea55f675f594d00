#include "wildrayzer/pipeline/own_masks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <set>
#include <string>

#include "wildrayzer/data/masks.h"
#include "wildrayzer/io/mask_picture.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// "mask_img_1", "img_1-mask" and "img_1.mask" as "img_1".
std::string WithoutWordMask(std::string name) {
  const auto is_separator = [](char c) { return c == '_' || c == '-' || c == '.' || c == ' '; };
  constexpr std::string_view kWord = "mask";
  if (name.size() <= kWord.size() + 1) return name;
  if (name.starts_with(kWord) && is_separator(name[kWord.size()])) return name.substr(kWord.size() + 1);
  if (name.ends_with(kWord) && is_separator(name[name.size() - kWord.size() - 1]))
    return name.substr(0, name.size() - kWord.size() - 1);
  return name;
}

bool IsNpy(const fs::path& path) { return Lower(path.extension().string()) == ".npy"; }

bool IsNumber(const std::string& text) {
  return !text.empty() && text.size() < 10 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

// The files that may be masks, by what they say of the photo's name.
std::multimap<std::string, fs::path> MasksIn(const fs::path& folder, std::span<const Photo> photos) {
  std::error_code error;
  std::multimap<std::string, fs::path> masks;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    std::error_code ignored;
    const fs::path& path = entry.path();
    if (!entry.is_regular_file(ignored) || path.filename().string().front() == '.') continue;
    const bool is_photo = std::any_of(photos.begin(), photos.end(), [&](const Photo& photo) {
      return fs::equivalent(path, photo.source, ignored);
    });
    if (is_photo) continue;  // masks may lie beside the photos
    if (!IsNpy(path) && !IsPictureFile(path)) continue;
    const std::string name = WithoutWordMask(Lower(path.stem().string()));
    masks.emplace(IsNumber(name) ? std::to_string(std::atol(name.c_str())) : name, path);
  }
  if (error) throw UsageError(folder.string() + ": cannot list the folder of masks: " + error.message());
  return masks;
}

// Under what names the mask of a photo is looked for.
std::set<std::string> NamesOfMask(const Photo& photo, bool stem_is_unique) {
  std::set<std::string> names = {Lower(photo.name)};
  const fs::path source(photo.source);
  const std::string frame = photo.name.substr(std::min<size_t>(photo.name.size(), 6));
  if (photo.name.starts_with("frame_") && IsNumber(frame))
    names.insert(std::to_string(std::atol(frame.c_str())));
  if (!stem_is_unique) return names;
  for (const std::string& text : {source.stem().string(), source.filename().string()}) {
    const std::string name = Lower(text);
    names.insert(IsNumber(name) ? std::to_string(std::atol(name.c_str())) : name);
  }
  return names;
}

MotionMask Read(const fs::path& path, const Photo& photo, bool invert) {
  const GrayImage mask = IsNpy(path) ? ReadNpyMask(path) : ReadMaskPicture(path);
  const int64_t across = int64_t{mask.width} * photo.image.height;
  const int64_t down = int64_t{mask.height} * photo.image.width;
  // Another resolution is fine, another shape (beyond the rounding of a resize) belongs to another picture.
  if (std::abs(across - down) > 2 * std::max(across, down) / std::min(mask.width, mask.height)) {
    const bool turned = mask.width == photo.image.height && mask.height == photo.image.width;
    throw FileError(path.string(),
                    fmt::format("a mask of {} x {} does not fit its photo {} of {} x {}{}", mask.width,
                                mask.height, photo.source, photo.image.width, photo.image.height,
                                turned ? "; it lies on its side: turn it, photos are taken upright" : ""));
  }
  MotionMask result;
  result.width = mask.width;
  result.height = mask.height;
  result.probability.reserve(mask.values.size());
  for (const uint8_t value : mask.values)
    result.probability.push_back(static_cast<float>(invert ? 255 - value : value) / 255.0f);
  return result;
}

}  // namespace

std::vector<MotionMask> ReadOwnMasks(const fs::path& folder, std::span<const Photo> photos, bool invert) {
  if (!fs::is_directory(folder)) throw UsageError(folder.string() + ": no such folder of masks");
  std::multimap<std::string, fs::path> files = MasksIn(folder, photos);
  if (files.empty() && fs::is_directory(folder / "masks")) files = MasksIn(folder / "masks", photos);
  std::map<std::string, int> stems;
  for (const Photo& photo : photos) ++stems[Lower(fs::path(photo.source).stem().string())];
  std::vector<MotionMask> masks;
  std::vector<std::string> without;
  for (const Photo& photo : photos) {
    const bool unique = stems[Lower(fs::path(photo.source).stem().string())] == 1;
    std::vector<fs::path> found;
    for (const std::string& name : NamesOfMask(photo, unique)) {
      const auto [begin, end] = files.equal_range(name);
      for (auto file = begin; file != end; ++file) found.push_back(file->second);
    }
    if (found.size() > 1) {
      throw UsageError(fmt::format("{} and {} may both be the mask of {}: leave one", found[0].string(),
                                   found[1].string(), photo.source));
    }
    masks.push_back(found.empty() ? MotionMask() : Read(found[0], photo, invert));
    if (found.empty()) without.push_back(photo.source);
  }
  if (without.size() == photos.size()) {
    throw UsageError(fmt::format("{}: no mask for any photo; that of {} would be called {}.png",
                                 folder.string(), photos[0].source, photos[0].name));
  }
  for (const std::string& source : without)
    LogWarning("{}: has no mask in {}; what the model says is used", source, folder.string());
  return masks;
}

}  // namespace wildrayzer

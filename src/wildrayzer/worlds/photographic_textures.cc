#include "wildrayzer/worlds/photographic_textures.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "wildrayzer/data/coco.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/run_parallel.h"
#include "wildrayzer/vision/resize.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

constexpr int kCropsOfPicture = 16, kCutoutsOfPicture = 4;
constexpr int kLeastCrop = 32;    // pixels a side
constexpr int kLeastObject = 24;  // pixels, of both sides of its box
// Pictures that are read at a time until there are enough cut-outs.
constexpr size_t kPicturesAtATime = 64;

// A place in the list of sources, and what is there.
struct SourcePicture {
  size_t source = 0;
  fs::path path;          // of the picture
  size_t coco_image = 0;  // of CocoInstances::images()
};

template <typename T>
void Shuffle(std::vector<T>& items, Random& random) {
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.Below(i)]);
}

std::vector<fs::path> PicturesBelow(const fs::path& source) {
  std::error_code error;
  if (!fs::exists(source, error))
    throw FileError(source.string(), "is missing; textures were to be cut from it");
  if (!fs::is_directory(source)) return {source};
  std::vector<fs::path> pictures;
  for (auto entry = fs::recursive_directory_iterator(source, error); !error && entry != fs::end(entry);
       entry.increment(error)) {
    if (entry->is_regular_file() && IsPictureFile(entry->path())) pictures.push_back(entry->path());
  }
  if (error) throw FileError(source.string(), "cannot be listed: " + error.message());
  if (pictures.empty())
    throw FileError(source.string(), "has no pictures; give a folder with JPEG or PNG files");
  std::sort(pictures.begin(), pictures.end());
  return pictures;
}

// The picture at `path`, or nothing and a warning.
std::optional<Image> ReadOrWarn(const fs::path& path) {
  try {
    return ReadImage(path);
  } catch (const FileError& e) {
    LogWarning("{}; it is passed over", e.what());
    return std::nullopt;
  }
}

Texture OpaqueTexture(const Image& square) {
  Texture texture(4 * static_cast<size_t>(kTextureSide) * kTextureSide, 255);
  for (size_t i = 0; i < texture.size() / 4; ++i) std::copy_n(&square.rgb[3 * i], 3, &texture[4 * i]);
  return texture;
}

// The smaller crops are the more frequent ones.
Texture RandomCrop(const Image& image, Random& random) {
  const int largest = std::min(image.width, image.height), least = std::min(kLeastCrop, largest);
  const double ratio = static_cast<double>(largest) / least;
  const int side =
      std::clamp(static_cast<int>(std::lround(least * std::pow(ratio, random.Uniform(0.3, 1)))), 1, largest);
  const auto axis = [&](int extent) {
    const auto origin = static_cast<double>(random.Below(static_cast<uint64_t>(extent - side + 1)));
    return ResampleAxis{origin, static_cast<double>(side) / kTextureSide, 0, kTextureSide};
  };
  const ResampleAxis x = axis(image.width), y = axis(image.height);
  return OpaqueTexture(Resample(image, x, y, Filter::kBilinear));
}

struct PixelBox {
  int left = 0, top = 0, width = 0, height = 0;
};

PixelBox BoxOf(const GrayImage& mask) {
  int left = mask.width, top = mask.height, right = -1, bottom = -1;
  for (int y = 0; y < mask.height; ++y) {
    for (int x = 0; x < mask.width; ++x) {
      if (mask.At(x, y) == 0) continue;
      left = std::min(left, x), right = std::max(right, x);
      top = std::min(top, y), bottom = std::max(bottom, y);
    }
  }
  return {left, top, right - left + 1, bottom - top + 1};
}

// Sums of the colours of the mask's pixels around (x, y) of the box and, last, of their weights: bilinear.
// What lies outside the mask has no weight, so that no background bleeds into the edges.
std::array<float, 4> MaskedSample(const Image& image, const GrayImage& mask, const PixelBox& box, float x,
                                  float y) {
  const float fx = std::clamp(x - 0.5F, 0.0F, static_cast<float>(box.width - 1));
  const float fy = std::clamp(y - 0.5F, 0.0F, static_cast<float>(box.height - 1));
  const int column = static_cast<int>(fx), row = static_cast<int>(fy);
  std::array<float, 4> sum{};
  for (int k = 0; k < 4; ++k) {
    const int c = std::min(column + k % 2, box.width - 1), r = std::min(row + k / 2, box.height - 1);
    if (mask.At(box.left + c, box.top + r) == 0) continue;
    const float across = fx - static_cast<float>(column), down = fy - static_cast<float>(row);
    const float weight = (k % 2 == 0 ? 1.0F - across : across) * (k / 2 == 0 ? 1.0F - down : down);
    const uint8_t* rgb = image.Pixel(box.left + c, box.top + r);
    for (size_t channel = 0; channel < 3; ++channel)
      sum[channel] += weight * static_cast<float>(rgb[channel]);
    sum[3] += weight;
  }
  return sum;
}

// The object of a mask, or nothing when that is too small.
std::optional<Cutout> CutObject(const Image& image, const GrayImage& mask) {
  const PixelBox box = BoxOf(mask);
  if (std::min(box.width, box.height) < kLeastObject) return std::nullopt;
  // Samples of a texel, so that none of its pixels is passed over.
  const int columns = (box.width + kTextureSide - 1) / kTextureSide,
            rows = (box.height + kTextureSide - 1) / kTextureSide;
  const float step_x = static_cast<float>(box.width) / static_cast<float>(kTextureSide * columns);
  const float step_y = static_cast<float>(box.height) / static_cast<float>(kTextureSide * rows);
  Texture texture(4 * static_cast<size_t>(kTextureSide) * kTextureSide);
  for (int i = 0; i < kTextureSide * kTextureSide; ++i) {
    std::array<float, 4> sum{};
    for (int k = 0; k < columns * rows; ++k) {
      const int x = i % kTextureSide * columns + k % columns, y = i / kTextureSide * rows + k / columns;
      const auto sample = MaskedSample(image, mask, box, (static_cast<float>(x) + 0.5F) * step_x,
                                       (static_cast<float>(y) + 0.5F) * step_y);
      for (size_t channel = 0; channel < 4; ++channel) sum[channel] += sample[channel];
    }
    if (sum[3] == 0) continue;
    uint8_t* texel = &texture[4 * static_cast<size_t>(i)];
    for (size_t channel = 0; channel < 3; ++channel)
      texel[channel] = static_cast<uint8_t>(std::lround(sum[channel] / sum[3]));
    texel[3] = static_cast<uint8_t>(std::lround(255.0F * sum[3] / static_cast<float>(columns * rows)));
  }
  return Cutout{std::move(texture), static_cast<float>(box.width) / static_cast<float>(box.height)};
}

bool MayBeLargeEnough(const CocoAnnotation& annotation) {
  const bool without_box = annotation.box[2] == 0 && annotation.box[3] == 0;
  return !annotation.crowd &&
         (without_box || std::min(annotation.box[2], annotation.box[3]) >= kLeastObject - 1);
}

// Data sets name their pictures from the folder of the annotations or from images/ below it.
fs::path PictureOf(const fs::path& folder, const std::string& name) {
  std::error_code error;
  return fs::exists(folder / name, error) ? folder / name : folder / "images" / name;
}

std::vector<Cutout> ObjectsOf(const CocoInstances& coco, const SourcePicture& picture, Random& random) {
  std::vector<const CocoAnnotation*> annotations;
  for (const CocoAnnotation& annotation : coco.AnnotationsOf(picture.coco_image)) {
    if (MayBeLargeEnough(annotation)) annotations.push_back(&annotation);
  }
  const std::optional<Image> image = annotations.empty() ? std::nullopt : ReadOrWarn(picture.path);
  if (!image) return {};
  const CocoImage& entry = coco.images()[picture.coco_image];
  if (image->width != entry.width || image->height != entry.height) {
    LogWarning("{}: is {} x {}, but annotated as {} x {}; it is passed over", picture.path.string(),
               image->width, image->height, entry.width, entry.height);
    return {};
  }
  Shuffle(annotations, random);
  std::vector<Cutout> objects;
  for (const CocoAnnotation* annotation : annotations) {
    if (objects.size() == kCutoutsOfPicture) break;
    if (auto object = CutObject(*image, coco.Mask(*annotation))) objects.push_back(std::move(*object));
  }
  return objects;
}

}  // namespace

std::vector<Texture> CropsOfPictures(const std::vector<fs::path>& sources, int count, uint64_t seed,
                                     int threads) {
  std::vector<SourcePicture> pictures;
  for (size_t source = 0; source < sources.size(); ++source) {
    for (const fs::path& path : PicturesBelow(sources[source])) pictures.push_back({source, path, 0});
  }
  if (pictures.empty() || count < 1) return {};
  Random order(seed, "pictures of textures");
  Shuffle(pictures, order);
  pictures.resize(std::min(pictures.size(), static_cast<size_t>(count)));
  const int each = std::min(
      kCropsOfPicture, (count + static_cast<int>(pictures.size()) - 1) / static_cast<int>(pictures.size()));
  std::vector<std::vector<Texture>> crops(pictures.size());
  RunParallel(static_cast<int>(pictures.size()), threads, [&](int i) {
    const std::optional<Image> image = ReadOrWarn(pictures[static_cast<size_t>(i)].path);
    Random random(seed, fmt::format("crops {}", i));
    for (int crop = 0; image && crop < each; ++crop)
      crops[static_cast<size_t>(i)].push_back(RandomCrop(*image, random));
  });
  std::vector<bool> tried(sources.size()), gave(sources.size());
  std::vector<Texture> all;
  for (size_t i = 0; i < pictures.size(); ++i) {
    tried[pictures[i].source] = true;
    if (!crops[i].empty()) gave[pictures[i].source] = true;
    for (Texture& crop : crops[i]) all.push_back(std::move(crop));
  }
  for (size_t source = 0; source < sources.size(); ++source) {
    if (tried[source] && !gave[source])
      throw FileError(sources[source].string(), "has no picture that can be read");
  }
  all.resize(std::min(all.size(), static_cast<size_t>(count)));
  return all;
}

std::vector<Cutout> CutoutsOfPictures(const std::vector<fs::path>& data_sets, int count, uint64_t seed,
                                      int threads) {
  std::vector<CocoInstances> cocos;
  std::vector<SourcePicture> pictures;
  for (const fs::path& folder : data_sets) {
    cocos.push_back(CocoInstances::Load(folder / "instances.json"));
    const size_t before = pictures.size();
    for (size_t i = 0; i < cocos.back().images().size(); ++i) {
      const auto list = cocos.back().AnnotationsOf(i);
      if (std::none_of(list.begin(), list.end(), MayBeLargeEnough)) continue;
      pictures.push_back({cocos.size() - 1, PictureOf(folder, cocos.back().images()[i].file_name), i});
    }
    if (pictures.size() == before) {
      throw FileError(folder.string(),
                      fmt::format("has no object of at least {} pixels to cut out", kLeastObject));
    }
  }
  Random order(seed, "pictures of cut-outs");
  Shuffle(pictures, order);
  std::vector<Cutout> all;
  std::vector<bool> tried(data_sets.size()), gave(data_sets.size());
  for (size_t first = 0; first < pictures.size() && all.size() < static_cast<size_t>(std::max(count, 0));
       first += kPicturesAtATime) {
    const size_t some = std::min(kPicturesAtATime, pictures.size() - first);
    std::vector<std::vector<Cutout>> objects(some);
    RunParallel(static_cast<int>(some), threads, [&](int i) {
      const size_t index = first + static_cast<size_t>(i);
      Random random(seed, fmt::format("cut-outs {}", index));
      objects[static_cast<size_t>(i)] = ObjectsOf(cocos[pictures[index].source], pictures[index], random);
    });
    for (size_t i = 0; i < some; ++i) {
      tried[pictures[first + i].source] = true;
      if (!objects[i].empty()) gave[pictures[first + i].source] = true;
      for (Cutout& object : objects[i]) all.push_back(std::move(object));
    }
  }
  for (size_t i = 0; i < data_sets.size(); ++i) {
    if (tried[i] && !gave[i]) throw FileError(data_sets[i].string(), "has no object that can be cut out");
  }
  all.resize(std::min(all.size(), static_cast<size_t>(std::max(count, 0))));
  return all;
}

}  // namespace wildrayzer

#include "wildrayzer/data/copy_paste.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <set>

#include "wildrayzer/io/mat.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

constexpr int kPasteAttempts = 20;

// Categories given as numbers can be picked while reading, which saves the memory of all others.
std::set<int> NumericIds(const std::vector<std::string>& names) {
  std::set<int> ids;
  for (const std::string& name : names) {
    int id = 0;
    const auto [end, status] = std::from_chars(name.data(), name.data() + name.size(), id);
    if (status != std::errc() || end != name.data() + name.size()) return {};
    ids.insert(id);
  }
  return ids;
}

std::set<int> CategoryIds(const CocoInstances& coco, const std::vector<std::string>& names) {
  std::set<int> ids;
  for (const std::string& name : names) ids.insert(coco.CategoryId(name));
  return ids;
}

bool Allowed(const CocoAnnotation& annotation, bool crowds) { return crowds || !annotation.crowd; }

cv::Rect ForegroundBox(const GrayImage& mask) {
  int left = mask.width, top = mask.height, right = -1, bottom = -1;
  for (int y = 0; y < mask.height; ++y) {
    for (int x = 0; x < mask.width; ++x) {
      if (mask.At(x, y) == 0) continue;
      left = std::min(left, x);
      right = std::max(right, x);
      top = std::min(top, y);
      bottom = y;
    }
  }
  return right < 0 ? cv::Rect() : cv::Rect(left, top, right - left + 1, bottom - top + 1);
}

void Check(const PasteOptions& o) {
  const auto part = [](double value) { return value >= 0 && value <= 1; };
  if (!part(o.probability) || !part(o.per_view_objects) || o.min_objects < 1 ||
      o.max_objects < o.min_objects || o.max_objects > 100 || !(o.min_scale > 0) ||
      !(o.max_scale >= o.min_scale) || !(o.max_scale <= 4) || !(o.margin >= 0 && o.margin <= 0.5) ||
      !(o.edge_sigma >= 0 && o.edge_sigma <= 100)) {
    throw UsageError(fmt::format(
        "copy-paste: probabilities must be within 0 to 1, objects 1 to 100 (got {} to {}), scales above 0 "
        "and at most 4 "
        "(got {} to {}), the margin within 0 to 0.5 (got {}), the edge within 0 to 100 pixels (got {})",
        o.min_objects, o.max_objects, o.min_scale, o.max_scale, o.margin, o.edge_sigma));
  }
}

// Uniform whole number within [margin, 1 - margin] of `size`.
int Corner(int size, double margin, Random& random) {
  const int low = static_cast<int>(margin * size);
  const int high = std::max(low, static_cast<int>((1 - margin) * size));
  return low + static_cast<int>(random.Below(static_cast<uint64_t>(high - low) + 1));
}

std::vector<CutOut> DrawSome(const PastePool& pool, const PasteOptions& options, Random& random) {
  const auto spread = static_cast<uint64_t>(options.max_objects - options.min_objects) + 1;
  const int count = options.min_objects + static_cast<int>(random.Below(spread));
  std::vector<CutOut> objects;
  for (int i = 0; i < count; ++i) objects.push_back(pool.Draw(random));
  return objects;
}

// out = alpha * object + (1 - alpha) * view, alpha in 0 .. 255, rounded to 8 bits.
void Composite(const cv::Mat& object, const cv::Mat& alpha, cv::Mat view) {
  for (int y = 0; y < view.rows; ++y) {
    const uint8_t* a = alpha.ptr<uint8_t>(y);
    const uint8_t* o = object.ptr<uint8_t>(y);
    uint8_t* v = view.ptr<uint8_t>(y);
    for (int i = 0; i < 3 * view.cols; ++i) {
      const int weight = a[i / 3];
      v[i] = static_cast<uint8_t>((weight * o[i] + (255 - weight) * v[i] + 127) / 255);
    }
  }
}

}  // namespace

PastePool::PastePool(const std::filesystem::path& annotations, const std::filesystem::path& pictures,
                     const std::vector<std::string>& categories, bool crowds)
    : folder_(pictures), coco_(CocoInstances::Load(annotations, NumericIds(categories))), crowds_(crowds) {
  if (!std::filesystem::is_directory(folder_)) {
    throw FileError(folder_.string(),
                    "is missing; the pictures of " + annotations.string() + " are expected there");
  }
  if (!categories.empty()) coco_.KeepCategories(CategoryIds(coco_, categories));
  for (size_t i = 0; i < coco_.images().size(); ++i) {
    const auto list = coco_.AnnotationsOf(i);
    if (std::any_of(list.begin(), list.end(), [&](const CocoAnnotation& a) { return Allowed(a, crowds_); })) {
      pictures_.push_back(i);
    }
  }
  if (pictures_.empty())
    throw FileError(annotations.string(), "has no object of the wanted categories to paste");
}

CutOut PastePool::Cut(size_t picture, Random& random) const {
  std::vector<const CocoAnnotation*> allowed;
  for (const CocoAnnotation& annotation : coco_.AnnotationsOf(picture)) {
    if (Allowed(annotation, crowds_)) allowed.push_back(&annotation);
  }
  const CocoAnnotation& chosen = *allowed[random.Below(allowed.size())];
  const CocoImage& entry = coco_.images()[picture];
  const std::filesystem::path file = folder_ / entry.file_name;
  const GrayImage mask = coco_.Mask(chosen);
  const cv::Rect box = ForegroundBox(mask);
  if (box.empty())
    throw FileError(coco_.path().string(), fmt::format("annotation {} covers no pixel", chosen.id));
  const Image image = ReadImage(file);
  if (image.width != mask.width || image.height != mask.height) {
    throw FileError(file.string(), fmt::format("is {} x {}, but annotated as {} x {}", image.width,
                                               image.height, mask.width, mask.height));
  }
  CutOut object;
  object.category_id = chosen.category_id;
  object.image = Image(box.width, box.height);
  object.mask = GrayImage(box.width, box.height);
  AsMat(image)(box).copyTo(AsMat(object.image));
  AsMat(mask)(box).copyTo(AsMat(object.mask));
  return object;
}

CutOut PastePool::Draw(Random& random) const {
  std::string last;
  for (int attempt = 0; attempt < kPasteAttempts; ++attempt) {
    const size_t picture = pictures_[random.Below(pictures_.size())];
    try {
      return Cut(picture, random);
    } catch (const FileError& error) {
      last = error.what();
      LogWarning("left out of copy-paste: {}", last);
    }
  }
  throw FileError(folder_.string(), fmt::format("{} objects in a row could not be cut out; the last: {}",
                                                kPasteAttempts, last));
}

void PasteOne(const CutOut& object, double scale, int x, int y, double edge_sigma, Image& view,
              GrayImage& overlay) {
  const double width = std::floor(view.width * scale);
  const double height = std::floor(view.height * scale);
  const double ratio = std::min(width / object.image.width, height / object.image.height);
  const cv::Size size(std::max(1, static_cast<int>(object.image.width * ratio)),
                      std::max(1, static_cast<int>(object.image.height * ratio)));
  cv::Mat image, mask, alpha;
  cv::resize(AsMat(object.image), image, size, 0, 0, cv::INTER_LINEAR);
  cv::resize(AsMat(object.mask), mask, size, 0, 0, cv::INTER_NEAREST);
  if (edge_sigma > 0) {
    cv::GaussianBlur(mask, alpha, cv::Size(), edge_sigma, edge_sigma, cv::BORDER_CONSTANT);
  } else {
    alpha = mask;
  }
  const cv::Rect visible = cv::Rect(cv::Point(x, y), size) & cv::Rect(0, 0, view.width, view.height);
  if (visible.empty()) return;
  const cv::Rect part = visible - cv::Point(x, y);
  Composite(image(part), alpha(part), AsMat(view)(visible));
  cv::Mat pasted = AsMat(overlay)(visible);
  cv::bitwise_or(pasted, mask(part), pasted);
}

Pasted PasteObjects(std::span<const Image> views, const PastePool& pool, const PasteOptions& options,
                    Random& random) {
  Check(options);
  Pasted result;
  if (random.Uniform() >= options.probability) return result;
  const bool per_view = random.Uniform() < options.per_view_objects;
  std::vector<CutOut> objects;
  for (const Image& view : views) {
    if (per_view || objects.empty()) objects = DrawSome(pool, options, random);
    result.images.push_back(view);
    result.overlays.emplace_back(view.width, view.height);
    result.categories.emplace_back();
    for (const CutOut& object : objects) {
      const double scale = random.Uniform(options.min_scale, options.max_scale);
      const int x = Corner(view.width, options.margin, random);
      const int y = Corner(view.height, options.margin, random);
      PasteOne(object, scale, x, y, options.edge_sigma, result.images.back(), result.overlays.back());
      result.categories.back().push_back(object.category_id);
    }
  }
  return result;
}

}  // namespace wildrayzer

#include "wildrayzer/data/coco.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "wildrayzer/data/coco_parser.h"
#include "wildrayzer/data/rle.h"
#include "wildrayzer/io/mapped_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

// Picture names must stay inside the folder of pictures.
bool LeavesFolder(const std::filesystem::path& name) {
  return name.is_absolute() || std::find(name.begin(), name.end(), "..") != name.end();
}

}  // namespace

CocoInstances CocoInstances::Load(const std::filesystem::path& path, const std::set<int>& categories) {
  CocoInstances result;
  result.path_ = path;
  CocoRecords records;
  try {
    records = ParseCoco(MappedFile::Open(path)->bytes(), categories);
  } catch (const FileError&) {
    throw;
  } catch (const Error& error) {
    throw FileError(path.string(), error.what());
  }
  result.images_ = std::move(records.images);
  result.categories_ = std::move(records.categories);
  result.annotations_ = std::move(records.annotations);
  for (size_t i = 0; i < result.images_.size(); ++i) {
    const CocoImage& image = result.images_[i];
    if (LeavesFolder(image.file_name)) {
      throw FileError(path.string(),
                      fmt::format("picture '{}' lies outside the folder of pictures", image.file_name));
    }
    if (!result.image_index_.emplace(image.id, i).second) {
      throw FileError(path.string(), fmt::format("two pictures have the id {}", image.id));
    }
  }
  result.DropUnusable(std::move(records.first_problem), records.skipped);
  result.GroupByImage();
  return result;
}

void CocoInstances::DropUnusable(std::string first_problem, int64_t problems) {
  skipped_ = problems;
  std::erase_if(annotations_, [&](const CocoAnnotation& annotation) {
    const auto image = image_index_.find(annotation.image_id);
    std::string problem;
    if (image == image_index_.end()) {
      problem = fmt::format("annotation {} is of picture {}, which is not listed", annotation.id,
                            annotation.image_id);
    } else if (annotation.run_height != 0 && (annotation.run_height != images_[image->second].height ||
                                              annotation.run_width != images_[image->second].width)) {
      problem = fmt::format("annotation {} has a mask of another size than its picture", annotation.id);
    } else {
      return false;
    }
    if (skipped_++ == 0) first_problem = std::move(problem);
    return true;
  });
  if (skipped_ > 0) {
    LogWarning("{}: {} annotations are unusable and left out; the first: {}", path_.string(), skipped_,
               first_problem);
  }
}

void CocoInstances::GroupByImage() {
  const auto position = [this](const CocoAnnotation& annotation) {
    return image_index_.at(annotation.image_id);
  };
  std::stable_sort(
      annotations_.begin(), annotations_.end(),
      [&](const CocoAnnotation& a, const CocoAnnotation& b) { return position(a) < position(b); });
  first_.assign(images_.size() + 1, 0);
  for (const CocoAnnotation& annotation : annotations_) ++first_[position(annotation) + 1];
  for (size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
}

std::span<const CocoAnnotation> CocoInstances::AnnotationsOf(size_t image) const {
  return std::span(annotations_).subspan(first_.at(image), first_.at(image + 1) - first_[image]);
}

int CocoInstances::CategoryId(std::string_view name_or_id) const {
  int id = 0;
  const auto [end, status] = std::from_chars(name_or_id.data(), name_or_id.data() + name_or_id.size(), id);
  const bool number = status == std::errc() && end == name_or_id.data() + name_or_id.size();
  std::string names;
  for (const CocoCategory& category : categories_) {
    if (number ? category.id == id : category.name == name_or_id) return category.id;
    names += (names.empty() ? "" : ", ") + category.name;
  }
  throw UsageError(fmt::format("{} has no category '{}'; it has: {}", path_.string(), name_or_id, names));
}

void CocoInstances::KeepCategories(const std::set<int>& ids) {
  std::erase_if(annotations_,
                [&](const CocoAnnotation& annotation) { return !ids.contains(annotation.category_id); });
  GroupByImage();
}

const CocoImage& CocoInstances::ImageOf(const CocoAnnotation& annotation) const {
  return images_[image_index_.at(annotation.image_id)];
}

GrayImage CocoInstances::Mask(const CocoAnnotation& annotation) const {
  const CocoImage& image = ImageOf(annotation);
  try {
    if (annotation.run_height != 0) {
      return MaskFromRle(annotation.packed_counts.empty()
                             ? MakeRle(image.height, image.width, annotation.counts)
                             : DecodeRleString(annotation.packed_counts, image.height, image.width));
    }
    GrayImage mask = MaskFromRle(MakeRle(image.height, image.width, {}));
    for (const std::vector<double>& polygon : annotation.polygons) {
      AddRle(RleFromPolygon(polygon, image.height, image.width), mask);
    }
    return mask;
  } catch (const Error& error) {
    throw FileError(path_.string(), fmt::format("annotation {}: {}", annotation.id, error.what()));
  }
}

}  // namespace wildrayzer

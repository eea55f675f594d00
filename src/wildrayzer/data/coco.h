// Instance annotations in the COCO format ("instances_*.json"): what is where in which picture.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "wildrayzer/io/images.h"

namespace wildrayzer {

struct CocoImage {
  int64_t id = 0;
  std::string file_name;  // relative to the folder of pictures
  int width = 0;
  int height = 0;
};

struct CocoCategory {
  int id = 0;  // not contiguous
  std::string name;
  std::string supercategory;
};

// One object (or, if `crowd`, a group of them). The outline is given either by polygons (their union) or by
// runs.
struct CocoAnnotation {
  int64_t id = 0;
  int64_t image_id = 0;
  int category_id = 0;
  bool crowd = false;
  double area = std::numeric_limits<double>::quiet_NaN();  // pixels as annotated, NaN when absent
  std::array<double, 4> box = {};                          // x, y, width, height in pixels; zeros when absent

  std::vector<std::vector<double>> polygons;  // x0, y0, x1, y1, ... each with at least 3 points
  std::vector<uint32_t> counts;               // uncompressed runs
  std::string packed_counts;                  // compressed runs
  int64_t run_height = 0;                     // size of the mask given by runs; 0 for polygons
  int64_t run_width = 0;
};

// A whole instances file in memory, without the fields that nothing here uses.
class CocoInstances {
 public:
  // Reads `path` in one pass. `categories` (ids) limits what is kept; empty keeps all.
  // Annotations without a usable outline, or of a picture that is not listed, are left out, counted and
  // warned about once. Raises FileError for a file that is missing, not JSON, or not of this format (the
  // message names the record).
  static CocoInstances Load(const std::filesystem::path& path, const std::set<int>& categories = {});

  const std::filesystem::path& path() const { return path_; }
  const std::vector<CocoImage>& images() const { return images_; }
  const std::vector<CocoCategory>& categories() const { return categories_; }
  // All annotations, grouped by picture in the order of images().
  const std::vector<CocoAnnotation>& annotations() const { return annotations_; }
  // Those of images()[image], in file order.
  std::span<const CocoAnnotation> AnnotationsOf(size_t image) const;
  // How many annotations were left out because they are unusable.
  int64_t skipped() const { return skipped_; }

  // The id of a category given by its name or by its number as text. Raises UsageError listing the names.
  int CategoryId(std::string_view name_or_id) const;

  // Drops the annotations of all other categories.
  void KeepCategories(const std::set<int>& ids);

  // The pixels of the annotation (0 or 255), of the size of its picture; polygons are united. Raises
  // FileError naming this file and the annotation for damaged runs.
  GrayImage Mask(const CocoAnnotation& annotation) const;

 private:
  const CocoImage& ImageOf(const CocoAnnotation& annotation) const;
  void DropUnusable(std::string first_problem, int64_t problems);
  void GroupByImage();

  std::filesystem::path path_;
  std::vector<CocoImage> images_;
  std::vector<CocoCategory> categories_;
  std::vector<CocoAnnotation> annotations_;
  std::vector<size_t> first_;  // annotations of picture i: [first_[i], first_[i + 1])
  std::unordered_map<int64_t, size_t> image_index_;
  int64_t skipped_ = 0;
};

}  // namespace wildrayzer

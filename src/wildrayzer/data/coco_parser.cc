#include "wildrayzer/data/coco_parser.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using Json = nlohmann::json;

enum class Section { kOther, kImages, kAnnotations, kCategories };

const char* Name(Section section) {
  switch (section) {
    case Section::kImages:
      return "images";
    case Section::kAnnotations:
      return "annotations";
    case Section::kCategories:
      return "categories";
    default:
      return "other";
  }
}

// The events of the parser arrive with these depths:
//   1 root object, 2 the array of a section, 3 one record, 4 `segmentation` or `bbox`, 5 one polygon,
//   `counts` or `size`.
class Handler : public Json::json_sax_t {
 public:
  explicit Handler(const std::set<int>& keep) : keep_(keep) {}

  CocoRecords Take() && { return std::move(records_); }
  bool saw_root() const { return saw_root_; }

  bool key(string_t& name) override {
    if (skip_from_ != 0) return true;
    if (depth_ == 1) {
      section_ = name == "images"        ? Section::kImages
                 : name == "annotations" ? Section::kAnnotations
                 : name == "categories"  ? Section::kCategories
                                         : Section::kOther;
    } else if (depth_ == 3) {
      field_ = std::move(name);
    } else if (depth_ == 4) {
      run_field_ = std::move(name);
    }
    return true;
  }

  bool start_object(std::size_t) override {
    ++depth_;
    if (skip_from_ != 0) return true;
    if (depth_ == 1) {
      saw_root_ = true;
    } else if (section_ == Section::kOther) {
      skip_from_ = depth_;
    } else if (depth_ == 3) {
      BeginRecord();
    } else if (depth_ == 4 && InOutline()) {
      outline_is_runs_ = true;
    } else if (depth_ == 2) {
      throw Error(fmt::format("'{}' is not a list", Name(section_)));
    } else {
      SkipNested();
    }
    return true;
  }

  bool start_array(std::size_t) override {
    ++depth_;
    if (skip_from_ != 0) return true;
    if (depth_ == 1)
      throw Error("not a COCO instances file: it must hold one object with images and annotations");
    if (section_ == Section::kOther) {
      skip_from_ = depth_;
    } else if (depth_ == 3) {
      throw Error(fmt::format("'{}' holds a list where a record is expected", Name(section_)));
    } else if (depth_ == 4 && (InOutline() || InBox())) {
      outline_is_runs_ = false;
    } else if (depth_ == 5 && InOutline()) {
      if (!outline_is_runs_) annotation_.polygons.emplace_back();
      if (outline_is_runs_ && run_field_ != "counts" && run_field_ != "size") skip_from_ = depth_;
    } else if (depth_ > 2) {
      SkipNested();
    }
    return true;
  }

  bool end_object() override {
    if (depth_ == 3 && skip_from_ == 0) EndRecord();
    return Leave();
  }
  bool end_array() override { return Leave(); }

  bool null() override { return true; }
  bool boolean(bool value) override { return Number(value ? 1 : 0, value ? 1 : 0); }
  bool number_integer(int64_t value) override { return Number(static_cast<double>(value), value); }
  bool number_unsigned(uint64_t value) override {
    if (value > static_cast<uint64_t>(INT64_MAX)) return Number(static_cast<double>(value), std::nullopt);
    return Number(static_cast<double>(value), static_cast<int64_t>(value));
  }
  bool number_float(double value, const string_t&) override {
    constexpr double kExact = 9007199254740992.0;  // 2^53
    if (value == std::floor(value) && std::abs(value) < kExact)
      return Number(value, static_cast<int64_t>(value));
    return Number(value, std::nullopt);
  }

  bool string(string_t& value) override {
    if (skip_from_ != 0 || section_ == Section::kOther) return true;
    if (depth_ == 3) {
      if (field_ == "file_name") image_.file_name = std::move(value);
      if (field_ == "name") category_.name = std::move(value);
      if (field_ == "supercategory") category_.supercategory = std::move(value);
    } else if (depth_ == 4 && InOutline() && outline_is_runs_ && run_field_ == "counts") {
      annotation_.packed_counts = std::move(value);
    } else if (depth_ >= 4) {
      Problem("has text where numbers are expected");
    }
    return true;
  }

  bool binary(binary_t&) override { return true; }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    throw Error(fmt::format("is not valid JSON (byte {}); it may be cut off", position));
  }

 private:
  bool InOutline() const { return section_ == Section::kAnnotations && field_ == "segmentation"; }
  bool InBox() const { return section_ == Section::kAnnotations && field_ == "bbox"; }

  bool Leave() {
    if (skip_from_ == depth_) skip_from_ = 0;
    --depth_;
    return true;
  }

  // Nested values that the format does not have (or that nobody needs) are passed over.
  void SkipNested() {
    if (InOutline() || InBox()) Problem("has an outline nested too deeply");
    skip_from_ = depth_;
  }

  void Problem(const std::string& what) {
    if (problem_.empty()) problem_ = what;
  }

  void BeginRecord() {
    field_.clear();
    run_field_.clear();
    problem_.clear();
    id_.reset();
    image_ = {};
    category_ = {};
    annotation_ = {};
    has_image_id_ = has_category_ = false;
    box_values_ = 0;
    size_.clear();
    outline_is_runs_ = false;
  }

  int64_t Integer(std::optional<int64_t> value) const {
    if (!value) throw Error(fmt::format("{}: '{}' is not a whole number", Where(), field_));
    return *value;
  }
  int SmallInteger(std::optional<int64_t> value) const {
    const int64_t number = Integer(value);
    if (number < -1'000'000'000 || number > 1'000'000'000) {
      throw Error(fmt::format("{}: '{}' is out of range", Where(), field_));
    }
    return static_cast<int>(number);
  }
  std::string Where() const {
    const size_t index = section_ == Section::kImages       ? records_.images.size()
                         : section_ == Section::kCategories ? records_.categories.size()
                                                            : seen_annotations_;
    return fmt::format("{}[{}]", Name(section_), index);
  }

  bool Number(double value, std::optional<int64_t> whole) {
    if (skip_from_ != 0 || section_ == Section::kOther) return true;
    if (depth_ == 2)
      throw Error(fmt::format("'{}' holds a number where a record is expected", Name(section_)));
    if (depth_ == 3) {
      Scalar(value, whole);
    } else if (depth_ == 4 && InBox()) {
      if (box_values_ < 4) annotation_.box[box_values_++] = value;
    } else if (depth_ == 5 && InOutline()) {
      OutlineNumber(value, whole);
    } else if (depth_ >= 4) {
      Problem("has an outline that is neither a list of polygons nor runs");
    }
    return true;
  }

  void Scalar(double value, std::optional<int64_t> whole) {
    if (field_ == "id") {
      id_ = Integer(whole);
    } else if (section_ == Section::kImages) {
      if (field_ == "width") image_.width = SmallInteger(whole);
      if (field_ == "height") image_.height = SmallInteger(whole);
    } else if (section_ == Section::kAnnotations) {
      if (field_ == "image_id") {
        annotation_.image_id = Integer(whole);
        has_image_id_ = true;
      } else if (field_ == "category_id") {
        annotation_.category_id = SmallInteger(whole);
        has_category_ = true;
      } else if (field_ == "iscrowd") {
        annotation_.crowd = value != 0;
      } else if (field_ == "area") {
        annotation_.area = value;
      }
    }
  }

  void OutlineNumber(double value, std::optional<int64_t> whole) {
    if (!outline_is_runs_) {
      annotation_.polygons.back().push_back(value);
    } else if (run_field_ == "size") {
      size_.push_back(whole.value_or(0));
    } else if (!whole || *whole < 0 || *whole > UINT32_MAX) {
      Problem("has a run that is negative, fractional or beyond 32 bits");
    } else {
      annotation_.counts.push_back(static_cast<uint32_t>(*whole));
    }
  }

  void EndRecord() {
    if (section_ == Section::kImages) {
      if (!id_ || image_.file_name.empty() || image_.width < 1 || image_.height < 1) {
        throw Error(fmt::format("{} lacks an id, a file_name or a positive width and height", Where()));
      }
      image_.id = *id_;
      records_.images.push_back(std::move(image_));
    } else if (section_ == Section::kCategories) {
      if (!id_ || std::abs(*id_) > 1'000'000'000) throw Error(fmt::format("{} lacks a usable id", Where()));
      category_.id = static_cast<int>(*id_);
      records_.categories.push_back(std::move(category_));
    } else {
      EndAnnotation();
    }
  }

  void EndAnnotation() {
    if (!has_image_id_ || !has_category_) {
      throw Error(fmt::format("{} lacks an image_id or a category_id", Where()));
    }
    ++seen_annotations_;
    if (!keep_.empty() && !keep_.contains(annotation_.category_id)) return;
    annotation_.id = id_.value_or(0);
    CheckOutline();
    if (!problem_.empty()) {
      if (records_.skipped++ == 0) {
        records_.first_problem = fmt::format("annotation {} {}", annotation_.id, problem_);
      }
      return;
    }
    records_.annotations.push_back(std::move(annotation_));
  }

  void CheckOutline() {
    const bool runs = !annotation_.counts.empty() || !annotation_.packed_counts.empty();
    if (runs) {
      if (size_.size() != 2 || size_[0] < 1 || size_[1] < 1)
        return Problem("has runs without a size [height, width]");
      annotation_.run_height = size_[0];
      annotation_.run_width = size_[1];
      return;
    }
    if (annotation_.polygons.empty()) return Problem("has no outline");
    for (const std::vector<double>& polygon : annotation_.polygons) {
      if (polygon.size() < 6 || polygon.size() % 2 != 0) {
        return Problem(
            fmt::format("has a polygon of {} numbers; it takes an even count of at least 6", polygon.size()));
      }
    }
  }

  const std::set<int>& keep_;
  CocoRecords records_;
  bool saw_root_ = false;
  int64_t depth_ = 0;
  int64_t skip_from_ = 0;  // values at this depth and below are ignored; 0: none
  Section section_ = Section::kOther;
  std::string field_;
  std::string run_field_;
  bool outline_is_runs_ = false;

  // The record being read.
  std::optional<int64_t> id_;
  CocoImage image_;
  CocoCategory category_;
  CocoAnnotation annotation_;
  bool has_image_id_ = false;
  bool has_category_ = false;
  size_t box_values_ = 0;
  std::vector<int64_t> size_;
  std::string problem_;
  size_t seen_annotations_ = 0;
};

}  // namespace

CocoRecords ParseCoco(std::span<const std::byte> text, const std::set<int>& keep) {
  Handler handler(keep);
  const char* begin = reinterpret_cast<const char*>(text.data());
  Json::sax_parse(begin, begin + text.size(), &handler);
  if (!handler.saw_root())
    throw Error("not a COCO instances file: it must hold one object with images and annotations");
  return std::move(handler).Take();
}

}  // namespace wildrayzer

#include "wildrayzer/io/safetensors_header.h"

#include <nlohmann/json.hpp>
#include <set>

#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxDepth = 16;  // a well-formed header has 3 levels; unknown fields may nest a little
constexpr size_t kMaxRank = 16;
constexpr int64_t kMaxDimension = (int64_t{1} << 48) - 1;

// Event-driven, because a DOM parser silently keeps one of two equal keys.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(const std::string& path) : path_(path) {}

  SafetensorsHeader Take() { return std::move(header_); }

  bool null() override { return Value("null"); }
  bool boolean(bool) override { return Value("a boolean"); }
  bool number_integer(number_integer_t) override { return Value("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return Value("a number that is no integer"); }
  bool binary(binary_t&) override { return Value("binary data"); }
  bool number_unsigned(number_unsigned_t value) override;
  bool string(string_t& value) override;
  bool start_object(size_t) override;
  bool key(string_t& name) override;
  bool end_object() override;
  bool start_array(size_t) override;
  bool end_array() override;
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    Fail("the header is no valid JSON (at byte " + std::to_string(position) + ")");
  }

 private:
  enum class Place { kTop, kMetadata, kTensor, kShape, kOffsets, kIgnored };

  struct Level {
    Place place;
    std::set<std::string> keys;
    std::string key;  // the one whose value is being read
  };

  [[noreturn]] void Fail(const std::string& problem) const { throw FileError(path_, problem); }
  [[noreturn]] void FailTensor(const std::string& problem) const {
    Fail("tensor '" + tensor_.name + "': " + problem);
  }
  // A value that no known field may have.
  bool Value(const char* what);
  // Where a container that starts here belongs.
  Place ChildPlace(bool object) const;
  void Push(Place place);
  bool InIgnored() const {
    return levels_.back().place == Place::kIgnored ||
           (levels_.back().place == Place::kTensor && !KnownField());
  }
  bool KnownField() const {
    const std::string& key = levels_.back().key;
    return key == "dtype" || key == "shape" || key == "data_offsets";
  }
  void FinishTensor();

  const std::string& path_;
  SafetensorsHeader header_;
  std::vector<Level> levels_;
  HeaderTensor tensor_;
  std::vector<int64_t> offsets_;
};

bool HeaderReader::Value(const char* what) {
  if (levels_.empty()) Fail("the header is no JSON object");
  const Level& level = levels_.back();
  if (InIgnored()) return true;
  if (level.place == Place::kTop) Fail("header entry '" + level.key + "' is no object");
  if (level.place == Place::kMetadata) Fail("metadata value '" + level.key + "' is no string");
  FailTensor(
      std::string(what) + " stands where " +
      (level.place == Place::kTensor ? "field '" + level.key + "' is expected" : "a size is expected"));
}

bool HeaderReader::number_unsigned(number_unsigned_t value) {
  if (levels_.empty()) return Value("a number");
  const Place place = levels_.back().place;
  if (place == Place::kShape) {
    if (value > static_cast<uint64_t>(kMaxDimension)) FailTensor("a dimension exceeds 2^48 - 1");
    if (tensor_.shape.size() == kMaxRank) FailTensor("more than 16 dimensions");
    tensor_.shape.push_back(static_cast<int64_t>(value));
    return true;
  }
  if (place == Place::kOffsets) {
    if (value > static_cast<uint64_t>(INT64_MAX)) FailTensor("an offset exceeds 2^63");
    if (offsets_.size() == 2) FailTensor("data_offsets has more than two numbers");
    offsets_.push_back(static_cast<int64_t>(value));
    return true;
  }
  return Value("a number");
}

bool HeaderReader::string(string_t& value) {
  if (levels_.empty()) return Value("a string");
  const Level& level = levels_.back();
  if (level.place == Place::kMetadata) {
    header_.metadata[level.key] = value;
    return true;
  }
  if (level.place == Place::kTensor && level.key == "dtype") {
    const std::optional<DType> dtype = DTypeFromName(value);
    if (!dtype) FailTensor("element type '" + value.substr(0, 32) + "' is not supported");
    tensor_.dtype = *dtype;
    return true;
  }
  return Value("a string");
}

HeaderReader::Place HeaderReader::ChildPlace(bool object) const {
  if (levels_.empty()) return object ? Place::kTop : Place::kIgnored;
  const Level& level = levels_.back();
  if (level.place == Place::kTop && object)
    return level.key == "__metadata__" ? Place::kMetadata : Place::kTensor;
  if (level.place == Place::kTensor && !object && level.key == "shape") return Place::kShape;
  if (level.place == Place::kTensor && !object && level.key == "data_offsets") return Place::kOffsets;
  return Place::kIgnored;
}

void HeaderReader::Push(Place place) {
  if (levels_.size() == kMaxDepth) Fail("the header nests too deeply");
  levels_.push_back({place, {}, {}});
}

bool HeaderReader::start_object(size_t) {
  const Place place = ChildPlace(true);
  if (place == Place::kIgnored) Value("an object");
  if (place == Place::kTensor) {
    tensor_ = HeaderTensor{};
    tensor_.name = levels_.back().key;
    offsets_.clear();
  }
  Push(place);
  return true;
}

bool HeaderReader::key(string_t& name) {
  Level& level = levels_.back();
  if (!level.keys.insert(name).second) Fail("key '" + name.substr(0, 200) + "' appears twice in the header");
  level.key = name;
  if (level.place == Place::kTensor && !KnownField()) {
    LogWarning("{}: unknown fields of tensors in the header are ignored", path_);
  }
  return true;
}

bool HeaderReader::end_object() {
  if (levels_.back().place == Place::kTensor) FinishTensor();
  levels_.pop_back();
  return true;
}

void HeaderReader::FinishTensor() {
  for (const char* field : {"dtype", "shape", "data_offsets"}) {
    if (!levels_.back().keys.contains(field)) FailTensor("field '" + std::string(field) + "' is missing");
  }
  if (offsets_.size() != 2) FailTensor("data_offsets needs two numbers");
  tensor_.begin = offsets_[0];
  tensor_.end = offsets_[1];
  header_.tensors.push_back(std::move(tensor_));
}

bool HeaderReader::start_array(size_t) {
  const Place place = ChildPlace(false);
  if (place == Place::kIgnored) Value("an array");
  Push(place);
  return true;
}

bool HeaderReader::end_array() {
  levels_.pop_back();
  return true;
}

}  // namespace

SafetensorsHeader ParseSafetensorsHeader(const std::string& path, std::string_view text) {
  // The JSON library skips a byte order mark and stops at a zero byte; the format allows neither.
  if (text.starts_with("\xEF\xBB\xBF")) throw FileError(path, "the header starts with a byte order mark");
  if (text.find('\0') != std::string_view::npos) throw FileError(path, "the header contains a zero byte");
  HeaderReader reader(path);
  Json::sax_parse(text.begin(), text.end(), &reader);
  return reader.Take();
}

}  // namespace wildrayzer

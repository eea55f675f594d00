#include "wildrayzer/training/event_wire.h"

#include <bit>
#include <cstring>
#include <limits>

namespace wildrayzer {
namespace {

// Field numbers of tensorflow/core/util/event.proto and tensorflow/core/framework/{summary,tensor}.proto.
enum EventField { kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7 };
enum ValueField { kTag = 1, kSimpleValue = 2, kImageValue = 4, kTensor = 8, kMetadata = 9 };
enum ImageField { kHeight = 1, kWidth = 2, kColorspace = 3, kEncoded = 4 };
enum TensorField { kDtype = 1, kShape = 2, kStringValue = 8 };
constexpr int kSummaryValue = 1, kSessionStatus = 1, kPluginData = 1, kPluginName = 1, kDimension = 2,
              kDimensionSize = 1;
constexpr uint64_t kStatusStart = 1, kRgb = 3, kDtypeString = 7;

enum WireType { kVarint = 0, kFixed64 = 1, kDelimited = 2, kFixed32 = 5 };

void PutVarint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7F) | 0x80);
  out += static_cast<char>(value);
}

void PutKey(std::string& out, int field, WireType type) {
  PutVarint(out, static_cast<uint64_t>(field) << 3 | type);
}

void PutNumber(std::string& out, int field, uint64_t value) {
  PutKey(out, field, kVarint);
  PutVarint(out, value);
}

void PutBytes(std::string& out, int field, const std::string& bytes) {
  PutKey(out, field, kDelimited);
  PutVarint(out, bytes.size());
  out += bytes;
}

template <typename T>
void PutFixed(std::string& out, int field, T value) {
  PutKey(out, field, sizeof(T) == 8 ? kFixed64 : kFixed32);
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

std::string ImageToWire(const EventValue& value) {
  std::string out;
  PutNumber(out, kHeight, static_cast<uint64_t>(value.height));
  PutNumber(out, kWidth, static_cast<uint64_t>(value.width));
  PutNumber(out, kColorspace, kRgb);
  PutBytes(out, kEncoded, value.bytes);
  return out;
}

// A string tensor of shape [1], which TensorBoard's text plugin shows.
std::string TextToWire(const std::string& text) {
  std::string size, shape, out;
  PutNumber(size, kDimensionSize, 1);
  PutBytes(shape, kDimension, size);
  PutNumber(out, kDtype, kDtypeString);
  PutBytes(out, kShape, shape);
  PutBytes(out, kStringValue, text);
  return out;
}

std::string MetadataToWire(const std::string& plugin) {
  std::string data, out;
  PutBytes(data, kPluginName, plugin);
  PutBytes(out, kPluginData, data);
  return out;
}

std::string ValueToWire(const EventValue& value) {
  std::string out;
  PutBytes(out, kTag, value.tag);
  switch (value.kind) {
    case EventValue::Kind::kScalar:
      PutFixed(out, kSimpleValue, value.scalar);
      break;
    case EventValue::Kind::kImage:
      PutBytes(out, kImageValue, ImageToWire(value));
      break;
    case EventValue::Kind::kText:
      PutBytes(out, kTensor, TextToWire(value.bytes));
      PutBytes(out, kMetadata, MetadataToWire("text"));
      break;
  }
  return out;
}

// One field after the other of a message.
class Fields {
 public:
  explicit Fields(std::span<const std::byte> bytes) : rest_(bytes) {}

  // Steps to the next field; false at the end and where the message is damaged.
  bool Next() {
    uint64_t key = 0;
    if (rest_.empty() || !Varint(&key)) return false;
    field_ = key >> 3 > std::numeric_limits<int>::max() ? 0 : static_cast<int>(key >> 3);
    type_ = static_cast<int>(key & 7);
    switch (type_) {
      case kVarint:
        return Varint(&number_);
      case kFixed64:
        return Take(8);
      case kFixed32:
        return Take(4);
      case kDelimited: {
        uint64_t size = 0;
        return Varint(&size) && Take(size);
      }
      default:
        damaged_ = true;  // groups, which proto3 does not have
        return false;
    }
  }

  bool Is(int field, WireType type) const { return field_ == field && type_ == type; }
  bool damaged() const { return damaged_; }
  uint64_t number() const { return number_; }
  std::span<const std::byte> bytes() const { return bytes_; }
  std::string Text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }
  template <typename T>
  T Fixed() const {
    T value;
    std::memcpy(&value, bytes_.data(), sizeof(value));
    return value;
  }

 private:
  bool Varint(uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<uint64_t>(rest_.front());
      rest_ = rest_.subspan(1);
      *value |= (byte & 0x7F) << shift;
      if ((byte & 0x80) == 0) return true;
    }
    damaged_ = true;
    return false;
  }
  bool Take(uint64_t size) {
    if (size > rest_.size()) {
      damaged_ = true;
      return false;
    }
    bytes_ = rest_.first(size);
    rest_ = rest_.subspan(size);
    return true;
  }

  std::span<const std::byte> rest_;
  std::span<const std::byte> bytes_;
  uint64_t number_ = 0;
  int field_ = 0;
  int type_ = 0;
  bool damaged_ = false;
};

int PixelCount(uint64_t number) {
  return number > static_cast<uint64_t>(std::numeric_limits<int>::max()) ? 0 : static_cast<int>(number);
}

bool ImageFromWire(std::span<const std::byte> bytes, EventValue* value) {
  value->kind = EventValue::Kind::kImage;
  Fields fields(bytes);
  while (fields.Next()) {
    if (fields.Is(kHeight, kVarint)) value->height = PixelCount(fields.number());
    if (fields.Is(kWidth, kVarint)) value->width = PixelCount(fields.number());
    if (fields.Is(kEncoded, kDelimited)) value->bytes = fields.Text();
  }
  return !fields.damaged();
}

bool TensorFromWire(std::span<const std::byte> bytes, EventValue* value) {
  value->kind = EventValue::Kind::kText;
  Fields fields(bytes);
  while (fields.Next()) {
    if (fields.Is(kStringValue, kDelimited)) value->bytes = fields.Text();
  }
  return !fields.damaged();
}

bool ValueFromWire(std::span<const std::byte> bytes, EventValue* value) {
  Fields fields(bytes);
  bool intact = true;
  while (fields.Next()) {
    if (fields.Is(kTag, kDelimited)) value->tag = fields.Text();
    if (fields.Is(kSimpleValue, kFixed32)) value->scalar = fields.Fixed<float>();
    if (fields.Is(kImageValue, kDelimited)) intact = intact && ImageFromWire(fields.bytes(), value);
    if (fields.Is(kTensor, kDelimited)) intact = intact && TensorFromWire(fields.bytes(), value);
  }
  return intact && !fields.damaged();
}

bool SummaryFromWire(std::span<const std::byte> bytes, Event* event) {
  Fields fields(bytes);
  while (fields.Next()) {
    if (!fields.Is(kSummaryValue, kDelimited)) continue;
    EventValue value;
    if (!ValueFromWire(fields.bytes(), &value)) return false;
    event->values.push_back(std::move(value));
  }
  return !fields.damaged();
}

bool SessionFromWire(std::span<const std::byte> bytes, Event* event) {
  Fields fields(bytes);
  while (fields.Next()) {
    if (fields.Is(kSessionStatus, kVarint)) event->session_start = fields.number() == kStatusStart;
  }
  return !fields.damaged();
}

}  // namespace

std::string EventToWire(const Event& event) {
  std::string out;
  PutFixed(out, kWallTime, event.wall_time);
  PutNumber(out, kStep, static_cast<uint64_t>(event.step));
  if (!event.file_version.empty()) PutBytes(out, kFileVersion, event.file_version);
  if (event.session_start) {
    std::string session;
    PutNumber(session, kSessionStatus, kStatusStart);
    PutBytes(out, kSessionLog, session);
  }
  if (!event.values.empty()) {
    std::string summary;
    for (const EventValue& value : event.values) PutBytes(summary, kSummaryValue, ValueToWire(value));
    PutBytes(out, kSummary, summary);
  }
  return out;
}

bool EventFromWire(std::span<const std::byte> bytes, Event* event) {
  Fields fields(bytes);
  bool intact = true;
  while (fields.Next()) {
    if (fields.Is(kWallTime, kFixed64)) event->wall_time = fields.Fixed<double>();
    if (fields.Is(kStep, kVarint)) event->step = static_cast<int64_t>(fields.number());
    if (fields.Is(kFileVersion, kDelimited)) event->file_version = fields.Text();
    if (fields.Is(kSummary, kDelimited)) intact = intact && SummaryFromWire(fields.bytes(), event);
    if (fields.Is(kSessionLog, kDelimited)) intact = intact && SessionFromWire(fields.bytes(), event);
  }
  return intact && !fields.damaged();
}

}  // namespace wildrayzer

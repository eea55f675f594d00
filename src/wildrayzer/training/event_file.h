// TensorBoard's event files, written and read without its libraries: records framed as in TFRecord, each one
// an `Event` protocol buffer (tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/util/append_file.h"

namespace wildrayzer {

// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78; RFC 3720, appendix B.4).
uint32_t Crc32c(std::span<const std::byte> bytes);
// As framed records store it: rotated right by 15 bits, plus 0xA282EAD8.
uint32_t MaskedCrc32c(std::span<const std::byte> bytes);

// One tagged value of an event.
struct EventValue {
  enum class Kind { kScalar, kImage, kText };
  Kind kind = Kind::kScalar;
  std::string tag;
  float scalar = 0.0f;
  int width = 0;  // of the image, pixels
  int height = 0;
  std::string bytes;  // an encoded RGB picture (PNG), or UTF-8 text
};

struct Event {
  double wall_time = 0;  // seconds since 1970
  int64_t step = 0;
  std::string file_version;    // "brain.Event:2" in the first event of a file, else empty
  bool session_start = false;  // a run began here: what earlier sessions logged at `step` or later is void
  std::vector<EventValue> values;
};

// The bytes of one framed record holding the event.
std::string EncodeEvent(const Event& event);

// Writes a new file events.out.tfevents.* in `folder`, which must exist. Events reach the operating system
// one by one, so that killing the process loses none. FileError when the disk is full.
class EventWriter {
 public:
  explicit EventWriter(const std::filesystem::path& folder);
  void Write(const Event& event) { file_->Append(EncodeEvent(event)); }
  // Waits until the disk has everything.
  void Sync() { file_->Sync(); }

 private:
  std::unique_ptr<AppendFile> file_;
};

// The events of one file. A half-written or damaged record ends the reading (`complete` turns false, the rest
// cannot be found again); unknown fields are passed over. Sizes are checked before anything is copied. A
// missing file raises FileError.
std::vector<Event> ReadEventFile(const std::filesystem::path& path, bool* complete = nullptr);
std::vector<Event> DecodeEvents(std::span<const std::byte> bytes, bool* complete = nullptr);
// One after the other; false where DecodeEvents would say incomplete.
bool VisitEvents(std::span<const std::byte> bytes, const std::function<void(Event&)>& visit);

// All event files of a folder in the order they were written, with what a later session made void left out.
// `reduce` sees every event before it is kept, so that a caller need not hold all pictures in memory. No
// event files: empty.
std::vector<Event> ReadEventFolder(const std::filesystem::path& folder,
                                   const std::function<void(Event&)>& reduce = {});

}  // namespace wildrayzer

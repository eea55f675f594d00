#include "wildrayzer/training/event_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstring>

#include "wildrayzer/io/mapped_file.h"
#include "wildrayzer/training/event_wire.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "records are little-endian");

constexpr size_t kHeaderBytes = 12, kFooterBytes = 4;  // length and its checksum; checksum of the data

std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82F63B78u : 0u);
    table[i] = value;
  }
  return table;
}

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

template <typename T>
void AppendRaw(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename T>
T ReadRaw(std::span<const std::byte> bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

}  // namespace

uint32_t Crc32c(std::span<const std::byte> bytes) {
  static const std::array<uint32_t, 256> table = MakeCrcTable();
  uint32_t crc = 0xFFFFFFFFu;
  for (const std::byte byte : bytes) crc = table[(crc ^ static_cast<uint8_t>(byte)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

uint32_t MaskedCrc32c(std::span<const std::byte> bytes) { return std::rotr(Crc32c(bytes), 15) + 0xA282EAD8u; }

std::string EncodeEvent(const Event& event) {
  const std::string data = EventToWire(event);
  std::string record;
  AppendRaw<uint64_t>(record, data.size());
  AppendRaw(record, MaskedCrc32c(Bytes(record)));
  record += data;
  AppendRaw(record, MaskedCrc32c(Bytes(data)));
  return record;
}

EventWriter::EventWriter(const fs::path& folder) {
  // Microseconds with a fixed number of digits: TensorBoard and ReadEventFolder order the files of a folder
  // by name.
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const int64_t micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  file_ =
      std::make_unique<AppendFile>(folder / fmt::format("events.out.tfevents.{:010d}.{:06d}.{}",
                                                        micros / 1'000'000, micros % 1'000'000, ::getpid()));
  Write({.wall_time = static_cast<double>(micros) * 1e-6,
         .step = 0,
         .file_version = "brain.Event:2",
         .session_start = false,
         .values = {}});
}

bool VisitEvents(std::span<const std::byte> bytes, const std::function<void(Event&)>& visit) {
  while (!bytes.empty()) {
    if (bytes.size() < kHeaderBytes + kFooterBytes) return false;
    const auto size = ReadRaw<uint64_t>(bytes, 0);
    if (ReadRaw<uint32_t>(bytes, 8) != MaskedCrc32c(bytes.first(8))) return false;
    if (size > bytes.size() - kHeaderBytes - kFooterBytes) return false;
    const auto data = bytes.subspan(kHeaderBytes, size);
    if (ReadRaw<uint32_t>(bytes, kHeaderBytes + size) != MaskedCrc32c(data)) return false;
    Event event;
    if (!EventFromWire(data, &event)) return false;
    visit(event);
    bytes = bytes.subspan(kHeaderBytes + size + kFooterBytes);
  }
  return true;
}

std::vector<Event> DecodeEvents(std::span<const std::byte> bytes, bool* complete) {
  std::vector<Event> events;
  const bool intact = VisitEvents(bytes, [&](Event& event) { events.push_back(std::move(event)); });
  if (complete != nullptr) *complete = intact;
  return events;
}

std::vector<Event> ReadEventFile(const fs::path& path, bool* complete) {
  return DecodeEvents(MappedFile::Open(path)->bytes(), complete);
}

std::vector<Event> ReadEventFolder(const fs::path& folder, const std::function<void(Event&)>& reduce) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with("events.out.tfevents.") && entry.is_regular_file() &&
        entry.file_size() > 0)
      paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Event> events;
  for (const fs::path& path : paths) {
    VisitEvents(MappedFile::Open(path)->bytes(), [&](Event& event) {
      if (event.session_start) {
        std::erase_if(events, [&](const Event& other) {
          return other.step >= event.step && other.file_version.empty();
        });
      }
      if (reduce) reduce(event);
      events.push_back(std::move(event));
    });
  }
  return events;
}

}  // namespace wildrayzer

#include "wildrayzer/io/zip_writer.h"

#include <zlib.h>

#include <algorithm>

#include "wildrayzer/io/zip_format.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr uint64_t kAlignment = 64;
constexpr uint16_t kVersion = 45;    // needed for Zip64
constexpr uint16_t kFlags = 0x0808;  // data descriptor, UTF-8 names
constexpr uint16_t kDate = 0x0021;   // 1980-01-01: the same weights give the same file
constexpr uint16_t kZip64Id = 1;
constexpr uint16_t kPaddingId = 0x4246;  // "FB"

template <typename... T>
void Put(std::string* out, T... values) {
  (out->append(reinterpret_cast<const char*>(&values), sizeof(values)), ...);
}

bool Needs64(uint64_t value) { return value >= kMax32; }
uint32_t Clamped(uint64_t value) { return static_cast<uint32_t>(std::min<uint64_t>(value, kMax32)); }

}  // namespace

std::string ZipWriter::LocalHeader(const Entry& entry) const {
  std::string extra;
  if (Needs64(entry.size)) Put(&extra, kZip64Id, uint16_t{16}, uint64_t{0}, uint64_t{0});
  const uint64_t unpadded = entry.offset + kLocalBytes + entry.name.size() + extra.size() + 4;
  const uint64_t padding = (kAlignment - unpadded % kAlignment) % kAlignment;
  Put(&extra, kPaddingId, static_cast<uint16_t>(padding));
  extra.append(padding, 'Z');
  // With a data descriptor, checksum and sizes are zero here (all ones announce Zip64).
  const uint32_t size = Needs64(entry.size) ? kMax32 : 0;
  std::string header;
  Put(&header, uint32_t{0x04034b50}, kVersion, kFlags, uint16_t{0}, uint16_t{0}, kDate, uint32_t{0}, size,
      size, static_cast<uint16_t>(entry.name.size()), static_cast<uint16_t>(extra.size()));
  return header + entry.name + extra;
}

std::string ZipWriter::CentralHeader(const Entry& entry) {
  std::string wide;
  if (Needs64(entry.size)) Put(&wide, entry.size, entry.size);
  if (Needs64(entry.offset)) Put(&wide, entry.offset);
  std::string extra;
  if (!wide.empty()) Put(&extra, kZip64Id, static_cast<uint16_t>(wide.size()));
  extra += wide;
  std::string header;
  Put(&header, uint32_t{0x02014b50}, kVersion, kVersion, kFlags, uint16_t{0}, uint16_t{0}, kDate, entry.crc,
      Clamped(entry.size), Clamped(entry.size), static_cast<uint16_t>(entry.name.size()),
      static_cast<uint16_t>(extra.size()), uint16_t{0}, uint16_t{0}, uint16_t{0}, uint32_t{0},
      Clamped(entry.offset));
  return header + entry.name + extra;
}

std::string ZipWriter::EndRecords(uint64_t count, uint64_t offset, uint64_t size) {
  std::string records;
  if (count >= kMax16 || Needs64(offset) || Needs64(size)) {
    Put(&records, uint32_t{0x06064b50}, uint64_t{44}, kVersion, kVersion, uint32_t{0}, uint32_t{0}, count,
        count, size, offset);
    Put(&records, uint32_t{0x07064b50}, uint32_t{0}, offset + size, uint32_t{1});
  }
  const auto count16 = static_cast<uint16_t>(std::min<uint64_t>(count, kMax16));
  Put(&records, uint32_t{0x06054b50}, uint16_t{0}, uint16_t{0}, count16, count16, Clamped(size),
      Clamped(offset), uint16_t{0});
  return records;
}

void ZipWriter::Add(const std::string& name, uint64_t size,
                    const std::function<void(const ByteSink&)>& stream) {
  Entry entry{name, file_.size(), size, 0};
  file_.Write(LocalHeader(entry));
  const uint64_t begin = file_.size();
  uLong crc = crc32(0, nullptr, 0);
  stream([&](std::span<const std::byte> bytes) {
    crc = crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
    file_.Write(bytes);
  });
  if (file_.size() - begin != size) {
    throw Error("'" + name + "' delivered " + std::to_string(file_.size() - begin) + " bytes instead of " +
                std::to_string(size));
  }
  entry.crc = static_cast<uint32_t>(crc);
  std::string descriptor;
  Put(&descriptor, uint32_t{0x08074b50}, entry.crc);
  if (Needs64(size)) {
    Put(&descriptor, size, size);
  } else {
    Put(&descriptor, static_cast<uint32_t>(size), static_cast<uint32_t>(size));
  }
  file_.Write(descriptor);
  entries_.push_back(std::move(entry));
}

void ZipWriter::Add(const std::string& name, std::string_view content) {
  Add(name, content.size(), [&](const ByteSink& sink) { sink(std::as_bytes(std::span(content))); });
}

void ZipWriter::Commit() {
  const uint64_t offset = file_.size();
  std::string directory;
  for (const Entry& entry : entries_) directory += CentralHeader(entry);
  file_.Write(directory);
  file_.Write(EndRecords(entries_.size(), offset, directory.size()));
  file_.Commit();
}

}  // namespace wildrayzer

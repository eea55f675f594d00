#include "wildrayzer/io/zip.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>

#include "wildrayzer/io/zip_format.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kLocator64Signature = 0x07064b50;
constexpr uint64_t kCentralBytes = 46;
constexpr uint64_t kEndBytes = 22;
constexpr uint64_t kEnd64Bytes = 56;
constexpr uint64_t kLocatorBytes = 20;

struct Directory {
  uint64_t count = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
  uint64_t end = 0;  // offset of the first end record; the directory must not reach beyond
};

// Little-endian reads with bounds.
class Bytes {
 public:
  explicit Bytes(const MappedFile& file) : file_(file), bytes_(file.bytes()) {}

  uint64_t size() const { return bytes_.size(); }
  [[noreturn]] void Fail(const std::string& problem) const { throw FileError(file_.path(), problem); }
  bool Contains(uint64_t offset, uint64_t count) const {
    return offset <= size() && count <= size() - offset;
  }

  template <typename T>
  T Read(uint64_t offset) const {
    if (!Contains(offset, sizeof(T))) Fail("the zip archive is cut off; is the download incomplete?");
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof(T));
    return value;
  }

  std::string_view Text(uint64_t offset, uint64_t count) const {
    if (!Contains(offset, count)) Fail("the zip archive is cut off; is the download incomplete?");
    return {reinterpret_cast<const char*>(bytes_.data()) + offset, count};
  }

 private:
  const MappedFile& file_;
  std::span<const std::byte> bytes_;
};

// The end record is the last thing in the file, followed only by its own comment.
uint64_t FindEndRecord(const Bytes& bytes) {
  if (bytes.size() >= kEndBytes) {
    const uint64_t last = bytes.size() - kEndBytes;
    const uint64_t first = last > kMax16 ? last - kMax16 : 0;
    for (uint64_t at = last + 1; at-- > first;) {
      if (bytes.Read<uint32_t>(at) == kEndSignature && bytes.Read<uint16_t>(at + 20) == last - at) return at;
    }
  }
  bytes.Fail("the zip archive has no directory at its end; is the download incomplete?");
}

// True when a 16/32-bit field either says "see Zip64" or repeats the Zip64 value.
template <typename T>
bool Agrees(T field, uint64_t value) {
  return field == static_cast<T>(-1) || field == value;
}

Directory ReadEnd64(const Bytes& bytes, uint64_t end, uint64_t locator) {
  if (bytes.Read<uint32_t>(locator + 4) != 0 || bytes.Read<uint32_t>(locator + 16) > 1) {
    bytes.Fail("zip archives on several disks are not supported");
  }
  const auto at = bytes.Read<uint64_t>(locator + 8);
  if (at > locator || locator - at < kEnd64Bytes || bytes.Read<uint32_t>(at) != kEnd64Signature) {
    bytes.Fail("the Zip64 end record is damaged");
  }
  if (bytes.Read<uint32_t>(at + 16) != 0 || bytes.Read<uint32_t>(at + 20) != 0 ||
      bytes.Read<uint64_t>(at + 24) != bytes.Read<uint64_t>(at + 32)) {
    bytes.Fail("zip archives on several disks are not supported");
  }
  const Directory directory{bytes.Read<uint64_t>(at + 32), bytes.Read<uint64_t>(at + 48),
                            bytes.Read<uint64_t>(at + 40), at};
  if (!Agrees(bytes.Read<uint16_t>(end + 10), directory.count) ||
      !Agrees(bytes.Read<uint32_t>(end + 12), directory.size) ||
      !Agrees(bytes.Read<uint32_t>(end + 16), directory.offset)) {
    bytes.Fail("the two end records of the zip archive contradict each other");
  }
  return directory;
}

Directory ReadEnd(const Bytes& bytes) {
  const uint64_t end = FindEndRecord(bytes);
  if (end >= kLocatorBytes && bytes.Read<uint32_t>(end - kLocatorBytes) == kLocator64Signature) {
    return ReadEnd64(bytes, end, end - kLocatorBytes);
  }
  const auto count = bytes.Read<uint16_t>(end + 10);
  if (bytes.Read<uint16_t>(end + 4) != 0 || bytes.Read<uint16_t>(end + 6) != 0 ||
      bytes.Read<uint16_t>(end + 8) != count) {
    bytes.Fail("zip archives on several disks are not supported");
  }
  return {count, bytes.Read<uint32_t>(end + 16), bytes.Read<uint32_t>(end + 12), end};
}

// Values that did not fit into the central header, in the order in which Zip64 stores them.
class Zip64Extra {
 public:
  Zip64Extra(const Bytes& bytes, uint64_t begin, uint64_t length) : bytes_(bytes) {
    uint64_t at = begin;
    const uint64_t end = begin + length;
    while (end - at >= 4) {
      const auto id = bytes.Read<uint16_t>(at);
      const uint64_t size = bytes.Read<uint16_t>(at + 2);
      if (size > end - at - 4) bytes.Fail("an extra field of the zip directory is damaged");
      if (id == 1) {
        at_ = at + 4;
        end_ = at_ + size;
        return;
      }
      at += 4 + size;
    }
  }

  uint64_t Resolve(uint32_t field) {
    if (field != kMax32) return field;
    if (end_ - at_ < 8) bytes_.Fail("a Zip64 field of the zip directory is missing");
    at_ += 8;
    return bytes_.Read<uint64_t>(at_ - 8);
  }

 private:
  const Bytes& bytes_;
  uint64_t at_ = 0;
  uint64_t end_ = 0;
};

bool IsSafeName(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.find('\\') != std::string_view::npos ||
      name.find('\0') != std::string_view::npos) {
    return false;
  }
  const std::string parts = "/" + std::string(name) + "/";
  return parts.find("/../") == std::string::npos && parts.find("/./") == std::string::npos;
}

// Reads the entry at `at` and moves behind it.
ZipEntry ReadCentralEntry(const Bytes& bytes, uint64_t* at) {
  const uint64_t begin = *at;
  if (bytes.Read<uint32_t>(begin) != kCentralSignature)
    bytes.Fail("the directory of the zip archive is damaged");
  const uint64_t name_length = bytes.Read<uint16_t>(begin + 28);
  const uint64_t extra_length = bytes.Read<uint16_t>(begin + 30);
  const uint64_t comment_length = bytes.Read<uint16_t>(begin + 32);
  const std::string_view name = bytes.Text(begin + kCentralBytes, name_length);
  if (!IsSafeName(name)) bytes.Fail("the zip archive has an entry with an unsafe name");

  constexpr uint16_t kEncryption = 1 | (1 << 6) | (1 << 13);
  const std::string quoted = "zip entry '" + std::string(name.substr(0, 200)) + "' ";
  if ((bytes.Read<uint16_t>(begin + 8) & kEncryption) != 0) bytes.Fail(quoted + "is encrypted");
  if (bytes.Read<uint16_t>(begin + 10) != 0)
    bytes.Fail(quoted + "is compressed; PyTorch stores entries uncompressed");
  if (bytes.Read<uint16_t>(begin + 34) != 0) bytes.Fail("zip archives on several disks are not supported");

  Zip64Extra extra(bytes, begin + kCentralBytes + name_length, extra_length);
  ZipEntry entry;
  entry.name = name;
  entry.crc = bytes.Read<uint32_t>(begin + 16);
  entry.size = extra.Resolve(bytes.Read<uint32_t>(begin + 24));
  if (extra.Resolve(bytes.Read<uint32_t>(begin + 20)) != entry.size)
    bytes.Fail(quoted + "declares two different sizes");
  entry.local_offset = extra.Resolve(bytes.Read<uint32_t>(begin + 42));
  *at = begin + kCentralBytes + name_length + extra_length + comment_length;
  return entry;
}

// Sets the limits and refuses entries that share bytes or reach into the directory.
void CheckLayout(const Bytes& bytes, uint64_t directory_offset, std::vector<ZipEntry>* entries) {
  std::vector<size_t> order(entries->size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return (*entries)[a].local_offset < (*entries)[b].local_offset; });
  for (size_t i = 0; i < order.size(); ++i) {
    ZipEntry& entry = (*entries)[order[i]];
    entry.limit = i + 1 < order.size() ? (*entries)[order[i + 1]].local_offset : directory_offset;
    const uint64_t head = kLocalBytes + entry.name.size();
    if (entry.limit > directory_offset || entry.local_offset > entry.limit ||
        entry.limit - entry.local_offset < head || entry.limit - entry.local_offset - head < entry.size) {
      bytes.Fail("zip entry '" + entry.name.substr(0, 200) + "' overlaps another one or leaves the file");
    }
  }
}

}  // namespace

ZipArchive::ZipArchive(std::shared_ptr<const MappedFile> file) : file_(std::move(file)) {
  const Bytes bytes(*file_);
  const Directory directory = ReadEnd(bytes);
  if (directory.offset > directory.end || directory.size > directory.end - directory.offset) {
    bytes.Fail("the directory of the zip archive leaves the file");
  }
  if (directory.count == 0) bytes.Fail("the zip archive is empty");
  if (directory.count > kMaxEntries) bytes.Fail("the zip archive has more than 2000000 entries");
  if (directory.count > directory.size / kCentralBytes)
    bytes.Fail("the directory of the zip archive is damaged");

  uint64_t at = directory.offset;
  entries_.reserve(directory.count);
  for (uint64_t i = 0; i < directory.count; ++i) entries_.push_back(ReadCentralEntry(bytes, &at));
  if (at != directory.offset + directory.size) bytes.Fail("the directory of the zip archive is damaged");
  CheckLayout(bytes, directory.offset, &entries_);
  index_.reserve(entries_.size());
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (!index_.emplace(entries_[i].name, i).second) {
      bytes.Fail("two zip entries are named '" + entries_[i].name.substr(0, 200) + "'");
    }
  }
}

const ZipEntry* ZipArchive::Find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

std::span<const std::byte> ZipArchive::Payload(const ZipEntry& entry) const {
  const Bytes bytes(*file_);
  const uint64_t begin = entry.local_offset;
  const std::string quoted = "zip entry '" + entry.name.substr(0, 200) + "' ";
  const uint64_t name_length = bytes.Read<uint16_t>(begin + 26);
  if (bytes.Read<uint32_t>(begin) != kLocalSignature ||
      bytes.Text(begin + kLocalBytes, name_length) != entry.name || bytes.Read<uint16_t>(begin + 8) != 0) {
    bytes.Fail(quoted + "contradicts the directory");
  }
  const uint64_t payload = begin + kLocalBytes + name_length + bytes.Read<uint16_t>(begin + 28);
  if (payload > entry.limit || entry.size > entry.limit - payload) {
    bytes.Fail(quoted + "overlaps another one or leaves the file");
  }
  return file_->bytes().subspan(payload, entry.size);
}

}  // namespace wildrayzer

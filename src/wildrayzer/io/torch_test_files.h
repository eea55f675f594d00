// Hand-made PyTorch files for tests, good and bad, independent of our own writer.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wildrayzer::testing {

template <typename T>
std::string Raw(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

struct ZipItem {
  std::string name;
  std::string data;
  uint16_t method = 0;
  uint16_t flags = 0;
  std::optional<uint64_t> central_size = {};    // what the directory says, if not the truth
  std::optional<uint64_t> central_packed = {};  // the same for the compressed size
  std::optional<uint64_t> central_offset = {};
  std::string local_name = {};  // in the local header, if another one
};

struct ZipOptions {
  bool zip64 = false;  // all numbers of the directory in Zip64 fields
  std::optional<uint64_t> count = {};
  std::optional<uint64_t> directory_offset = {};
  std::optional<uint64_t> directory_size = {};
  uint16_t disk = 0;
  std::string comment = {};
};

inline std::string MakeZip(const std::vector<ZipItem>& items, const ZipOptions& options = {}) {
  std::string file;
  std::string directory;
  for (const ZipItem& item : items) {
    const uint64_t offset = item.central_offset.value_or(file.size());
    const uint64_t size = item.central_size.value_or(item.data.size());
    const uint64_t packed = item.central_packed.value_or(size);
    const std::string& local = item.local_name.empty() ? item.name : item.local_name;
    const std::string extra = "FB" + Raw<uint16_t>(3) + "ZZZ";
    file += Raw<uint32_t>(0x04034b50) + Raw<uint16_t>(20) + Raw<uint16_t>(item.flags) +
            Raw<uint16_t>(item.method) + Raw<uint32_t>(0) + Raw<uint32_t>(0) + Raw<uint32_t>(0) +
            Raw<uint32_t>(0) + Raw(static_cast<uint16_t>(local.size())) +
            Raw(static_cast<uint16_t>(extra.size())) + local + extra + item.data;
    const bool wide = options.zip64 || size > 0xFFFFFFFEu || offset > 0xFFFFFFFEu || packed > 0xFFFFFFFEu;
    const auto clamp = [&](uint64_t value) { return wide ? 0xFFFFFFFFu : static_cast<uint32_t>(value); };
    const std::string wide_extra =
        wide ? Raw<uint16_t>(1) + Raw<uint16_t>(24) + Raw(size) + Raw(packed) + Raw(offset) : std::string();
    directory += Raw<uint32_t>(0x02014b50) + Raw<uint16_t>(20) + Raw<uint16_t>(20) + Raw(item.flags) +
                 Raw(item.method) + Raw<uint32_t>(0) + Raw<uint32_t>(0) + Raw(clamp(packed)) +
                 Raw(clamp(size)) + Raw(static_cast<uint16_t>(item.name.size())) +
                 Raw(static_cast<uint16_t>(wide_extra.size())) + Raw<uint16_t>(0) + Raw<uint16_t>(0) +
                 Raw<uint16_t>(0) + Raw<uint32_t>(0) + Raw(clamp(offset)) + item.name + wide_extra;
  }
  const uint64_t count = options.count.value_or(items.size());
  const uint64_t offset = options.directory_offset.value_or(file.size());
  const uint64_t size = options.directory_size.value_or(directory.size());
  file += directory;
  if (options.zip64) {
    const uint64_t at = file.size();
    file += Raw<uint32_t>(0x06064b50) + Raw<uint64_t>(44) + Raw<uint16_t>(45) + Raw<uint16_t>(45) +
            Raw<uint32_t>(0) + Raw<uint32_t>(0) + Raw(count) + Raw(count) + Raw(size) + Raw(offset);
    file += Raw<uint32_t>(0x07064b50) + Raw<uint32_t>(0) + Raw(at) + Raw<uint32_t>(1);
  }
  const auto count16 = static_cast<uint16_t>(options.zip64 ? 0xFFFF : count);
  const auto size32 = static_cast<uint32_t>(options.zip64 ? 0xFFFFFFFF : size);
  const auto offset32 = static_cast<uint32_t>(options.zip64 ? 0xFFFFFFFF : offset);
  return file + Raw<uint32_t>(0x06054b50) + Raw(options.disk) + Raw<uint16_t>(0) + Raw(count16) +
         Raw(count16) + Raw(size32) + Raw(offset32) + Raw(static_cast<uint16_t>(options.comment.size())) +
         options.comment;
}

// Pickle fragments.
inline std::string Pickle(const std::string& body) { return "\x80\x02" + body + "."; }
inline std::string Text(std::string_view text) {
  return "X" + Raw(static_cast<uint32_t>(text.size())) + std::string(text);
}
inline std::string Global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string Int(int32_t value) { return "J" + Raw(value); }
inline std::string Long(int64_t value) { return "\x8A\x08" + Raw(value); }
inline std::string IntTuple(const std::vector<int64_t>& values) {
  std::string text = "(";
  for (const int64_t value : values) text += Long(value);
  return text + "t";
}
inline std::string EmptyOrderedDict() { return Global("collections", "OrderedDict") + ")R"; }

struct TensorText {
  std::string key = "0";
  std::string storage = Global("torch", "FloatStorage");
  int64_t numel = 6;
  int64_t offset = 0;
  std::vector<int64_t> shape = {2, 3};
  std::vector<int64_t> strides = {3, 1};
  std::string function = Global("torch._utils", "_rebuild_tensor_v2");
  std::string hooks = EmptyOrderedDict();
  std::string more = {};         // further arguments
  std::string legacy_view = {};  // sixth item of the persistent id

  std::string Storage() const {
    return "(" + Text("storage") + storage + Text(key) + Text("cpu") + Long(numel) + legacy_view + "tQ";
  }
  std::string Build() const {
    return function + "(" + Storage() + Long(offset) + IntTuple(shape) + IntTuple(strides) + "\x89" + hooks +
           more + "tR";
  }
};

// {name: value, ...} for already pickled values.
inline std::string Dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string text = "}(";
  for (const auto& [name, value] : items) text += Text(name) + value;
  return text + "u";
}

// The six floats 0, 1, ... of the one storage that most tests use.
inline std::string SixFloats() {
  std::string bytes;
  for (int i = 0; i < 6; ++i) bytes += Raw(static_cast<float>(i));
  return bytes;
}

// A complete archive around a pickle, with storage "0" = SixFloats().
inline std::string Archive(const std::string& pickle) {
  return MakeZip({{"archive/data.pkl", pickle},
                  {"archive/byteorder", "little"},
                  {"archive/data/0", SixFloats()},
                  {"archive/version", "3\n"}});
}

// A complete legacy stream around the pickle of an object, with storage "0" = SixFloats().
inline std::string LegacyStream(const std::string& pickle, const std::string& little = "\x88",
                                const std::string& keys = "](" + Text("0") + "e", int64_t count = 6) {
  const std::string magic("\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19\x2E", 15);
  return magic + Pickle(Int(1001)) + Pickle("}" + Text("little_endian") + little + "s") + pickle +
         Pickle(keys) + Raw(count) + SixFloats();
}

}  // namespace wildrayzer::testing

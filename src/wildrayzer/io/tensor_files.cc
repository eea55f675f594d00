#include "wildrayzer/io/tensor_files.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/io/utf8.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// What a folder may hold, the better first: of both kinds people keep old copies beside each other.
constexpr std::array<const char*, 2> kSingleNames = {"model.safetensors", "pytorch_model.bin"};
constexpr std::array<const char*, 2> kIndexNames = {"model.safetensors.index.json",
                                                    "pytorch_model.bin.index.json"};
constexpr std::string_view kIndexEnding = ".index.json";
constexpr size_t kMaxIndexBytes = 100'000'000;
constexpr int kMaxIndexDepth = 8;

struct Index {
  std::map<std::string, std::string> shard_of;  // tensor -> file name
  std::optional<int64_t> total_size;
};

// Parses JSON, refusing equal keys (of which the library would keep one) and deep nesting.
Json ParseStrictly(const std::string& path, std::string_view text) {
  if (text.find('\0') != std::string_view::npos) throw FileError(path, "contains a zero byte");
  std::vector<std::set<std::string>> keys;
  const auto check = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kMaxIndexDepth) throw FileError(path, "nests too deeply");
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) {
      throw FileError(path, "key '" + Printable(parsed.get<std::string>()) + "' appears twice");
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), check);
  } catch (const Json::exception&) {
    throw FileError(path, "is no valid JSON; is the download incomplete?");
  }
}

bool IsTorchName(const std::string& extension) {
  return extension == ".pt" || extension == ".pth" || extension == ".ckpt" || extension == ".bin";
}

bool IsPlainShardName(const std::string& name) {
  const fs::path path = name;
  const std::string extension = path.extension().string();
  return path.has_stem() && (extension == ".safetensors" || IsTorchName(extension)) &&
         name.find_first_of("/\\") == std::string::npos && name.find("..") == std::string::npos &&
         name.find('\0') == std::string::npos;
}

Index ReadIndex(const fs::path& path) {
  const std::string name = path.string();
  const auto file = MappedFile::Open(path);
  const std::span<const std::byte> bytes = file->bytes();
  if (bytes.empty() || bytes[0] != std::byte{'{'}) RefuseFailedDownload(*file);
  if (bytes.size() > kMaxIndexBytes) throw FileError(name, "is too large for an index");
  const Json root = ParseStrictly(name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!root.is_object() || !root.contains("weight_map") || !root["weight_map"].is_object()) {
    throw FileError(name, "has no 'weight_map' object");
  }
  Index index;
  for (const auto& [tensor, shard] : root["weight_map"].items()) {
    if (!shard.is_string() || !IsPlainShardName(shard.get<std::string>())) {
      throw FileError(name, "names an unsafe or improper shard file for tensor '" + Printable(tensor) + "'");
    }
    index.shard_of[tensor] = shard.get<std::string>();
  }
  if (index.shard_of.empty()) throw FileError(name, "lists no tensors");
  if (root.contains("metadata") && root["metadata"].is_object() && root["metadata"].contains("total_size")) {
    const Json& total = root["metadata"]["total_size"];
    // Some writers store it as a float with an integral value.
    if (total.is_number()) {
      index.total_size = total.is_number_float()
                             ? static_cast<int64_t>(std::clamp(total.get<double>(), -1.0, 0x1p62))
                             : total.get<int64_t>();
    } else {
      LogWarning("{}: metadata.total_size is no number", name);
    }
  }
  return index;
}

TensorFile OpenShard(const fs::path& path) {
  if (!IsTorchName(path.extension().string())) return OpenSafetensors(path);
  return TorchArchive::Parse(MappedFile::Open(path)).StateDict();
}

std::vector<TensorFile> OpenShards(const fs::path& index_path) {
  const Index index = ReadIndex(index_path);
  std::set<std::string> names;
  for (const auto& [tensor, shard] : index.shard_of) names.insert(shard);

  std::vector<TensorFile> shards;
  std::map<std::string, std::string> found;  // tensor -> shard
  std::vector<std::string> unlisted;
  int64_t total = 0;
  for (const std::string& name : names) {
    shards.push_back(OpenShard(index_path.parent_path() / name));
    for (const TensorEntry& entry : shards.back().tensors()) {
      total += entry.byte_size();  // at most the sum of the file sizes
      const auto [other, fresh] = found.emplace(entry.name, name);
      if (!fresh)
        throw FileError(shards.back().path(), "tensor '" + entry.name + "' is also in " + other->second);
      if (!index.shard_of.contains(entry.name)) unlisted.push_back(entry.name);
    }
  }
  if (!unlisted.empty()) {
    LogWarning("{}: does not list {} tensors of its shards, for instance '{}'", index_path.string(),
               unlisted.size(), Printable(unlisted.front()));
  }
  for (const auto& [tensor, shard] : index.shard_of) {
    const auto at = found.find(tensor);
    if (at == found.end() || at->second != shard) {
      throw FileError((index_path.parent_path() / shard).string(),
                      "lacks tensor '" + Printable(tensor) + "', which " + index_path.filename().string() +
                          " places there");
    }
  }
  if (index.total_size && *index.total_size != total) {
    // Tools that change weights (tie, cut, convert them) forget it; the list above is what tells missing
    // ones.
    LogWarning("{}: announces {} bytes of tensors but the shards hold {}", index_path.string(),
               *index.total_size, total);
  }
  return shards;
}

// With an entry for every name that the metadata calls another name of a tensor.
TensorFile WithAliases(TensorFile file) {
  std::vector<TensorEntry> tensors = file.tensors();
  for (const auto& [alias, name] : file.metadata()) {
    const TensorEntry* entry = file.Find(name);
    if (entry == nullptr || alias == "format" || file.Find(alias) != nullptr) continue;
    tensors.push_back(*entry);
    tensors.back().name = alias;
  }
  if (tensors.size() == file.tensors().size()) return file;
  return TensorFile(file.mapping(), file.format(), std::move(tensors), file.metadata());
}

OpenedFiles OpenFile(const fs::path& path) {
  const auto file = MappedFile::Open(path);
  if (!IsTorchName(path.extension().string()) && !TorchArchive::Recognises(*file))
    return {{WithAliases(ParseSafetensors(file))}, {}};
  TorchArchive archive = TorchArchive::Parse(file);
  std::vector<TensorFile> files{archive.StateDict()};
  return {std::move(files), std::move(archive)};
}

OpenedFiles OpenFolder(const fs::path& folder) {
  std::error_code error;
  for (size_t kind = 0; kind < kSingleNames.size(); ++kind) {
    if (fs::exists(folder / kSingleNames[kind], error)) return OpenFile(folder / kSingleNames[kind]);
    if (fs::exists(folder / kIndexNames[kind], error)) return {OpenShards(folder / kIndexNames[kind]), {}};
  }
  std::vector<fs::path> candidates;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".safetensors") candidates.push_back(entry.path());
  }
  if (candidates.size() == 1) return OpenFile(candidates[0]);
  throw FileError(folder.string(),
                  candidates.empty()
                      ? "holds no model.safetensors, no pytorch_model.bin and no index of shards of one"
                      : "holds several .safetensors files without an index; name one of them");
}

}  // namespace

OpenedFiles OpenTensorFiles(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return OpenFolder(path);
  if (path.filename().string().ends_with(kIndexEnding)) return {OpenShards(path), {}};
  return OpenFile(path);
}

}  // namespace wildrayzer

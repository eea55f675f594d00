#include "wildrayzer/training/shards.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>  // renameat2

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <regex>
#include <utility>
#include <vector>

#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

constexpr char kShardIndex[] = "model.safetensors.index.json";

// The weights in the order given, cut where the next one would make a file larger than `most_bytes`.
std::vector<NamedParameters> CutIntoShards(const NamedParameters& weights, int64_t header_bytes,
                                           int64_t most_bytes) {
  constexpr int64_t kEntryBytes = 256;  // of a tensor in the header, its name aside, at most
  std::vector<NamedParameters> shards;
  int64_t bytes = 0;
  for (const auto& [name, weight] : weights) {
    const int64_t more =
        static_cast<int64_t>(weight.nbytes()) + kEntryBytes + static_cast<int64_t>(name.size());
    if (shards.empty() || bytes + more > most_bytes) {
      shards.emplace_back();
      bytes = header_bytes;
    }
    shards.back().emplace_back(name, weight);
    bytes += more;
  }
  return shards;
}

void WriteInto(const fs::path& folder, const NamedParameters& weights, const std::string& model_yaml,
               int64_t most_bytes) {
  constexpr int64_t kFrameBytes = 1024;  // of a header without tensors and metadata, at most
  NamedParameters rounded;
  int64_t total = 0;
  for (const auto& [name, weight] : weights) {
    rounded.emplace_back(name, weight.dim() >= 2 ? weight.to(torch::kBFloat16) : weight);
    total += static_cast<int64_t>(rounded.back().second.nbytes());
  }
  // A line break takes two characters in the header.
  const auto header_bytes = kFrameBytes + 2 * static_cast<int64_t>(model_yaml.size());
  const auto shards = CutIntoShards(rounded, header_bytes, most_bytes);
  nlohmann::json index = {{"metadata", {{"total_size", total}}}, {"weight_map", nlohmann::json::object()}};
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string file = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    std::vector<TensorSource> tensors;
    for (const auto& [name, weight] : shards[i]) {
      tensors.push_back(TensorSourceOf(name, weight));
      index["weight_map"][name] = file;
    }
    WriteSafetensors(folder / file, std::move(tensors), {{"format", "pt"}, {kConfigMetadataKey, model_yaml}});
  }
  WriteFileAtomically(folder / kShardIndex, index.dump(2) + "\n");
}

// Puts `fresh` in the place of `folder`; what was there, if anything, is then at `fresh`.
void ExchangeFolders(const fs::path& fresh, const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder, error)) {
    fs::rename(fresh, folder, error);
  } else if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) != 0) {
    const bool unknown = errno == EINVAL || errno == ENOSYS || errno == ENOTSUP;
    if (!unknown)
      throw FileError(folder.string(), std::string("cannot be replaced: ") + std::strerror(errno));
    const fs::path old = TemporarySibling(folder);
    fs::rename(folder, old, error);
    if (!error) fs::rename(fresh, folder, error);
    if (!error) fs::rename(old, fresh, error);
  }
  if (error) throw FileError(folder.string(), "cannot be replaced: " + error.message());
  SyncFolder(folder.parent_path());
}

// What this run has replaced, and what runs that were killed have left: one process writes to a folder.
void RemoveReplaced(const fs::path& folder) {
  const std::string prefix = "." + folder.filename().string() + ".tmp-";
  std::error_code ignored;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder.parent_path(), ignored)) {
    if (entry.path().filename().string().starts_with(prefix)) found.push_back(entry.path());
  }
  for (const fs::path& path : found) fs::remove_all(path, ignored);
}

}  // namespace

void WriteShards(const fs::path& folder, const NamedParameters& weights, const std::string& model_yaml,
                 int64_t most_bytes) {
  CheckShardFolder(folder);
  RemoveReplaced(folder);
  const fs::path fresh = TemporarySibling(folder);
  std::error_code error;
  fs::create_directories(fresh, error);
  if (error) throw FileError(folder.string(), "cannot be written: " + error.message());
  WriteInto(fresh, weights, model_yaml, most_bytes);
  ExchangeFolders(fresh, folder);
  RemoveReplaced(folder);
}

void CheckShardFolder(const fs::path& folder) {
  static const std::regex kShardName("model-\\d{5}-of-\\d{5}\\.safetensors");
  std::error_code error;
  if (!fs::exists(fs::symlink_status(folder, error))) return;
  const std::string remedy = "; move it away or train without training.export_every";
  if (!fs::is_directory(fs::symlink_status(folder, error)))
    throw UsageError(folder.string() + ": is no folder, and the weights would take its place" + remedy);
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name == kShardIndex || std::regex_match(name, kShardName)) continue;
    throw UsageError(entry.path().string() + ": the weights would take the place of its folder" + remedy);
  }
}

}  // namespace wildrayzer

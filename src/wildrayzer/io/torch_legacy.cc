#include "wildrayzer/io/torch_legacy.h"

#include <cstring>

#include "wildrayzer/io/torch_archive.h"
#include "wildrayzer/io/utf8.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr int64_t kProtocolVersion = 1001;

class LegacyReader {
 public:
  LegacyReader(const PickleLimits& limits, PickleTree* tree)
      : limits_(limits), tree_(tree), rest_(tree->file->bytes().subspan(kLegacyMagic.size())) {}

  LegacyStorages Read();

 private:
  [[noreturn]] void Fail(const std::string& problem) const { throw FileError(tree_->file->path(), problem); }

  PickleValue NextPickle() {
    rest_ = rest_.subspan(RunPickle(PickleDialect::kLegacy, limits_, rest_, tree_));
    return tree_->root;
  }
  void CheckSystem(const PickleValue& system) const;
  std::span<const std::byte> NextStorage(const PickleStorage& storage);

  const PickleLimits& limits_;
  PickleTree* tree_;
  std::span<const std::byte> rest_;
};

void LegacyReader::CheckSystem(const PickleValue& system) const {
  if (!system.is_dict()) Fail("the legacy stream does not describe its machine");
  const std::vector<PickleValue>& items = tree_->items(system);
  bool little = false;
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i].kind == PickleKind::kString && items[i].text() == "little_endian") {
      little = items[i + 1].kind == PickleKind::kBool && items[i + 1].integer != 0;
    }
  }
  if (!little) Fail("was written on a big-endian machine; only little-endian files are read");
}

std::span<const std::byte> LegacyReader::NextStorage(const PickleStorage& storage) {
  const std::string name = "storage '" + Printable(storage.key) + "'";
  int64_t count = 0;
  if (rest_.size() < sizeof(count)) Fail(name + " is cut off; is the download incomplete?");
  std::memcpy(&count, rest_.data(), sizeof(count));
  rest_ = rest_.subspan(sizeof(count));
  if (count != storage.numel) {
    Fail(name + " has " + std::to_string(count) + " elements instead of " + std::to_string(storage.numel));
  }
  if (static_cast<uint64_t>(storage.bytes) > rest_.size())
    Fail(name + " is cut off; is the download incomplete?");
  const std::span<const std::byte> bytes = rest_.first(static_cast<size_t>(storage.bytes));
  rest_ = rest_.subspan(bytes.size());
  return bytes;
}

LegacyStorages LegacyReader::Read() {
  const PickleValue protocol = NextPickle();
  if (protocol.kind != PickleKind::kInt || protocol.integer != kProtocolVersion) {
    Fail("the legacy stream has an unknown protocol version");
  }
  CheckSystem(NextPickle());
  const PickleValue object = NextPickle();
  const PickleValue keys = NextPickle();
  tree_->root = object;
  if (keys.kind != PickleKind::kList) Fail("the legacy stream has no list of storages");

  LegacyStorages storages;
  for (const PickleValue& key : tree_->items(keys)) {
    if (key.kind != PickleKind::kString) Fail("the list of storages holds something else than keys");
    const auto known = tree_->storage_index.find(key.text());
    if (known == tree_->storage_index.end())
      Fail("storage '" + Printable(key.text()) + "' is stored but never used");
    const std::span<const std::byte> bytes = NextStorage(tree_->storages[known->second]);
    if (!storages.emplace(key.text(), bytes).second)
      Fail("storage '" + Printable(key.text()) + "' is stored twice");
  }
  if (!rest_.empty()) Fail(std::to_string(rest_.size()) + " bytes follow the last storage");
  for (const PickleStorage& storage : tree_->storages) {
    if (!storages.contains(storage.key)) Fail("storage '" + Printable(storage.key) + "' is missing");
  }
  return storages;
}

}  // namespace

LegacyStorages ReadLegacyStream(const PickleLimits& limits, PickleTree* tree) {
  return LegacyReader(limits, tree).Read();
}

}  // namespace wildrayzer

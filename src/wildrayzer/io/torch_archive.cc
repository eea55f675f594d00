#include "wildrayzer/io/torch_archive.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "wildrayzer/io/state_dict.h"
#include "wildrayzer/io/torch_legacy.h"
#include "wildrayzer/io/utf8.h"
#include "wildrayzer/io/zip.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr std::string_view kZipMagic{"PK\x03\x04", 4};
constexpr std::string_view kModulePrefix = "module.";
constexpr std::string_view kAverageCount = "n_averaged";  // beside the names of torch.optim.swa_utils

constexpr size_t kLongestName = 4096;
constexpr size_t kMostMetadata = size_t{256} << 20;

// A text that is copied freely; the same one of many megabytes may be the key of many values.
bool IsName(const PickleValue& key) { return key.kind == PickleKind::kString && key.length <= kLongestName; }

std::string_view Head(const MappedFile& file, size_t count) {
  const std::span<const std::byte> bytes = file.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), std::min(count, bytes.size())};
}

std::string_view TextOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Says what a file is when it is no checkpoint that we read.
[[noreturn]] void FailUnknown(const MappedFile& file) {
  const std::string_view head = Head(file, 512);
  if (head.size() > 262 && head.substr(257, 5) == "ustar") {
    throw FileError(file.path(),
                    "is a tar checkpoint of PyTorch before 0.1.10; load and save it again in Python");
  }
  if (head.starts_with("PYTORCH1")) {
    throw FileError(file.path(), "is a preview-format PyTorch file; load and save it again in Python");
  }
  if (head.size() > 1 && head[0] == '\x80' && head[1] <= 5) {
    throw FileError(file.path(),
                    "is a Python pickle but no PyTorch checkpoint; only checkpoints of torch.save are read");
  }
  throw FileError(file.path(), "is no PyTorch checkpoint (neither a zip archive nor a legacy stream)");
}

// The one folder in which all records live, with its slash.
std::string TopFolder(const MappedFile& file, const ZipArchive& zip) {
  const std::string& first = zip.entries().front().name;
  const std::string top = first.substr(0, first.find('/') + 1);
  if (top.empty()) throw FileError(file.path(), "is a zip archive, but no PyTorch checkpoint");
  for (const ZipEntry& entry : zip.entries()) {
    if (!entry.name.starts_with(top)) {
      throw FileError(file.path(), "zip entry '" + Printable(entry.name) + "' lies outside the folder '" +
                                       Printable(top) + "'");
    }
  }
  return top;
}

// Small text records; empty when absent.
std::string SmallRecord(const ZipArchive& zip, const std::string& name) {
  const ZipEntry* entry = zip.Find(name);
  if (entry == nullptr) return "";
  return std::string(TextOf(zip.Payload(*entry)).substr(0, 64));
}

void CheckZipHeaderRecords(const MappedFile& file, const ZipArchive& zip, const std::string& top) {
  if (zip.Find(top + "constants.pkl") != nullptr) {
    throw FileError(file.path(), "is a TorchScript archive, which is refused; save the state dict instead");
  }
  if (zip.Find(top + "data.pkl") == nullptr) {
    throw FileError(file.path(), "is a zip archive without 'data.pkl', so no PyTorch checkpoint");
  }
  const std::string order = SmallRecord(zip, top + "byteorder");
  if (!order.empty() && order != "little") {
    throw FileError(file.path(), "was written with byte order '" + Printable(order) +
                                     "'; only little-endian files are read");
  }
  std::string version = SmallRecord(zip, top + "version");
  if (version.empty()) version = SmallRecord(zip, top + ".data/version");
  if (version.empty()) return;
  int number = 0;
  const auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), number);
  if (error != std::errc{} || number < 1 || number > 10) {
    throw FileError(file.path(),
                    "has the unknown archive version '" + Printable(version.substr(0, 16)) + "'");
  }
}

}  // namespace

bool TorchArchive::Recognises(const MappedFile& file) {
  const std::string_view head = Head(file, kLegacyMagic.size());
  return head.starts_with(kZipMagic) || head == kLegacyMagic;
}

TorchArchive TorchArchive::Open(const std::filesystem::path& path, const PickleLimits& limits) {
  return Parse(MappedFile::Open(path), limits);
}

TorchArchive TorchArchive::Parse(std::shared_ptr<const MappedFile> file, const PickleLimits& limits) {
  RefuseFailedDownload(*file);
  if (!Recognises(*file)) FailUnknown(*file);
  return Head(*file, 4) == kZipMagic ? ParseZip(std::move(file), limits)
                                     : ParseLegacy(std::move(file), limits);
}

TorchArchive TorchArchive::ParseZip(std::shared_ptr<const MappedFile> file, const PickleLimits& limits) {
  const auto zip = std::make_shared<ZipArchive>(file);
  const std::string top = TopFolder(*file, *zip);
  CheckZipHeaderRecords(*file, *zip, top);

  const ZipEntry& pickle = *zip->Find(top + "data.pkl");
  if (pickle.size > limits.bytes)
    throw FileError(file->path(), "the pickle is too large (" + std::to_string(pickle.size) + " bytes)");
  auto tree = std::make_shared<PickleTree>();
  tree->file = file;
  const std::span<const std::byte> bytes = zip->Payload(pickle);
  if (RunPickle(PickleDialect::kZip, limits, bytes, tree.get()) != bytes.size()) {
    throw FileError(file->path(), "bytes follow the end of the pickle");
  }
  const auto locate = [file, zip, top](const PickleStorage& storage) {
    const ZipEntry* entry = zip->Find(top + "data/" + std::string(storage.key));
    const std::string name = "storage '" + Printable(storage.key) + "'";
    if (entry == nullptr) throw FileError(file->path(), name + " is missing from the archive");
    if (entry->size != static_cast<uint64_t>(storage.bytes)) {
      throw FileError(file->path(), name + " has " + std::to_string(entry->size) + " bytes instead of " +
                                        std::to_string(storage.bytes));
    }
    return zip->Payload(*entry);
  };
  return TorchArchive("torch-zip", std::move(tree), locate);
}

TorchArchive TorchArchive::ParseLegacy(std::shared_ptr<const MappedFile> file, const PickleLimits& limits) {
  auto tree = std::make_shared<PickleTree>();
  tree->file = file;
  auto storages = std::make_shared<LegacyStorages>(ReadLegacyStream(limits, tree.get()));
  const auto locate = [storages](const PickleStorage& storage) { return storages->at(storage.key); };
  return TorchArchive("torch-legacy", std::move(tree), locate);
}

TorchArchive::TorchArchive(std::string format, std::shared_ptr<const PickleTree> tree, Locator locate)
    : format_(std::move(format)), tree_(std::move(tree)), locate_(std::move(locate)) {
  SelectStateDict();
}

TensorEntry TorchArchive::Locate(const std::string& name, const PickleTensor& tensor) const {
  const std::span<const std::byte> storage = locate_(tree_->storages[tensor.storage]);
  // The interpreter has checked that the view ends inside the storage; an empty tensor may start anywhere.
  const bool empty = CheckedNumel(tensor.shape).value_or(0) == 0;
  const int64_t offset = empty ? 0 : tensor.offset * DTypeSize(tensor.dtype);
  return {name, tensor.dtype, tensor.shape, tensor.strides, storage.data() + offset};
}

void TorchArchive::SelectStateDict() {
  state_dict_ = tree_->root;
  const std::optional<FoundStateDict> found = FindStateDict(*tree_);
  if (!found) return;
  state_dict_ = found->dict;
  for (const std::string& key : found->path) wrapper_ += (wrapper_.empty() ? "" : ".") + key;
  const std::vector<PickleValue>& top = tree_->items(tree_->root);
  for (size_t i = 0; !found->path.empty() && i + 1 < top.size(); i += 2) {
    if (!IsName(top[i]) || top[i].text() == found->path.front() || top[i].length == 0) continue;
    siblings_.emplace_back(top[i].text());
  }

  // "module." is part of the names unless all of them have it.
  const std::vector<PickleValue>& items = tree_->items(state_dict_);
  stripped_ = true;
  for (size_t i = 0; i + 1 < items.size() && stripped_; i += 2) {
    if (items[i + 1].kind != PickleKind::kTensor || !IsName(items[i])) continue;
    const std::string name = WithoutInnerToolNames(items[i].text());
    stripped_ = name.starts_with(kModulePrefix) || name == kAverageCount;
  }
}

std::string TorchArchive::NameOf(const TorchObject& key) const {
  if (key.kind() != PickleKind::kString)
    throw FileError(path(), "the state dict has a tensor whose name is no text");
  return stripped_ ? WithoutToolNames(key.AsText()) : WithoutInnerToolNames(key.AsText());
}

TensorFile TorchArchive::StateDict() const {
  std::vector<TensorEntry> entries;
  const TorchObject dict(tree_, state_dict_);
  for (size_t i = 0; dict.is_dict() && i < dict.size(); ++i) {
    const PickleTensor* tensor = dict.Item(i).tensor();
    const PickleGlobal* maker = dict.Item(i).unread_tensor();
    if (tensor == nullptr && maker == nullptr) continue;
    const TorchObject key = dict.KeyAt(i);
    if (key.kind() == PickleKind::kString && !IsName(tree_->items(state_dict_)[2 * i]))
      throw FileError(path(), "the state dict has a tensor whose name is too long");
    if (tensor != nullptr) entries.push_back(Locate(NameOf(key), *tensor));
    if (maker != nullptr) {
      throw FileError(path(), "tensor '" + Printable(NameOf(key)) + "' is made by the foreign global " +
                                  QuotedName(*maker) + ", which is not read; save it as a plain tensor");
    }
  }
  if (entries.empty()) {
    const std::string lack = DescribeLackOfStateDict(*tree_);
    throw FileError(path(), lack.ends_with(' ') ? lack + root().Describe() : lack);
  }
  return TensorFile(tree_->file, format_, std::move(entries), Metadata());
}

std::map<std::string, std::string> TorchArchive::Metadata() const {
  std::map<std::string, std::string> metadata;
  const std::optional<TorchObject> dict = wrapper_.empty() ? std::nullopt : root().Find("metadata");
  size_t bytes = 0;  // of copies: many keys may share one long text
  for (size_t i = 0; dict && dict->is_dict() && i < dict->size(); ++i) {
    const std::string key = dict->KeyAt(i).AsText();
    const TorchObject value = dict->Item(i);
    if (dict->KeyAt(i).kind() != PickleKind::kString || value.kind() != PickleKind::kString) continue;
    metadata[key] = value.AsText();
    bytes += key.size() + metadata[key].size();
    if (bytes > kMostMetadata) throw FileError(path(), "has too long texts under 'metadata'");
  }
  return metadata;
}

}  // namespace wildrayzer

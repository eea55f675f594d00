// PyTorch checkpoints: the zip archives of torch.save since 1.6 and the legacy stream before, read without
// pickle.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wildrayzer/io/pickle.h"
#include "wildrayzer/io/tensor_file.h"

namespace wildrayzer {

// A node of the object that was saved; cheap to copy, keeps the file open. Accessors of another kind than
// kind() says return nothing or an empty text.
class TorchObject {
 public:
  TorchObject(std::shared_ptr<const PickleTree> tree, PickleValue value)
      : tree_(std::move(tree)), value_(value) {}

  PickleKind kind() const { return value_.kind; }
  bool is_dict() const { return value_.is_dict(); }
  std::optional<int64_t> AsInt() const;    // int and bool
  std::optional<double> AsDouble() const;  // float, int and bool
  std::string AsText() const;              // a string; UTF-8

  // Number of items of a list, tuple or dict (pairs), else 0.
  size_t size() const;
  TorchObject Item(size_t i) const;   // of a list or tuple; value of the i-th pair of a dict. i < size()
  TorchObject KeyAt(size_t i) const;  // of a dict. i < size()
  // The value under a text key; of equal keys the last, as in Python.
  std::optional<TorchObject> Find(std::string_view key) const;
  // The same for integer keys (the optimizer's state).
  std::optional<TorchObject> Find(int64_t key) const;
  // Follows text keys through nested dicts.
  std::optional<TorchObject> Find(std::initializer_list<std::string_view> keys) const;

  // Type and shape of a tensor; null for other kinds.
  const PickleTensor* tensor() const;
  // What made a tensor in a form that is not read (quantized, sparse, ...); null for other kinds.
  const PickleGlobal* unread_tensor() const;

  // One line of text, as Python would print it, cut to about `limit` characters; tensors as "F32[3, 4]".
  std::string Describe(size_t limit = 120) const;

 private:
  std::optional<TorchObject> FindKey(const std::function<bool(const PickleValue&)>& matches) const;

  std::shared_ptr<const PickleTree> tree_;
  PickleValue value_;
};

class TorchArchive {
 public:
  // FileError for anything but a plain PyTorch checkpoint: TorchScript, tar files, other pickles, compressed
  // or damaged archives, big-endian files, limits exceeded, several dicts of which any could be the model.
  // What is beside the weights may be of any class. Reads the directory and the object graph; no tensor data.
  static TorchArchive Open(const std::filesystem::path& path, const PickleLimits& limits = {});
  static TorchArchive Parse(std::shared_ptr<const MappedFile> file, const PickleLimits& limits = {});
  // True when the first bytes are those of a zip archive or of a legacy PyTorch stream.
  static bool Recognises(const MappedFile& file);

  // "torch-zip" or "torch-legacy".
  const std::string& format() const { return format_; }
  const std::string& path() const { return mapping()->path(); }
  const std::shared_ptr<const MappedFile>& mapping() const { return tree_->file; }
  TorchObject root() const { return {tree_, tree_->root}; }

  // A tensor anywhere in the object, located in the file. `name` is for the entry and for messages.
  TensorEntry Locate(const std::string& name, const PickleTensor& tensor) const;

  // Where the state dict was found: "" when the root itself is one, else its keys ("model", "ema.state_dict",
  // ...; FindStateDict says which come first).
  const std::string& wrapper() const { return wrapper_; }
  // Text keys of the root beside the first of these ("optimizer", ...), in file order.
  const std::vector<std::string>& siblings() const { return siblings_; }
  // Whether every name carried the prefix "module." (DataParallel), which is stripped; other tools' names
  // (WithoutInnerToolNames) always are.
  bool stripped_module_prefix() const { return stripped_; }

  // The state dict as located tensors, in file order; entries that are no tensors are left out. Its metadata
  // are the texts of a dict "metadata" beside the wrapper (TorchValue::MakeCheckpoint). FileError
  // when there is no state dict, a tensor in it is in a form that is not read, or a name appears twice.
  // Touches only the archive headers of these tensors.
  TensorFile StateDict() const;

 private:
  // Position of a storage's bytes, checked against the size that the pickle declares.
  using Locator = std::function<std::span<const std::byte>(const PickleStorage&)>;

  TorchArchive(std::string format, std::shared_ptr<const PickleTree> tree, Locator locate);
  std::map<std::string, std::string> Metadata() const;

  static TorchArchive ParseZip(std::shared_ptr<const MappedFile> file, const PickleLimits& limits);
  static TorchArchive ParseLegacy(std::shared_ptr<const MappedFile> file, const PickleLimits& limits);
  void SelectStateDict();
  std::string NameOf(const TorchObject& key) const;

  std::string format_;
  std::shared_ptr<const PickleTree> tree_;
  Locator locate_;
  PickleValue state_dict_;
  std::string wrapper_;
  std::vector<std::string> siblings_;
  bool stripped_ = false;
};

}  // namespace wildrayzer

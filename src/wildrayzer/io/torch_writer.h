// Writing PyTorch checkpoints that torch.load(..., weights_only=True) reads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "wildrayzer/io/tensor_file.h"

namespace wildrayzer {

// A value to be saved: None, bool, int, float, text, tensor, list, tuple, dict (ordered).
class TorchValue {
 public:
  using Pair = std::pair<TorchValue, TorchValue>;

  TorchValue() = default;  // None
  TorchValue(bool value) : kind_(Kind::kBool), integer_(value) {}
  TorchValue(int value) : kind_(Kind::kInt), integer_(value) {}
  TorchValue(int64_t value) : kind_(Kind::kInt), integer_(value) {}
  TorchValue(double value) : kind_(Kind::kFloat), number_(value) {}
  TorchValue(const char* text) : kind_(Kind::kText), text_(text) {}
  TorchValue(std::string text) : kind_(Kind::kText), text_(std::move(text)) {}
  // A tensor; its name plays no role here.
  TorchValue(TensorSource tensor) : kind_(Kind::kTensor), tensor_(std::move(tensor)) {}

  static TorchValue MakeList(std::vector<TorchValue> items) { return Make(Kind::kList, std::move(items)); }
  static TorchValue MakeTuple(std::vector<TorchValue> items) { return Make(Kind::kTuple, std::move(items)); }
  static TorchValue MakeDict(std::vector<Pair> pairs) { return MakePairs(Kind::kDict, std::move(pairs)); }
  // collections.OrderedDict, as state_dict() returns it.
  static TorchValue MakeOrderedDict(std::vector<Pair> pairs) {
    return MakePairs(Kind::kOrderedDict, std::move(pairs));
  }
  // An ordered dict of the tensors under their names.
  static TorchValue MakeStateDict(std::vector<TensorSource> tensors);
  // A dict of the state dict, "model", and of texts about it, "metadata", as safetensors files have them;
  // without any the state dict alone.
  static TorchValue MakeCheckpoint(std::vector<TensorSource> tensors,
                                   const std::map<std::string, std::string>& metadata);

  enum class Kind { kNone, kBool, kInt, kFloat, kText, kTensor, kList, kTuple, kDict, kOrderedDict };
  Kind kind() const { return kind_; }
  int64_t integer() const { return integer_; }
  double number() const { return number_; }
  const std::string& text() const { return text_; }
  const TensorSource& tensor() const { return tensor_; }
  // Items; for dicts key, value, key, value, ...
  const std::vector<TorchValue>& items() const { return items_; }

 private:
  static TorchValue Make(Kind kind, std::vector<TorchValue> items);
  static TorchValue MakePairs(Kind kind, std::vector<Pair> pairs);

  Kind kind_ = Kind::kNone;
  int64_t integer_ = 0;
  double number_ = 0;
  std::string text_;
  TensorSource tensor_;
  std::vector<TorchValue> items_;
};

// Writes the object as torch.save does: a zip archive of stored entries, payloads aligned to 64 bytes, Zip64
// where needed, pickle protocol 2. Streams one tensor at a time; the file appears only when it is complete.
// Error when a tensor has an element type that PyTorch lacks or delivers a wrong number of bytes; FileError
// when the disk is full.
void WriteTorchArchive(const std::filesystem::path& path, const TorchValue& root);

}  // namespace wildrayzer

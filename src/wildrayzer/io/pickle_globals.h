// The names in a PyTorch pickle that mean something to us.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wildrayzer/io/tensor_file.h"

namespace wildrayzer {

enum class PickleGlobalKind {
  kOrderedDict,
  kDefaultDict,
  kRebuildTensor,
  kRebuildTensorV2,
  kRebuildTensorV3,
  kRebuildParameter,
  kRebuildFromType,  // a tensor with attributes of its own, which are forgotten
  kSize,
  kStorage,         // a storage class: only inside a persistent id
  kUntypedStorage,  // the same, size in bytes
  kDType,
  kTensorType,  // torch.Tensor and its Parameter: only as the type argument of _rebuild_from_type_v2
  kForeign,     // any other name
};

// An inert token.
struct PickleGlobal {
  std::string_view module;
  std::string_view name;
  PickleGlobalKind kind;
  std::optional<DType> dtype;
};

// 'module.name' as messages show it.
std::string QuotedName(const PickleGlobal& global);

// Whether a foreign name stands for weights in a form that is not read (quantized, sparse, complex, of
// another device): an object made by it is no small matter beside the weights.
bool MakesTensors(const PickleGlobal& global);

// The token of a known name; null for everything else.
const PickleGlobal* FindPickleGlobal(std::string_view module, std::string_view name);

// The storage class of an element type; null for the types that PyTorch 1.x does not have.
const PickleGlobal* StorageClassOf(DType dtype);

}  // namespace wildrayzer

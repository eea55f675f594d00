// The names that a PyTorch pickle may mention.
#pragma once

#include <optional>
#include <string_view>

#include "wildrayzer/io/tensor_file.h"

namespace wildrayzer {

enum class PickleGlobalKind {
  kOrderedDict,
  kRebuildTensor,
  kRebuildTensorV2,
  kRebuildTensorV3,
  kRebuildParameter,
  kSize,
  kStorage,         // a storage class: only inside a persistent id
  kUntypedStorage,  // the same, size in bytes
  kDType,           // only as the type argument of _rebuild_tensor_v3
};

// An inert token.
struct PickleGlobal {
  std::string_view module;
  std::string_view name;
  PickleGlobalKind kind;
  std::optional<DType> dtype;
};

// The token of an accepted name; null for everything else.
const PickleGlobal* FindPickleGlobal(std::string_view module, std::string_view name);

// The storage class of an element type; null for the types that PyTorch 1.x does not have.
const PickleGlobal* StorageClassOf(DType dtype);

}  // namespace wildrayzer

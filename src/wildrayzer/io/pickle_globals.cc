#include "wildrayzer/io/pickle_globals.h"

#include <array>

#include "wildrayzer/io/utf8.h"

namespace wildrayzer {
namespace {

using Kind = PickleGlobalKind;

constexpr std::array kGlobals = {
    PickleGlobal{"collections", "OrderedDict", Kind::kOrderedDict, {}},
    PickleGlobal{"collections", "defaultdict", Kind::kDefaultDict, {}},
    PickleGlobal{"torch._utils", "_rebuild_tensor_v2", Kind::kRebuildTensorV2, {}},
    PickleGlobal{"torch._utils", "_rebuild_tensor", Kind::kRebuildTensor, {}},
    PickleGlobal{"torch._utils", "_rebuild_tensor_v3", Kind::kRebuildTensorV3, {}},
    PickleGlobal{"torch._utils", "_rebuild_parameter", Kind::kRebuildParameter, {}},
    PickleGlobal{"torch._utils", "_rebuild_parameter_with_state", Kind::kRebuildParameter, {}},
    PickleGlobal{"torch._tensor", "_rebuild_from_type_v2", Kind::kRebuildFromType, {}},
    PickleGlobal{"torch", "Tensor", Kind::kTensorType, {}},
    PickleGlobal{"torch._tensor", "Tensor", Kind::kTensorType, {}},
    PickleGlobal{"torch.nn.parameter", "Parameter", Kind::kTensorType, {}},
    PickleGlobal{"torch", "Size", Kind::kSize, {}},
    PickleGlobal{"torch", "DoubleStorage", Kind::kStorage, DType::kF64},
    PickleGlobal{"torch", "FloatStorage", Kind::kStorage, DType::kF32},
    PickleGlobal{"torch", "HalfStorage", Kind::kStorage, DType::kF16},
    PickleGlobal{"torch", "BFloat16Storage", Kind::kStorage, DType::kBF16},
    PickleGlobal{"torch", "LongStorage", Kind::kStorage, DType::kI64},
    PickleGlobal{"torch", "IntStorage", Kind::kStorage, DType::kI32},
    PickleGlobal{"torch", "ShortStorage", Kind::kStorage, DType::kI16},
    PickleGlobal{"torch", "CharStorage", Kind::kStorage, DType::kI8},
    PickleGlobal{"torch", "ByteStorage", Kind::kStorage, DType::kU8},
    PickleGlobal{"torch", "BoolStorage", Kind::kStorage, DType::kBool},
    PickleGlobal{"torch.storage", "UntypedStorage", Kind::kUntypedStorage, {}},
    PickleGlobal{"torch", "float64", Kind::kDType, DType::kF64},
    PickleGlobal{"torch", "float32", Kind::kDType, DType::kF32},
    PickleGlobal{"torch", "float16", Kind::kDType, DType::kF16},
    PickleGlobal{"torch", "bfloat16", Kind::kDType, DType::kBF16},
    PickleGlobal{"torch", "int64", Kind::kDType, DType::kI64},
    PickleGlobal{"torch", "int32", Kind::kDType, DType::kI32},
    PickleGlobal{"torch", "int16", Kind::kDType, DType::kI16},
    PickleGlobal{"torch", "int8", Kind::kDType, DType::kI8},
    PickleGlobal{"torch", "uint8", Kind::kDType, DType::kU8},
    PickleGlobal{"torch", "uint16", Kind::kDType, DType::kU16},
    PickleGlobal{"torch", "uint32", Kind::kDType, DType::kU32},
    PickleGlobal{"torch", "uint64", Kind::kDType, DType::kU64},
    PickleGlobal{"torch", "bool", Kind::kDType, DType::kBool},
};

}  // namespace

std::string QuotedName(const PickleGlobal& global) {
  return "'" + Printable(global.module) + "." + Printable(global.name) + "'";
}

bool MakesTensors(const PickleGlobal& global) {
  if (global.kind != Kind::kForeign) return false;
  if (global.module == "torch._utils" || global.module == "torch._tensor")
    return global.name.starts_with("_rebuild");
  if (global.module.starts_with("torch.")) return global.name.ends_with("Tensor");  // DTensor and others
  return global.module == "torch" && global.name.ends_with("Storage");
}

const PickleGlobal* FindPickleGlobal(std::string_view module, std::string_view name) {
  for (const PickleGlobal& global : kGlobals) {
    if (global.module == module && global.name == name) return &global;
  }
  return nullptr;
}

const PickleGlobal* StorageClassOf(DType dtype) {
  for (const PickleGlobal& global : kGlobals) {
    if (global.kind == Kind::kStorage && global.dtype == dtype) return &global;
  }
  return nullptr;
}

}  // namespace wildrayzer

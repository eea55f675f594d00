#include "wildrayzer/io/pickle_writer.h"

#include <bit>
#include <cstring>

#include "wildrayzer/io/pickle_globals.h"
#include "wildrayzer/io/utf8.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// Opcodes of pickle protocol 2.
constexpr int kProto = 0x80, kStop = '.', kMark = '(', kNone = 'N', kTrue = 0x88, kFalse = 0x89,
              kBinInt = 'J', kLong1 = 0x8A, kBinFloat = 'G', kBinUnicode = 'X', kGlobal = 'c', kReduce = 'R',
              kBinPersId = 'Q', kEmptyDict = '}', kEmptyList = ']', kEmptyTuple = ')', kTuple = 't',
              kSetItems = 'u', kAppends = 'e', kLongBinPut = 'r', kLongBinGet = 'j';

}  // namespace

template <typename T>
void PickleWriter::Operand(T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out_.append(bytes, sizeof(T));
}

std::string PickleWriter::Write(const TorchValue& root) {
  Opcode(kProto);
  Opcode(2);
  Value(root);
  Opcode(kStop);
  return std::move(out_);
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as the caller's own object.
void PickleWriter::Value(const TorchValue& value) {
  switch (value.kind()) {
    case TorchValue::Kind::kNone:
      Opcode(kNone);
      break;
    case TorchValue::Kind::kBool:
      Opcode(value.integer() != 0 ? kTrue : kFalse);
      break;
    case TorchValue::Kind::kInt:
      Int(value.integer());
      break;
    case TorchValue::Kind::kFloat:
      Opcode(kBinFloat);
      Operand(__builtin_bswap64(std::bit_cast<uint64_t>(value.number())));
      break;
    case TorchValue::Kind::kText:
      Text(value.text());
      break;
    case TorchValue::Kind::kTensor:
      Tensor(value.tensor());
      break;
    case TorchValue::Kind::kList:
    case TorchValue::Kind::kTuple:
      Sequence(value);
      break;
    case TorchValue::Kind::kDict:
    case TorchValue::Kind::kOrderedDict:
      Dict(value);
      break;
  }
}

void PickleWriter::Int(int64_t value) {
  if (value >= INT32_MIN && value <= INT32_MAX) {
    Opcode(kBinInt);
    Operand(static_cast<int32_t>(value));
    return;
  }
  Opcode(kLong1);
  Opcode(sizeof(value));
  Operand(value);
}

void PickleWriter::Text(std::string_view text) {
  if (!IsUtf8(text) || text.size() > UINT32_MAX) throw Error("a name or text to be saved is not valid UTF-8");
  Opcode(kBinUnicode);
  Operand(static_cast<uint32_t>(text.size()));
  out_ += text;
}

void PickleWriter::Global(std::string_view module, std::string_view name) {
  const std::string key = std::string(module) + "\n" + std::string(name) + "\n";
  const auto [known, fresh] = memo_.emplace(key, static_cast<uint32_t>(memo_.size()));
  if (fresh) {
    Opcode(kGlobal);
    out_ += key;
  }
  Opcode(fresh ? kLongBinPut : kLongBinGet);
  Operand(known->second);
}

// NOLINTNEXTLINE(misc-no-recursion)
void PickleWriter::Sequence(const TorchValue& value) {
  const bool list = value.kind() == TorchValue::Kind::kList;
  if (value.items().empty()) return Opcode(list ? kEmptyList : kEmptyTuple);
  if (list) Opcode(kEmptyList);
  Opcode(kMark);
  for (const TorchValue& item : value.items()) Value(item);
  Opcode(list ? kAppends : kTuple);
}

// NOLINTNEXTLINE(misc-no-recursion)
void PickleWriter::Dict(const TorchValue& value) {
  if (value.kind() == TorchValue::Kind::kOrderedDict) {
    Global("collections", "OrderedDict");
    Opcode(kEmptyTuple);
    Opcode(kReduce);
  } else {
    Opcode(kEmptyDict);
  }
  if (value.items().empty()) return;
  Opcode(kMark);
  for (const TorchValue& item : value.items()) Value(item);
  Opcode(kSetItems);
}

void PickleWriter::IntTuple(const std::vector<int64_t>& values) {
  Opcode(kMark);
  for (const int64_t value : values) Int(value);
  Opcode(kTuple);
}

void PickleWriter::Tensor(const TensorSource& tensor) {
  const PickleGlobal* storage = StorageClassOf(tensor.dtype);
  if (storage == nullptr) {
    throw Error("tensor '" + tensor.name + "' has element type " + std::string(DTypeName(tensor.dtype)) +
                ", which PyTorch checkpoints cannot hold; write safetensors instead");
  }
  Global("torch._utils", "_rebuild_tensor_v2");
  Opcode(kMark);
  Opcode(kMark);
  Text("storage");
  Global(storage->module, storage->name);
  Text(std::to_string(tensors_.size()));
  Text("cpu");
  Int(tensor.byte_size() / DTypeSize(tensor.dtype));
  Opcode(kTuple);
  Opcode(kBinPersId);
  Int(0);  // offset
  IntTuple(tensor.shape);
  IntTuple(RowMajorStrides(tensor.shape));
  Opcode(kFalse);  // requires_grad
  Global("collections", "OrderedDict");
  Opcode(kEmptyTuple);
  Opcode(kReduce);
  Opcode(kTuple);
  Opcode(kReduce);
  tensors_.push_back(&tensor);
}

}  // namespace wildrayzer

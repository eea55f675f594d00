#include "wildrayzer/io/pickle_builder.h"

#include <algorithm>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

std::string Quoted(const PickleGlobal& global) {
  return "'" + std::string(global.module) + "." + std::string(global.name) + "'";
}

}  // namespace

void PickleBuilder::Fail(const std::string& problem) const { throw FileError(tree_->file->path(), problem); }

PickleValue PickleBuilder::NewContainer(PickleKind kind) {
  if (tree_->containers.size() >= limits_.values) Fail("the pickle has too many containers");
  tree_->containers.emplace_back();
  PickleValue value;
  value.kind = kind;
  value.index = static_cast<uint32_t>(tree_->containers.size() - 1);
  return value;
}

void PickleBuilder::Append(const PickleValue& container, std::span<const PickleValue> values) {
  PickleContainer& target = tree_->containers[container.index];
  if (target.shared) Fail("the pickle changes a container that is already part of another one");
  for (const PickleValue& value : values) {
    target.values += 1;
    if (value.is_container()) {
      if (value.kind == container.kind && value.index == container.index)
        Fail("the pickle puts a container into itself");
      PickleContainer& child = tree_->containers[value.index];
      child.shared = true;
      target.values += child.values;
      target.depth = std::max(target.depth, child.depth + 1);
    }
    if (target.depth > limits_.nesting)
      Fail("the pickle nests more than " + std::to_string(limits_.nesting) + " levels");
    if (target.values > limits_.values) Fail("the pickle describes too many values");
  }
  target.items.insert(target.items.end(), values.begin(), values.end());
}

const std::vector<PickleValue>& PickleBuilder::TupleItems(const PickleValue& value, const char* what) const {
  if (value.kind != PickleKind::kTuple) Fail(std::string("the pickle has no tuple for ") + what);
  return tree_->items(value);
}

int64_t PickleBuilder::NonNegative(const PickleValue& value, const char* what) const {
  if (value.kind != PickleKind::kInt || value.integer < 0) {
    Fail(std::string("the pickle gives no valid number for ") + what);
  }
  return value.integer;
}

std::vector<int64_t> PickleBuilder::Sizes(const PickleValue& value, const char* what) const {
  const Items& items = TupleItems(value, what);
  if (items.size() > limits_.rank)
    Fail("a tensor has more than " + std::to_string(limits_.rank) + " dimensions");
  std::vector<int64_t> sizes;
  sizes.reserve(items.size());
  for (const PickleValue& item : items) sizes.push_back(NonNegative(item, what));
  return sizes;
}

void PickleBuilder::RequireEmpty(const PickleValue& value, const char* what) const {
  if (value.kind == PickleKind::kNone || (value.is_dict() && tree_->items(value).empty())) return;
  Fail(std::string("a tensor has ") + what + ", which is refused");
}

PickleValue PickleBuilder::OrderedDict(const Items& arguments) {
  const PickleValue map = NewContainer(PickleKind::kOrderedDict);
  if (arguments.empty()) return map;
  if (arguments.size() != 1 || arguments[0].kind != PickleKind::kList)
    Fail("an OrderedDict is built in an unknown way");
  for (const PickleValue& pair : tree_->items(arguments[0])) {
    if (!pair.is_sequence() || tree_->items(pair).size() != 2)
      Fail("an OrderedDict is built from something else than pairs");
    Append(map, tree_->items(pair));
  }
  return map;
}

void PickleBuilder::CheckExtent(const PickleTensor& tensor) const {
  const PickleStorage& storage = tree_->storages[tensor.storage];
  const int64_t size = DTypeSize(tensor.dtype);
  const std::optional<int64_t> count = CheckedNumel(tensor.shape);
  int64_t output_bytes = 0;
  if (!count || !CheckedMultiply(*count, size, &output_bytes)) {
    Fail("a tensor has the impossible shape " + ShapeText(tensor.shape));
  }
  if (*count == 0) return;
  int64_t last = tensor.offset;
  bool fits = true;
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    int64_t reach = 0;
    fits = fits && CheckedMultiply(tensor.shape[i] - 1, tensor.strides[i], &reach) &&
           CheckedAdd(last, reach, &last);
  }
  int64_t end = 0;
  fits = fits && CheckedAdd(last, 1, &end) && CheckedMultiply(end, size, &end) && end <= storage.bytes;
  if (!fits) {
    Fail("a tensor of shape " + ShapeText(tensor.shape) + " leaves its storage '" + std::string(storage.key) +
         "'");
  }
  if (output_bytes > storage.bytes && output_bytes > limits_.expanded_bytes) {
    Fail("a tensor of shape " + ShapeText(tensor.shape) + " expands a small storage to " +
         std::to_string(output_bytes) + " bytes, which is refused");
  }
}

PickleValue PickleBuilder::Tensor(PickleGlobalKind kind, const Items& arguments) {
  const bool v1 = kind == PickleGlobalKind::kRebuildTensor;
  const bool v3 = kind == PickleGlobalKind::kRebuildTensorV3;
  const size_t required = v1 ? 4 : v3 ? 7 : 6;
  const size_t most = v1 ? 4 : required + 1;
  if (arguments.size() < required || arguments.size() > most)
    Fail("a tensor is built with a wrong number of arguments");
  if (arguments[0].kind != PickleKind::kStorage) Fail("a tensor is built from something else than a storage");
  if (tree_->tensors.size() >= limits_.tensors)
    Fail("the pickle has more than " + std::to_string(limits_.tensors) + " tensors");

  PickleTensor tensor;
  tensor.storage = arguments[0].index;
  tensor.offset = NonNegative(arguments[1], "the offset of a tensor");
  tensor.shape = Sizes(arguments[2], "the shape of a tensor");
  tensor.strides = Sizes(arguments[3], "the strides of a tensor");
  if (tensor.shape.size() != tensor.strides.size()) Fail("a tensor has not as many strides as dimensions");
  if (!v1) RequireEmpty(arguments[5], "backward hooks");
  if (arguments.size() > required) RequireEmpty(arguments[required], "metadata (conjugate or negative bits)");

  const PickleGlobal* type = tree_->storages[tensor.storage].type;
  if (v3) {
    if (arguments[6].kind != PickleKind::kGlobal || arguments[6].global->kind != PickleGlobalKind::kDType) {
      Fail("a tensor is built without an element type");
    }
    type = arguments[6].global;
  }
  if (!type->dtype) Fail("a tensor with an untyped storage has no element type");
  tensor.dtype = *type->dtype;
  CheckExtent(tensor);
  tree_->tensors.push_back(std::move(tensor));
  PickleValue value;
  value.kind = PickleKind::kTensor;
  value.index = static_cast<uint32_t>(tree_->tensors.size() - 1);
  return value;
}

PickleValue PickleBuilder::Parameter(const Items& arguments) const {
  if (arguments.size() != 3 || arguments[0].kind != PickleKind::kTensor)
    Fail("a parameter is built from no tensor");
  RequireEmpty(arguments[2], "backward hooks");
  return arguments[0];
}

PickleValue PickleBuilder::Reduce(const PickleValue& function, const PickleValue& arguments) {
  if (function.kind != PickleKind::kGlobal) Fail("the pickle calls something that is no function");
  const Items& items = TupleItems(arguments, "the arguments of a call");
  switch (function.global->kind) {
    case PickleGlobalKind::kOrderedDict:
      return OrderedDict(items);
    case PickleGlobalKind::kRebuildTensor:
    case PickleGlobalKind::kRebuildTensorV2:
    case PickleGlobalKind::kRebuildTensorV3:
      return Tensor(function.global->kind, items);
    case PickleGlobalKind::kRebuildParameter:
      return Parameter(items);
    case PickleGlobalKind::kSize:
      if (items.size() != 1 || items[0].kind != PickleKind::kTuple)
        Fail("a torch.Size is built from no tuple");
      return items[0];
    case PickleGlobalKind::kStorage:
    case PickleGlobalKind::kUntypedStorage:
    case PickleGlobalKind::kDType:
      break;
  }
  Fail("the pickle calls " + Quoted(*function.global) + ", which is refused");
}

void PickleBuilder::Build(const PickleValue& target, const PickleValue& state) const {
  if (target.kind != PickleKind::kOrderedDict || !state.is_dict()) {
    Fail("the pickle sets the state of something else than an OrderedDict, which is refused");
  }
}

PickleValue PickleBuilder::Persistent(const PickleValue& id) {
  const Items& items = TupleItems(id, "a persistent id");
  const size_t expected = dialect_ == PickleDialect::kZip ? 5 : 6;
  if (items.empty() || items[0].kind != PickleKind::kString || items[0].text() != "storage") {
    Fail("the pickle refers to something else than a storage (a pickled module class?), which is refused");
  }
  if (items.size() != expected) Fail("the pickle refers to a storage in an unknown way");
  if (items[1].kind != PickleKind::kGlobal || (items[1].global->kind != PickleGlobalKind::kStorage &&
                                               items[1].global->kind != PickleGlobalKind::kUntypedStorage)) {
    Fail("a storage has no storage class");
  }
  if (items[2].kind != PickleKind::kString) Fail("a storage has no key");
  if (expected == 6 && items[5].kind != PickleKind::kNone)
    Fail("views of storages (very old files) are refused");

  PickleStorage storage{items[2].text(), items[1].global, NonNegative(items[4], "the size of a storage"), 0};
  const int64_t size = storage.type->dtype ? DTypeSize(*storage.type->dtype) : 1;
  if (!CheckedMultiply(storage.numel, size, &storage.bytes)) Fail("a storage has an impossible size");
  PickleValue value;
  value.kind = PickleKind::kStorage;
  value.index = static_cast<uint32_t>(tree_->storages.size());
  const auto [position, fresh] = tree_->storage_index.emplace(storage.key, value.index);
  if (fresh) {
    tree_->storages.push_back(storage);
    return value;
  }
  value.index = position->second;
  const PickleStorage& known = tree_->storages[value.index];
  if (known.type != storage.type || known.numel != storage.numel) {
    Fail("storage '" + std::string(storage.key) + "' is described in two ways");
  }
  return value;
}

}  // namespace wildrayzer

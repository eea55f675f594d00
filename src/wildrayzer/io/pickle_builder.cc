#include "wildrayzer/io/pickle_builder.h"

#include <algorithm>

#include "wildrayzer/io/utf8.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
void PickleBuilder::Fail(const std::string& problem) const { throw FileError(tree_->file->path(), problem); }

PickleValue PickleBuilder::NewContainer(PickleKind kind) {
  if (tree_->containers.size() >= limits_.values) Fail("the pickle has too many containers");
  tree_->containers.emplace_back();
  PickleValue value;
  value.kind = kind;
  value.index = static_cast<uint32_t>(tree_->containers.size() - 1);
  return value;
}

void PickleBuilder::Count(size_t values) {
  held_ += values;
  if (held_ > limits_.values) Fail("the pickle describes too many values");
}

void PickleBuilder::Append(const PickleValue& container, std::span<const PickleValue> values) {
  PickleContainer& target = tree_->containers[container.index];
  if (target.shared) Fail("the pickle changes a container that is already part of another one");
  Count(values.size());
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

PickleValue PickleBuilder::DefaultDict(const Items& arguments) {
  if (arguments.size() > 1) Fail("a defaultdict is built in an unknown way");  // what makes missing values
  return NewContainer(PickleKind::kDict);
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

PickleValue PickleBuilder::Tensor(PickleGlobalKind kind, const PickleValue& tuple) {
  const Items& arguments = tree_->items(tuple);
  const bool v1 = kind == PickleGlobalKind::kRebuildTensor;
  const bool v3 = kind == PickleGlobalKind::kRebuildTensorV3;
  const size_t required = v1 ? 4 : v3 ? 7 : 6;
  const size_t most = v1 ? 4 : required + 1;
  if (arguments.size() < required || arguments.size() > most)
    Fail("a tensor is built with a wrong number of arguments");
  if (arguments[0].kind == PickleKind::kObject) return UnreadTensor(arguments[0], tuple);
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
    const bool foreign =
        arguments[6].kind == PickleKind::kGlobal && arguments[6].global->kind == PickleGlobalKind::kForeign;
    if (foreign) return UnreadTensor(arguments[6], tuple);  // float8 and its kin
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
  const bool enough = arguments.size() == 3 || arguments.size() == 4;  // the fourth is its attributes
  if (!enough || (arguments[0].kind != PickleKind::kTensor && arguments[0].kind != PickleKind::kObject))
    Fail("a parameter is built from no tensor");
  RequireEmpty(arguments[2], "backward hooks");
  return arguments[0];
}

PickleValue PickleBuilder::FromType(const PickleValue& tuple) {
  const Items& arguments = tree_->items(tuple);
  const auto is = [&](size_t i, PickleKind kind) {
    return i < arguments.size() && arguments[i].kind == kind;
  };
  if (arguments.size() != 4 || !is(0, PickleKind::kGlobal) || !is(1, PickleKind::kGlobal) ||
      !is(2, PickleKind::kTuple))
    Fail("a tensor is built in an unknown way");
  const PickleGlobalKind kind = arguments[0].global->kind;
  const bool plain = kind == PickleGlobalKind::kRebuildTensor || kind == PickleGlobalKind::kRebuildTensorV2 ||
                     kind == PickleGlobalKind::kRebuildTensorV3 ||
                     kind == PickleGlobalKind::kRebuildParameter;
  if (plain && arguments[1].global->kind == PickleGlobalKind::kTensorType)
    return Call(arguments[0], arguments[2]);
  // A user's kind of tensor may compute with its numbers in its own way.
  for (const PickleValue& type : {arguments[1], arguments[0]}) {
    if (type.global->kind == PickleGlobalKind::kForeign) return UnreadTensor(type, tuple);
  }
  Fail("a tensor is built in an unknown way");
}

PickleValue PickleBuilder::Call(const PickleValue& function, const PickleValue& arguments) {
  const Items& items = tree_->items(arguments);
  switch (function.global->kind) {
    case PickleGlobalKind::kOrderedDict:
      return OrderedDict(items);
    case PickleGlobalKind::kDefaultDict:
      return DefaultDict(items);
    case PickleGlobalKind::kRebuildTensor:
    case PickleGlobalKind::kRebuildTensorV2:
    case PickleGlobalKind::kRebuildTensorV3:
      return Tensor(function.global->kind, arguments);
    case PickleGlobalKind::kRebuildParameter:
      return Parameter(items);
    case PickleGlobalKind::kRebuildFromType:
      return FromType(arguments);
    case PickleGlobalKind::kSize:
      if (items.size() != 1 || items[0].kind != PickleKind::kTuple)
        Fail("a torch.Size is built from no tuple");
      return items[0];
    case PickleGlobalKind::kStorage:
    case PickleGlobalKind::kUntypedStorage:
    case PickleGlobalKind::kDType:
    case PickleGlobalKind::kTensorType:
      break;
    case PickleGlobalKind::kForeign:
      return NewObject(function, {&arguments, 1});
  }
  Fail("the pickle calls " + QuotedName(*function.global) + ", which is refused");
}

PickleValue PickleBuilder::Reduce(const PickleValue& function, const PickleValue& arguments) {
  TupleItems(arguments, "the arguments of a call");
  if (function.kind == PickleKind::kObject) return NewObject(function, {&arguments, 1});
  if (function.kind != PickleKind::kGlobal) Fail("the pickle calls something that is no function");
  return Call(function, arguments);
}

PickleValue PickleBuilder::Global(std::string_view module, std::string_view name) {
  if (!IsUtf8(module) || !IsUtf8(name)) Fail("a name in the pickle is not valid UTF-8");
  PickleValue value;
  value.kind = PickleKind::kGlobal;
  value.global = FindPickleGlobal(module, name);
  if (value.global != nullptr) return value;
  if (tree_->foreign.size() >= limits_.objects)
    Fail("the pickle names more than " + std::to_string(limits_.objects) + " classes");
  const PickleGlobal foreign{module, name, PickleGlobalKind::kForeign, {}};
  value.global = &tree_->foreign.try_emplace({module, name}, foreign).first->second;
  return value;
}

PickleValue PickleBuilder::NewObject(const PickleValue& type, std::span<const PickleValue> given) {
  const PickleGlobal* global = nullptr;
  if (type.kind == PickleKind::kObject) global = tree_->object(type).type;
  if (type.kind == PickleKind::kGlobal) global = type.global;
  if (global == nullptr) Fail("the pickle makes an object of something that is no class");
  if (global->kind != PickleGlobalKind::kForeign)
    Fail("the pickle constructs an object of " + QuotedName(*global) + " (NEWOBJ), which is refused");
  if (tree_->objects.size() >= limits_.objects)
    Fail("the pickle has more than " + std::to_string(limits_.objects) + " objects");
  tree_->objects.push_back({global, MakesTensors(*global), {}});
  PickleValue value;
  value.kind = PickleKind::kObject;
  value.index = static_cast<uint32_t>(tree_->objects.size() - 1);
  Give(value, given);
  return value;
}

PickleValue PickleBuilder::UnreadTensor(const PickleValue& type, const PickleValue& arguments) {
  const PickleValue value = NewObject(type, {&arguments, 1});
  tree_->objects[value.index].tensor = true;
  return value;
}

void PickleBuilder::Give(const PickleValue& object, std::span<const PickleValue> values) {
  Count(values.size());
  std::vector<PickleValue>& given = tree_->objects[object.index].given;
  given.insert(given.end(), values.begin(), values.end());
}

void PickleBuilder::Build(const PickleValue& target, const PickleValue& state) {
  if (target.kind == PickleKind::kObject) return Give(target, {&state, 1});
  if (target.kind != PickleKind::kOrderedDict || !state.is_dict()) {
    Fail("the pickle sets the state of something else than an OrderedDict, which is refused");
  }
}

PickleValue PickleBuilder::Persistent(const PickleValue& id) {
  const Items& items = TupleItems(id, "a persistent id");
  const bool known = !items.empty() && items[0].kind == PickleKind::kString;
  // A module's class and its source, as PyTorch wrote them before 1.6 and in some files since.
  if (known && items[0].text() == "module" && items.size() == 4 && items[1].kind == PickleKind::kGlobal)
    return items[1];
  if (!known || items[0].text() != "storage") {
    Fail("the pickle refers to something else than a storage, which is refused");
  }
  const bool foreign = items.size() > 1 && items[1].kind == PickleKind::kGlobal &&
                       items[1].global->kind == PickleGlobalKind::kForeign;
  if (!foreign) return Storage(items);
  // Nobody can tell where the next storage of a stream begins behind one whose elements have no known size.
  if (dialect_ == PickleDialect::kLegacy)
    Fail("a storage is of the foreign class " + QuotedName(*items[1].global) + ", which is refused");
  return NewObject(items[1], {&id, 1});
}

PickleValue PickleBuilder::Storage(const Items& items) {
  const size_t expected = dialect_ == PickleDialect::kZip ? 5 : 6;
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

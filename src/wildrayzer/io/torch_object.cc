#include <algorithm>

#include "wildrayzer/io/torch_archive.h"

namespace wildrayzer {
namespace {

// Appends to a text until a limit; shared sub-trees make the full text exponentially long, so the walk must
// stop there.
class Printer {
 public:
  Printer(const PickleTree& tree, size_t limit) : tree_(tree), limit_(limit) {}

  // NOLINTNEXTLINE(misc-no-recursion): the interpreter bounds the nesting.
  void Print(const PickleValue& value) {
    if (text_.size() > limit_) return;
    switch (value.kind) {
      case PickleKind::kNone:
        text_ += "None";
        break;
      case PickleKind::kBool:
        text_ += value.integer != 0 ? "True" : "False";
        break;
      case PickleKind::kInt:
        text_ += std::to_string(value.integer);
        break;
      case PickleKind::kBigInt:
        text_ += "(integer beyond 64 bits)";
        break;
      case PickleKind::kFloat:
        PrintNumber(value.number);
        break;
      case PickleKind::kBytes:
        text_ += "(" + std::to_string(value.length) + " bytes)";
        break;
      case PickleKind::kString:
        text_ += "'" + std::string(value.text().substr(0, limit_)) + "'";
        break;
      case PickleKind::kList:
        PrintContainer(value, "[", "]");
        break;
      case PickleKind::kTuple:
        PrintContainer(value, "(", ")");
        break;
      case PickleKind::kSet:
        PrintContainer(value, "{", "}");
        break;
      case PickleKind::kDict:
      case PickleKind::kOrderedDict:
        PrintContainer(value, "{", "}");
        break;
      case PickleKind::kTensor:
        PrintTensor(tree_.tensors[value.index]);
        break;
      case PickleKind::kStorage:
        text_ += "(storage)";
        break;
      case PickleKind::kGlobal:
        PrintName(*value.global);
        break;
      case PickleKind::kObject:
        PrintObject(tree_.object(value));
        break;
    }
  }

  std::string Take() {
    if (text_.size() > limit_) {
      size_t end = limit_;
      while (end > 0 && (static_cast<unsigned char>(text_[end]) & 0xC0) == 0x80) --end;  // keep UTF-8 whole
      text_.resize(end);
      text_ += "...";
    }
    std::replace_if(
        text_.begin(), text_.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    return std::move(text_);
  }

 private:
  void PrintNumber(double number) {
    char buffer[32];
    std::snprintf(buffer, sizeof(buffer), "%g", number);
    text_ += buffer;
  }

  void PrintTensor(const PickleTensor& tensor) {
    text_ += std::string(DTypeName(tensor.dtype)) + ShapeText(tensor.shape);
  }

  void PrintName(const PickleGlobal& global) {
    text_ += std::string(global.module) + "." + std::string(global.name);
  }

  // Every level writes something, so that objects that hold one another end with the text.
  // NOLINTNEXTLINE(misc-no-recursion)
  void PrintObject(const PickleObject& object) {
    PrintName(*object.type);
    std::span<const PickleValue> given = object.given;
    text_ += "(";
    if (!given.empty() && given[0].kind == PickleKind::kTuple) {
      PrintItems(tree_.items(given[0]), false);
      given = given.subspan(1);
      if (!given.empty() && !text_.ends_with("(")) text_ += ", ";
    }
    PrintItems(given, false);
    text_ += ")";
  }

  // NOLINTNEXTLINE(misc-no-recursion)
  void PrintContainer(const PickleValue& container, const char* open, const char* close) {
    text_ += open;
    PrintItems(tree_.items(container), container.is_dict());
    text_ += close;
  }

  // NOLINTNEXTLINE(misc-no-recursion)
  void PrintItems(std::span<const PickleValue> items, bool pairs) {
    for (size_t i = 0; i < items.size() && text_.size() <= limit_; ++i) {
      if (i > 0) text_ += pairs && i % 2 == 1 ? ": " : ", ";
      Print(items[i]);
    }
  }

  const PickleTree& tree_;
  size_t limit_;
  std::string text_;
};

}  // namespace

std::optional<int64_t> TorchObject::AsInt() const {
  if (value_.kind == PickleKind::kInt || value_.kind == PickleKind::kBool) return value_.integer;
  return std::nullopt;
}

std::optional<double> TorchObject::AsDouble() const {
  if (value_.kind == PickleKind::kFloat) return value_.number;
  const std::optional<int64_t> integer = AsInt();
  return integer ? std::optional<double>(static_cast<double>(*integer)) : std::nullopt;
}

std::string TorchObject::AsText() const {
  return value_.kind == PickleKind::kString ? std::string(value_.text()) : std::string();
}

size_t TorchObject::size() const {
  if (!value_.is_container()) return 0;
  const size_t count = tree_->items(value_).size();
  return value_.is_dict() ? count / 2 : count;
}

TorchObject TorchObject::Item(size_t i) const {
  return {tree_, tree_->items(value_).at(value_.is_dict() ? 2 * i + 1 : i)};
}

TorchObject TorchObject::KeyAt(size_t i) const { return {tree_, tree_->items(value_).at(2 * i)}; }

std::optional<TorchObject> TorchObject::FindKey(
    const std::function<bool(const PickleValue&)>& matches) const {
  if (!is_dict()) return std::nullopt;
  const std::vector<PickleValue>& items = tree_->items(value_);
  for (size_t i = items.size(); i >= 2; i -= 2) {
    if (matches(items[i - 2])) return TorchObject(tree_, items[i - 1]);
  }
  return std::nullopt;
}

std::optional<TorchObject> TorchObject::Find(std::string_view key) const {
  return FindKey(
      [&](const PickleValue& item) { return item.kind == PickleKind::kString && item.text() == key; });
}

std::optional<TorchObject> TorchObject::Find(int64_t key) const {
  return FindKey(
      [&](const PickleValue& item) { return item.kind == PickleKind::kInt && item.integer == key; });
}

std::optional<TorchObject> TorchObject::Find(std::initializer_list<std::string_view> keys) const {
  std::optional<TorchObject> at = *this;
  for (const std::string_view key : keys) {
    at = at->Find(key);
    if (!at) return std::nullopt;
  }
  return at;
}

const PickleTensor* TorchObject::tensor() const {
  return value_.kind == PickleKind::kTensor ? &tree_->tensors[value_.index] : nullptr;
}

const PickleGlobal* TorchObject::unread_tensor() const {
  if (value_.kind != PickleKind::kObject) return nullptr;
  const PickleObject& object = tree_->object(value_);
  return object.tensor ? object.type : nullptr;
}

std::string TorchObject::Describe(size_t limit) const {
  Printer printer(*tree_, limit);
  printer.Print(value_);
  return printer.Take();
}

}  // namespace wildrayzer

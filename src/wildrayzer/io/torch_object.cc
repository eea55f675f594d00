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
      case PickleKind::kString:
        text_ += "'" + std::string(value.text().substr(0, limit_)) + "'";
        break;
      case PickleKind::kList:
        PrintItems(value, "[", "]");
        break;
      case PickleKind::kTuple:
        PrintItems(value, "(", ")");
        break;
      case PickleKind::kSet:
        text_ += "set()";
        break;
      case PickleKind::kDict:
      case PickleKind::kOrderedDict:
        PrintItems(value, "{", "}");
        break;
      case PickleKind::kTensor:
        PrintTensor(tree_.tensors[value.index]);
        break;
      case PickleKind::kStorage:
        text_ += "(storage)";
        break;
      case PickleKind::kGlobal:
        text_ += std::string(value.global->module) + "." + std::string(value.global->name);
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

  // NOLINTNEXTLINE(misc-no-recursion)
  void PrintItems(const PickleValue& container, const char* open, const char* close) {
    const std::vector<PickleValue>& items = tree_.items(container);
    text_ += open;
    for (size_t i = 0; i < items.size() && text_.size() <= limit_; ++i) {
      if (i > 0) text_ += container.is_dict() && i % 2 == 1 ? ": " : ", ";
      Print(items[i]);
    }
    text_ += close;
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

std::string TorchObject::Describe(size_t limit) const {
  Printer printer(*tree_, limit);
  printer.Print(value_);
  return printer.Take();
}

}  // namespace wildrayzer

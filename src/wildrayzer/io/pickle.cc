#include "wildrayzer/io/pickle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstring>

#include "wildrayzer/io/pickle_builder.h"
#include "wildrayzer/io/utf8.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

PickleValue Integer(int64_t value, PickleKind kind = PickleKind::kInt) {
  PickleValue result;
  result.kind = kind;
  result.integer = value;
  return result;
}

std::string Hex(uint8_t byte) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "0x%02X", byte);
  return text.data();
}

class Interpreter {
 public:
  Interpreter(PickleDialect dialect, const PickleLimits& limits, std::span<const std::byte> bytes,
              PickleTree* tree)
      : limits_(limits), bytes_(bytes), builder_(dialect, limits, tree) {}

  PickleValue Run();
  uint64_t position() const { return position_; }

 private:
  [[noreturn]] void Fail(const std::string& problem) const { builder_.Fail(problem); }

  // Operands.
  std::span<const std::byte> Take(uint64_t count) {
    if (count > bytes_.size() - position_) Fail("the pickle is cut off; is the download incomplete?");
    position_ += count;
    return bytes_.subspan(position_ - count, count);
  }
  template <typename T>
  T TakeInteger() {
    T value;
    std::memcpy(&value, Take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string_view TakeLine();
  PickleValue TakeString(uint64_t length);
  PickleValue TakeLong();
  PickleValue TakeGlobal();
  PickleValue TakeFloat();

  // Stack.
  void Push(PickleValue value) { stack_.push_back(value); }
  PickleValue Pop() {
    const PickleValue value = Top();
    stack_.pop_back();
    return value;
  }
  PickleValue Top() const {
    if (stack_.size() <= Floor()) Fail("the pickle takes more values than it has");
    return stack_.back();
  }
  size_t Floor() const { return marks_.empty() ? 0 : marks_.back(); }
  std::vector<PickleValue> PopMark();

  void Tuple(std::span<const PickleValue> items);
  void TupleOf(size_t count);
  void AppendTo(const PickleValue& target, std::span<const PickleValue> items, bool pairs);
  void Store(uint32_t slot);
  void Load(uint32_t slot);
  // Executes one opcode other than STOP.
  void Execute(uint8_t opcode);
  bool ExecuteValue(uint8_t opcode);
  bool ExecuteContainer(uint8_t opcode);
  bool ExecuteCall(uint8_t opcode);

  const PickleLimits& limits_;
  std::span<const std::byte> bytes_;
  PickleBuilder builder_;
  uint64_t position_ = 0;
  std::vector<PickleValue> stack_;
  std::vector<size_t> marks_;  // stack heights
  std::unordered_map<uint32_t, PickleValue> memo_;
};

std::string_view Interpreter::TakeLine() {
  constexpr uint64_t kLongestLine = 1024;
  const uint64_t begin = position_;
  while (TakeInteger<char>() != '\n') {
    if (position_ - begin > kLongestLine) Fail("a name in the pickle is too long");
  }
  return {reinterpret_cast<const char*>(bytes_.data()) + begin, position_ - begin - 1};
}

PickleValue Interpreter::TakeString(uint64_t length) {
  const std::span<const std::byte> text = Take(length);
  PickleValue value;
  value.kind = PickleKind::kString;
  value.length = static_cast<uint32_t>(length);
  value.characters = reinterpret_cast<const char*>(text.data());
  if (!IsUtf8(value.text())) Fail("a string in the pickle is not valid UTF-8");
  return value;
}

PickleValue Interpreter::TakeLong() {
  const auto length = TakeInteger<uint8_t>();
  const std::span<const std::byte> digits = Take(length);
  if (length > sizeof(int64_t)) {
    PickleValue value;
    value.kind = PickleKind::kBigInt;
    value.length = length;
    value.characters = reinterpret_cast<const char*>(digits.data());
    return value;
  }
  int64_t number =
      length > 0 && (digits.back() & std::byte{0x80}) != std::byte{0} ? -1 : 0;  // sign extension
  std::memcpy(&number, digits.data(), length);
  return Integer(number);
}

PickleValue Interpreter::TakeFloat() {
  PickleValue value;
  value.kind = PickleKind::kFloat;
  value.number = std::bit_cast<double>(__builtin_bswap64(TakeInteger<uint64_t>()));
  return value;
}

PickleValue Interpreter::TakeGlobal() {
  const std::string_view module = TakeLine();
  const std::string_view name = TakeLine();
  PickleValue value;
  value.kind = PickleKind::kGlobal;
  value.global = FindPickleGlobal(module, name);
  if (value.global == nullptr) {
    const std::string full = std::string(module) + "." + std::string(name);
    Fail("the pickle names the foreign global '" + (IsUtf8(full) ? Printable(full) : "(not UTF-8)") +
         "', which is refused; only plain state dicts are read, and nothing was executed");
  }
  return value;
}

std::vector<PickleValue> Interpreter::PopMark() {
  if (marks_.empty()) Fail("the pickle lacks a MARK");
  const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<PickleValue> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  marks_.pop_back();
  return items;
}

void Interpreter::Tuple(std::span<const PickleValue> items) {
  const PickleValue tuple = builder_.NewContainer(PickleKind::kTuple);
  builder_.Append(tuple, items);
  Push(tuple);
}

void Interpreter::TupleOf(size_t count) {
  if (stack_.size() - Floor() < count) Fail("the pickle takes more values than it has");
  const std::vector<PickleValue> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
  stack_.resize(stack_.size() - count);
  Tuple(items);
}

void Interpreter::AppendTo(const PickleValue& target, std::span<const PickleValue> items, bool pairs) {
  if (pairs ? !target.is_dict() : target.kind != PickleKind::kList) {
    Fail(std::string("the pickle adds items to something that is no ") + (pairs ? "map" : "list"));
  }
  if (pairs && items.size() % 2 != 0) Fail("the pickle adds a key without a value");
  builder_.Append(target, items);
}

void Interpreter::Store(uint32_t slot) {
  memo_[slot] = Top();
  if (memo_.size() > limits_.memo)
    Fail("the pickle remembers more than " + std::to_string(limits_.memo) + " values");
}

void Interpreter::Load(uint32_t slot) {
  const auto found = memo_.find(slot);
  if (found == memo_.end()) Fail("the pickle recalls a value that it never stored");
  Push(found->second);
}

bool Interpreter::ExecuteValue(uint8_t opcode) {
  switch (opcode) {
    case 'N':
      Push(PickleValue{});
      return true;
    case 0x88:
      Push(Integer(1, PickleKind::kBool));
      return true;
    case 0x89:
      Push(Integer(0, PickleKind::kBool));
      return true;
    case 'J':
      Push(Integer(TakeInteger<int32_t>()));
      return true;
    case 'K':
      Push(Integer(TakeInteger<uint8_t>()));
      return true;
    case 'M':
      Push(Integer(TakeInteger<uint16_t>()));
      return true;
    case 0x8A:
      Push(TakeLong());
      return true;
    case 'G':
      Push(TakeFloat());
      return true;
    case 'X':
      Push(TakeString(TakeInteger<uint32_t>()));
      return true;
    case 'U':
      Push(TakeString(TakeInteger<uint8_t>()));
      return true;
    case 'q':
      Store(TakeInteger<uint8_t>());
      return true;
    case 'r':
      Store(TakeInteger<uint32_t>());
      return true;
    case 'h':
      Load(TakeInteger<uint8_t>());
      return true;
    case 'j':
      Load(TakeInteger<uint32_t>());
      return true;
    default:
      return false;
  }
}

bool Interpreter::ExecuteContainer(uint8_t opcode) {
  switch (opcode) {
    case '(':
      marks_.push_back(stack_.size());
      return true;
    case '}':
      Push(builder_.NewContainer(PickleKind::kDict));
      return true;
    case ']':
      Push(builder_.NewContainer(PickleKind::kList));
      return true;
    case ')':
      Push(builder_.NewContainer(PickleKind::kTuple));
      return true;
    case 0x8F:
      Push(builder_.NewContainer(PickleKind::kSet));
      return true;
    case 't':
      Tuple(PopMark());
      return true;
    case 0x85:
      TupleOf(1);
      return true;
    case 0x86:
      TupleOf(2);
      return true;
    case 0x87:
      TupleOf(3);
      return true;
    case 'a': {
      const PickleValue item = Pop();
      AppendTo(Top(), {&item, 1}, false);
      return true;
    }
    case 's': {
      const PickleValue value = Pop();
      const std::array<PickleValue, 2> pair{Pop(), value};
      AppendTo(Top(), pair, true);
      return true;
    }
    case 'e':
    case 'u': {
      const std::vector<PickleValue> items = PopMark();
      AppendTo(Top(), items, opcode == 'u');
      return true;
    }
    default:
      return false;
  }
}

bool Interpreter::ExecuteCall(uint8_t opcode) {
  switch (opcode) {
    case 'c':
      Push(TakeGlobal());
      return true;
    case 'R': {
      const PickleValue arguments = Pop();
      const PickleValue function = Pop();
      Push(builder_.Reduce(function, arguments));
      return true;
    }
    case 'b': {
      const PickleValue state = Pop();
      builder_.Build(Top(), state);
      return true;
    }
    case 'Q':
      Push(builder_.Persistent(Pop()));
      return true;
    default:
      return false;
  }
}

void Interpreter::Execute(uint8_t opcode) {
  if (ExecuteValue(opcode) || ExecuteContainer(opcode) || ExecuteCall(opcode)) return;
  if (opcode == 0x81) Fail("the pickle constructs an object (NEWOBJ), which is refused");
  if (opcode == 0x93 || opcode == 0x94 || opcode == 0x95 || opcode == 0x8C || opcode == 0x8D) {
    Fail("the pickle uses protocol 4; save the file again with torch.save's default protocol");
  }
  Fail("the pickle uses opcode " + Hex(opcode) + ", which is refused");
}

PickleValue Interpreter::Run() {
  if (TakeInteger<uint8_t>() != 0x80 || TakeInteger<uint8_t>() != 2) Fail("the pickle is not of protocol 2");
  for (uint64_t count = 0;; ++count) {
    if (count == limits_.opcodes)
      Fail("the pickle has more than " + std::to_string(limits_.opcodes) + " opcodes");
    const auto opcode = TakeInteger<uint8_t>();
    if (opcode == '.') break;
    Execute(opcode);
  }
  if (!marks_.empty() || stack_.size() != 1) Fail("the pickle does not end with exactly one value");
  return stack_.back();
}

}  // namespace

uint64_t RunPickle(PickleDialect dialect, const PickleLimits& limits, std::span<const std::byte> bytes,
                   PickleTree* tree) {
  Interpreter interpreter(dialect, limits, bytes.first(std::min<uint64_t>(bytes.size(), limits.bytes)), tree);
  tree->root = interpreter.Run();
  return interpreter.position();
}

}  // namespace wildrayzer

#include "wildrayzer/io/pickle.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "wildrayzer/io/pickle_builder.h"
#include "wildrayzer/io/pickle_reader.h"

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
      : limits_(limits), reader_(tree->file->path(), bytes), builder_(dialect, limits, tree) {}

  PickleValue Run();
  uint64_t position() const { return reader_.position(); }

 private:
  [[noreturn]] void Fail(const std::string& problem) const { reader_.Fail(problem); }

  // The operand of BINUNICODE and its kin.
  template <typename Length>
  void PushString() {
    Push(reader_.TakeString(reader_.TakeInteger<Length>()));
  }
  template <typename Length>
  void PushBytes() {
    Push(reader_.TakeBytes(reader_.TakeInteger<Length>()));
  }

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

  void Sequence(PickleKind kind, std::span<const PickleValue> items);
  void TupleOf(size_t count);
  void AppendTo(const PickleValue& target, std::span<const PickleValue> items, bool pairs);
  void Store(uint32_t slot);
  void Load(uint32_t slot);
  // Executes one opcode other than STOP.
  void Execute(uint8_t opcode);
  bool ExecuteNumber(uint8_t opcode);
  bool ExecuteText(uint8_t opcode);
  bool ExecuteMemo(uint8_t opcode);
  bool ExecuteContainer(uint8_t opcode);
  bool ExecuteItems(uint8_t opcode);
  bool ExecuteGlobal(uint8_t opcode);
  bool ExecuteCall(uint8_t opcode);

  const PickleLimits& limits_;
  PickleReader reader_;
  PickleBuilder builder_;
  std::vector<PickleValue> stack_;
  std::vector<size_t> marks_;  // stack heights
  std::unordered_map<uint32_t, PickleValue> memo_;
};

std::vector<PickleValue> Interpreter::PopMark() {
  if (marks_.empty()) Fail("the pickle lacks a MARK");
  const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<PickleValue> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  marks_.pop_back();
  return items;
}

void Interpreter::Sequence(PickleKind kind, std::span<const PickleValue> items) {
  const PickleValue sequence = builder_.NewContainer(kind);
  builder_.Append(sequence, items);
  Push(sequence);
}

void Interpreter::TupleOf(size_t count) {
  if (stack_.size() - Floor() < count) Fail("the pickle takes more values than it has");
  const std::vector<PickleValue> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
  stack_.resize(stack_.size() - count);
  Sequence(PickleKind::kTuple, items);
}

void Interpreter::AppendTo(const PickleValue& target, std::span<const PickleValue> items, bool pairs) {
  if (pairs && items.size() % 2 != 0) Fail("the pickle adds a key without a value");
  if (target.kind == PickleKind::kObject)
    return builder_.Give(target, items);  // a user's kind of dict or list
  if (pairs ? !target.is_dict() : target.kind != PickleKind::kList) {
    Fail(std::string("the pickle adds items to something that is no ") + (pairs ? "map" : "list"));
  }
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

bool Interpreter::ExecuteNumber(uint8_t opcode) {
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
      Push(Integer(reader_.TakeInteger<int32_t>()));
      return true;
    case 'K':
      Push(Integer(reader_.TakeInteger<uint8_t>()));
      return true;
    case 'M':
      Push(Integer(reader_.TakeInteger<uint16_t>()));
      return true;
    case 0x8A:
      Push(reader_.TakeLong(reader_.TakeInteger<uint8_t>()));
      return true;
    case 0x8B:
      Push(reader_.TakeLong(reader_.TakeInteger<uint32_t>()));
      return true;
    case 'G':
      Push(reader_.TakeFloat());
      return true;
    default:
      return false;
  }
}

bool Interpreter::ExecuteText(uint8_t opcode) {
  switch (opcode) {
    case 'X':
    case 'T':
      PushString<uint32_t>();
      return true;
    case 'U':
    case 0x8C:
      PushString<uint8_t>();
      return true;
    case 0x8D:
      PushString<uint64_t>();
      return true;
    case 'C':
      PushBytes<uint8_t>();
      return true;
    case 'B':
      PushBytes<uint32_t>();
      return true;
    case 0x8E:
    case 0x96:
      PushBytes<uint64_t>();
      return true;
    default:
      return false;
  }
}

bool Interpreter::ExecuteMemo(uint8_t opcode) {
  switch (opcode) {
    case 'q':
      Store(reader_.TakeInteger<uint8_t>());
      return true;
    case 'r':
      Store(reader_.TakeInteger<uint32_t>());
      return true;
    case 0x94:
      Store(static_cast<uint32_t>(memo_.size()));
      return true;
    case 'h':
      Load(reader_.TakeInteger<uint8_t>());
      return true;
    case 'j':
      Load(reader_.TakeInteger<uint32_t>());
      return true;
    case '0':
      Pop();
      return true;
    case '1':
      PopMark();
      return true;
    case 0x95:  // FRAME: how far a reader may read ahead
      reader_.Take(sizeof(uint64_t));
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
      Sequence(PickleKind::kTuple, PopMark());
      return true;
    case 0x91:
      Sequence(PickleKind::kSet, PopMark());
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
    default:
      return false;
  }
}

bool Interpreter::ExecuteItems(uint8_t opcode) {
  switch (opcode) {
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
    case 0x90: {
      const std::vector<PickleValue> items = PopMark();
      if (Top().kind != PickleKind::kSet) Fail("the pickle adds items to something that is no set");
      builder_.Append(Top(), items);
      return true;
    }
    default:
      return false;
  }
}

bool Interpreter::ExecuteGlobal(uint8_t opcode) {
  switch (opcode) {
    case 'c': {
      const std::string_view module = reader_.TakeLine();
      Push(builder_.Global(module, reader_.TakeLine()));
      return true;
    }
    case 0x93: {
      const PickleValue name = Pop();
      const PickleValue module = Pop();
      if (name.kind != PickleKind::kString || module.kind != PickleKind::kString)
        Fail("a name in the pickle is no text");
      if (std::max(name.length, module.length) > PickleReader::kLongestName)
        Fail("a name in the pickle is too long");
      Push(builder_.Global(module.text(), name.text()));
      return true;
    }
    case 0x82:  // EXT1, EXT2, EXT4: numbers that a program gave to its classes
      reader_.Take(1);
      Push(builder_.Global("copyreg", "extension"));
      return true;
    case 0x83:
      reader_.Take(2);
      Push(builder_.Global("copyreg", "extension"));
      return true;
    case 0x84:
      reader_.Take(4);
      Push(builder_.Global("copyreg", "extension"));
      return true;
    default:
      return false;
  }
}

bool Interpreter::ExecuteCall(uint8_t opcode) {
  switch (opcode) {
    case 'R': {
      const PickleValue arguments = Pop();
      Push(builder_.Reduce(Pop(), arguments));
      return true;
    }
    case 0x81: {
      const PickleValue arguments = Pop();
      Push(builder_.NewObject(Pop(), {&arguments, 1}));
      return true;
    }
    case 0x92: {
      const PickleValue keywords = Pop();
      const std::array<PickleValue, 2> given{Pop(), keywords};
      Push(builder_.NewObject(Pop(), given));
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
  if (ExecuteNumber(opcode) || ExecuteText(opcode) || ExecuteMemo(opcode) || ExecuteContainer(opcode) ||
      ExecuteItems(opcode) || ExecuteGlobal(opcode) || ExecuteCall(opcode))
    return;
  Fail("the pickle uses opcode " + Hex(opcode) + ", which is refused");
}

PickleValue Interpreter::Run() {
  const bool marked = reader_.TakeInteger<uint8_t>() == 0x80;
  const auto protocol = reader_.TakeInteger<uint8_t>();
  if (!marked || protocol < 2 || protocol > 5) Fail("the pickle is not of protocol 2 to 5");
  for (uint64_t count = 0;; ++count) {
    if (count == limits_.opcodes)
      Fail("the pickle has more than " + std::to_string(limits_.opcodes) + " opcodes");
    const auto opcode = reader_.TakeInteger<uint8_t>();
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

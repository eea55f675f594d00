// The pickle interpreter: every refusal by name, every bound.
#include "wildrayzer/io/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wildrayzer/io/open_torch_test_files.h"

namespace wildrayzer {
namespace {

using namespace ::wildrayzer::testing;  // NOLINT: the builders of test files
using ::testing::HasSubstr;

TEST(Pickle, RefusesForeignGlobalsByName) {
  for (const auto& [module, name] :
       std::vector<std::pair<std::string, std::string>>{{"os", "system"},
                                                        {"posix", "system"},
                                                        {"builtins", "eval"},
                                                        {"__builtin__", "getattr"},
                                                        {"torch", "load"},
                                                        {"collections", "Counter"},
                                                        {"torch.nn.modules.linear", "Linear"},
                                                        {"torch", "QInt8Storage"},
                                                        {"", ""}}) {
    EXPECT_THAT(PickleRefusal(Global(module, name) + "(" + Text("echo") + "tR"),
                HasSubstr("foreign global '" + module + "." + name + "'"));
  }
  EXPECT_THAT(PickleRefusal(Global("os\x1b[2J", "system")), HasSubstr("'os?[2J.system'"));
  EXPECT_THAT(PickleRefusal(Global("\xff", "system")), HasSubstr("(not UTF-8)"));
  EXPECT_THAT(PickleRefusal(Global(std::string(5000, 'a'), "b")), HasSubstr("too long"));
}

TEST(Pickle, RefusesAllOtherOpcodes) {
  // The complete list of what is accepted; every other byte must be refused, whatever follows.
  const std::string accepted = ".(})]t\x85\x86\x87\x8FJKM\x8AGXUqrhjcRbQsuaeN\x88\x89";
  for (int opcode = 0; opcode < 256; ++opcode) {
    const char byte = static_cast<char>(opcode);
    if (accepted.find(byte) != std::string::npos) continue;
    EXPECT_THAT(PickleRefusal(std::string(1, byte) + "os\nsystem\n"),
                ::testing::AnyOf(HasSubstr("refused"), HasSubstr("protocol 4")))
        << opcode;
  }
  EXPECT_THAT(PickleRefusal(Global("collections", "OrderedDict") + ")\x81"), HasSubstr("NEWOBJ"));
}

TEST(Pickle, RefusesWrongCalls) {
  EXPECT_THAT(PickleRefusal(Global("torch", "FloatStorage") + ")R"), HasSubstr("calls 'torch.FloatStorage'"));
  EXPECT_THAT(PickleRefusal(Global("torch", "float32") + ")R"), HasSubstr("calls 'torch.float32'"));
  EXPECT_THAT(PickleRefusal("N)R"), HasSubstr("no function"));
  EXPECT_THAT(PickleRefusal(Global("torch", "Size") + "]R"), HasSubstr("no tuple"));
  EXPECT_THAT(PickleRefusal(Global("torch", "Size") + ")R"), HasSubstr("torch.Size"));
  EXPECT_THAT(PickleRefusal(Global("torch._utils", "_rebuild_tensor_v2") + ")R"),
              HasSubstr("wrong number of arguments"));
  EXPECT_THAT(PickleRefusal(Global("torch._utils", "_rebuild_parameter") + "NNN\x87R"),
              HasSubstr("from no tensor"));
  TensorText hooks;
  hooks.hooks = Dict({{"a", "N"}});
  EXPECT_THAT(PickleRefusal(WithTensor(hooks.Build())), HasSubstr("hooks"));
  TensorText metadata;
  metadata.more = Dict({{"conj", "\x88"}});
  EXPECT_THAT(PickleRefusal(WithTensor(metadata.Build())), HasSubstr("metadata"));
  TensorText no_type;
  no_type.storage = Global("torch.storage", "UntypedStorage");
  EXPECT_THAT(PickleRefusal(no_type.Build()), HasSubstr("no element type"));
}

TEST(Pickle, RefusesBadViews) {
  const auto view = [](int64_t offset, std::vector<int64_t> shape, std::vector<int64_t> strides) {
    TensorText text;
    text.offset = offset;
    text.shape = std::move(shape);
    text.strides = std::move(strides);
    return PickleRefusal(text.Build());
  };
  EXPECT_THAT(view(1, {2, 3}, {3, 1}), HasSubstr("leaves its storage '0'"));
  EXPECT_THAT(view(0, {2, 3}, {4, 1}), HasSubstr("leaves its storage"));
  EXPECT_THAT(view(6, {}, {}), HasSubstr("leaves its storage"));
  EXPECT_THAT(view(-1, {1}, {1}), HasSubstr("offset"));
  EXPECT_THAT(view(0, {-1}, {1}), HasSubstr("shape"));
  EXPECT_THAT(view(0, {1}, {-1}), HasSubstr("strides"));
  EXPECT_THAT(view(0, {1, 1}, {1}), HasSubstr("as many strides"));
  EXPECT_THAT(view(INT64_MAX, {2}, {1}), HasSubstr("leaves its storage"));
  EXPECT_THAT(view(0, {INT64_MAX}, {INT64_MAX}), HasSubstr("impossible shape"));
  EXPECT_THAT(view(0, {int64_t{1} << 40, int64_t{1} << 40}, {0, 0}), HasSubstr("impossible shape"));
  EXPECT_THAT(view(0, {3}, {INT64_MAX}), HasSubstr("leaves its storage"));
  EXPECT_THAT(view(0, {int64_t{1} << 40}, {0}), HasSubstr("expands a small storage"));
  EXPECT_THAT(view(0, std::vector<int64_t>(17, 1), std::vector<int64_t>(17, 1)), HasSubstr("dimensions"));
}

TEST(Pickle, RefusesBadStorages) {
  TensorText other;
  other.numel = 7;
  EXPECT_THAT(PickleRefusal(Dict({{"a", TensorText().Build()}, {"b", other.Build()}})),
              HasSubstr("described in two ways"));
  EXPECT_THAT(PickleRefusal(other.Build() + "\x85"), HasSubstr("holds no state dict"));
  other.numel = -1;
  EXPECT_THAT(PickleRefusal(other.Build()), HasSubstr("the size of a storage"));
  other.numel = INT64_MAX;
  EXPECT_THAT(PickleRefusal(other.Build()), HasSubstr("impossible size"));
  other.numel = 6;
  other.storage = Global("torch", "float32");
  EXPECT_THAT(PickleRefusal(other.Build()), HasSubstr("no storage class"));
  TensorText none;
  none.key = "../data.pkl";
  EXPECT_THAT(PickleRefusal(Dict({{"w", none.Build()}})), HasSubstr("'../data.pkl' is missing"));
}

TEST(Pickle, RefusesDamage) {
  EXPECT_THAT(PickleRefusal(""), HasSubstr("exactly one value"));
  EXPECT_THAT(PickleRefusal("NN"), HasSubstr("exactly one value"));
  EXPECT_THAT(PickleRefusal("(N"), HasSubstr("exactly one value"));
  EXPECT_THAT(PickleRefusal("R"), HasSubstr("more values than it has"));
  EXPECT_THAT(PickleRefusal("N(a"), HasSubstr("more values than it has"));
  EXPECT_THAT(PickleRefusal("\x87"), HasSubstr("more values than it has"));
  EXPECT_THAT(PickleRefusal("N(\x85"), HasSubstr("more values than it has"));
  EXPECT_THAT(PickleRefusal("q\x01"), HasSubstr("more values than it has"));
  EXPECT_THAT(PickleRefusal("t"), HasSubstr("lacks a MARK"));
  EXPECT_THAT(PickleRefusal("]e"), HasSubstr("lacks a MARK"));
  EXPECT_THAT(PickleRefusal("h\x05"), HasSubstr("never stored"));
  EXPECT_THAT(PickleRefusal("}Na"), HasSubstr("no list"));
  EXPECT_THAT(PickleRefusal("]NNs"), HasSubstr("no map"));
  EXPECT_THAT(PickleRefusal("}(Nu"), HasSubstr("key without a value"));
  EXPECT_THAT(PickleRefusal("X\xff\xff\xff\x7f"), HasSubstr("cut off"));
  EXPECT_THAT(PickleRefusal("U\x01\xff"), HasSubstr("not valid UTF-8"));
  EXPECT_THAT(PickleRefusal("NQ"), HasSubstr("no tuple"));
  EXPECT_THAT(PickleRefusal(Text("module") + "\x85Q"), HasSubstr("something else than a storage"));
  EXPECT_THAT(PickleRefusal(Text("storage") + "\x85Q"), HasSubstr("unknown way"));
  EXPECT_THAT(Refusal(Archive("\x80\x04N.")), HasSubstr("not of protocol 2"));
  EXPECT_THAT(Refusal(Archive(Pickle("N") + "x")), HasSubstr("bytes follow the end of the pickle"));
  EXPECT_THAT(Refusal(Archive("")), HasSubstr("cut off"));
}

TEST(Pickle, RefusesCyclesAndLateChanges) {
  EXPECT_THAT(PickleRefusal("]q\x01h\x01"
                            "a"),
              HasSubstr("into itself"));
  // a = [[b]]; then b.append(a) would close a cycle.
  EXPECT_THAT(PickleRefusal("]q\x01]q\x02"
                            "ah\x02h\x01"
                            "a"),
              HasSubstr("already part of another"));
}

TEST(Pickle, BoundsItsResources) {
  PickleLimits limits;
  limits.nesting = 8;
  EXPECT_THAT(PickleRefusal(std::string(9, ']') + std::string(8, 'a'), limits),
              HasSubstr("nests more than 8 levels"));
  limits = {};
  EXPECT_THAT(PickleRefusal(std::string(65, ']') + std::string(64, 'a')),
              HasSubstr("nests more than 64 levels"));
  limits.opcodes = 10;
  EXPECT_THAT(PickleRefusal(std::string(11, 'N'), limits), HasSubstr("more than 10 opcodes"));
  limits = {};
  limits.memo = 2;
  EXPECT_THAT(PickleRefusal("Nq\x01q\x02q\x03", limits), HasSubstr("remembers more than 2"));
  limits = {};
  limits.bytes = 16;
  EXPECT_THAT(PickleRefusal(std::string(100, 'N'), limits), HasSubstr("too large"));
  limits = {};
  limits.tensors = 1;
  EXPECT_THAT(PickleRefusal(Dict({{"a", TensorText().Build()}, {"b", TensorText().Build()}}), limits),
              HasSubstr("more than 1 tensors"));
}

TEST(Pickle, BoundsTreesThatShareParts) {
  // Ten references to a list of ten references to ...: 10^30 values when walked.
  std::string body = "]q";
  body += '\0';
  for (char level = 1; level <= 30; ++level) {
    body += "](";
    for (int i = 0; i < 10; ++i) (body += 'h') += static_cast<char>(level - 1);
    ((body += "e") += 'q') += level;
  }
  // Everything but the last list has to leave the stack: put it into a tuple.
  EXPECT_THAT(PickleRefusal("(" + body + "t"), HasSubstr("too many values"));
}

}  // namespace
}  // namespace wildrayzer

// The pickle interpreter: every refusal by name, every bound.
#include "wildrayzer/io/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wildrayzer/io/open_torch_test_files.h"

namespace wildrayzer {
namespace {

using namespace ::wildrayzer::testing;  // NOLINT: the builders of test files
using ::testing::HasSubstr;

const std::vector<std::pair<std::string, std::string>>& ForeignNames() {
  static const std::vector<std::pair<std::string, std::string>> names = {
      {"os", "system"},
      {"posix", "system"},
      {"builtins", "eval"},
      {"__builtin__", "getattr"},
      {"torch", "load"},
      {"collections", "Counter"},
      {"torch.nn.modules.linear", "Linear"},
      {"torch", "QInt8Storage"},
      {"", ""}};
  return names;
}

TEST(Pickle, RefusesForeignGlobalsInThePlaceOfWeightsByName) {
  for (const auto& [module, name] : ForeignNames()) {
    const std::string call = Global(module, name) + "(" + Text("echo") + "tR";
    const auto names_it = HasSubstr("foreign global '" + module + "." + name + "'");
    EXPECT_THAT(PickleRefusal(call), names_it);
    EXPECT_THAT(PickleRefusal(Global(module, name)), names_it);
    EXPECT_THAT(PickleRefusal(Dict({{"model", call}})), names_it);
    EXPECT_THAT(PickleRefusal(Dict({{"model", Global(module, name) + ")\x81}" + Text("a") + Int(1) + "sb"}})),
                names_it);
  }
  EXPECT_THAT(PickleRefusal(Global("os\x1b[2J", "system")), HasSubstr("'os?[2J.system'"));
  EXPECT_THAT(PickleRefusal(Global("\xff", "system")), HasSubstr("not valid UTF-8"));
  EXPECT_THAT(PickleRefusal(Global(std::string(5000, 'a'), "b")), HasSubstr("too long"));
}

// What the value beside a tensor is told to be.
std::string Told(const std::string& value) {
  const TorchArchive archive = Parse(Archive(Pickle(WithTensor(value))));
  EXPECT_EQ(archive.StateDict().tensors().size(), 1u);
  return archive.root().Find("value")->Describe(200);
}

TEST(Pickle, ForeignGlobalsBesideTheWeightsAreInert) {
  for (const auto& [module, name] : ForeignNames()) {
    if (name.ends_with("Storage")) continue;  // stands for a tensor, see NamesTensorsInFormsThatAreNotRead
    EXPECT_EQ(Told(Global(module, name) + "(" + Text("echo") + "tR"), module + "." + name + "('echo')");
    EXPECT_EQ(Told(Global(module, name)), module + "." + name);
    EXPECT_EQ(Told(Global(module, name) + ")\x81"), module + "." + name + "()");
  }
}

TEST(Pickle, KeepsWhatTrainingToolsSaveBesideTheWeights) {
  const std::string bytes = Global("_codecs", "encode") + Text("0000") + Text("latin1") + "\x86R";
  const std::string dtype =
      Global("numpy", "dtype") + Text("f8") + "\x89\x88\x87R(K\x03" + Text("<") + "NNNtb";
  EXPECT_EQ(Told(Global("numpy.core.multiarray", "scalar") + dtype + bytes + "\x86R"),
            "numpy.core.multiarray.scalar(numpy.dtype('f8', False, True, (3, '<', None, None, None)), "
            "_codecs.encode('0000', 'latin1'))");
  EXPECT_EQ(Told(Global("argparse", "Namespace") + ")\x81}" + Text("lr") + Int(1) + "sb"),
            "argparse.Namespace({'lr': 1})");
  EXPECT_EQ(Told(Global("collections", "defaultdict") + Global("builtins", "list") + "\x85R" + Text("a") +
                 Int(1) + "s"),
            "{'a': 1}");
  EXPECT_EQ(Told(Global("collections", "Counter") + Dict({{"a", Int(2)}}) + "\x85R"),
            "collections.Counter({'a': 2})");
  EXPECT_EQ(Told(Global("datetime", "datetime") + "U\x04\x07\xea\x01\x02\x85R"),
            "datetime.datetime((4 bytes))");
  EXPECT_EQ(Told(Global("torch", "device") + Text("cpu") + "\x85R"), "torch.device('cpu')");
  EXPECT_EQ(Told(Global("pathlib", "PosixPath") + Text("/") + Text("a") + "\x86R"),
            "pathlib.PosixPath('/', 'a')");
  EXPECT_EQ(Told(Global("my.code", "Color") + Int(1) + "\x85R"), "my.code.Color(1)");
  // Subclasses of dict and list get their items like a dict and a list.
  EXPECT_EQ(Told(Global("easydict", "EasyDict") + ")\x81(" + Text("a") + Int(1) + "u"),
            "easydict.EasyDict('a', 1)");
  EXPECT_EQ(Told(Global("my.code", "Steps") + ")\x81(" + Int(1) + Int(2) + "e"), "my.code.Steps(1, 2)");
  // A function that a foreign function returns, as protocol 2 writes objects with keywords.
  EXPECT_EQ(Told(Global("functools", "partial") + ")R)R"), "functools.partial()");
  EXPECT_EQ(Told("\x82\x05)\x81"), "copyreg.extension()");
  EXPECT_EQ(Told(std::string("\x83\x05\x00", 3)), "copyreg.extension");
  EXPECT_EQ(Told(std::string("\x84\x05\x00\x00\x00", 5)), "copyreg.extension");
}

TEST(Pickle, ObjectsMayHoldOneAnother) {
  // A node of a configuration knows its parent.
  const std::string node = Global("omegaconf", "Node") + ")\x81q\x05}" + Text("parent") + "h\x05sb";
  EXPECT_THAT(Told(node), ::testing::StartsWith("omegaconf.Node({'parent': omegaconf.Node({'parent': "));
}

TEST(Pickle, ReadsTheOpcodesOfLaterProtocols) {
  const auto name = [](const std::string& text) {
    return "\x8C" + std::string(1, static_cast<char>(text.size())) + text + "\x94";
  };
  const std::string frame = "\x95" + Raw(uint64_t{12});
  EXPECT_EQ(
      Told(frame + name("argparse") + name("Namespace") + "\x93\x94)\x81\x94}\x94" + name("lr") + "K\x01sb"),
      "argparse.Namespace({'lr': 1})");
  EXPECT_EQ(Told(name("a") + name("b") + "\x93)}\x92"), "a.b({})");
  EXPECT_EQ(Told("\x8F(K\x01K\x02\x90"), "{1, 2}");
  EXPECT_EQ(Told("(K\x01\x91"), "{1}");
  EXPECT_EQ(Told("C\x02\xff\xff"), "(2 bytes)");
  EXPECT_EQ(Told("B" + Raw(uint32_t{1}) + "\xff"), "(1 bytes)");
  EXPECT_EQ(Told("\x8E" + Raw(uint64_t{1}) + "\xff"), "(1 bytes)");
  EXPECT_EQ(Told("\x96" + Raw(uint64_t{1}) + "\xff"), "(1 bytes)");
  EXPECT_EQ(Told("\x8D" + Raw(uint64_t{1}) + "a"), "'a'");
  EXPECT_EQ(Told("T" + Raw(uint32_t{1}) + "a"), "'a'");
  EXPECT_EQ(Told("\x8B" + Raw(uint32_t{9}) + "123456789"), "(integer beyond 64 bits)");
  EXPECT_EQ(Told("K\x01K\x02" + std::string("0")), "1");
  EXPECT_EQ(Told("K\x01(K\x02K\x03" + std::string("1")), "1");
  std::string later = Pickle(Dict({{"w", TensorText().Build()}}));
  for (const char protocol : {3, 4, 5}) {
    later[1] = protocol;
    EXPECT_EQ(Refusal(Archive(later)), "accepted");
  }
}

TEST(Pickle, RefusesAllOtherOpcodes) {
  // The complete list of what is accepted; every other byte must be refused, whatever follows.
  const std::string accepted =
      ".(})]t\x85\x86\x87\x8FJKM\x8A\x8BGXUTCBqrhj01cRbQsuaeN\x88\x89"
      "\x81\x82\x83\x84\x8C\x8D\x8E\x90\x91\x92\x93\x94\x95\x96";
  for (int opcode = 0; opcode < 256; ++opcode) {
    const char byte = static_cast<char>(opcode);
    if (accepted.find(byte) != std::string::npos) continue;
    EXPECT_THAT(PickleRefusal(std::string(1, byte) + "os\nsystem\n"), HasSubstr("refused")) << opcode;
  }
}

TEST(Pickle, NamesTensorsInFormsThatAreNotRead) {
  TensorText quantized;
  quantized.storage = Global("torch", "QUInt8Storage");
  TensorText float8;
  float8.key = "8";  // of elements of another size than storage "0" is told to have
  float8.storage = Global("torch.storage", "UntypedStorage");
  float8.function = Global("torch._utils", "_rebuild_tensor_v3");
  float8.more = Global("torch", "float8_e4m3fn");
  const std::string sparse = Global("torch._utils", "_rebuild_sparse_tensor") + "N\x85R";
  for (const auto& [tensor, maker] : std::vector<std::pair<std::string, std::string>>{
           {quantized.Build(), "torch.QUInt8Storage"},
           {sparse, "torch._utils._rebuild_sparse_tensor"},
           {float8.Build(), "torch.float8_e4m3fn"},
           {Global("torch._utils", "_rebuild_parameter") + sparse + "\x89N\x87R",
            "torch._utils._rebuild_sparse_tensor"},
           {Global("torch._tensor", "_rebuild_from_type_v2") + "(" +
                Global("torch._utils", "_rebuild_tensor_v2") + Global("my.code", "Kind") + ")NtR",
            "my.code.Kind"}}) {
    EXPECT_THAT(PickleRefusal(WithTensor(tensor)),
                HasSubstr("tensor 'value' is made by the foreign global '" + maker + "'"));
    EXPECT_EQ(PickleRefusal(Dict({{"model", WithTensor("N")}, {"beside", tensor}})), "accepted");
  }
  // Attributes of a tensor are forgotten.
  const std::string pieces =
      "(" + TensorText().Storage() + Long(0) + IntTuple({6}) + IntTuple({1}) + "\x89" + "Nt";
  EXPECT_EQ(PickleRefusal(Dict({{"w", Global("torch._tensor", "_rebuild_from_type_v2") + "(" +
                                          Global("torch._utils", "_rebuild_tensor_v2") +
                                          Global("torch", "Tensor") + pieces + "}tR"}})),
            "accepted");
  EXPECT_EQ(PickleRefusal(Dict({{"w", Global("torch._utils", "_rebuild_parameter_with_state") + "(" +
                                          TensorText().Build() + "\x89N}tR"}})),
            "accepted");
}

TEST(Pickle, RefusesWrongCalls) {
  EXPECT_THAT(PickleRefusal(Global("torch", "FloatStorage") + ")R"), HasSubstr("calls 'torch.FloatStorage'"));
  EXPECT_THAT(PickleRefusal(Global("torch", "float32") + ")R"), HasSubstr("calls 'torch.float32'"));
  EXPECT_THAT(PickleRefusal(Global("collections", "OrderedDict") + ")\x81"), HasSubstr("NEWOBJ"));
  EXPECT_THAT(PickleRefusal(Global("os", "system") + "NR"), HasSubstr("no tuple"));
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
  EXPECT_THAT(PickleRefusal("U\x01\xff" + std::string("U\x01\xff\x93")), HasSubstr("is no text"));
  EXPECT_THAT(PickleRefusal("X\x01" + std::string("\0\0\0a", 4) + Text(std::string(2000, 'a')) + "\x93"),
              HasSubstr("too long"));
  EXPECT_THAT(PickleRefusal("\x8D" + Raw(UINT64_MAX)), HasSubstr("cut off"));
  EXPECT_THAT(PickleRefusal("\x8B" + Raw(UINT32_MAX)), HasSubstr("cut off"));
  EXPECT_THAT(PickleRefusal("](K\x01\x90"), HasSubstr("no set"));
  EXPECT_THAT(PickleRefusal("N)\x81"), HasSubstr("no class"));
  EXPECT_THAT(PickleRefusal("0"), HasSubstr("more values than it has"));
  EXPECT_THAT(PickleRefusal("1"), HasSubstr("lacks a MARK"));
  EXPECT_THAT(PickleRefusal("NQ"), HasSubstr("no tuple"));
  EXPECT_THAT(PickleRefusal(Text("module") + "\x85Q"), HasSubstr("something else than a storage"));
  EXPECT_THAT(PickleRefusal(Text("storage") + "\x85Q"), HasSubstr("unknown way"));
  EXPECT_THAT(Refusal(Archive("\x80\x01N.")), HasSubstr("not of protocol 2 to 5"));
  EXPECT_THAT(Refusal(Archive("\x80\x06N.")), HasSubstr("not of protocol 2 to 5"));
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
  limits = {};
  limits.objects = 2;
  const std::string object = Global("a", "b") + ")\x81";
  EXPECT_THAT(PickleRefusal(object + object + object, limits), HasSubstr("more than 2 objects"));
  EXPECT_THAT(PickleRefusal(Global("a", "b") + Global("a", "c") + Global("a", "d"), limits),
              HasSubstr("more than 2 classes"));
}

TEST(Pickle, BoundsWhatCallsCopy) {
  // One call a map of all pairs of a list, again and again.
  PickleLimits limits;
  limits.values = 200;
  std::string body = "(]q\x01(";
  for (int i = 0; i < 20; ++i) body += "NN\x86";
  body += "e";
  for (int i = 0; i < 10; ++i) body += Global("collections", "OrderedDict") + "h\x01\x85R";
  EXPECT_THAT(PickleRefusal(body + "t", limits), HasSubstr("too many values"));
  body = "(" + Global("a", "b") + ")\x81q\x01";
  for (int i = 0; i < 300; ++i) body += "h\x01Na0";
  EXPECT_THAT(PickleRefusal(body + "t", limits), HasSubstr("too many values"));
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

// PyTorch containers: what is read, and that everything else is refused by name.
#include "wildrayzer/io/torch_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wildrayzer/io/open_torch_test_files.h"

namespace wildrayzer {
namespace {

using namespace ::wildrayzer::testing;  // NOLINT: the builders of test files
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(TorchZip, ReadsATensor) {
  const std::string content = Archive(Pickle(Dict({{"w", TensorText().Build()}})));
  const TensorFile file = Parse(content).StateDict();
  EXPECT_EQ(file.format(), "torch-zip");
  ASSERT_EQ(file.tensors().size(), 1u);
  EXPECT_THAT(file.Find("w")->shape, ElementsAre(2, 3));
  EXPECT_THAT(Values(*file.Find("w")), ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST(TorchZip, ReadsStridedSharedScalarAndEmptyViews) {
  TensorText transposed;
  transposed.shape = {3, 2};
  transposed.strides = {1, 3};
  TensorText scalar;
  scalar.offset = 5;
  scalar.shape = scalar.strides = {};
  TensorText expanded;
  expanded.offset = 2;
  expanded.shape = {3};
  expanded.strides = {0};
  TensorText empty;
  empty.offset = 100;
  empty.shape = {0, 9};
  empty.strides = {9, 1};
  const std::string content = Archive(Pickle(Dict(
      {{"t", transposed.Build()}, {"s", scalar.Build()}, {"x", expanded.Build()}, {"e", empty.Build()}})));
  const TensorFile file = Parse(content).StateDict();
  EXPECT_THAT(Values(*file.Find("t")), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(Values(*file.Find("s")), ElementsAre(5));
  EXPECT_THAT(Values(*file.Find("x")), ElementsAre(2, 2, 2));
  EXPECT_THAT(Values(*file.Find("e")), ElementsAre());
}

TEST(TorchZip, ReadsTheOtherWaysToBuildTensors) {
  TensorText v3;
  v3.storage = Global("torch.storage", "UntypedStorage");
  v3.key = "0";
  v3.numel = 24;
  v3.function = Global("torch._utils", "_rebuild_tensor_v3");
  v3.more = Global("torch", "float32");
  EXPECT_THAT(Values(*Parse(Archive(Pickle(Dict({{"w", v3.Build()}})))).StateDict().Find("w")),
              ElementsAre(0, 1, 2, 3, 4, 5));
  v3.shape = {7};
  v3.strides = {1};
  EXPECT_THAT(PickleRefusal(Dict({{"w", v3.Build()}})), HasSubstr("leaves its storage"));

  const TensorText base;
  const std::string v1 = Global("torch._utils", "_rebuild_tensor") + "(" + base.Storage() + Long(0) +
                         IntTuple({6}) + IntTuple({1}) + "tR";
  const std::string parameter =
      Global("torch._utils", "_rebuild_parameter") + base.Build() + "\x88" + EmptyOrderedDict() + "\x87R";
  const std::string size = Global("torch", "Size") + IntTuple({2, 3}) + "\x85R";
  const TorchArchive archive = Parse(Archive(Pickle(Dict({{"a", v1}, {"b", parameter}, {"size", size}}))));
  EXPECT_EQ(archive.StateDict().tensors().size(), 2u);
  EXPECT_EQ(archive.root().Find("size")->Describe(), "(2, 3)");
}

TEST(TorchZip, ReadsPython2StylePickles) {
  const std::string pairs =
      Global("collections", "OrderedDict") + "(](](U\x01w" + TensorText().Build() + "eetR";
  EXPECT_EQ(PickleRefusal(pairs), "accepted");
  EXPECT_THAT(PickleRefusal(Global("collections", "OrderedDict") + "(](](U\x01weetR"),
              HasSubstr("something else than pairs"));
}

TEST(TorchZip, DiscardsTheMetadataAttribute) {
  EXPECT_EQ(PickleRefusal(EmptyOrderedDict() + Text("w") + TensorText().Build() + "s}" + Text("_metadata") +
                          EmptyOrderedDict() + "sb"),
            "accepted");
  EXPECT_THAT(PickleRefusal("}}b"), HasSubstr("sets the state"));
  EXPECT_THAT(PickleRefusal(EmptyOrderedDict() + "]b"), HasSubstr("sets the state"));
}

TEST(TorchZip, FindsTheStateDict) {
  const std::string dict =
      Dict({{"module.w", TensorText().Build()}, {"module.v", TensorText().Build()}, {"n", Int(1)}});
  TorchArchive archive = Parse(Archive(Pickle(Dict({{"epoch", Int(3)}, {"state_dict", dict}}))));
  EXPECT_EQ(archive.wrapper(), "state_dict");
  EXPECT_THAT(archive.siblings(), ElementsAre("epoch"));
  EXPECT_TRUE(archive.stripped_module_prefix());
  EXPECT_NE(archive.StateDict().Find("w"), nullptr);
  archive = Parse(Archive(Pickle(Dict({{"module.w", TensorText().Build()}, {"v", TensorText().Build()}}))));
  EXPECT_EQ(archive.wrapper(), "");
  EXPECT_FALSE(archive.stripped_module_prefix());
  EXPECT_NE(archive.StateDict().Find("module.w"), nullptr);
  const std::string one = Dict({{"one", TensorText().Build()}});
  const std::string two = Dict({{"two", TensorText().Build()}});
  archive = Parse(Archive(Pickle(Dict({{"model", one}, {"model_ema", two}}))));
  EXPECT_EQ(archive.wrapper(), "model_ema");
  EXPECT_NE(archive.StateDict().Find("two"), nullptr);
}

TEST(TorchZip, FindsTheStateDictInWrappersOfTools) {
  const std::string weights = Dict({{"w", TensorText().Build()}});
  const auto wrapper = [](const std::string& object) {
    const TorchArchive archive = Parse(Archive(Pickle(object)));
    EXPECT_NE(archive.StateDict().Find("w"), nullptr);
    return archive.wrapper();
  };
  const std::string moments = Dict({{"state", Dict({{"w", Dict({{"exp_avg", TensorText().Build()}})}})}});
  EXPECT_EQ(wrapper(Dict({{"optimizer", moments}, {"model_state_dict", weights}})), "model_state_dict");
  EXPECT_EQ(wrapper(Dict({{"model", Dict({{"v", TensorText().Build()}})}, {"ema", weights}})), "ema");
  EXPECT_EQ(wrapper(Dict({{"state", Dict({{"model", Dict({{"state_dict", weights}})}})}})),
            "state.model.state_dict");
  EXPECT_EQ(wrapper(Dict({{"optimizer", moments}, {"opt_state", moments}, {"generator", weights}})),
            "generator");
  EXPECT_EQ(
      wrapper(Dict({{"step", TensorText().Build()}, {"ema", Dict({{"decay", Int(1)}})}, {"model", weights}})),
      "model");
  EXPECT_EQ(wrapper(Dict({{"model", "N"}, {"model", weights}})), "model");
  EXPECT_THAT(PickleRefusal(Dict({{"generator", weights}, {"discriminator", weights}})),
              HasSubstr("several dicts of tensors, for instance 'generator' and 'discriminator'"));
  EXPECT_THAT(PickleRefusal(Dict({{"optimizer", moments}})), HasSubstr("holds no state dict"));
}

TEST(TorchZip, TakesTheNamesOfToolsOff) {
  const auto names = [](const std::vector<std::string>& stored) {
    std::vector<std::pair<std::string, std::string>> items;
    for (const std::string& name : stored) items.emplace_back(name, TensorText().Build());
    std::vector<std::string> read;
    const TensorFile file = Parse(Archive(Pickle(Dict(items)))).StateDict();
    for (const TensorEntry& entry : file.tensors()) read.push_back(entry.name);
    return read;
  };
  EXPECT_THAT(names({"module._orig_mod.a.w", "_orig_mod.module.b"}), ElementsAre("a.w", "b"));
  EXPECT_THAT(names({"a._orig_mod.w", "b._checkpoint_wrapped_module._fsdp_wrapped_module.w"}),
              ElementsAre("a.w", "b.w"));
  EXPECT_THAT(names({"module.a", "n_averaged"}), ElementsAre("a", "n_averaged"));
  EXPECT_THAT(names({"module.a", "b"}), ElementsAre("module.a", "b"));
  EXPECT_THAT(names({"a.module.w", "a_orig_mod.w", "", "."}),
              ElementsAre("a.module.w", "a_orig_mod.w", "", "."));
}

TEST(TorchZip, NamesObjectsInThePlaceOfWeights) {
  const std::string object = Global("my.net", "Net") + ")\x81}" + Text("_parameters") + "}sb";
  EXPECT_THAT(PickleRefusal(object), HasSubstr("holds an object of the foreign global 'my.net.Net'"));
  EXPECT_THAT(
      PickleRefusal(Dict({{"epoch", Int(1)}, {"model", object}})),
      HasSubstr("holds under 'model' an object of the foreign global 'my.net.Net' where a dict of tensors"));
}

TEST(TorchZip, RefusesFilesWithoutStateDict) {
  EXPECT_THAT(PickleRefusal("](" + Int(1) + Text("a") + "e"), HasSubstr("holds no state dict"));
  EXPECT_THAT(PickleRefusal("](" + Int(1) + Text("a") + "e"), HasSubstr("it holds [1, 'a']"));
  EXPECT_THAT(PickleRefusal("N"), HasSubstr("holds no state dict"));
  EXPECT_THAT(PickleRefusal(TensorText().Build()), HasSubstr("it holds F32[2, 3]"));
  EXPECT_THAT(PickleRefusal(Dict({{"w", TensorText().Build()}, {"w", TensorText().Build()}})),
              HasSubstr("two tensors are named 'w'"));
  EXPECT_THAT(PickleRefusal("}(" + Int(1) + TensorText().Build() + "u"), HasSubstr("name is no text"));
  EXPECT_THAT(PickleRefusal(Dict({{std::string(5000, 'w'), TensorText().Build()}})),
              HasSubstr("name is too long"));
}

TEST(TorchZip, RefusesEveryTruncation) {
  const std::string content =
      Archive(Pickle(Dict({{"model", Dict({{"w", TensorText().Build()}})}, {"n", Int(3)}})));
  ASSERT_EQ(Refusal(content), "accepted");
  for (size_t size = 0; size < content.size(); ++size)
    EXPECT_NE(Refusal(content.substr(0, size)), "accepted") << size;
}

TEST(TorchZip, SurvivesEveryChangedByte) {
  const std::string content =
      Archive(Pickle(Dict({{"model", Dict({{"w", TensorText().Build()}})}, {"n", Int(3)}})));
  for (size_t at = 0; at < content.size(); ++at) {
    for (const int change : {0x01, 0x80, 0xFF}) {
      std::string damaged = content;
      damaged[at] = static_cast<char>(damaged[at] ^ change);
      Refusal(damaged);  // either way, but no crash: the sanitizer build watches
    }
  }
}

const std::string& GoodPickle() {
  static const std::string pickle = Pickle(Dict({{"w", TensorText().Build()}}));
  return pickle;
}

std::vector<ZipItem> GoodItems() {
  return {{"a/data.pkl", GoodPickle()}, {"a/data/0", SixFloats()}, {"a/version", "3\n"}};
}

TEST(Zip, AcceptsTheVariantsThatWritersProduce) {
  EXPECT_EQ(Refusal(MakeZip(GoodItems())), "accepted");
  EXPECT_EQ(Refusal(MakeZip(GoodItems(), {.zip64 = true})), "accepted");
  EXPECT_EQ(Refusal(MakeZip(GoodItems(), {.comment = "a comment PK\x05\x06 with a signature"})), "accepted");
  std::vector<ZipItem> items = GoodItems();
  items[2] = {"a/.data/version", "6\n"};
  items.push_back({"a/byteorder", "little"});
  items.push_back({"a/.format_version", "1"});
  EXPECT_EQ(Refusal(MakeZip(items)), "accepted");
}

TEST(Zip, RefusesWhatPyTorchDoesNotWrite) {
  const auto with = [](ZipItem item) {
    std::vector<ZipItem> items = GoodItems();
    items.push_back(std::move(item));
    return Refusal(MakeZip(items));
  };
  EXPECT_THAT(with({"a/x", "data", 8}), HasSubstr("'a/x' is compressed"));
  EXPECT_THAT(with({"a/x", "data", 0, 1}), HasSubstr("'a/x' is encrypted"));
  EXPECT_THAT(with({"a/data/0", "data"}), HasSubstr("two zip entries are named 'a/data/0'"));
  EXPECT_THAT(with({"b/x", "data"}), HasSubstr("outside the folder 'a/'"));
  for (const char* name : {"a/../x", "../x", "/a/x", "a/..", "a\\x", "a/./x", ""}) {
    EXPECT_THAT(with({name, "data"}), HasSubstr("unsafe name")) << name;
  }
  EXPECT_THAT(with({"a/constants.pkl", ""}), HasSubstr("TorchScript"));
  EXPECT_THAT(with({"a/byteorder", "big"}), HasSubstr("byte order 'big'"));
  std::vector<ZipItem> items = GoodItems();
  items[2].data = "11\n";
  EXPECT_THAT(Refusal(MakeZip(items)), HasSubstr("unknown archive version"));
  items[0].name = "a/other.pkl";
  EXPECT_THAT(Refusal(MakeZip(items)), HasSubstr("without 'data.pkl'"));
  EXPECT_THAT(Refusal(MakeZip({{"data.pkl", GoodPickle()}})), HasSubstr("no PyTorch checkpoint"));
  EXPECT_THAT(Refusal(MakeZip({})), HasSubstr("no PyTorch checkpoint"));
}

TEST(Zip, RefusesBombsAndOverlaps) {
  std::vector<ZipItem> items = GoodItems();
  items[1].central_size = uint64_t{1} << 60;
  EXPECT_THAT(Refusal(MakeZip(items)), HasSubstr("overlaps another one or leaves the file"));
  items[1].central_size = 25;
  items[1].central_packed = 24;
  EXPECT_THAT(Refusal(MakeZip(items)), HasSubstr("two different sizes"));
  items = GoodItems();
  items[1].central_offset = 0;
  EXPECT_THAT(Refusal(MakeZip(items)), HasSubstr("overlaps"));
  items[1].central_offset = UINT64_MAX - 1;
  EXPECT_THAT(Refusal(MakeZip(items)), HasSubstr("overlaps"));
  items = GoodItems();
  items[0].central_size = items[0].data.size() + 30;
  EXPECT_THAT(Refusal(MakeZip(items)), ::testing::AnyOf(HasSubstr("overlaps"), HasSubstr("bytes follow")));
  items = GoodItems();
  items[0].local_name = "a/data.xyz";
  EXPECT_THAT(Refusal(MakeZip(items)), HasSubstr("contradicts the directory"));
}

TEST(Zip, RefusesBadDirectories) {
  EXPECT_THAT(Refusal(MakeZip(GoodItems(), {.count = 2})),
              HasSubstr("directory of the zip archive is damaged"));
  EXPECT_THAT(Refusal(MakeZip(GoodItems(), {.count = 4})), HasSubstr("damaged"));
  EXPECT_THAT(Refusal(MakeZip(GoodItems(), {.zip64 = true, .count = uint64_t{1} << 60})),
              HasSubstr("more than 2000000 entries"));
  EXPECT_THAT(Refusal(MakeZip(GoodItems(), {.zip64 = true, .count = 1'000'000})), HasSubstr("damaged"));
  EXPECT_THAT(Refusal(MakeZip(GoodItems(), {.directory_offset = 1u << 30})), HasSubstr("leaves the file"));
  EXPECT_THAT(Refusal(MakeZip(GoodItems(), {.directory_size = 1u << 30})), HasSubstr("leaves the file"));
  EXPECT_THAT(Refusal(MakeZip(GoodItems(), {.zip64 = true, .directory_offset = UINT64_MAX})),
              HasSubstr("leaves the file"));
  EXPECT_THAT(Refusal(MakeZip(GoodItems(), {.disk = 1})), HasSubstr("several disks"));
  EXPECT_THAT(Refusal(MakeZip(GoodItems()) + "x"), HasSubstr("no directory at its end"));
}

TEST(Zip, RefusesStoragesThatDoNotFit) {
  std::vector<ZipItem> items = GoodItems();
  items[1].data.pop_back();
  EXPECT_THAT(Refusal(MakeZip(items)), HasSubstr("storage '0' has 23 bytes instead of 24"));
  items[1].data += "12";
  EXPECT_THAT(Refusal(MakeZip(items)), HasSubstr("storage '0' has 25 bytes instead of 24"));
  items[1].name = "a/data/1";
  EXPECT_THAT(Refusal(MakeZip(items)), HasSubstr("storage '0' is missing"));
}

TEST(Zip, StoragesOutsideTheStateDictAreNeverTouched) {
  // The optimizer's storage has the wrong size; opening the model must not care, because it must not look.
  TensorText moment;
  moment.key = "7";
  const std::string pickle = Pickle(
      Dict({{"model", Dict({{"w", TensorText().Build()}})}, {"optimizer", Dict({{"m", moment.Build()}})}}));
  const std::string content =
      MakeZip({{"a/data.pkl", pickle}, {"a/data/0", SixFloats()}, {"a/data/7", "short"}});
  const TorchArchive archive = Parse(content);
  EXPECT_EQ(archive.StateDict().tensors().size(), 1u);
  const TorchObject state = *archive.root().Find({"optimizer", "m"});
  EXPECT_THROW(archive.Locate("m", *state.tensor()), FileError);
}

TEST(TorchLegacy, ReadsATensor) {
  TensorText text;
  text.legacy_view = "N";
  const std::string content = LegacyStream(Pickle(Dict({{"w", text.Build()}})));
  const TensorFile file = Parse(content).StateDict();
  EXPECT_EQ(file.format(), "torch-legacy");
  EXPECT_THAT(Values(*file.Find("w")), ElementsAre(0, 1, 2, 3, 4, 5));
  for (size_t size = 0; size < content.size(); ++size)
    EXPECT_NE(Refusal(content.substr(0, size)), "accepted") << size;
}

TEST(TorchLegacy, RefusesDamage) {
  TensorText text;
  text.legacy_view = "N";
  const std::string good = Pickle(Dict({{"w", text.Build()}}));
  ASSERT_EQ(Refusal(LegacyStream(good)), "accepted");
  EXPECT_THAT(Refusal(LegacyStream(good) + "x"), HasSubstr("1 bytes follow the last storage"));
  EXPECT_THAT(Refusal(LegacyStream(good, "\x89")), HasSubstr("big-endian"));
  EXPECT_THAT(Refusal(LegacyStream(good, "\x88", "]")), HasSubstr("bytes follow"));
  EXPECT_THAT(Refusal(LegacyStream(good, "\x88", "N")), HasSubstr("no list of storages"));
  EXPECT_THAT(Refusal(LegacyStream(good, "\x88", "](" + Text("1") + "e")), HasSubstr("never used"));
  EXPECT_THAT(Refusal(LegacyStream(good, "\x88", "](Ne")), HasSubstr("something else than keys"));
  EXPECT_THAT(Refusal(LegacyStream(good, "\x88", "](" + Text("0") + "e", 5)),
              HasSubstr("has 5 elements instead of 6"));
  text.legacy_view = IntTuple({0, 0, 6});
  EXPECT_THAT(Refusal(LegacyStream(Pickle(text.Build()))), HasSubstr("views of storages"));
  text.legacy_view = "";
  EXPECT_THAT(Refusal(LegacyStream(Pickle(text.Build()))), HasSubstr("unknown way"));
  EXPECT_THAT(Refusal(LegacyStream(Pickle(Global("os", "system")))),
              HasSubstr("'0' is stored but never used"));
  text.legacy_view = "N";
  text.storage = Global("torch", "QInt8Storage");
  EXPECT_THAT(Refusal(LegacyStream(Pickle(text.Build()))), HasSubstr("foreign class 'torch.QInt8Storage'"));
}

TEST(TorchLegacy, ModulesBesideTheWeightsAreInert) {
  TensorText text;
  text.legacy_view = "N";
  const std::string module =
      "(" + Text("module") + Global("torch.nn", "MSELoss") + Text("loss.py") + Text("code") + "tQ)\x81}b";
  const TorchArchive archive =
      Parse(LegacyStream(Pickle(Dict({{"model", Dict({{"w", text.Build()}})}, {"criterion", module}}))));
  EXPECT_EQ(archive.StateDict().tensors().size(), 1u);
  EXPECT_EQ(archive.root().Find("criterion")->Describe(), "torch.nn.MSELoss({})");
}

}  // namespace
}  // namespace wildrayzer

// Checkpoints of every container as LibTorch tensors, against vectors that Python wrote.
#include "wildrayzer/io/checkpoint.h"

#include <gmock/gmock.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/io/torch_writer.h"
#include "wildrayzer/testing/files.h"
#include "wildrayzer/testing/golden.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::FreshFolder;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;

using testing::BitEqual;

TensorSource Source(const std::string& name, const torch::Tensor& tensor, DType dtype = DType::kF32) {
  const torch::Tensor whole = tensor.contiguous();
  return {name, dtype, whole.sizes().vec(), [whole](const ByteSink& sink) {
            sink({static_cast<const std::byte*>(whole.data_ptr()), whole.nbytes()});
          }};
}

// The refusal when a path is opened, which must name a file.
std::string Refusal(const fs::path& path) {
  try {
    Checkpoint::Open(path);
  } catch (const FileError& error) {
    return error.what();
  }
  return "accepted";
}

// Vectors of Python's torch.save: the golden folder's when it has them, and our own copies.
std::vector<fs::path> VectorFolders() {
  std::vector<fs::path> folders{testing::TestData("")};
  if (fs::exists(testing::GoldenDir() / "pt_types.pt")) folders.push_back(testing::GoldenDir());
  return folders;
}

TEST(TorchVectors, AllTypesAndLayoutsAreExact) {
  for (const fs::path& folder : VectorFolders()) {
    const Checkpoint expected = Checkpoint::Open(folder / "pt_types.expected.safetensors");
    for (const char* name : {"pt_types.pt", "pt_types_v2.pt"}) {
      const Checkpoint checkpoint = Checkpoint::Open(folder / name);
      EXPECT_EQ(checkpoint.format(), "torch-zip");
      EXPECT_THAT(checkpoint.names(), UnorderedElementsAreArray(expected.names()));
      for (const std::string& tensor : expected.names()) {
        EXPECT_TRUE(BitEqual(checkpoint.Get(tensor), expected.Get(tensor)))
            << folder << name << " " << tensor;
      }
      EXPECT_EQ(checkpoint.WeightsHash(), expected.WeightsHash());
    }
    const Checkpoint legacy = Checkpoint::Open(folder / "pt_legacy.pt");
    EXPECT_EQ(legacy.format(), "torch-legacy");
    EXPECT_TRUE(BitEqual(legacy.Get("w"), expected.Get("shared_a")));
  }
}

TEST(TorchVectors, KeepsWhatIsBesideTheModel) {
  for (const char* name : {"pt_types.pt", "pt_types_v2.pt"}) {
    const Checkpoint checkpoint = Checkpoint::Open(testing::TestData(name));
    ASSERT_TRUE(checkpoint.archive());
    const TorchArchive& archive = *checkpoint.archive();
    EXPECT_EQ(archive.wrapper(), "model");
    EXPECT_THAT(archive.siblings(), ElementsAre("a_float", "an_int", "big_int", "none", "flag", "text",
                                                "a_list", "a_tuple", "nested"));
    const TorchObject root = archive.root();
    EXPECT_EQ(root.Find("a_float")->AsDouble(), 0.1);
    EXPECT_EQ(root.Find("an_int")->AsInt(), -7);
    EXPECT_EQ(root.Find("big_int")->AsInt(), int64_t{1} << 40);
    EXPECT_EQ(root.Find("none")->kind(), PickleKind::kNone);
    EXPECT_EQ(root.Find("flag")->AsInt(), 1);
    EXPECT_EQ(root.Find("text")->AsText(), "na\u00efve");
    EXPECT_EQ(root.Find("a_list")->Describe(), "[1, 2.5, 'x']");
    EXPECT_EQ(root.Find("a_tuple")->Describe(), "(3, 'y')");
    EXPECT_EQ(root.Find({"nested", "k", "lr"})->AsDouble(), 1e-4);
    EXPECT_FALSE(root.Find({"nested", "none", "lr"}));
    EXPECT_EQ(root.Find({"model", "noncontiguous"})->Describe(), "F32[3, 6]");
  }
}

double Number(const torch::Tensor& tensor) { return tensor.to(torch::kFloat64).item<double>(); }

// One state of the optimizer against the expected norm, and against the whole tensor where it was kept.
void ExpectState(const TorchArchive& archive, const testing::GoldenFile& expected, const TorchObject& state,
                 const std::string& prefix, const std::string& field) {
  const auto object = state.Find(field);
  ASSERT_TRUE(object && object->tensor() != nullptr) << prefix << field;
  const torch::Tensor tensor = LoadTensor(archive.mapping(), archive.Locate(field, *object->tensor()));
  const double norm = Number(expected.Get(prefix + field + "_norm"));
  // The reference sums up to 10^5 squares in float32; whole tensors are compared bit for bit below.
  EXPECT_NEAR(tensor.to(torch::kFloat64).norm().item<double>(), norm, 1e-5 * norm) << prefix << field;
  if (expected.Has(prefix + field)) {
    EXPECT_TRUE(BitEqual(tensor, expected.Get(prefix + field))) << prefix << field;
  }
}

TEST(TinyCheckpoint, ModelIsExactAndTheOptimizerAgrees) {
  WRZ_NEED_GOLDEN();
  const Checkpoint checkpoint = Checkpoint::Open(testing::GoldenDir() / "tiny_checkpoint.pt");
  const testing::GoldenFile expected(testing::GoldenDir() / "tiny_checkpoint.expected.safetensors");
  std::ifstream file(testing::GoldenDir() / "tiny_checkpoint.expected.json");
  const nlohmann::json facts = nlohmann::json::parse(file);

  EXPECT_EQ(checkpoint.names(), facts.at("model_key_order").get<std::vector<std::string>>());
  EXPECT_EQ(expected.NamesWithPrefix("model/").size(), checkpoint.names().size());
  for (const std::string& name : checkpoint.names()) {
    EXPECT_TRUE(BitEqual(checkpoint.Get(name), expected.Get("model/" + name))) << name;
  }

  const TorchArchive& archive = *checkpoint.archive();
  const TorchObject root = archive.root();
  for (size_t i = 0; i < root.size(); ++i)
    EXPECT_EQ(root.KeyAt(i).AsText(), facts.at("top_level_keys").at(i));
  EXPECT_EQ(root.Find("fwdbwd_pass_step")->AsInt(), facts.at("fwdbwd_pass_step").get<int64_t>());
  EXPECT_EQ(root.Find({"lr_scheduler", "last_epoch"})->AsInt(),
            facts.at("lr_scheduler").at("last_epoch").get<int64_t>());

  const TorchObject groups = *root.Find({"optimizer", "param_groups"});
  ASSERT_EQ(groups.size(), facts.at("optimizer_param_groups").size());
  for (size_t g = 0; g < groups.size(); ++g) {
    const nlohmann::json& group = facts.at("optimizer_param_groups").at(g);
    EXPECT_EQ(groups.Item(g).Find("lr")->AsDouble(), group.at("lr").get<double>());
    EXPECT_EQ(groups.Item(g).Find("weight_decay")->AsDouble(), group.at("weight_decay").get<double>());
    EXPECT_EQ(groups.Item(g).Find("params")->size(), group.at("params").size());
  }
  const TorchObject states = *root.Find({"optimizer", "state"});
  ASSERT_EQ(states.size(), facts.at("optimizer_index_to_parameter").size());
  for (size_t i = 0; i < states.size(); ++i) {
    const auto state = states.Find(static_cast<int64_t>(i));
    ASSERT_TRUE(state);
    const std::string prefix = "optimizer/state/" + std::to_string(i) + "/";
    ExpectState(archive, expected, *state, prefix, "exp_avg");
    ExpectState(archive, expected, *state, prefix, "exp_avg_sq");
    const PickleTensor* step = state->Find("step")->tensor();
    ASSERT_NE(step, nullptr);
    EXPECT_EQ(Number(LoadTensor(archive.mapping(), archive.Locate("step", *step))),
              Number(expected.Get(prefix + "step")));
  }
}

TEST(Checkpoint, GetMapsWithoutCopyingAndKeepsTheFileOpen) {
  const fs::path path = FreshFolder("map") / "a.safetensors";
  const torch::Tensor values = torch::arange(12, torch::kFloat32).reshape({3, 4});
  WriteSafetensors(path, {Source("w", values), Source("h", values.to(torch::kBFloat16), DType::kBF16)});
  torch::Tensor kept;
  {
    const Checkpoint checkpoint = Checkpoint::Open(path);
    kept = checkpoint.Get("w");
    EXPECT_EQ(kept.data_ptr(), static_cast<const void*>(checkpoint.Entry("w").data));
    EXPECT_TRUE(BitEqual(checkpoint.Get("h"), values.to(torch::kBFloat16)));
    EXPECT_THROW(checkpoint.Get("x"), FileError);
    EXPECT_FALSE(checkpoint.Has("x"));
  }
  fs::remove(path);
  EXPECT_TRUE(BitEqual(kept, values));
}

TEST(Checkpoint, UnalignedDataIsCopied) {
  const std::string header =
      "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]},"
      "\"b\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[0,1]}}";
  const fs::path path = FreshFolder("unaligned") / "a.safetensors";
  const uint64_t length = header.size();
  const std::vector<float> values{1.5f, -2.0f};
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(&length), sizeof(length));
  file << header << '\x05';  // a bool byte that is neither 0 nor 1
  file.write(reinterpret_cast<const char*>(values.data()), 8);
  file.close();
  const Checkpoint checkpoint = Checkpoint::Open(path);
  EXPECT_TRUE(BitEqual(checkpoint.Get("w"), torch::tensor({1.5f, -2.0f})));
  EXPECT_TRUE(BitEqual(checkpoint.Get("b"), torch::ones({1}, torch::kBool)));
}

TEST(Checkpoint, TheSameWeightsHashTheSameInEveryContainer) {
  const fs::path folder = FreshFolder("hash");
  const torch::Tensor a = testing::GeneratedTensor("hash/a", {5, 7});
  const torch::Tensor b = testing::GeneratedTensor("hash/b", {3});
  const std::vector<TensorSource> tensors{Source("b", b), Source("a", a)};
  WriteSafetensors(folder / "w.safetensors", tensors);
  WriteTorchArchive(folder / "w.pt",
                    TorchValue::MakeDict({{"model", TorchValue::MakeStateDict(tensors)}, {"step", 3}}));
  const Checkpoint one = Checkpoint::Open(folder / "w.safetensors");
  const Checkpoint two = Checkpoint::Open(folder / "w.pt");
  EXPECT_EQ(one.WeightsHash(), two.WeightsHash());
  EXPECT_EQ(one.WeightsHash({"a", "b"}), one.WeightsHash({"b", "a"}));
  EXPECT_NE(one.WeightsHash({"a"}), one.WeightsHash());
  WriteSafetensors(folder / "x.safetensors", {Source("b", b), Source("a", a + 1)});
  EXPECT_NE(Checkpoint::Open(folder / "x.safetensors").WeightsHash(), one.WeightsHash());
}

TEST(Checkpoint, NamesTensorsThatAreNotFinite) {
  const fs::path path = FreshFolder("nan") / "a.safetensors";
  const torch::Tensor good = torch::ones({3});
  torch::Tensor bad = torch::ones({3});
  bad[1] = NAN;
  WriteSafetensors(path, {Source("good", good), Source("bad", bad)});
  const Checkpoint checkpoint = Checkpoint::Open(path);
  checkpoint.CheckFinite({"good"});
  try {
    checkpoint.CheckFinite(checkpoint.names());
    FAIL();
  } catch (const FileError& error) {
    EXPECT_THAT(error.what(), HasSubstr("tensor 'bad' contains NaN"));
  }
}

TEST(Checkpoint, RefusesTypesThatLibTorchLacks) {
  const fs::path path = FreshFolder("u32") / "a.safetensors";
  WriteSafetensors(path, {Source("w", torch::ones({2}), DType::kU32)});
  EXPECT_THROW(Checkpoint::Open(path).Get("w"), FileError);
}

void WriteText(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

class ShardedCheckpoint : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = FreshFolder("shards");
    WriteSafetensors(folder_ / "model-00001-of-00002.safetensors",
                     {Source("a", torch::ones({2})), Source("b", torch::ones({3}))});
    WriteSafetensors(folder_ / "model-00002-of-00002.safetensors", {Source("c", torch::zeros({4}))});
    map_ = {{"a", "model-00001-of-00002.safetensors"},
            {"b", "model-00001-of-00002.safetensors"},
            {"c", "model-00002-of-00002.safetensors"}};
  }
  void WriteIndex(const nlohmann::json& metadata = {{"total_size", 36}}) {
    WriteText(folder_ / "model.safetensors.index.json",
              nlohmann::json{{"metadata", metadata}, {"weight_map", map_}}.dump());
  }

  fs::path folder_;
  nlohmann::json map_;
};

TEST_F(ShardedCheckpoint, OpensAllShards) {
  WriteIndex();
  const Checkpoint checkpoint = Checkpoint::Open(folder_);
  EXPECT_THAT(checkpoint.names(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(checkpoint.Get("c").sum().item<float>(), 0.0f);
  EXPECT_EQ(checkpoint.files().size(), 2u);
  WriteIndex({{"total_size", 36.0}, {"total_parameters", 9}});
  EXPECT_EQ(Checkpoint::Open(folder_).names().size(), 3u);
}

TEST_F(ShardedCheckpoint, PrefersTheSingleFile) {
  WriteIndex();
  WriteSafetensors(folder_ / "model.safetensors", {Source("only", torch::ones({2}))});
  EXPECT_THAT(Checkpoint::Open(folder_).names(), ElementsAre("only"));
}

// As folders were published before safetensors.
TEST_F(ShardedCheckpoint, MayBePyTorchs) {
  const fs::path folder = FreshFolder("torch_shards");
  WriteTorchArchive(folder / "pytorch_model-00001-of-00002.bin",
                    TorchValue::MakeCheckpoint({Source("a", torch::ones({2}))}, {}));
  WriteTorchArchive(folder / "pytorch_model-00002-of-00002.bin",
                    TorchValue::MakeCheckpoint({Source("c", torch::full({4}, 3.0))}, {}));
  map_ = {{"a", "pytorch_model-00001-of-00002.bin"}, {"c", "pytorch_model-00002-of-00002.bin"}};
  const fs::path index = folder / "pytorch_model.bin.index.json";
  WriteText(index, nlohmann::json{{"weight_map", map_}}.dump());
  for (const fs::path& path : {folder, index}) {
    const Checkpoint checkpoint = Checkpoint::Open(path);
    EXPECT_THAT(checkpoint.names(), ElementsAre("a", "c"));
    EXPECT_EQ(checkpoint.Get("c").sum().item<float>(), 12.0f);
  }
  fs::remove(folder / "pytorch_model-00002-of-00002.bin");
  EXPECT_THAT(Refusal(folder), HasSubstr("pytorch_model-00002-of-00002.bin: cannot open"));
  // One file, and safetensors where there is either.
  WriteTorchArchive(folder / "pytorch_model.bin",
                    TorchValue::MakeCheckpoint({Source("one", torch::ones({2}))}, {}));
  EXPECT_THAT(Checkpoint::Open(folder).names(), ElementsAre("one"));
  WriteSafetensors(folder / "model.safetensors", {Source("safe", torch::ones({2}))});
  EXPECT_THAT(Checkpoint::Open(folder).names(), ElementsAre("safe"));
}

TEST_F(ShardedCheckpoint, RefusesABadIndex) {
  for (const char* shard : {"../x.safetensors", "/etc/x.safetensors", "a/b.safetensors", "x.txt", "../x.bin",
                            ".bin", ".safetensors", ""}) {
    map_["a"] = shard;
    WriteIndex();
    EXPECT_THAT(Refusal(folder_), HasSubstr("unsafe or improper shard")) << shard;
  }
  map_["a"] = 5;
  WriteIndex();
  EXPECT_THAT(Refusal(folder_), HasSubstr("unsafe or improper shard"));
  map_["a"] = "model-00002-of-00002.safetensors";
  WriteIndex();
  EXPECT_THAT(Refusal(folder_), HasSubstr("lacks tensor 'a'"));
  map_["a"] = "model-00003-of-00002.safetensors";
  WriteIndex();
  EXPECT_THAT(Refusal(folder_), HasSubstr("model-00003-of-00002.safetensors: cannot open"));
  WriteText(folder_ / "model.safetensors.index.json", "{\"weight_map\": {\"a\": \"");
  EXPECT_THAT(Refusal(folder_), HasSubstr("no valid JSON"));
  WriteText(folder_ / "model.safetensors.index.json",
            R"({"weight_map":{"a":"x.safetensors","a":"y.safetensors"}})");
  EXPECT_THAT(Refusal(folder_), HasSubstr("'a' appears twice"));
  WriteText(folder_ / "model.safetensors.index.json", R"({"weight_map":{}})");
  EXPECT_THAT(Refusal(folder_), HasSubstr("lists no tensors"));
  WriteText(folder_ / "model.safetensors.index.json", "version https://git-lfs.github.com/spec/v1\noid");
  EXPECT_THAT(Refusal(folder_), HasSubstr("pointer of Git LFS"));
  WriteText(folder_ / "model.safetensors.index.json", "<head><title>Log in</title>");
  EXPECT_THAT(Refusal(folder_), HasSubstr("web page (HTML)"));
  WriteText(folder_ / "model.safetensors.index.json", "[]");
  EXPECT_THAT(Refusal(folder_), HasSubstr("no 'weight_map'"));
}

TEST_F(ShardedCheckpoint, WarnsOfAWrongTotal) {
  WriteIndex({{"total_size", 35}});
  EXPECT_EQ(Checkpoint::Open(folder_).names().size(), 3u);
  EXPECT_THAT(Warnings(), Contains(HasSubstr("announces 35 bytes of tensors but the shards hold 36")));
  WriteIndex({{"total_size", "36"}});
  EXPECT_EQ(Checkpoint::Open(folder_).names().size(), 3u);
  EXPECT_THAT(Warnings(), Contains(HasSubstr("total_size is no number")));
}

TEST_F(ShardedCheckpoint, RefusesATensorInTwoShards) {
  WriteSafetensors(folder_ / "model-00002-of-00002.safetensors",
                   {Source("c", torch::zeros({4})), Source("a", torch::ones({2}))});
  WriteIndex();
  EXPECT_THAT(Refusal(folder_), HasSubstr("tensor 'a' is also in model-00001"));
}

TEST_F(ShardedCheckpoint, WarnsOfUnlistedTensors) {
  map_.erase("b");
  WriteIndex();
  EXPECT_TRUE(Checkpoint::Open(folder_).Has("b"));
  EXPECT_THAT(Warnings(), Contains(HasSubstr("does not list 1 tensors of its shards, for instance 'b'")));
}

TEST(Checkpoint, OpensTheOnlySafetensorsFileOfAFolder) {
  const fs::path folder = FreshFolder("only");
  EXPECT_THAT(Refusal(folder), HasSubstr("holds no model.safetensors"));
  WriteSafetensors(folder / "x.safetensors", {Source("w", torch::ones({2}))});
  EXPECT_THAT(Checkpoint::Open(folder).names(), ElementsAre("w"));
  WriteSafetensors(folder / "y.safetensors", {Source("w", torch::ones({2}))});
  EXPECT_THAT(Refusal(folder), HasSubstr("several .safetensors files"));
}

TEST(Checkpoint, GivesBackTheNamesOfTiedTensors) {
  // safetensors.torch.save_model keeps one of several names; the metadata tells the others.
  const fs::path folder = FreshFolder("tied");
  WriteSafetensors(folder / "x.safetensors",
                   {Source("embed", torch::ones({2})), Source("pt", torch::ones({1}))},
                   {{"head", "embed"}, {"format", "pt"}, {"note", "nothing"}, {"pt", "embed"}});
  const Checkpoint checkpoint = Checkpoint::Open(folder / "x.safetensors");
  EXPECT_THAT(checkpoint.names(), ElementsAre("embed", "pt", "head"));
  EXPECT_EQ(checkpoint.Get("head").data_ptr(), checkpoint.Get("embed").data_ptr());
  EXPECT_EQ(checkpoint.Entry("pt").numel(), 1);
}

TEST(Checkpoint, ClearMessagesForFilesThatAreNoCheckpoints) {
  const fs::path folder = FreshFolder("wrong");
  EXPECT_THAT(Refusal(folder / "none.pt"), HasSubstr("none.pt: cannot open the file"));
  WriteText(folder / "a.pt", "hello, this is text");
  EXPECT_THAT(Refusal(folder / "a.pt"), HasSubstr("is no PyTorch checkpoint"));
  WriteText(folder / "b.safetensors", "hello, this is text");
  EXPECT_THAT(Refusal(folder / "b.safetensors"), HasSubstr("not a safetensors file"));
  WriteText(folder / "c.pth", "\x80\x04\x95.");
  EXPECT_THAT(Refusal(folder / "c.pth"), HasSubstr("Python pickle but no PyTorch checkpoint"));
  WriteText(folder / "d.pt", std::string(257, 'x') + "ustar" + std::string(250, ' '));
  EXPECT_THAT(Refusal(folder / "d.pt"), HasSubstr("tar checkpoint"));
}

}  // namespace
}  // namespace wildrayzer

#include "wildrayzer/models/vgg.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/testing/golden.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

// Convolutions that copy input channel 0 to every output channel.
torch::Tensor CopyWeights(const std::string& key) {
  int inputs = 3;
  for (const VggLayer& layer : VggLayers(VggDepth::k19)) {
    const std::string name = "features." + std::to_string(layer.index);
    if (key == name + ".bias") return torch::zeros({layer.channels});
    if (key == name + ".weight") {
      torch::Tensor weight = torch::zeros({layer.channels, inputs, 3, 3});
      weight.select(1, 0).select(1, 1).select(1, 1).fill_(1.0f);
      return weight;
    }
    inputs = layer.channels;
  }
  return {};
}

TEST(VggLayers, AreTorchvisionsIndices) {
  const auto pools = [](VggDepth depth) {
    std::vector<int> indices;
    for (const VggLayer& layer : VggLayers(depth)) {
      if (layer.pool) indices.push_back(layer.index);
    }
    return indices;
  };
  EXPECT_EQ(pools(VggDepth::k16), (std::vector<int>{4, 9, 16, 23, 30}));
  EXPECT_EQ(pools(VggDepth::k19), (std::vector<int>{4, 9, 18, 27, 36}));
  EXPECT_EQ(VggLayers(VggDepth::k19, 31).back().index, 30);
  int64_t parameters = 0, inputs = 3;
  for (const VggLayer& layer : VggLayers(VggDepth::k16)) {
    if (!layer.pool) parameters += layer.channels * (9 * inputs + 1);
    inputs = layer.channels;
  }
  EXPECT_EQ(parameters, 14714688);  // weights.md 3.1
}

TEST(VggTrunk, PoolsAsTold) {
  const torch::Tensor x =
      torch::tensor({1.0f, 2.0f, 3.0f, 10.0f}).view({1, 1, 2, 2}).expand({1, 3, 2, 2}).contiguous();
  const VggTrunk max(VggDepth::k19, VggPooling::kMax, {3, 6}, CopyWeights);
  const VggTrunk average(VggDepth::k19, VggPooling::kAverage, {3, 6}, CopyWeights);
  const auto a = max.Forward(x), b = average.Forward(x);
  ASSERT_EQ(a.size(), 2u);
  EXPECT_EQ(a[0].sizes(), torch::IntArrayRef({1, 64, 2, 2}));
  EXPECT_TRUE(torch::equal(a[0].select(1, 5), x.select(1, 0)));
  EXPECT_EQ(a[1].sizes(), torch::IntArrayRef({1, 128, 1, 1}));
  EXPECT_FLOAT_EQ(a[1][0][7].item<float>(), 10.0f);
  EXPECT_FLOAT_EQ(b[1][0][7].item<float>(), 4.0f);
}

TEST(VggTrunk, CutsNegativeValuesAndLetsGradientsThrough) {
  const VggTrunk trunk(VggDepth::k19, VggPooling::kAverage, {1}, CopyWeights);
  torch::Tensor x =
      torch::tensor({-1.0f, 2.0f}).view({1, 1, 1, 2}).expand({1, 3, 1, 2}).clone().requires_grad_();
  const torch::Tensor y = trunk.Forward(x)[0];
  EXPECT_FLOAT_EQ(y[0][0][0][0].item<float>(), 0.0f);
  y.sum().backward();
  EXPECT_FLOAT_EQ(x.grad()[0][0][0][0].item<float>(), 0.0f);
  EXPECT_FLOAT_EQ(x.grad()[0][0][0][1].item<float>(), 64.0f);
}

TEST(VggTrunk, TellsTheDepthByWhatAFileHolds) {
  const auto holds = [](const std::string& name) {
    const auto path = std::filesystem::path(::testing::TempDir()) / "vgg_depth.safetensors";
    const std::string value(4, '\0');
    std::ofstream file(path, std::ios::binary);
    std::string header = "{\"" + name + "\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    const uint64_t size = header.size();
    file.write(reinterpret_cast<const char*>(&size), 8) << header << value;
    file.close();
    return VggTrunk::DepthOf(Checkpoint::Open(path));
  };
  // The fourth convolution of the third block, which VGG16 has not got: its 16 is the pool.
  EXPECT_EQ(holds("features.16.weight"), VggDepth::k19);
  EXPECT_EQ(holds("loss_computer.perceptual_loss_module.vgg.features.16.weight"), VggDepth::k19);
  EXPECT_EQ(holds("features.17.weight"), VggDepth::k16);
  EXPECT_EQ(holds("net.slice1.0.weight"), VggDepth::k16);
}

TEST(VggTrunk, RefusesWrongTapsWeightsAndPictures) {
  EXPECT_THROW(VggTrunk(VggDepth::k19, VggPooling::kMax, {2}, CopyWeights), Error);
  EXPECT_THROW(VggTrunk(VggDepth::k19, VggPooling::kMax, {}, CopyWeights), Error);
  EXPECT_THROW(VggTrunk(VggDepth::k19, VggPooling::kMax, {1},
                        [](const std::string&) {
                          return torch::zeros({2, 2});
                        }),
               Error);
  const VggTrunk trunk(VggDepth::k19, VggPooling::kMax, {6}, CopyWeights);
  EXPECT_THROW(trunk.Forward(torch::zeros({1, 3, 1, 8})), Error);
  EXPECT_THROW(trunk.Forward(torch::zeros({1, 1, 8, 8})), Error);
}

// The perceptual loss's network: rms of its five features, and the weighted differences that the loss sums.
TEST(VggGolden, FeaturesOfThePerceptualLoss) {
  WRZ_NEED_GOLDEN();
  std::map<std::string, torch::Tensor> weights;
  for (const auto& entry : testing::ReadManifest(testing::GoldenDir() / "vgg19.weights.json")) {
    weights[entry.name] = testing::Generate(entry);
  }
  const VggTrunk trunk(VggDepth::k19, VggPooling::kAverage, {3, 8, 13, 22, 31},
                       [&](const std::string& key) { return weights.at(key); });
  for (const auto& path : testing::GoldenFiles("perceptual")) {
    SCOPED_TRACE(path.string());
    const testing::GoldenFile file(path);
    const auto [gt, pred] = testing::MakePicturePair(file, "perc", 2, 128);
    testing::CheckInput(file, "check/pred_corner", pred);
    const torch::Tensor mean = torch::tensor({123.68f, 116.779f, 103.939f}).view({1, 3, 1, 1});
    const auto of_truth = trunk.Forward(gt * 255 - mean), of_picture = trunk.Forward(pred * 255 - mean);
    const double scales[] = {1 / 2.6, 1 / 4.8, 1 / 3.7, 1 / 5.6, 10 / 1.5};
    const torch::Tensor terms = file.Get("nomask/weighted_terms"), rms = file.Get("feature_rms");
    for (int k = 0; k < 5; ++k) {
      const double expected = terms[k + 1].item<double>();
      const double got = scales[k] * (of_truth[k] - of_picture[k]).abs().mean().item<double>();
      EXPECT_NEAR(got, expected, 1e-4 * expected) << "tap " << k;
      const double r = rms[k].item<double>();
      EXPECT_NEAR(of_truth[k].square().mean().sqrt().item<double>(), r, 1e-4 * r) << "tap " << k;
    }
  }
}

}  // namespace
}  // namespace wildrayzer

#include "wildrayzer/labels/pseudo_labels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <opencv2/core.hpp>

#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/labels/refinement.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {
namespace {

constexpr int kSide = 128, kGrid = 8, kPatch = kSide / kGrid;
constexpr LabelShape kShape{kSide, kSide, kGrid, kGrid, 4};

// A grey room with noise; in every frame a reddish square of 2 x 3 patches stands elsewhere, which the
// rendering does not show. Features: the mean colour of the patch and a constant.
struct World {
  explicit World(int frames, uint64_t seed = 1) {
    Random random(seed);
    for (int f = 0; f < frames; ++f) {
      std::vector<float> room(3 * kSide * kSide);
      for (float& v : room) v = static_cast<float>(0.4 + 0.1 * random.Uniform());
      std::vector<float> image = room;
      GrayImage mask(kSide, kSide);
      const int left = kPatch * (1 + f % 5), top = kPatch * (1 + f % 4);
      for (int y = top; y < top + 3 * kPatch; ++y) {
        for (int x = left; x < left + 2 * kPatch; ++x) {
          mask.At(x, y) = 255;
          for (int c = 0; c < 3; ++c) image[(c * kSide + y) * kSide + x] = c == 0 ? 0.9f : 0.1f;
        }
      }
      features.push_back(Features(image));
      rendered_features.push_back(Features(room));
      images.push_back(std::move(image));
      renderings.push_back(std::move(room));
      truth.push_back(std::move(mask));
    }
    for (int f = 0; f < frames; ++f) {
      views.push_back({images[f], renderings[f], features[f], rendered_features[f]});
    }
  }

  static std::vector<float> Features(const std::vector<float>& image) {
    std::vector<float> features(kGrid * kGrid * 4, 0.0f);
    for (size_t i = 0; i < image.size(); ++i) {
      const size_t x = i % kSide, y = i / kSide % kSide, c = i / (kSide * kSide);
      features[(y / kPatch * kGrid + x / kPatch) * 4 + c] += image[i] / (kPatch * kPatch);
    }
    for (size_t i = 3; i < features.size(); i += 4) features[i] = 0.5f;
    return features;
  }

  std::vector<std::vector<float>> images, renderings, features, rendered_features;
  std::vector<GrayImage> truth;
  std::vector<LabelFrame> views;
};

int Different(const GrayImage& a, const GrayImage& b) {
  int count = 0;
  for (size_t i = 0; i < a.values.size(); ++i) count += a.values[i] != b.values[i];
  return count;
}

TEST(PseudoLabels, FindWhatTheRenderingCannotExplain) {
  for (const int frames : {1, 2, 4, 6, 9}) {
    const World world(frames);
    LabelOptions options;
    options.clusters = 16;
    const PseudoLabels labels = MakePseudoLabels(world.views, kShape, options);
    for (int f = 0; f < frames; ++f) {
      // The square consists of whole patches and differs in colour: nothing may be lost or added but the four
      // corners, which opening with a cross takes off.
      EXPECT_EQ(Different(labels.frames[f].unrefined, world.truth[f]), 4) << frames << " " << f;
      EXPECT_LE(Different(labels.frames[f].mask, world.truth[f]), 4) << frames << " " << f;
    }
  }
}

TEST(PseudoLabels, MorePatchesThanClustersIsNoCondition) {
  const World world(1);
  LabelOptions options;
  options.clusters = 4096;
  options.selection.top_share = 0.01;
  EXPECT_NO_THROW(MakePseudoLabels(world.views, kShape, options));
}

TEST(PseudoLabels, AreTheSameEveryTime) {
  const World world(6, 3);
  LabelOptions options;
  const int before = NumThreads();
  SetThreads(1);
  const PseudoLabels first = MakePseudoLabels(world.views, kShape, options);
  cv::theRNG().state = 12345;  // somebody else used OpenCV's random numbers in between
  SetThreads(3);
  const PseudoLabels second = MakePseudoLabels(world.views, kShape, options);
  SetThreads(before);
  EXPECT_EQ(first.selection.selected, second.selection.selected);
  for (size_t f = 0; f < first.frames.size(); ++f) {
    EXPECT_EQ(first.frames[f].saliency, second.frames[f].saliency);
    EXPECT_EQ(first.frames[f].clusters, second.frames[f].clusters);
    EXPECT_EQ(first.frames[f].mask, second.frames[f].mask);
  }
}

TEST(PseudoLabels, TheWeightOfSsimGrowsWithThePsnr) {
  LabelOptions options;
  EXPECT_DOUBLE_EQ(options.SsimWeight(3), 0.2);
  EXPECT_DOUBLE_EQ(options.SsimWeight(15), 0.2);
  EXPECT_DOUBLE_EQ(options.SsimWeight(17.5), 0.3);
  EXPECT_DOUBLE_EQ(options.SsimWeight(20), 0.4);
  EXPECT_DOUBLE_EQ(options.SsimWeight(25), 0.6);
  EXPECT_DOUBLE_EQ(options.SsimWeight(60), 0.6);
  options.weights = SaliencyWeights::kFixed;
  EXPECT_DOUBLE_EQ(options.SsimWeight(60), 0.4);
}

TEST(PseudoLabels, RefuseWhatDoesNotFit) {
  World world(2);
  LabelShape shape = kShape;
  shape.rows = 7;
  EXPECT_THROW(MakePseudoLabels(world.views, shape), Error);
  shape = kShape;
  shape.channels = 5;
  EXPECT_THROW(MakePseudoLabels(world.views, shape), Error);
  EXPECT_THROW(MakePseudoLabels({}, kShape), Error);
  world.features[1][7] = NAN;
  EXPECT_THROW(MakePseudoLabels(world.views, kShape), Error);
  LabelOptions options;
  options.clusters = 0;
  EXPECT_THROW(options.Validate(), UsageError);
  options = {};
  options.low_psnr = 30;
  EXPECT_THROW(options.Validate(), UsageError);
  options = {};
  options.min_area = NAN;
  EXPECT_THROW(options.Validate(), UsageError);
}

TEST(LabelOptions, EveryValueIsInTheText) {
  const std::string text = LabelOptions().Text();
  const auto differs = [&](auto change) {
    LabelOptions options;
    change(options);
    return options.Text() != text;
  };
  EXPECT_TRUE(differs([](LabelOptions& o) { o.weights = SaliencyWeights::kFixed; }));
  EXPECT_TRUE(differs([](LabelOptions& o) { o.fixed_ssim_weight = 0.41; }));
  EXPECT_TRUE(differs([](LabelOptions& o) { o.high_psnr = 26; }));
  EXPECT_TRUE(differs([](LabelOptions& o) { o.low_ssim_weight = 0.1; }));
  EXPECT_TRUE(differs([](LabelOptions& o) { o.clusters = 65; }));
  EXPECT_TRUE(differs([](LabelOptions& o) { o.kmeans_steps = 21; }));
  EXPECT_TRUE(differs([](LabelOptions& o) { o.selection.top_share = 0.06; }));
  EXPECT_TRUE(differs([](LabelOptions& o) { o.selection.frames_needed = 3; }));
  EXPECT_TRUE(differs([](LabelOptions& o) { o.min_area = 0.005; }));
  EXPECT_TRUE(differs([](LabelOptions& o) { o.grabcut = false; }));
  EXPECT_TRUE(differs([](LabelOptions& o) { o.seed = 1; }));
}

// Two frames of four patches; clusters 0 (salient everywhere), 1 (in the first frame only), 2; 3 is empty.
TEST(SelectClusters, FollowsTheRule) {
  const std::vector<float> saliency = {2, 3, 5, -1, 2.5, -2, -1, -3};
  const std::vector<int> labels = {0, 0, 1, 2, 0, 2, 2, 2};
  SelectionRule rule{0.5, 0.75, 2, 2};
  const ClusterSelection selection = SelectClusters(saliency, labels, 2, 4, rule);
  EXPECT_EQ(selection.mean_saliency, (std::vector<float>{2.5, 5, -1.75, 0}));
  EXPECT_EQ(selection.frame_median, (std::vector<float>{2, 2.5, 5, 0, -1, -2, 0, 0}));  // lower medians
  EXPECT_FLOAT_EQ(selection.rank_threshold, 1.25);                                      // between 0 and 2.5
  EXPECT_FLOAT_EQ(selection.frame_threshold, 2.625);                  // sorted[5.25] of 2.5 and 3
  EXPECT_EQ(selection.selected, (std::vector<uint8_t>{0, 0, 0, 0}));  // nobody stands out twice
  rule.frames_needed = 1;
  EXPECT_EQ(SelectClusters(saliency, labels, 2, 4, rule).selected, (std::vector<uint8_t>{0, 1, 0, 0}));
  rule.frame_quantile = 0.5;
  rule.frames_needed = 2;
  EXPECT_EQ(SelectClusters(saliency, labels, 2, 4, rule).selected, (std::vector<uint8_t>{1, 0, 0, 0}));
  EXPECT_THROW(SelectClusters(saliency, labels, 3, 4, rule), Error);
  EXPECT_THROW(SelectClusters(saliency, labels, 2, 2, rule), Error);
}

TEST(SelectClusters, FewFramesNeedFewer) {
  const SelectionRule rule;
  const std::vector<int> expected = {1, 2, 2, 3, 4, 4, 4};
  for (int frames = 1; frames <= 7; ++frames) EXPECT_EQ(rule.FramesNeeded(frames), expected[frames - 1]);
}

TEST(GrabCutMask, KeepsMasksThatGiveItNothingToDo) {
  const Image image(32, 32);
  const GrayImage empty(32, 32), full(32, 32, 255);
  EXPECT_EQ(GrabCutMask(image, empty, 5, 0), empty);
  EXPECT_EQ(GrabCutMask(image, full, 5, 0), full);
  GrayImage dot(32, 32);
  dot.At(9, 9) = 255;
  EXPECT_NE(GrabCutMask(image, dot, 5, 0), empty);  // a flat picture: whatever comes, not nothing
  const Image other_size(16, 32);                   // OpenCV refuses
  EXPECT_EQ(GrabCutMask(other_size, dot, 5, 0), dot);
}

TEST(LargeComponents, CountDiagonalNeighbours) {
  GrayImage mask(6, 6);
  for (const auto& [x, y] : {std::pair{0, 0}, {1, 1}, {2, 2}, {5, 0}, {5, 1}}) mask.At(x, y) = 255;
  GrayImage kept = mask;
  kept.At(5, 0) = kept.At(5, 1) = 0;
  EXPECT_EQ(LargeComponents(mask, 3), kept);
  EXPECT_EQ(LargeComponents(mask, 0), mask);
}

}  // namespace
}  // namespace wildrayzer

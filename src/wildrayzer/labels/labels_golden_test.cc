// Every tensor of pseudolabel.safetensors but the soft mask, which section 5 of the method does not use.
#include <gtest/gtest.h>

#include <algorithm>

#include "wildrayzer/labels/dissimilarity.h"
#include "wildrayzer/labels/pseudo_labels.h"
#include "wildrayzer/labels/refinement.h"
#include "wildrayzer/models/dinov3.h"
#include "wildrayzer/models/dinov3_test_files.h"
#include "wildrayzer/models/dinov3_weights.h"
#include "wildrayzer/testing/golden.h"

namespace wildrayzer {
namespace {

using testing::GoldenFile;
using testing::RelativeError;

// Tolerances of the golden README.
constexpr double kRelative = 1e-4, kThreshold = 1e-4, kGrabCutIou = 0.98;

std::span<const float> Values(const torch::Tensor& tensor) {
  EXPECT_TRUE(tensor.is_contiguous());
  return {tensor.data_ptr<float>(), static_cast<size_t>(tensor.numel())};
}

torch::Tensor ToTensor(const std::vector<float>& values, at::IntArrayRef shape) {
  return torch::tensor(values).view(shape);
}

GrayImage ToGray(const torch::Tensor& mask) {  // [H, W] u8, 0 or 1
  const torch::Tensor values = mask.contiguous();
  GrayImage gray(static_cast<int>(values.size(1)), static_cast<int>(values.size(0)));
  std::transform(values.data_ptr<uint8_t>(), values.data_ptr<uint8_t>() + values.numel(), gray.values.begin(),
                 [](uint8_t v) { return v ? 255 : 0; });
  return gray;
}

// Patch features [frames, patches, channels] of the DINOv3 ViT-S/16 of the goldens.
torch::Tensor DinoFeatures(const torch::Tensor& images) {
  const TemporaryFolder folder;
  const auto manifest = testing::ReadManifest(testing::GoldenDir() / "dinov3_vits16.weights.json");
  const auto file = folder.path() / "model.safetensors";
  const auto golden = GoldenFile(testing::GoldenDir() / "dinov3_vits16.safetensors");
  WriteMetaSafetensors(file, manifest, golden.Shape("rope/periods")[0]);
  return LoadDinov3(file)->PatchFeatures(images).flatten(2).transpose(1, 2).contiguous();
}

struct Inputs {
  explicit Inputs(const GoldenFile& file)
      : images(file.Get("gt_u8").to(torch::kFloat32) / 255.0),
        renderings(file.Get("pred_u8").to(torch::kFloat32) / 255.0) {
    const torch::NoGradGuard guard;
    features = DinoFeatures(images);
    rendered_features = DinoFeatures(renderings);
    const auto grid = file.Shape("fused_saliency_16x16");
    shape = {static_cast<int>(images.size(2)), static_cast<int>(images.size(3)), static_cast<int>(grid[2]),
             static_cast<int>(grid[3]), features.size(2)};
    for (int64_t i = 0; i < images.size(0); ++i) {
      frames.push_back(
          {Values(images[i]), Values(renderings[i]), Values(features[i]), Values(rendered_features[i])});
    }
  }

  torch::Tensor images, renderings, features, rendered_features;
  LabelShape shape;
  std::vector<LabelFrame> frames;
};

void CheckSaliency(const GoldenFile& file, const Inputs& inputs, const PseudoLabels& labels) {
  const int64_t h = inputs.shape.height, w = inputs.shape.width;
  for (size_t i = 0; i < labels.frames.size(); ++i) {
    SCOPED_TRACE(i);
    const auto n = static_cast<int64_t>(i);
    const FrameLabels& frame = labels.frames[i];
    const torch::Tensor ssim = ToTensor(frame.ssim_map, {h, w});
    const torch::Tensor expected = file.Get("ssim_dissimilarity")[n][0];
    const int64_t step = h / expected.size(0);
    EXPECT_LT(
        RelativeError(ssim.slice(0, 0, torch::nullopt, step).slice(1, 0, torch::nullopt, step), expected),
        kRelative);
    EXPECT_NEAR(ssim.to(torch::kFloat64).mean().item<double>(),
                file.Get("ssim_dissimilarity_mean")[n].item<double>(), kThreshold);
    const auto grid = file.Get("fused_saliency_16x16")[n][0];
    EXPECT_LT(RelativeError(ToTensor(frame.ssim, grid.sizes()), file.Get("ssim_dissimilarity_16x16")[n][0]),
              kRelative);
    EXPECT_LT(
        RelativeError(ToTensor(frame.features, grid.sizes()), file.Get("cosine_dissimilarity_16x16")[n][0]),
        kRelative);
    EXPECT_LT(RelativeError(ToTensor(frame.saliency, grid.sizes()), grid), kRelative);
  }
}

double IouOf(const GrayImage& a, const GrayImage& b) {
  int64_t both = 0, either = 0;
  for (size_t i = 0; i < a.values.size(); ++i) {
    both += a.values[i] && b.values[i];
    either += a.values[i] || b.values[i];
  }
  return either == 0 ? 1.0 : static_cast<double>(both) / static_cast<double>(either);
}

void CheckCase(const GoldenFile& file, const std::string& name, const Inputs& inputs, PseudoLabels labels) {
  SCOPED_TRACE(name);
  LabelOptions options;
  options.clusters = static_cast<int>(file.Shape(name + "/selected_clusters")[0]);
  const size_t area = name.find("_minarea");
  if (area != std::string::npos)
    options.min_area = std::stod(name.substr(area + std::string("_minarea").size()));
  const torch::Tensor clusters = file.Get(name + "/labels");
  for (size_t i = 0; i < labels.frames.size(); ++i) {
    const torch::Tensor row = clusters[static_cast<int64_t>(i)];
    labels.frames[i].clusters.assign(row.data_ptr<int>(), row.data_ptr<int>() + row.numel());
  }
  LabelClusters(inputs.frames, inputs.shape, options, labels);

  const ClusterSelection& selection = labels.selection;
  EXPECT_NEAR(selection.rank_threshold, file.Get(name + "/rank_threshold").item<float>(), kThreshold);
  EXPECT_NEAR(selection.frame_threshold, file.Get(name + "/frame_threshold").item<float>(), kThreshold);
  const torch::Tensor mean = file.Get(name + "/cluster_mean_saliency");
  EXPECT_LT(RelativeError(ToTensor(selection.mean_saliency, mean.sizes()), mean), kRelative);
  const torch::Tensor median = file.Get(name + "/cluster_frame_median");
  EXPECT_LT(RelativeError(ToTensor(selection.frame_median, median.sizes()), median), kRelative);
  EXPECT_TRUE(
      torch::equal(torch::tensor(selection.selected, torch::kUInt8), file.Get(name + "/selected_clusters")));
  double worst = 1.0;
  for (size_t i = 0; i < labels.frames.size(); ++i) {
    const auto n = static_cast<int64_t>(i);
    EXPECT_EQ(labels.frames[i].unrefined, ToGray(file.Get(name + "/mask_before_grabcut")[n][0])) << i;
    worst =
        std::min(worst, IouOf(labels.frames[i].mask, ToGray(file.Get(name + "/mask_after_grabcut")[n][0])));
  }
  EXPECT_GE(worst, kGrabCutIou);
}

std::vector<std::string> CaseNames(const GoldenFile& file) {
  std::vector<std::string> names;
  const std::string ending = "/labels";
  for (const std::string& name : file.names()) {
    if (name.ends_with(ending)) names.push_back(name.substr(0, name.size() - ending.size()));
  }
  return names;
}

TEST(LabelGolden, EveryStage) {
  WRZ_NEED_GOLDEN();
  const auto files = testing::GoldenFiles("pseudolabel");
  ASSERT_FALSE(files.empty());
  for (const auto& path : files) {
    SCOPED_TRACE(path.string());
    const GoldenFile file(path);
    const Inputs inputs(file);
    LabelOptions options;
    options.weights = SaliencyWeights::kFixed;
    const PseudoLabels labels = MeasureSaliency(inputs.frames, inputs.shape, options);
    CheckSaliency(file, inputs, labels);
    const auto cases = CaseNames(file);
    EXPECT_GE(cases.size(), 4u);
    for (const std::string& name : cases) CheckCase(file, name, inputs, labels);
  }
}

TEST(LabelGolden, ImageOperators) {
  WRZ_NEED_GOLDEN();
  for (const auto& path : testing::GoldenFiles("pseudolabel")) {
    SCOPED_TRACE(path.string());
    const GoldenFile file(path);
    const GrayImage binary = ToGray(file.Get("unit/binary"));
    const auto expect = [&](const GrayImage& mask, const std::string& name) {
      EXPECT_EQ(mask, ToGray(file.Get("unit/" + name))) << name;
    };
    expect(CloseMask(binary, 3, 1), "close3");
    expect(OpenMask(CloseMask(binary, 3, 1), 3, 1), "close3_open3");
    expect(OpenMask(binary, 5, 2), "open5_iter2");
    expect(CloseMask(binary, 5, 2), "close5_iter2");
    expect(LargeComponents(binary, 12), "components_min12");
    expect(ErodeMask(ToGray(file.Get("structured/mask_before_grabcut")[0][0]), 7),
           "erode7_of_structured_mask0");
    // The areas, counted from what each threshold leaves.
    const torch::Tensor areas = file.Get("unit/component_areas_sorted");
    for (int min_area = 1; min_area < 40; ++min_area) {
      const GrayImage kept = LargeComponents(binary, min_area);
      const auto count = std::count(kept.values.begin(), kept.values.end(), 255);
      EXPECT_EQ(count, areas.masked_select(areas >= min_area).sum().item<int64_t>()) << min_area;
    }
    // Opening keeps the kernel's own shape and removes it with any pixel missing.
    for (const int size : {3, 5}) {
      const GrayImage ellipse = ToGray(file.Get("unit/ellipse" + std::to_string(size)));
      GrayImage blob(3 * size, 3 * size);
      for (int y = 0; y < size; ++y) {
        for (int x = 0; x < size; ++x) blob.At(size + x, size + y) = ellipse.At(x, y);
      }
      EXPECT_EQ(OpenMask(blob, size, 1), blob) << size;
      for (size_t i = 0; i < blob.values.size(); ++i) {
        if (!blob.values[i]) continue;
        GrayImage damaged = blob;
        damaged.values[i] = 0;
        EXPECT_EQ(OpenMask(damaged, size, 1), GrayImage(blob.width, blob.height)) << size;
      }
    }
  }
}

}  // namespace
}  // namespace wildrayzer

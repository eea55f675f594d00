// Every tensor of metrics.safetensors against ours.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <regex>

#include "wildrayzer/evaluation/image_metrics.h"
#include "wildrayzer/evaluation/lpips.h"
#include "wildrayzer/io/torch_test_files.h"
#include "wildrayzer/io/torch_writer.h"
#include "wildrayzer/testing/golden.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using testing::GoldenFile;

// Tolerances of the golden README: dB, absolute, relative.
constexpr double kPsnrTolerance = 1e-3, kSsimTolerance = 1e-5, kRelativeError = 1e-4;

Planes PlanesOf(const torch::Tensor& tensor) {  // [C, H, W]
  const torch::Tensor values = tensor.to(torch::kFloat32).contiguous();
  Planes planes(static_cast<int>(values.size(0)), static_cast<int>(values.size(1)),
                static_cast<int>(values.size(2)));
  std::copy_n(values.data_ptr<float>(), values.numel(), planes.values.begin());
  return planes;
}

// LPIPS with the generated VGG16 and the heads stored in the file.
Lpips Network(const GoldenFile& file) {
  std::map<std::string, torch::Tensor> weights;
  for (const testing::ManifestEntry& entry :
       testing::ReadManifest(testing::GoldenDir() / "vgg16.weights.json")) {
    weights[entry.name] = testing::Generate(entry);
  }
  std::array<torch::Tensor, kLpipsLayers> heads;
  for (int k = 0; k < kLpipsLayers; ++k) heads[k] = file.Get("lpips_lin" + std::to_string(k));
  return Lpips(VggTrunk(VggDepth::k16, VggPooling::kMax, {3, 8, 15, 22, 29},
                        [&](const std::string& name) { return weights.at(name); }),
               heads);
}

// The pictures and masks of one file, the network, and what both give.
class Case {
 public:
  explicit Case(const std::filesystem::path& path) : file(path), lpips(Network(file)) {
    const torch::Tensor masks = file.Get("masks");
    const int64_t n = masks.size(0), size = masks.size(2);
    const auto [gt, pred] = testing::MakePicturePair(file, "metric", n, size);
    pred[2] = gt[2] + 0.02 * testing::GeneratedTensor(file.Key("input/metric_small"), {3, size, size});
    testing::CheckInput(file, "check/pred_corner", pred);
    for (int64_t i = 0; i < n; ++i) {
      truths.push_back(PlanesOf(gt[i]));
      pictures.push_back(PlanesOf(pred[i]));
      transient.push_back(PlanesOf(masks[i]));
    }
    for (int64_t i = 0; i < n; ++i) maps.push_back(lpips.Compare(pictures[i], truths[i]));
  }

  GoldenFile file;
  Lpips lpips;
  std::vector<Planes> truths, pictures, transient;
  std::vector<LpipsMaps> maps;
};

// Compares one number an image with a golden vector; NaN must meet NaN.
void ExpectScores(const Case& c, const std::string& name, double absolute, double relative,
                  const std::function<double(size_t image)>& ours) {
  const torch::Tensor golden = c.file.Get(name).to(torch::kFloat64);
  ASSERT_EQ(golden.numel(), static_cast<int64_t>(c.pictures.size())) << name;
  for (size_t i = 0; i < c.pictures.size(); ++i) {
    const double expected = golden[static_cast<int64_t>(i)].item<double>(), got = ours(i);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(got)) << name << " image " << i;
    } else {
      EXPECT_NEAR(got, expected, std::max(absolute, relative * std::abs(expected))) << name << " image " << i;
    }
  }
}

// masked/METRIC_REGION[_maskN]; false when the name is none of these.
bool CheckMasked(const Case& c, const std::string& name) {
  std::smatch match;
  static const std::regex pattern(
      "(masked|masked_reference_code)/(psnr|ssim|lpips|lpips_spatial)_(transient|static)(?:_mask(\\d+))?");
  if (!std::regex_match(name, match, pattern)) return false;
  const std::string metric = match[2];
  const bool released = match[1] == "masked_reference_code", is_static = match[3] == "static";
  const int size = match[4].matched ? std::stoi(match[4]) : 0;
  const auto mask = [&](size_t i) {
    Planes m = is_static ? Complement(c.transient[i]) : c.transient[i];
    if (size > 0) m = ResizeNearest(m, size, size);
    return m;
  };
  if (metric == "psnr") {
    ExpectScores(c, name, kPsnrTolerance, 0,
                 [&](size_t i) { return MaskedPsnr(c.pictures[i], c.truths[i], mask(i)); });
  } else if (metric == "ssim") {
    ExpectScores(c, name, kSsimTolerance, 0,
                 [&](size_t i) { return MaskedSsim(c.pictures[i], c.truths[i], mask(i)); });
  } else if (released) {
    const bool spatial = metric == "lpips_spatial";
    ExpectScores(c, name, 0, kRelativeError,
                 [&](size_t i) { return ReleasedMaskedLpips(c.maps[i], mask(i), spatial); });
  } else {
    ExpectScores(c, name, 0, kRelativeError, [&](size_t i) { return MaskedLpips(c.maps[i], mask(i)); });
  }
  return true;
}

void CheckWindow(const Case& c, const std::string& name) {
  const torch::Tensor golden = c.file.Get(name);
  for (int y = 0; y < 11; ++y) {
    for (int x = 0; x < 11; ++x) {
      EXPECT_NEAR(SsimWindow()[y] * SsimWindow()[x], golden[y][x].item<double>(),
                  1e-8);  // float32 of values below 0.08
    }
  }
}

// The stored map is that of masked SSIM. Its reference works in float32, where the variances of smooth
// windows lose four digits, so that single pixels deviate; over the whole map the README's 1e-4 holds.
void CheckSsimMap(const Case& c, const std::string& name, int stride) {
  const torch::Tensor golden = c.file.Get(name);
  torch::Tensor ours = torch::empty_like(golden);
  for (int64_t i = 0; i < golden.size(0); ++i) {
    Planes map = SsimMap(c.pictures[i], c.truths[i], kMaskedSsim);
    const torch::Tensor all = torch::from_blob(map.values.data(), {map.channels, map.height, map.width});
    ours[i].copy_(all.slice(1, 0, map.height, stride).slice(2, 0, map.width, stride));
  }
  EXPECT_LE(testing::RelativeError(ours, golden), kRelativeError) << name;
  EXPECT_LE((ours - golden).abs().max().item<double>(), 1e-3) << name;
}

void CheckActivations(const Case& c, const std::string& name) {
  const torch::Tensor golden = c.file.Get(name);
  for (size_t i = 0; i < c.truths.size(); ++i) {
    const std::vector<torch::Tensor> activations = c.lpips.Activations(c.truths[i]);
    for (int k = 0; k < kLpipsLayers; ++k) {
      const double expected = golden[static_cast<int64_t>(i)][k].item<double>();
      EXPECT_NEAR(activations[k].square().mean().sqrt().item<double>(), expected, kRelativeError * expected)
          << i << ' ' << k;
    }
  }
}

void CheckLayers(const Case& c, const std::string& name) {
  for (int k = 0; k < kLpipsLayers; ++k) {
    const torch::Tensor golden = c.file.Get(name).select(1, k).to(torch::kFloat64);
    for (size_t i = 0; i < c.maps.size(); ++i) {
      const double expected = golden[static_cast<int64_t>(i)].item<double>();
      EXPECT_NEAR(LpipsPerLayer(c.maps[i])[k], expected, kRelativeError * expected) << name << " layer " << k;
    }
  }
}

TEST(MetricsGolden, EveryTensor) {
  WRZ_NEED_GOLDEN();
  for (const auto& path : testing::GoldenFiles("metrics")) {
    SCOPED_TRACE(path.string());
    const Case c(path);
    const auto& [pictures, truths, maps] = std::tie(c.pictures, c.truths, c.maps);
    for (const std::string& name : c.file.names()) {
      std::smatch stride;
      if (name == "psnr") {
        ExpectScores(c, name, kPsnrTolerance, 0, [&](size_t i) { return Psnr(pictures[i], truths[i]); });
      } else if (name == "ssim") {
        ExpectScores(c, name, kSsimTolerance, 0, [&](size_t i) { return Ssim(pictures[i], truths[i]); });
      } else if (name == "lpips") {
        ExpectScores(c, name, 0, kRelativeError, [&](size_t i) { return LpipsDistance(maps[i]); });
      } else if (name == "lpips_per_layer") {
        CheckLayers(c, name);
      } else if (name == "lpips_feature_rms") {
        CheckActivations(c, name);
      } else if (name == "ssim_window_11_1.5") {
        CheckWindow(c, name);
      } else if (std::regex_match(name, stride, std::regex("ssim_map_stride(\\d+)"))) {
        CheckSsimMap(c, name, std::stoi(stride[1]));
      } else if (name != "masks" && !name.starts_with("check/") && !name.starts_with("lpips_lin")) {
        EXPECT_TRUE(CheckMasked(c, name)) << "no check for tensor " << name;
      }
    }
  }
}

// Bytes of a Python 2 text, at most 255.
std::string Short(const std::string& text) {
  return "U" + testing::Raw(static_cast<uint8_t>(text.size())) + text;
}

// The layout of the LPIPS package's vgg.pth (weights.md 3.3 and 4.5): a legacy stream that Python 2 wrote, an
// OrderedDict made from a list of pairs, tensors on cuda:0.
std::string HeadsAsPublished(const GoldenFile& file) {
  std::string pairs = "](", keys = "](", storages;
  for (int k = 0; k < kLpipsLayers; ++k) {
    const torch::Tensor head = file.Get("lpips_lin" + std::to_string(k)).contiguous();
    const std::string key = std::to_string(94000 + k);
    pairs += "](" + Short("lin" + std::to_string(k) + ".model.1.weight") +
             testing::Global("torch._utils", "_rebuild_tensor_v2") + "((" + Short("storage") +
             testing::Global("torch", "FloatStorage") + Short(key) + Short("cuda:0") +
             testing::Long(head.numel()) + "NtQ" + testing::Int(0) + testing::IntTuple(head.sizes().vec()) +
             testing::IntTuple(head.strides().vec()) + "\x89NtRe";
    keys += Short(key);
    storages += testing::Raw<int64_t>(head.numel()) +
                std::string(static_cast<const char*>(head.data_ptr()), static_cast<size_t>(head.nbytes()));
  }
  const std::string object = testing::Global("collections", "OrderedDict") + "(" + pairs + "etR}" +
                             Short("_metadata") + testing::Global("collections", "OrderedDict") + "(]tRsb";
  const std::string magic("\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19\x2E", 15);
  return magic + testing::Pickle(testing::Int(1001)) +
         testing::Pickle("}(" + Short("protocol_version") + testing::Int(1001) + Short("little_endian") +
                         "\x88u") +
         testing::Pickle(object) + testing::Pickle(keys + "e") + storages;
}

// torchvision's vgg16 file: an ordered dict under its names, with a classifier that nobody needs here.
void WriteTrunk(const std::filesystem::path& path) {
  std::vector<TensorSource> tensors;
  const auto add = [&](const std::string& name, const torch::Tensor& tensor) {
    tensors.push_back(
        {.name = name,
         .dtype = DType::kF32,
         .shape = tensor.sizes().vec(),
         .stream = [tensor](const ByteSink& sink) {
           sink({static_cast<const std::byte*>(tensor.data_ptr()), static_cast<size_t>(tensor.nbytes())});
         }});
  };
  for (const testing::ManifestEntry& entry :
       testing::ReadManifest(testing::GoldenDir() / "vgg16.weights.json")) {
    add(entry.name, testing::Generate(entry).contiguous());
  }
  add("classifier.6.bias", torch::zeros({1000}));
  WriteTorchArchive(path, TorchValue::MakeStateDict(tensors));
}

// From files laid out like the published ones to the golden distances, without a detour through tensors.
TEST(MetricsGolden, LpipsFromPublishedFiles) {
  WRZ_NEED_GOLDEN();
  const auto folder = std::filesystem::temp_directory_path() / "wildrayzer_lpips_files";
  std::filesystem::create_directories(folder);
  WriteTrunk(folder / "vgg16.pth");
  const Case c(testing::GoldenFiles("metrics").front());
  WriteFileAtomically(folder / "vgg.pth", HeadsAsPublished(c.file));
  const Lpips lpips = Lpips::Load(folder / "vgg16.pth", folder / "vgg.pth");
  ExpectScores(c, "lpips", 0, kRelativeError,
               [&](size_t i) { return LpipsDistance(lpips.Compare(c.pictures[i], c.truths[i])); });
  // The two files confused, and the heads of another network.
  EXPECT_THROW(Lpips::Load(folder / "vgg.pth", folder / "vgg.pth"), FileError);
  EXPECT_THROW(Lpips::Load(folder / "vgg16.pth", folder / "vgg16.pth"), FileError);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace wildrayzer

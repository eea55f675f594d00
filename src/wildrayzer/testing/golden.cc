#include "wildrayzer/testing/golden.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "wildrayzer/util/error.h"

namespace wildrayzer::testing {

namespace fs = std::filesystem;

fs::path GoldenDir() {
  const char* folder = std::getenv("WILDRAYZER_GOLDEN_DIR");
  return folder != nullptr && *folder != '\0' ? fs::path(folder) : fs::path("../shared/golden");
}

bool HaveGolden() { return fs::is_directory(GoldenDir()); }

std::vector<fs::path> GoldenFiles(const std::string& stem) {
  std::vector<fs::path> files;
  if (!HaveGolden()) return files;
  for (const fs::directory_entry& entry : fs::directory_iterator(GoldenDir())) {
    const fs::path& path = entry.path();
    if (path.extension() == ".safetensors" && path.filename().string().starts_with(stem))
      files.push_back(path);
  }
  std::sort(files.begin(), files.end());
  return files;
}

fs::path TestData(const std::string& name) { return fs::path("tests/data") / name; }

std::string KeyPrefix(const fs::path& folder) {
  const fs::path path = folder / "golden.json";
  if (!fs::exists(path)) return "";
  std::ifstream file(path);
  try {
    return nlohmann::json::parse(file).value("key_prefix", "");
  } catch (const nlohmann::json::exception& error) {
    throw FileError(path.string(),
                    std::string("must be an object with a text 'key_prefix': ") + error.what());
  }
}

std::vector<std::string> GoldenFile::NamesWithPrefix(const std::string& prefix) const {
  std::vector<std::string> names;
  for (const std::string& name : checkpoint_.names()) {
    if (name.starts_with(prefix)) names.push_back(name);
  }
  return names;
}

void CheckInput(const GoldenFile& file, const std::string& stored, const torch::Tensor& made) {
  torch::Tensor expected = file.Get(stored).to(torch::kFloat32), part = made.to(torch::kFloat32);
  for (int64_t axis = 0; axis < expected.dim(); ++axis) {
    const int64_t common = std::min(expected.size(axis), part.size(axis));
    expected = expected.narrow(axis, 0, common);
    part = part.narrow(axis, 0, common);
  }
  const double worst = (part - expected).abs().max().item<double>();
  if (worst <= 1e-5) return;
  throw FileError(
      file.path().string(),
      fmt::format("'{}' is not what was generated as input (off by {}); keys were made with the prefix "
                  "'{}' of golden.json beside it",
                  stored, worst, file.Key("")));
}

PicturePair MakePicturePair(const GoldenFile& file, const std::string& stem, int64_t n, int64_t size) {
  const std::string key = file.Key("input/" + stem);
  const torch::Tensor truth = SmoothImage(key + "_gt", n, size, size);
  CheckInput(file, "check/gt_corner", truth);
  const torch::Tensor delta = SmoothImage(key + "_delta", n, size, size) - 0.5;
  const torch::Tensor noise = GeneratedTensor(key + "_noise", {n, 3, size, size}, 0.05);
  return {truth, (truth + 0.24 * delta + noise).clamp(0, 1)};
}

double RelativeError(const torch::Tensor& a, const torch::Tensor& b) {
  const double worst = std::numeric_limits<double>::infinity();
  if (a.sizes() != b.sizes()) return worst;
  const torch::Tensor x = a.detach().to(torch::kCPU, torch::kFloat64);
  const torch::Tensor y = b.detach().to(torch::kCPU, torch::kFloat64);
  const double reference = y.norm().item<double>();
  const double difference = (x - y).norm().item<double>();
  const double error = reference > 0 ? difference / reference : difference;
  return std::isnan(error) ? worst : error;
}

bool BitEqual(const torch::Tensor& a, const torch::Tensor& b) {
  if (a.scalar_type() != b.scalar_type() || a.sizes() != b.sizes()) return false;
  return a.numel() == 0 || std::memcmp(a.contiguous().data_ptr(), b.contiguous().data_ptr(), a.nbytes()) == 0;
}

}  // namespace wildrayzer::testing

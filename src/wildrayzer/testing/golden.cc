#include "wildrayzer/testing/golden.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

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

std::string GoldenFile::Metadata(const std::string& key) const {
  const auto found = checkpoint_.metadata().find(key);
  return found == checkpoint_.metadata().end() ? "" : found->second;
}

std::vector<std::string> GoldenFile::NamesWithPrefix(const std::string& prefix) const {
  std::vector<std::string> names;
  for (const std::string& name : checkpoint_.names()) {
    if (name.starts_with(prefix)) names.push_back(name);
  }
  return names;
}

std::vector<std::string> InputKeyCandidates(const GoldenFile& file, const std::string& name) {
  std::vector<std::string> keys{"input/" + name};
  const std::string set = file.set();
  if (set.empty()) return keys;
  for (const std::string& key :
       {set + "/" + name, set + "/input/" + name, "input_" + set + "/" + name, "input/" + set + "/" + name,
        "input/" + name + "/" + set, "input/" + name + "_" + set, "input/" + set + "_" + name,
        "input-" + set + "/" + name}) {
    keys.push_back(key);
  }
  return keys;
}

std::string InputKey(const GoldenFile& file, const std::string& name,
                     const std::function<bool(const std::string&)>& matches) {
  std::string tried;
  for (const std::string& key : InputKeyCandidates(file, name)) {
    if (matches(key)) return key;
    tried += (tried.empty() ? "" : ", ") + key;
  }
  throw FileError(file.path().string(), "no generator key reproduces input '" + name + "'; tried " + tried);
}

bool CornerMatches(const torch::Tensor& image, const torch::Tensor& corner) {
  for (int64_t axis = 0; axis < 4; ++axis) {
    if (image.size(axis) < corner.size(axis)) return false;
  }
  torch::Tensor part = image;
  for (int64_t axis = 0; axis < 4; ++axis) part = part.narrow(axis, 0, corner.size(axis));
  return (part - corner).abs().max().item<double>() <= 1e-5;
}

std::string InputKey(const GoldenFile& file, const std::string& name, int64_t views, int64_t height,
                     int64_t width, const std::string& check) {
  const torch::Tensor corner = file.Get(check.empty() ? "check/" + name + "_corner" : check);
  return InputKey(file, name, [&](const std::string& key) {
    return CornerMatches(SmoothImage(key, views, height, width), corner.slice(0, 0, views));
  });
}

double RelativeError(const torch::Tensor& a, const torch::Tensor& b) {
  const double worst = std::numeric_limits<double>::infinity();
  if (a.sizes() != b.sizes()) return worst;
  const torch::Tensor x = a.detach().to(torch::kFloat64);
  const torch::Tensor y = b.detach().to(torch::kFloat64);
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

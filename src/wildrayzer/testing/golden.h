// Access to the folder of golden vectors, and comparison with them. Nothing about counts or keys is
// hard-coded: the same tests run on a second folder of the same form with other inputs.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/testing/generator.h"
#include "wildrayzer/testing/manifest.h"
#include "wildrayzer/util/tensor.h"

// First line of every test that needs the golden folder.
#define WRZ_NEED_GOLDEN()                                                       \
  if (!::wildrayzer::testing::HaveGolden())                                     \
  GTEST_SKIP() << "no golden vectors in " << ::wildrayzer::testing::GoldenDir() \
               << "; set WILDRAYZER_GOLDEN_DIR"

namespace wildrayzer::testing {

// Environment variable WILDRAYZER_GOLDEN_DIR, else ../shared/golden beside the source tree.
std::filesystem::path GoldenDir();
bool HaveGolden();

// All .safetensors files of the folder whose file name starts with `stem`, sorted by name.
std::vector<std::filesystem::path> GoldenFiles(const std::string& stem);

// The rooted path of a small vector that comes with the repository (tests/data/NAME).
std::filesystem::path TestData(const std::string& name);

// One .safetensors of golden tensors.
class GoldenFile {
 public:
  explicit GoldenFile(const std::filesystem::path& path) : checkpoint_(Checkpoint::Open(path)), path_(path) {}

  const std::filesystem::path& path() const { return path_; }
  // The file name without ".safetensors".
  std::string stem() const { return path_.stem().string(); }
  // Metadata "set" (which family of inputs; "dev" in the folder that we have), empty when absent.
  std::string set() const { return Metadata("set"); }
  std::string Metadata(const std::string& key) const;

  bool Has(const std::string& name) const { return checkpoint_.Has(name); }
  // A copy (safe to modify); FileError when absent.
  torch::Tensor Get(const std::string& name) const { return checkpoint_.Get(name).clone(); }
  std::vector<int64_t> Shape(const std::string& name) const { return checkpoint_.Entry(name).shape; }
  const std::vector<std::string>& names() const { return checkpoint_.names(); }
  // Names that start with `prefix`, in file order.
  std::vector<std::string> NamesWithPrefix(const std::string& prefix) const;

 private:
  Checkpoint checkpoint_;
  std::filesystem::path path_;
};

// Generator keys under which the input `name` ("image", "dino", ...) may have been made in this file's set,
// most likely first: "input/NAME", "SET/NAME", "SET/input/NAME", ...
std::vector<std::string> InputKeyCandidates(const GoldenFile& file, const std::string& name);

// The first candidate that `matches` accepts (for files without a check/ tensor: compare an early
// intermediate result). Error listing the candidates when there is none.
std::string InputKey(const GoldenFile& file, const std::string& name,
                     const std::function<bool(const std::string& key)>& matches);

// The candidate whose SmoothImage(key, views, height, width) has check/NAME_corner in its upper left corner
// (1e-5 absolute). `views` is the number of views that were generated; the check may show fewer. `check`
// overrides "check/NAME_corner".
std::string InputKey(const GoldenFile& file, const std::string& name, int64_t views, int64_t height,
                     int64_t width, const std::string& check = "");

// True when `image` [V,3,H,W] starts with `corner` [v,3,h,w] (1e-5 absolute).
bool CornerMatches(const torch::Tensor& image, const torch::Tensor& corner);

// ||a - b||_2 / ||b||_2 in double (b = golden); ||a||_2 when b is all zero. Infinity for different shapes or
// any NaN.
double RelativeError(const torch::Tensor& a, const torch::Tensor& b);
// Same type, shape and bits.
bool BitEqual(const torch::Tensor& a, const torch::Tensor& b);

}  // namespace wildrayzer::testing

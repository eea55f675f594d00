// Access to folders of golden vectors, and comparison with them. Counts come from the files and the prefix of
// the inputs' generator keys from golden.json beside them, so the same tests run on another folder of the
// same form.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
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

// What stands in front of every generator key of an input in a folder of golden vectors: "key_prefix" of its
// golden.json, "" without that file or entry. FileError when golden.json has another form.
std::string KeyPrefix(const std::filesystem::path& folder);

// One .safetensors of golden tensors.
class GoldenFile {
 public:
  explicit GoldenFile(const std::filesystem::path& path)
      : checkpoint_(Checkpoint::Open(path)), path_(path), key_prefix_(KeyPrefix(path.parent_path())) {}

  const std::filesystem::path& path() const { return path_; }
  // The file name without ".safetensors".
  std::string stem() const { return path_.stem().string(); }
  // The generator key of an input that the golden README calls `documented` ("input/image").
  std::string Key(const std::string& documented) const { return key_prefix_ + documented; }

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
  std::string key_prefix_;
};

// FileError unless what the file stores of an input, all of it or a corner, is what was made of it (1e-5
// absolute, over the part that both have): a wrong key shows here, not as an error of the model.
void CheckInput(const GoldenFile& file, const std::string& stored, const torch::Tensor& made);

// The two pictures [n, 3, size, size] of the metrics and of the perceptual loss, generated under
// "input/STEM_gt", "input/STEM_delta" and "input/STEM_noise".
struct PicturePair {
  torch::Tensor truth, picture;
};
PicturePair MakePicturePair(const GoldenFile& file, const std::string& stem, int64_t n, int64_t size);

// ||a - b||_2 / ||b||_2 in double (b = golden); ||a||_2 when b is all zero. Infinity for different shapes or
// any NaN.
double RelativeError(const torch::Tensor& a, const torch::Tensor& b);
// Same type, shape and bits.
bool BitEqual(const torch::Tensor& a, const torch::Tensor& b);

}  // namespace wildrayzer::testing

// The full-size models against their golden vectors: all files of the golden folder whose names start with
// rayzer_static or wildrayzer_.
#include <gtest/gtest.h>

#include <chrono>

#include "wildrayzer/models/testing/golden_model.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer::testing {
namespace {

class FullModel : public ::testing::TestWithParam<std::filesystem::path> {};

std::vector<std::filesystem::path> Cases() {
  std::vector<std::filesystem::path> cases = GoldenFiles("rayzer_static");
  for (const auto& path : GoldenFiles("wildrayzer_")) cases.push_back(path);
  return cases;
}

TEST(FullModels, GoldenFolder) {
  WRZ_NEED_GOLDEN();
  EXPECT_FALSE(Cases().empty());
}

TEST_P(FullModel, EveryTensorMatches) {
  const torch::NoGradGuard no_grad;
  const ModelCase test_case(GetParam());
  WildRayZer model = GoldenModel(test_case.config, test_case.manifest);
  const torch::Tensor images = test_case.Images();
  const auto start = std::chrono::steady_clock::now();
  const GoldenValues values = RunCase(test_case, model, images);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const double worst = values.Compare(test_case.file, {"check/", "gt_motion_masks"});
  std::cout << test_case.file.stem() << ": worst relative error " << worst << ", " << seconds.count()
            << " s\n";
}

std::string CaseName(const ::testing::TestParamInfo<std::filesystem::path>& info) {
  std::string name = info.param.stem().string();
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(FullModel);
INSTANTIATE_TEST_SUITE_P(Golden, FullModel, ::testing::ValuesIn(Cases()), CaseName);

}  // namespace
}  // namespace wildrayzer::testing

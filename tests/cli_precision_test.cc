// --precision and `bench`, run as a user runs them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "run_program.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

double MeanSquare(const Image& a, const Image& b) {
  double sum = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) sum += std::pow(double(a.rgb[i]) - double(b.rgb[i]), 2);
  return sum / static_cast<double>(a.rgb.size());
}

TEST(Precision, Int8RendersNearlyWhatFp32Does) {
  const fs::path folder = FreshFolder("int8");
  WritePhotos(folder / "in", 2);
  const auto render = [&](const std::string& precision) {
    std::vector<std::string> arguments = {"render",   folder / "in", "--out", folder / precision,
                                          "--frames", "2",           "--json"};
    for (const std::string& part : TinyModel()) arguments.push_back(part == "fp32" ? precision : part);
    const ProgramResult result = RunProgram(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(Json::parse(result.out)["model"]["precision"], precision);
    return ReadImage(folder / precision / "views/frame_001.png");
  };
  const Image exact = render("fp32"), rounded = render("int8");
  ASSERT_EQ(exact.rgb.size(), rounded.rgb.size());
  const double error = MeanSquare(exact, rounded);
  EXPECT_GT(error, 0);  // it is another arithmetic
  EXPECT_LT(error, 255.0 * 255.0 * 1e-4) << "below 40 dB";
}

TEST(Bench, TellsPeaksAndStages) {
  const ProgramResult result = RunProgram(
      {"bench", "--size", "small", "--precision", "fp32", "--precision", "int8", "--seconds", "0", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json report = Json::parse(result.out);
  EXPECT_GT(report["memory_bytes_per_second"].get<double>(), 1e8);
  for (const char* precision : {"fp32", "int8"}) {
    const Json& part = report["precisions"][precision];
    EXPECT_GT(part["peak_flops"].get<double>(), 1e8);
    ASSERT_EQ(part["timings"].size(), 5u);
    double stages = 0;
    for (size_t i = 0; i < 4; ++i)
      stages += part["timings"][i]["tflops"].get<double>() * part["timings"][i]["milliseconds"].get<double>();
    const Json& whole = part["timings"][4];
    // The stages are the whole: their operations add up.
    EXPECT_NEAR(stages, whole["tflops"].get<double>() * whole["milliseconds"].get<double>(), 1e-3 * stages);
  }
}

}  // namespace
}  // namespace wildrayzer

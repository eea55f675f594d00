// Runs the tests of some source files: --sources=layers_test.cc,init_test.cc (default: of all). ctest's
// entries are made of it, since many files are linked into one program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <sstream>
#include <string>

#include "wildrayzer/testing/files.h"
#include "wildrayzer/util/system.h"

namespace {

constexpr char kOption[] = "--sources=";

// The names of all tests that stand in `source`, as a part of a filter.
std::string TestsOf(const std::string& source) {
  std::string filter;
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  for (int s = 0; s < all.total_test_suite_count(); ++s) {
    const testing::TestSuite& suite = *all.GetTestSuite(s);
    for (int t = 0; t < suite.total_test_count(); ++t) {
      const testing::TestInfo& test = *suite.GetTestInfo(t);
      if (std::filesystem::path(test.file()).filename() != source) continue;
      filter += std::string(suite.name()) + "." + test.name() + ":";
    }
  }
  return filter;
}

}  // namespace

int main(int argc, char** argv) {
  wildrayzer::RestartWithBetterBlasKernels(argv);  // as the program does
  testing::InitGoogleMock(&argc, argv);
  const std::string option = argc > 1 ? argv[1] : "";
  if (option.rfind(kOption, 0) == 0) {
    std::string filter;
    std::stringstream sources(option.substr(sizeof(kOption) - 1));
    for (std::string source; std::getline(sources, source, ',');) filter += TestsOf(source);
    if (filter.empty()) {
      std::fprintf(stderr, "no test stands in %s\n", option.c_str());
      return 2;
    }
    testing::GTEST_FLAG(filter) = filter;
  }
  const int result = RUN_ALL_TESTS();
  std::error_code ignored;
  std::filesystem::remove_all(wildrayzer::testing::ProcessFolder(), ignored);
  return result;
}

#include "wildrayzer/pipeline/default_model.h"

#include <gtest/gtest.h>

#include <fstream>

#include "wildrayzer/testing/files.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

void Touch(const fs::path& path) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << "model";
}

TEST(DefaultModel, IsFoundInAnInstallation) {
  const fs::path prefix = testing::FreshFolder("installation");
  fs::create_directories(prefix / "bin");
  EXPECT_FALSE(FindDefaultModel(prefix / "bin"));
  Touch(prefix / "share/wildrayzer" / kDefaultModelName);
  EXPECT_EQ(FindDefaultModel(prefix / "bin"), prefix / "share/wildrayzer" / kDefaultModelName);
}

TEST(DefaultModel, IsFoundThroughTheLinkOfABuildFolder) {
  const fs::path source = testing::FreshFolder("sources");
  fs::create_directories(source / "build/share");
  fs::create_directory_symlink(source / "models", source / "build/share/wildrayzer");
  EXPECT_FALSE(FindDefaultModel(source / "build"));  // the link leads nowhere
  Touch(source / "models" / kDefaultModelName);
  EXPECT_EQ(FindDefaultModel(source / "build"), source / "build/share/wildrayzer" / kDefaultModelName);
}

TEST(DefaultModel, AFolderOfThatNameIsNone) {
  const fs::path prefix = testing::FreshFolder("folder_for_model");
  fs::create_directories(prefix / "share/wildrayzer" / kDefaultModelName);
  EXPECT_FALSE(FindDefaultModel(prefix / "bin"));
}

// The test program lies beside no model; looking must not fail because of that.
TEST(DefaultModel, TheRunningProgramIsAsked) { EXPECT_NO_THROW(FindDefaultModel()); }

}  // namespace
}  // namespace wildrayzer

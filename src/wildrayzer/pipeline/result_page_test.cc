#include "wildrayzer/pipeline/result_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace wildrayzer {
namespace {

TEST(ResultPage, FileNamesCannotEscapeTheScript) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "wildrayzer_page.html";
  nlohmann::ordered_json data = {
      {"facts", "x"}, {"photos", {{{"name", "</script><script>alert(1)</script>"}}}}, {"bad", "\xff utf-8"}};
  WriteResultPage(path, data);
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  const std::string page = text.str();
  EXPECT_THAT(page, ::testing::HasSubstr("<\\/script><script>alert(1)<\\/script>"));
  // The only closing tag is the template's own.
  size_t count = 0;
  for (size_t at = page.find("</script>"); at != std::string::npos; at = page.find("</script>", at + 1))
    ++count;
  EXPECT_EQ(count, 1u);
}

}  // namespace
}  // namespace wildrayzer

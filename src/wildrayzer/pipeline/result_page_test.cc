#include "wildrayzer/pipeline/result_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace wildrayzer {
namespace {

std::string PageOf(const nlohmann::ordered_json& data) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "wildrayzer_page.html";
  WriteResultPage(path, data);
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(ResultPage, FileNamesCannotEscapeTheScript) {
  const std::vector<std::string> names = {
      "</script><script>alert(1)</script>", "<!--<script>", "a<", "\"&'", "two\nlines", "\xff utf-8"};
  const std::string page = PageOf({{"names", names}});
  // The data is one line of JSON without a tag in it, and says the same.
  const size_t begin = page.find("const data = ") + 13, end = page.find(";\n", begin);
  const std::string json = page.substr(begin, end - begin);
  EXPECT_EQ(json.find('<'), std::string::npos);
  const auto read = nlohmann::json::parse(json)["names"];
  for (size_t i = 0; i + 1 < names.size(); ++i) EXPECT_EQ(read[i], names[i]);
  EXPECT_EQ(read[5], "\xef\xbf\xbd utf-8");
  // All that is not data is the template.
  const std::string empty = PageOf({});
  EXPECT_EQ(page.size() - json.size(), empty.size() - 4);  // null
}

}  // namespace
}  // namespace wildrayzer

#include "wildrayzer/pipeline/result_page.h"

#include <string>
#include <string_view>

#include "wildrayzer/pipeline/result_page_template.h"
#include "wildrayzer/util/atomic_file.h"

namespace wildrayzer {

void WriteResultPage(const std::filesystem::path& path, const nlohmann::ordered_json& data) {
  // File names come from the user: "</script>" or "<!--<script>" in one of them must not change where the
  // script ends. ("\u003c" is the same character of a JSON string, and '<' stands nowhere else in JSON.)
  std::string json = data.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  for (size_t at = json.find('<'); at != std::string::npos; at = json.find('<', at))
    json.replace(at, 1, "\\u003c");
  constexpr std::string_view kTemplate = kResultPageTemplate;
  constexpr std::string_view kMarker = "/*RESULT*/";
  const size_t marker = kTemplate.find(kMarker);  // the page's own file has it exactly once
  AtomicFile page(path);
  page.Write(kTemplate.substr(0, marker));
  page.Write(json);
  page.Write(kTemplate.substr(marker + kMarker.size()));
  page.Commit();
}

}  // namespace wildrayzer

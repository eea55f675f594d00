#include <fmt/format.h>

#include <cmath>
#include <map>
#include <utility>

#include "wildrayzer/evaluation/html_page.h"
#include "wildrayzer/evaluation/report.h"

namespace wildrayzer {
namespace {

constexpr int kJpegQuality = 85;

// Sorts the rows of a table by the clicked column: numbers by value, empty cells last, text by letters.
constexpr char kScript[] = R"(<script>
document.querySelectorAll("table.sortable").forEach(table => {
  table.querySelectorAll("th").forEach((head, column) => head.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    table.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0], sign = down ? -1 : 1;
    const key = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
    [...body.rows].sort((a, b) => {
      const x = key(a), y = key(b);
      if (x === "" || y === "") return (x === "") - (y === "");
      const numeric = Number(x) - Number(y);
      return sign * (Number.isNaN(numeric) ? x.localeCompare(y) : numeric);
    }).forEach(row => body.append(row));
  }));
});
</script>
)";

std::string TableHtml(const Table& table) {
  std::string out = "<h2>" + HtmlText(table.title) + "</h2>\n<div class=\"wide\"><table><thead><tr><th></th>";
  for (const std::string& group : table.groups) {
    out += fmt::format("<th class=\"group\" colspan=\"{}\">{}</th>", table.columns.size(), HtmlText(group));
  }
  out += "</tr><tr><th>Method</th>";
  for (size_t g = 0; g < table.groups.size(); ++g) {
    for (const std::string& column : table.columns) out += "<th>" + HtmlText(column) + "</th>";
  }
  out += "</tr></thead><tbody>\n";
  for (const TableRow& row : table.rows) {
    out += "<tr><td>" + HtmlText(row.method) + "</td>";
    for (const TableCell& cell : row.cells) {
      out += cell.best ? "<td class=\"best\">" : "<td>";
      out += cell.text + (cell.interval.empty() ? "" : "<small>" + cell.interval + "</small>") + "</td>";
    }
    out += "</tr>\n";
  }
  out += "</tbody></table></div>\n";
  for (const std::string& note : table.notes) out += "<p class=\"note\">" + HtmlText(note) + "</p>\n";
  return out;
}

// Scores that at least one scene of the setting has, in the order of AllMetrics().
std::vector<MetricInfo> MeasuredMetrics(const SettingResult& setting) {
  std::map<std::string, bool> measured;
  for (const MethodResult& method : setting.methods) {
    for (const SceneResult& scene : method.scenes) {
      for (const auto& [key, estimate] : SceneScores(scene)) measured[key] = true;
    }
  }
  std::vector<MetricInfo> metrics;
  for (const MetricInfo& metric : AllMetrics()) {
    if (measured.contains(metric.key)) metrics.push_back(metric);
  }
  return metrics;
}

std::string SceneRow(const MethodResult& method, const SceneResult& scene,
                     const std::vector<MetricInfo>& metrics) {
  std::string out =
      "<tr><td>" + HtmlText(method.title) + "</td><td class=\"text\">" + HtmlText(scene.scene) + "</td>";
  const std::map<std::string, Estimate> scores = SceneScores(scene);
  for (const MetricInfo& metric : metrics) {
    const auto found = scores.find(metric.key);
    if (found == scores.end() || std::isnan(found->second.mean)) {
      out += "<td data-value=\"\">-</td>";
    } else {
      const double value = found->second.mean * metric.scale;
      out += fmt::format("<td data-value=\"{:.9g}\">{:.{}f}</td>", value, value, metric.decimals);
    }
  }
  return out + "<td class=\"text\">" + HtmlText(scene.failure.empty() ? "" : "failed: " + scene.failure) +
         "</td></tr>\n";
}

std::string SceneTable(const SettingResult& setting) {
  const std::vector<MetricInfo> metrics = MeasuredMetrics(setting);
  std::string out = "<h2>Scenes, " + HtmlText(setting.data + ", " + setting.label) + "</h2>\n";
  out +=
      "<div class=\"wide\"><table class=\"sortable\"><thead><tr><th>Method</th><th class=\"text\">Scene</th>";
  for (const MetricInfo& metric : metrics) out += "<th>" + HtmlText(metric.title) + "</th>";
  out += "<th class=\"text\">Remark</th></tr></thead><tbody>\n";
  for (const MethodResult& method : setting.methods) {
    for (const SceneResult& scene : method.scenes) out += SceneRow(method, scene, metrics);
  }
  return out + "</tbody></table></div>\n";
}

std::string GalleryHtml(const GalleryScene& scene) {
  std::string out = "<h3>" + HtmlText(scene.setting + ", " + scene.scene) + "</h3>\n";
  for (const GalleryRow& row : scene.rows) {
    out += "<div class=\"note\">" + HtmlText(row.title) + "</div><div class=\"row\">";
    for (const GalleryCell& cell : row.cells) {
      out += "<figure><img loading=\"lazy\" alt=\"" + HtmlText(row.title + ", " + cell.caption) +
             "\" src=\"data:image/jpeg;base64," + Base64(EncodeJpeg(cell.image, kJpegQuality)) +
             "\"><figcaption>" + HtmlText(cell.caption) + "</figcaption></figure>";
    }
    out += "</div>\n";
  }
  return out;
}

std::string FactsHtml(const EvaluationResult& evaluation) {
  std::string out;
  if (!evaluation.absent.empty()) out += "<h2>Not measured</h2><ul>\n";
  for (const auto& [what, why] : evaluation.absent) out += "<li>" + HtmlText(what + ": " + why) + "</li>\n";
  if (!evaluation.absent.empty()) out += "</ul>\n";
  out += "<h2>Methods and settings</h2><ul>\n";
  std::map<std::string, bool> told;
  for (const SettingResult& setting : evaluation.settings) {
    for (const MethodResult& method : setting.methods) {
      if (!std::exchange(told[method.name], true))
        out += "<li>" + HtmlText(method.title + ": " + method.note) + "</li>\n";
    }
  }
  for (const auto& [name, value] : evaluation.facts)
    out += "<li>" + HtmlText(name + ": " + value) + "</li>\n";
  return out + "</ul>\n";
}

}  // namespace

std::string HtmlReport(const EvaluationResult& evaluation, const std::vector<GalleryScene>& gallery) {
  std::string page = HtmlPageStart(evaluation.title);
  page +=
      "<p class=\"note\">Means of scene means with 95 % bootstrap intervals over scenes; the best of a "
      "column is bold.</p>\n";
  for (const Table& table : PaperTables(evaluation)) page += TableHtml(table);
  for (const SettingResult& setting : evaluation.settings) {
    const std::string curves = ThresholdCurves(setting);
    if (!curves.empty())
      page += "<h2>Thresholds, " + HtmlText(setting.data + ", " + setting.label) + "</h2>\n" + curves;
  }
  if (!gallery.empty()) page += "<h2>Pictures</h2>\n";
  for (const GalleryScene& scene : gallery) page += GalleryHtml(scene);
  for (const SettingResult& setting : evaluation.settings) page += SceneTable(setting);
  return page + FactsHtml(evaluation) + kScript + "</body></html>\n";
}

}  // namespace wildrayzer

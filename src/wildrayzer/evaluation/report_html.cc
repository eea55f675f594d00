#include <fmt/format.h>

#include <cmath>
#include <map>
#include <utility>

#include "wildrayzer/evaluation/report.h"

namespace wildrayzer {
namespace {

constexpr int kJpegQuality = 85;

constexpr char kHead[] = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 80rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid #8884; padding: .25rem .6rem; text-align: right; }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
td small { display: block; opacity: .65; }
td.best { font-weight: 700; }
.wide { overflow-x: auto; }
table.sortable th { cursor: pointer; user-select: none; }
table.sortable th[aria-sort]::after { content: " \25B4"; }
table.sortable th[aria-sort=descending]::after { content: " \25BE"; }
.row { display: flex; gap: .5rem; overflow-x: auto; margin: .25rem 0 .75rem; }
figure { margin: 0; flex: none; } figure img { display: block; height: 160px; image-rendering: auto; }
figcaption, .note { font-size: .85em; opacity: .75; }
svg text { fill: currentColor; font: 12px system-ui, sans-serif; }
</style>
)";

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

// Text that may come from file names, made harmless.
std::string Html(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string TableHtml(const Table& table) {
  std::string out = "<h2>" + Html(table.title) + "</h2>\n<div class=\"wide\"><table><thead><tr><th></th>";
  for (const std::string& group : table.groups) {
    out += fmt::format("<th colspan=\"{}\">{}</th>", table.columns.size(), Html(group));
  }
  out += "</tr><tr><th>Method</th>";
  for (size_t g = 0; g < table.groups.size(); ++g) {
    for (const std::string& column : table.columns) out += "<th>" + Html(column) + "</th>";
  }
  out += "</tr></thead><tbody>\n";
  for (const TableRow& row : table.rows) {
    out += "<tr><td>" + Html(row.method) + "</td>";
    for (const TableCell& cell : row.cells) {
      out += cell.best ? "<td class=\"best\">" : "<td>";
      out += cell.text + (cell.interval.empty() ? "" : "<small>" + cell.interval + "</small>") + "</td>";
    }
    out += "</tr>\n";
  }
  out += "</tbody></table></div>\n";
  for (const std::string& note : table.notes) out += "<p class=\"note\">" + Html(note) + "</p>\n";
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
      "<tr><td>" + Html(method.title) + "</td><td class=\"text\">" + Html(scene.scene) + "</td>";
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
  return out + "<td class=\"text\">" + Html(scene.failure.empty() ? "" : "failed: " + scene.failure) +
         "</td></tr>\n";
}

std::string SceneTable(const SettingResult& setting) {
  const std::vector<MetricInfo> metrics = MeasuredMetrics(setting);
  std::string out = "<h2>Scenes, " + Html(setting.data + ", " + setting.label) + "</h2>\n";
  out +=
      "<div class=\"wide\"><table class=\"sortable\"><thead><tr><th>Method</th><th class=\"text\">Scene</th>";
  for (const MetricInfo& metric : metrics) out += "<th>" + Html(metric.title) + "</th>";
  out += "<th class=\"text\">Remark</th></tr></thead><tbody>\n";
  for (const MethodResult& method : setting.methods) {
    for (const SceneResult& scene : method.scenes) out += SceneRow(method, scene, metrics);
  }
  return out + "</tbody></table></div>\n";
}

std::string GalleryHtml(const GalleryScene& scene) {
  std::string out = "<h3>" + Html(scene.setting + ", " + scene.scene) + "</h3>\n";
  for (const GalleryRow& row : scene.rows) {
    out += "<div class=\"note\">" + Html(row.title) + "</div><div class=\"row\">";
    for (const GalleryCell& cell : row.cells) {
      out += "<figure><img loading=\"lazy\" alt=\"" + Html(row.title + ", " + cell.caption) +
             "\" src=\"data:image/jpeg;base64," + Base64(EncodeJpeg(cell.image, kJpegQuality)) +
             "\"><figcaption>" + Html(cell.caption) + "</figcaption></figure>";
    }
    out += "</div>\n";
  }
  return out;
}

std::string FactsHtml(const EvaluationResult& evaluation) {
  std::string out;
  if (!evaluation.absent.empty()) out += "<h2>Not measured</h2><ul>\n";
  for (const auto& [what, why] : evaluation.absent) out += "<li>" + Html(what + ": " + why) + "</li>\n";
  if (!evaluation.absent.empty()) out += "</ul>\n";
  out += "<h2>Methods and settings</h2><ul>\n";
  std::map<std::string, bool> told;
  for (const SettingResult& setting : evaluation.settings) {
    for (const MethodResult& method : setting.methods) {
      if (!std::exchange(told[method.name], true))
        out += "<li>" + Html(method.title + ": " + method.note) + "</li>\n";
    }
  }
  for (const auto& [name, value] : evaluation.facts) out += "<li>" + Html(name + ": " + value) + "</li>\n";
  return out + "</ul>\n";
}

}  // namespace

std::string HtmlReport(const EvaluationResult& evaluation, const std::vector<GalleryScene>& gallery) {
  std::string page = kHead;
  page +=
      "<title>" + Html(evaluation.title) + "</title></head><body>\n<h1>" + Html(evaluation.title) + "</h1>\n";
  page +=
      "<p class=\"note\">Means of scene means with 95 % bootstrap intervals over scenes; the best of a "
      "column is bold.</p>\n";
  for (const Table& table : PaperTables(evaluation)) page += TableHtml(table);
  for (const SettingResult& setting : evaluation.settings) {
    const std::string curves = ThresholdCurves(setting);
    if (!curves.empty())
      page += "<h2>Thresholds, " + Html(setting.data + ", " + setting.label) + "</h2>\n" + curves;
  }
  if (!gallery.empty()) page += "<h2>Pictures</h2>\n";
  for (const GalleryScene& scene : gallery) page += GalleryHtml(scene);
  for (const SettingResult& setting : evaluation.settings) page += SceneTable(setting);
  return page + FactsHtml(evaluation) + kScript + "</body></html>\n";
}

}  // namespace wildrayzer

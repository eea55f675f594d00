#include <fmt/format.h>

#include <cmath>

#include "wildrayzer/evaluation/report.h"
#include "wildrayzer/evaluation/results_json.h"
#include "wildrayzer/util/atomic_file.h"

namespace wildrayzer {
namespace {

std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

// An empty field where there is no number.
std::string Field(double value) { return std::isfinite(value) ? fmt::format("{:.9g}", value) : ""; }

void AppendRow(std::string& csv, const SettingResult& setting, const MethodResult& method,
               const std::string& scene, const std::string& metric, const Estimate& e, int images,
               int skipped_images) {
  csv += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{}\r\n", Quoted(setting.label),
                     Quoted(setting.protocol), Quoted(method.name), Quoted(scene), metric, Field(e.mean),
                     Field(e.low), Field(e.high), e.counted, e.skipped, images, skipped_images);
}

std::string MarkdownText(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '\\' || c == '*' || c == '_' || c == '<') out += '\\';
    out += c == '\n' || c == '\r' ? ' ' : c;
  }
  return out;
}

void AppendTable(std::string& text, const Table& table) {
  text += "\n## " + MarkdownText(table.title) + "\n\n| Method |";
  for (const std::string& group : table.groups) {
    for (const std::string& column : table.columns) text += " " + MarkdownText(group + " " + column) + " |";
  }
  text += "\n|---|";
  for (size_t i = 0; i < table.groups.size() * table.columns.size(); ++i) text += "---:|";
  text += "\n";
  for (const TableRow& row : table.rows) {
    text += "| " + MarkdownText(row.method) + " |";
    for (const TableCell& cell : row.cells)
      text += cell.best ? " **" + cell.text + "** |" : " " + cell.text + " |";
    text += "\n";
  }
  for (const std::string& note : table.notes) text += "\n- " + MarkdownText(note);
  if (!table.notes.empty()) text += "\n";
}

}  // namespace

std::string CsvReport(const EvaluationResult& evaluation) {
  std::string csv =
      "setting,protocol,method,scene,metric,mean,low95,high95,values,values_skipped,images,images_"
      "skipped\r\n";
  for (const SettingResult& setting : evaluation.settings) {
    for (const MethodResult& method : setting.methods) {
      for (const auto& [key, score] : Summarise(method, evaluation.bootstrap_seed).scores) {
        AppendRow(csv, setting, method, "all scenes", key, score.over_scenes, score.images,
                  score.skipped_images);
      }
      for (const SceneResult& scene : method.scenes) {
        for (const auto& [key, estimate] : SceneScores(scene)) {
          AppendRow(csv, setting, method, scene.scene, key, estimate, estimate.counted, estimate.skipped);
        }
      }
    }
  }
  return csv;
}

std::string MarkdownReport(const EvaluationResult& evaluation) {
  std::string text = "# " + MarkdownText(evaluation.title) + "\n";
  text +=
      "\nMeans of scene means; the best of a column is bold. Intervals (95 %, bootstrap over scenes) are in "
      "results.csv.\n";
  for (const Table& table : PaperTables(evaluation)) AppendTable(text, table);
  if (!evaluation.absent.empty()) text += "\n## Not measured\n";
  for (const auto& [what, why] : evaluation.absent) text += "\n- " + MarkdownText(what + ": " + why);
  if (!evaluation.absent.empty()) text += "\n";
  text += "\n## Failed scenes\n";
  bool any = false;
  for (const SettingResult& setting : evaluation.settings) {
    for (const MethodResult& method : setting.methods) {
      for (const SceneResult& scene : method.scenes) {
        if (scene.failure.empty()) continue;
        text += "\n- " +
                MarkdownText(setting.label + ", " + method.title + ", " + scene.scene + ": " + scene.failure);
        any = true;
      }
    }
  }
  text += any ? "\n" : "\nNone.\n";
  text += "\n## Settings\n";
  for (const auto& [name, value] : evaluation.facts) text += "\n- " + MarkdownText(name + ": " + value);
  return text + "\n";
}

void WriteReport(const std::filesystem::path& folder, const EvaluationResult& evaluation,
                 const std::vector<GalleryScene>& gallery) {
  std::filesystem::create_directories(folder);
  const auto replace = nlohmann::ordered_json::error_handler_t::replace;
  WriteFileAtomically(folder / "results.json",
                      EvaluationToJson(evaluation).dump(1, ' ', false, replace) + "\n");
  WriteFileAtomically(folder / "results.csv", CsvReport(evaluation));
  WriteFileAtomically(folder / "results.md", MarkdownReport(evaluation));
  WriteFileAtomically(folder / "report.html", HtmlReport(evaluation, gallery));
}

}  // namespace wildrayzer

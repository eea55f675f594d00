// Tells an evaluation: JSON, CSV, Markdown tables in the paper's layout, and one self-contained HTML page.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "wildrayzer/evaluation/results.h"
#include "wildrayzer/io/images.h"

namespace wildrayzer {

// Pictures of one scene to look at: a row of captioned cells for the inputs, one for the truth, one for each
// method ...
struct GalleryCell {
  std::string caption;
  Image image;
};
struct GalleryRow {
  std::string title;
  std::vector<GalleryCell> cells;
};
struct GalleryScene {
  std::string setting;
  std::string scene;
  std::vector<GalleryRow> rows;
};

// One table as printed: methods down, for every number of inputs the same columns across.
struct TableCell {
  std::string text;      // "21.78", or "-" where nothing was measured
  std::string interval;  // "21.10 .. 22.31" (95 %), empty without one
  bool best = false;     // the best of its column
};
struct TableRow {
  std::string method;
  std::vector<TableCell> cells;
};
struct Table {
  std::string title;                 // data set and region
  std::vector<std::string> groups;   // labels of the settings
  std::vector<std::string> columns;  // the columns of each group, with an arrow for the better direction
  std::vector<TableRow> rows;
  std::vector<std::string> notes;  // what was left out of the means, and why
};

// The tables of the paper that the evaluation can fill: for every data set (settings with the same protocol
// and data stand side by side) the whole frame, the static and the transient region, motion masks and
// cameras.
std::vector<Table> PaperTables(const EvaluationResult& evaluation);

// One line a number: setting, protocol, method, scene ("all scenes" for means), metric, value, interval,
// counts. RFC 4180.
std::string CsvReport(const EvaluationResult& evaluation);
std::string MarkdownReport(const EvaluationResult& evaluation);
// A page that needs no network and no other file: tables, sortable rows of scenes, threshold curves,
// pictures.
std::string HtmlReport(const EvaluationResult& evaluation, const std::vector<GalleryScene>& gallery);

// The threshold curves (IoU, recall, precision) of the methods with probabilities as one SVG; empty when
// there are none.
std::string ThresholdCurves(const SettingResult& setting);

// results.json, results.csv, results.md and report.html in `folder` (created if need be), each written
// atomically.
void WriteReport(const std::filesystem::path& folder, const EvaluationResult& evaluation,
                 const std::vector<GalleryScene>& gallery);

}  // namespace wildrayzer

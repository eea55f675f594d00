#include "wildrayzer/training/run_report.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "wildrayzer/evaluation/html_page.h"
#include "wildrayzer/evaluation/line_chart.h"
#include "wildrayzer/io/images.h"
#include "wildrayzer/training/run_log.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

constexpr int kBins = 240;        // points of a line over the whole x axis
constexpr double kLogRatio = 30;  // from this ratio of largest to smallest value on an axis is logarithmic
constexpr size_t kPictures = 3;   // of every image tag
constexpr int kMaxDepth = 2;      // of folders below the run's

// What the summary tells of a stage, where it was logged: first and last value.
struct Told {
  const char* tag;
  const char* words;
};
constexpr Told kTold[] = {{"train/world_match_r2", "match R2 on worlds"},
                          {"train/psnr", "PSNR in training"},
                          {"train/mask_bce", "mask BCE in training"},
                          {"validation/psnr", "validation PSNR"},
                          {"validation/mean_input_psnr", "that of the mean of the inputs"},
                          {"validation/rotation_degrees", "rotations off by"},
                          {"validation/still_rotation_degrees", "if nothing had turned"},
                          {"validation/translation_r2", "translation R2"},
                          {"validation/mask_iou", "mask IoU"}};

struct Stage {
  std::string name;
  fs::path folder;
  std::vector<RunLogEntry> entries;
  double offset = 0;  // steps of the stages before
  int64_t last_step = 0;
  double seconds = 0;  // of the steps that were kept, pauses between sessions left out
  int sessions = 0;
};

Stage ReadStage(const fs::path& root, const fs::path& folder) {
  Stage stage;
  stage.name = folder == root ? "run" : folder.lexically_relative(root).string();
  stage.folder = folder;
  stage.entries = ReadRunLog(folder / "log.jsonl");
  for (size_t i = 0; i < stage.entries.size(); ++i) {
    const RunLogEntry& entry = stage.entries[i];
    stage.last_step = std::max(stage.last_step, entry.step);
    if (entry.start) {
      ++stage.sessions;
    } else if (i > 0) {
      stage.seconds += std::max(0.0, entry.time - stage.entries[i - 1].time);
    }
  }
  return stage;
}

// The stages in the order in which they began.
std::vector<Stage> ReadStages(const fs::path& folder) {
  std::vector<Stage> stages;
  for (const fs::path& log : FindRunLogs(folder)) stages.push_back(ReadStage(folder, log));
  if (stages.empty())
    throw FileError(folder.string(), "holds no log.jsonl; give the folder of a training run");
  const auto began = [](const Stage& stage) {
    return stage.entries.empty() ? std::numeric_limits<double>::infinity() : stage.entries.front().time;
  };
  std::stable_sort(stages.begin(), stages.end(),
                   [&](const Stage& a, const Stage& b) { return began(a) < began(b); });
  for (size_t i = 1; i < stages.size(); ++i)
    stages[i].offset = stages[i - 1].offset + static_cast<double>(stages[i - 1].last_step);
  return stages;
}

// The finite values of a scalar in order of steps.
std::vector<double> ValuesOf(const Stage& stage, const std::string& tag) {
  std::vector<double> values;
  for (const RunLogEntry& entry : stage.entries) {
    const auto found = entry.scalars.find(tag);
    if (found != entry.scalars.end() && std::isfinite(found->second)) values.push_back(found->second);
  }
  return values;
}

std::string Duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 100) return fmt::format("{:.1f} s", seconds);
  return fmt::format("{}:{:02d}:{:02d} h", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string Date(double time) {
  if (!(time > 0 && time < 4e9)) return "-";
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(time)));
}

std::string TimingTable(const std::vector<Stage>& stages) {
  std::string out =
      "<h2>Stages</h2>\n<div class=\"wide\"><table><thead><tr><th>Stage</th><th>Last "
      "step</th><th>Sessions</th>"
      "<th>Time</th><th>Steps a second</th><th>Began</th><th>Last entry</th></tr></thead><tbody>\n";
  double total = 0;
  for (const Stage& stage : stages) {
    const bool any = !stage.entries.empty();
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        HtmlText(stage.name), stage.last_step, stage.sessions, Duration(stage.seconds),
        stage.seconds > 0 ? fmt::format("{:.3g}", static_cast<double>(stage.last_step) / stage.seconds) : "-",
        any ? Date(stage.entries.front().time) : "-", any ? Date(stage.entries.back().time) : "-");
    total += stage.seconds;
  }
  return out + "</tbody></table></div>\n<p class=\"note\">" + Duration(total) +
         " in all; pauses between sessions and steps that were done again after a kill are left out.</p>\n";
}

// The last finite value of every scalar, a column a stage.
std::string LastValues(const std::vector<Stage>& stages) {
  std::map<std::string, std::vector<std::string>> rows;
  std::string out = "<h2>Last values</h2>\n<div class=\"wide\"><table><thead><tr><th>Scalar</th>";
  for (size_t s = 0; s < stages.size(); ++s) {
    out += "<th>" + HtmlText(stages[s].name) + "</th>";
    for (const RunLogEntry& entry : stages[s].entries) {
      for (const auto& [tag, value] : entry.scalars) {
        auto& row = rows.try_emplace(tag, stages.size(), "-").first->second;
        if (std::isfinite(value)) row[s] = fmt::format("{:.6g}", value);
      }
    }
  }
  out += "</tr></thead><tbody>\n";
  for (const auto& [tag, cells] : rows) {
    out += "<tr><td>" + HtmlText(tag) + "</td>";
    for (const std::string& cell : cells) out += "<td>" + cell + "</td>";
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string ChartName(const std::string& tag) { return tag.substr(tag.rfind('/') + 1); }

// The scalar of one stage, averaged over bins of the x axis, each with its smallest and largest value.
void AppendBinned(const Stage& stage, const std::string& tag, double bin_width, ChartSeries* series) {
  struct Bin {
    int count = 0;
    double x = 0, y = 0;
    double low = std::numeric_limits<double>::infinity(), high = -low;
  };
  std::map<int64_t, Bin> bins;
  for (const RunLogEntry& entry : stage.entries) {
    const auto found = entry.scalars.find(tag);
    if (found == entry.scalars.end() || !std::isfinite(found->second)) continue;
    Bin& bin = bins[static_cast<int64_t>(static_cast<double>(entry.step) / bin_width)];
    ++bin.count;
    bin.x += static_cast<double>(entry.step);
    bin.y += found->second;
    bin.low = std::min(bin.low, found->second);
    bin.high = std::max(bin.high, found->second);
  }
  for (const auto& [index, bin] : bins) {
    series->x.push_back(stage.offset + bin.x / bin.count);
    series->y.push_back(bin.y / bin.count);
    series->low.push_back(bin.low);
    series->high.push_back(bin.high);
  }
  // A gap between the stages.
  series->x.push_back(stage.offset + static_cast<double>(stage.last_step));
  series->y.push_back(std::numeric_limits<double>::quiet_NaN());
  series->low.push_back(series->y.back());
  series->high.push_back(series->y.back());
}

bool SpansRatio(const Chart& chart) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const ChartSeries& series : chart.series) {
    for (const double value : series.y) {
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  return low > 0 && high > kLogRatio * low;
}

// Losses and norms are read by their ratios; a learning rate that ends at zero is not.
bool IsReadByRatio(const std::string& name) {
  return name.find("loss") != std::string::npos || name.find("norm") != std::string::npos;
}

// What is looked at first comes first; the others by name.
std::vector<std::string> ChartOrder(const std::map<std::string, std::set<std::string>>& charts) {
  std::vector<std::string> order;
  for (const char* name : {"loss", "psnr", "lr", "grad_norm"}) {
    if (charts.contains(name)) order.emplace_back(name);
  }
  for (const auto& [name, tags] : charts) {
    if (std::find(order.begin(), order.end(), name) == order.end()) order.push_back(name);
  }
  return order;
}

std::string Curves(const std::vector<Stage>& stages) {
  const double end =
      stages.back().offset + static_cast<double>(std::max<int64_t>(1, stages.back().last_step));
  std::map<std::string, std::set<std::string>> charts;  // the tags of each
  for (const Stage& stage : stages) {
    for (const RunLogEntry& entry : stage.entries) {
      for (const auto& [tag, value] : entry.scalars) charts[ChartName(tag)].insert(tag);
    }
  }
  std::string out =
      "<h2>Curves</h2>\n<p class=\"note\">Over the steps of all stages; lines are means of up to ";
  out += fmt::format(
      "{} bins, bands reach from the smallest to the largest value.</p>\n<div class=\"charts\">\n", kBins);
  for (const std::string& name : ChartOrder(charts)) {
    const std::set<std::string>& tags = charts[name];
    Chart chart;
    chart.title = tags.size() == 1 ? *tags.begin() : name;
    chart.x_range = {{0.0, end}};
    if (stages.size() > 1) {
      for (const Stage& stage : stages) chart.sections.emplace_back(stage.offset, stage.name);
    }
    for (const std::string& tag : tags) {
      ChartSeries series;
      series.label = tag;
      for (const Stage& stage : stages) AppendBinned(stage, tag, std::max(1.0, end / kBins), &series);
      chart.series.push_back(std::move(series));
    }
    chart.log_y = IsReadByRatio(name) && SpansRatio(chart);
    out += LineChart(chart);
  }
  return out + "</div>\n";
}

// Keeps of all pictures the first, middle and last of each tag.
std::map<std::string, std::vector<Event>> ChosenPictures(const fs::path& folder) {
  std::map<std::string, std::vector<int64_t>> steps;
  for (const Event& event : ReadEventFolder(folder, [](Event& all) {
         std::erase_if(all.values, [](const EventValue& v) { return v.kind != EventValue::Kind::kImage; });
         for (EventValue& value : all.values) value.bytes.clear();
       })) {
    for (const EventValue& value : event.values) steps[value.tag].push_back(event.step);
  }
  std::map<std::string, std::set<int64_t>> chosen;
  for (const auto& [tag, all] : steps) {
    const size_t count = std::min(kPictures, all.size());
    for (size_t i = 0; i < count; ++i)
      chosen[tag].insert(all[count == 1 ? 0 : i * (all.size() - 1) / (count - 1)]);
  }
  std::map<std::string, std::vector<Event>> pictures;
  for (Event& event : ReadEventFolder(folder, [&](Event& all) {
         std::erase_if(all.values, [&](const EventValue& v) {
           return v.kind != EventValue::Kind::kImage || !chosen[v.tag].contains(all.step);
         });
       })) {
    for (EventValue& value : event.values) {
      Event picture;
      picture.step = event.step;
      const std::string tag = value.tag;
      picture.values.push_back(std::move(value));
      pictures[tag].push_back(std::move(picture));
    }
  }
  return pictures;
}

std::string Pictures(const Stage& stage) {
  std::string out;
  for (const auto& [tag, events] : ChosenPictures(stage.folder)) {
    out += "<h3>" + HtmlText(stage.name + ", " + tag) + "</h3>\n<div class=\"row\">";
    for (const Event& event : events) {
      const std::string caption = fmt::format("step {}", event.step);
      out += "<figure><img loading=\"lazy\" style=\"height:auto;max-width:76rem\" alt=\"" +
             HtmlText(tag + ", " + caption) + "\" src=\"data:image/png;base64," +
             Base64(std::as_bytes(std::span(event.values[0].bytes))) + "\"><figcaption>" + caption +
             "</figcaption></figure>";
    }
    out += "</div>\n";
  }
  return out;
}

// The last text of every tag, long ones folded away.
std::string Texts(const Stage& stage) {
  std::map<std::string, std::string> texts;
  for (const RunLogEntry& entry : stage.entries) {
    for (const auto& [tag, text] : entry.texts) texts[tag] = text;
  }
  if (texts.empty()) return "";
  std::string out = "<h3>" + HtmlText(stage.name) + "</h3>\n<ul>\n";
  for (const auto& [tag, text] : texts) {
    if (text.find('\n') == std::string::npos) {
      out += "<li>" + HtmlText(tag + ": " + text) + "</li>\n";
    } else {
      out += "<li><details><summary>" + HtmlText(tag) + "</summary><pre>" + HtmlText(text) +
             "</pre></details></li>\n";
    }
  }
  return out + "</ul>\n";
}

}  // namespace

std::vector<fs::path> FindRunLogs(const fs::path& folder) {
  std::vector<fs::path> folders;
  const auto add = [&](const fs::path& candidate) {
    if (fs::is_regular_file(candidate / "log.jsonl")) folders.push_back(candidate);
  };
  std::error_code error;
  fs::recursive_directory_iterator walk(folder, fs::directory_options::skip_permission_denied, error), end;
  if (error) throw FileError(folder.string(), "cannot read the folder: " + error.message());
  add(folder);
  for (; walk != end; ++walk) {
    if (walk.depth() + 1 >= kMaxDepth) walk.disable_recursion_pending();
    if (walk->is_directory()) add(walk->path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

std::string RunReportHtml(const fs::path& folder, const std::string& title) {
  const std::vector<Stage> stages = ReadStages(folder);
  std::string page = HtmlPageStart(title) + TimingTable(stages) + Curves(stages) + LastValues(stages);
  std::string pictures, texts;
  for (const Stage& stage : stages) {
    pictures += Pictures(stage);
    texts += Texts(stage);
  }
  if (!pictures.empty()) page += "<h2>Pictures</h2>\n" + pictures;
  if (!texts.empty()) page += "<h2>Configuration and remarks</h2>\n" + texts;
  return page + "</body></html>\n";
}

std::string RunSummary(const fs::path& folder) {
  std::string text =
      "| stage | steps | seconds | sessions | scenes | first and last values |\n|---|---|---|---|---|---|\n";
  for (const Stage& stage : ReadStages(folder)) {
    std::string told;
    for (const auto& [tag, words] : kTold) {
      const std::vector<double> values = ValuesOf(stage, tag);
      if (values.empty()) continue;
      const std::string first = fmt::format("{:.4g}", values.front()),
                        last = fmt::format("{:.4g}", values.back());
      told += fmt::format("{}{} {}", told.empty() ? "" : "; ", words,
                          first == last ? last : first + " to " + last);
    }
    const std::vector<double> scenes = ValuesOf(stage, "train/scenes");
    text += fmt::format("| {} | {} | {:.0f} | {} | {} | {} |\n", stage.name, stage.last_step, stage.seconds,
                        stage.sessions, scenes.empty() ? "-" : fmt::format("{:.0f}", scenes.back()), told);
  }
  return text;
}

void WriteRunReport(const fs::path& folder, const std::string& title) {
  WriteFileAtomically(folder / "report.html", RunReportHtml(folder, title));
  WriteFileAtomically(folder / "summary.md", RunSummary(folder));
}

}  // namespace wildrayzer

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "wildrayzer/evaluation/report.h"
#include "wildrayzer/evaluation/scoring.h"

namespace wildrayzer {
namespace {

struct TableKind {
  std::string title;
  std::vector<std::string> keys;
};

const std::vector<TableKind>& TableKinds() {
  static const std::vector<TableKind> kinds = {
      {"whole frame", {"psnr", "ssim", "lpips"}},
      {"static region", {"psnr_static", "ssim_static", "lpips_spatial_static"}},
      {"transient region", {"psnr_transient", "ssim_transient", "lpips_spatial_transient"}},
      {"masked LPIPS by the release's formula (blind to the mask)",
       {"lpips_released_static", "lpips_released_transient"}},
      {"motion masks", {"mask_iou", "mask_recall", "mask_precision", "mask_f1", "mask_false_alarm"}},
      {"cameras",
       {"camera_relative_rotation", "camera_direction", "camera_rra_5", "camera_rra_15", "camera_rra_30",
        "camera_rta_5", "camera_rta_15", "camera_rta_30", "camera_auc_30", "camera_rotation",
        "camera_translation"}},
  };
  return kinds;
}

// A method's scores under each setting of one data set; nullopt where it was not run.
struct MethodAcross {
  std::string name, title;
  std::vector<std::optional<MethodSummary>> settings;
};

std::vector<MethodAcross> Collect(const std::vector<const SettingResult*>& settings, uint64_t seed) {
  std::vector<MethodAcross> methods;
  for (size_t s = 0; s < settings.size(); ++s) {
    for (const MethodResult& method : settings[s]->methods) {
      auto found = methods.begin();
      while (found != methods.end() && found->name != method.name) ++found;
      if (found == methods.end()) {
        methods.push_back({method.name, method.title, {}});
        found = methods.end() - 1;
        found->settings.resize(settings.size());
      }
      found->settings[s] = Summarise(method, seed);
    }
  }
  return methods;
}

TableCell Cell(const std::optional<MethodSummary>& summary, const MetricInfo& metric) {
  if (!summary || !summary->scores.contains(metric.key)) return {"-", "", false};
  const Estimate& e = summary->scores.at(metric.key).over_scenes;
  if (std::isnan(e.mean)) return {"-", "", false};
  const auto print = [&](double v) { return fmt::format("{:.{}f}", v * metric.scale, metric.decimals); };
  TableCell cell{print(e.mean), "", false};
  if (e.counted > 1) cell.interval = print(e.low) + " .. " + print(e.high);
  return cell;
}

// Nothing is best where everything is the same.
void MarkBest(Table& table, size_t column, bool higher_is_better) {
  std::optional<double> best, worst;
  for (const TableRow& row : table.rows) {
    if (row.cells[column].text == "-") continue;
    const double value = std::stod(row.cells[column].text);
    if (!best || (higher_is_better ? value > *best : value < *best)) best = value;
    if (!worst || (higher_is_better ? value < *worst : value > *worst)) worst = value;
  }
  if (!best || *best == *worst) return;
  for (TableRow& row : table.rows) {
    row.cells[column].best = row.cells[column].text != "-" && std::stod(row.cells[column].text) == *best;
  }
}

// What is to be remarked about a method's score under one setting.
std::vector<std::string> Remarks(const MethodSummary& summary, const std::string& key) {
  std::vector<std::string> remarks;
  if (summary.failed > 0) {
    remarks.push_back(
        fmt::format("{} of {} scenes failed and are in no mean", summary.failed, summary.scenes));
  }
  const auto first = summary.scores.find(key);
  if (first != summary.scores.end() && first->second.skipped_images > 0) {
    remarks.push_back(fmt::format("{} of {} images have no such pixels and are in no mean",
                                  first->second.skipped_images,
                                  first->second.skipped_images + first->second.images));
  }
  return remarks;
}

// "RayZer, 2 views: 3 of 8 images ..."; "2 views: ..." when it is so for every method.
void AddNotes(const std::vector<MethodAcross>& methods, const std::vector<const SettingResult*>& settings,
              const std::string& key, Table& table) {
  for (size_t s = 0; s < settings.size(); ++s) {
    std::vector<std::pair<std::string, std::vector<std::string>>> who;  // methods by remark, in order
    size_t scored = 0;
    for (const MethodAcross& method : methods) {
      if (!method.settings[s] || !method.settings[s]->scores.contains(key)) continue;
      ++scored;
      for (const std::string& remark : Remarks(*method.settings[s], key)) {
        const auto same =
            std::find_if(who.begin(), who.end(), [&](const auto& w) { return w.first == remark; });
        (same == who.end() ? who.emplace_back(remark, std::vector<std::string>()) : *same)
            .second.push_back(method.title);
      }
    }
    for (const auto& [remark, titles] : who) {
      const std::string named = fmt::format("{}, ", fmt::join(titles, ", "));
      table.notes.push_back((titles.size() == scored && scored > 1 ? "" : named) + settings[s]->label + ": " +
                            remark);
    }
  }
}

// The threshold that these data would have chosen, so that nobody has to read it off a curve.
void AddThresholdNotes(const std::vector<MethodAcross>& methods,
                       const std::vector<const SettingResult*>& settings, Table& table) {
  for (const MethodAcross& method : methods) {
    for (size_t s = 0; s < settings.size(); ++s) {
      if (!method.settings[s]) continue;
      const std::vector<Confusion>& sweep = method.settings[s]->sweep;
      const auto best = BestThreshold(sweep);
      if (!best) continue;
      table.notes.push_back(fmt::format(
          "{}, {}: scored at the threshold {}; the IoU of all pixels together is highest at {} ({:.1f} %)",
          method.title, settings[s]->label, settings[s]->mask_threshold, SweepThresholds()[*best],
          100 * Iou(sweep[*best])));
    }
  }
}

bool IsMeasured(const std::vector<MethodAcross>& methods, const std::string& key) {
  return std::any_of(methods.begin(), methods.end(), [&](const MethodAcross& method) {
    return std::any_of(method.settings.begin(), method.settings.end(),
                       [&](const auto& summary) { return Cell(summary, *FindMetric(key)).text != "-"; });
  });
}

std::optional<Table> MakeTable(const std::vector<MethodAcross>& methods,
                               const std::vector<const SettingResult*>& settings, const TableKind& kind) {
  std::vector<std::string> keys = kind.keys;  // scores that nobody has are told of elsewhere
  std::erase_if(keys, [&](const std::string& key) { return !IsMeasured(methods, key); });
  if (keys.empty()) return std::nullopt;
  Table table;
  table.title = settings.front()->data + ", " + kind.title;
  for (const SettingResult* setting : settings) table.groups.push_back(setting->label);
  for (const std::string& key : keys) {
    const MetricInfo& metric = *FindMetric(key);
    table.columns.push_back(metric.title + (metric.higher_is_better ? " ↑" : " ↓"));
  }
  for (const MethodAcross& method : methods) {
    TableRow row{.method = method.title, .cells = {}};
    bool measured = false;
    for (const auto& summary : method.settings) {
      for (const std::string& key : keys) {
        row.cells.push_back(Cell(summary, *FindMetric(key)));
        measured |= row.cells.back().text != "-";
      }
    }
    if (measured) table.rows.push_back(std::move(row));
  }
  for (size_t c = 0; c < table.rows.front().cells.size(); ++c) {
    MarkBest(table, c, FindMetric(keys[c % keys.size()])->higher_is_better);
  }
  AddNotes(methods, settings, keys.front(), table);
  if (keys.front() == "mask_iou") AddThresholdNotes(methods, settings, table);
  return table;
}

}  // namespace

std::vector<Table> PaperTables(const EvaluationResult& evaluation) {
  std::vector<std::vector<const SettingResult*>> groups;
  for (const SettingResult& setting : evaluation.settings) {
    auto group = groups.begin();
    while (group != groups.end() &&
           (group->front()->protocol != setting.protocol || group->front()->data != setting.data))
      ++group;
    if (group == groups.end()) group = groups.insert(groups.end(), std::vector<const SettingResult*>());
    group->push_back(&setting);
  }
  std::vector<Table> tables;
  for (const auto& settings : groups) {
    const std::vector<MethodAcross> methods = Collect(settings, evaluation.bootstrap_seed);
    std::vector<TableKind> kinds = TableKinds();
    // Where nothing moves there are no masks to judge, and cameras are what is asked first.
    if (FindProtocol(settings.front()->protocol).NothingMoves())
      std::rotate(kinds.begin(), kinds.end() - 1, kinds.end());
    for (const TableKind& kind : kinds) {
      if (auto table = MakeTable(methods, settings, kind)) tables.push_back(std::move(*table));
    }
  }
  return tables;
}

}  // namespace wildrayzer

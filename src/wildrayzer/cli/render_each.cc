#include "wildrayzer/cli/render_each.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <filesystem>

#include "wildrayzer/data/json_file.h"
#include "wildrayzer/pipeline/photo_source.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/collected_warnings.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/interrupt.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/output_folder.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// By which the output folder is known, and that all its results were made in one way.
constexpr const char* kOwnFile = "places.json";

// What the results depend on, but for the photos.
Json SettingsOf(const RenderOptions& o) {
  Json model = Json::array();
  for (const fs::path& file : o.model.Files()) model.push_back(fs::absolute(file).string());
  return {{"model", model},
          {"overrides", o.model.overrides},
          {"no_motion", o.model.no_motion},
          {"init", o.model.init},
          {"seed", o.model.seed},
          {"frame", o.model.frame},
          {"inputs", o.inputs},
          {"targets", o.targets},
          {"trajectory", o.trajectory},
          {"frames", o.frames},
          {"fps", o.fps},
          {"orbit_degrees", o.orbit_degrees},
          {"loop", o.loop},
          {"no_clean", o.no_clean},
          {"detail", o.detail},
          {"threshold", o.threshold},
          {"masks", o.masks},
          {"invert_masks", o.invert_masks},
          {"masks_mode", o.masks_mode},
          {"exports", o.exports}};
}

void BeginOrContinue(const RenderOptions& options) {
  const fs::path file = fs::path(options.out) / kOwnFile;
  CheckOwnFolder(options.out, kOwnFile, "set of places");
  const Json settings = SettingsOf(options);
  if (fs::exists(file) && !options.overwrite) {
    if (ReadJsonFile(file) != nlohmann::json(settings)) {
      throw UsageError(options.out +
                       ": was begun with other options (places.json says which); give those, another --out, "
                       "or --overwrite");
    }
    return;
  }
  fs::create_directories(options.out);
  WriteFileAtomically(file, settings.dump(2) + "\n");
}

// One line of what is printed in the end.
struct Row {
  std::string place;
  std::string photos, own, seconds, result;
};

void PrintTable(const std::vector<Row>& rows) {
  size_t width = 5;
  for (const Row& row : rows) width = std::max(width, row.place.size());
  std::printf("%-*s  %6s  %6s  %7s  %s\n", static_cast<int>(width), "place", "photos", "moves", "seconds",
              "result");
  for (const Row& row : rows) {
    std::printf("%-*s  %6s  %6s  %7s  %s\n", static_cast<int>(width), row.place.c_str(), row.photos.c_str(),
                row.own.c_str(), row.seconds.c_str(), row.result.c_str());
  }
}

// Mean share of the photos that moves.
std::string ShareThatMoves(const Json& metadata) {
  double sum = 0;
  for (const Json& photo : metadata["photos"]) {
    if (!photo.contains("masked_patches")) return "-";
    sum += photo["masked_patches"].get<double>();
  }
  return fmt::format("{:.0f} %", 100 * sum / static_cast<double>(metadata["photos"].size()));
}

class EachPlace {
 public:
  explicit EachPlace(const RenderOptions& options) : options_(options), renderer_(options) {}

  void Render(const fs::path& place) {
    const std::string name = place.filename().string();
    const std::string out = (fs::path(options_.out) / name).string();
    Row row = {name, "-", "-", "-", out};
    Json line = {{"place", place.string()}, {"out", out}};
    if (fs::exists(fs::path(out) / "metadata.json") && !options_.overwrite) {
      row.result += " (there before)";
      line["state"] = "there before";
    } else {
      const auto start = std::chrono::steady_clock::now();
      const std::string problem = Try(place, out, row, line);
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      row.seconds = fmt::format("{:.1f}", seconds);
      line["seconds"] = seconds;
      line["state"] = problem.empty() ? "done" : "failed";
      if (!problem.empty()) {
        ++failed_;
        row.result = problem;
        line["error"] = problem;
      }
    }
    rows_.push_back(row);
    if (!options_.json) return;
    std::printf("%s\n", line.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    std::fflush(stdout);
  }

  void Finish() const {
    if (!options_.json) PrintTable(rows_);
    if (failed_ > 0) {
      throw Error(
          fmt::format("{}: {} of {} places failed or had to do without some photos; the table says why",
                      options_.out, failed_, rows_.size()));
    }
  }

 private:
  // What went wrong, or nothing.
  std::string Try(const fs::path& place, const std::string& out, Row& row, Json& line) {
    const CollectedWarnings warnings(/*printed=*/true);
    try {
      const PlaceResult result = renderer_.Render({place.string()}, out);
      row.photos = std::to_string(result.metadata["photos"].size());
      row.own = ShareThatMoves(result.metadata);
      line["photos"] = result.metadata["photos"];
      line["warnings"] = result.metadata["warnings"];
      return result.left_out;
    } catch (const Error& error) {
      ThrowIfInterrupted();
      LogWarning("{}: not rendered: {}", place.string(), error.what());
      return error.what();
    }
  }

  const RenderOptions& options_;
  PlaceRenderer renderer_;
  std::vector<Row> rows_;
  int failed_ = 0;
};

}  // namespace

void RenderEach(const RenderOptions& options) {
  if (options.paths.size() != 1 || !fs::is_directory(options.paths[0]))
    throw UsageError("--each needs one folder, which holds a folder of photos (or a video) a place");
  std::vector<fs::path> places = PlacesIn(options.paths[0]);
  std::error_code ignored;  // there need be no output folder yet
  std::erase_if(places, [&](const fs::path& place) { return fs::equivalent(place, options.out, ignored); });
  if (places.empty()) throw UsageError(options.paths[0] + ": holds no folder of photos and no video");
  EachPlace each(options);
  BeginOrContinue(options);
  for (size_t i = 0; i < places.size(); ++i) {
    LogInfo("{} of {}: {}", i + 1, places.size(), places[i].string());
    each.Render(places[i]);
  }
  each.Finish();
}

}  // namespace wildrayzer

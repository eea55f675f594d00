#include "wildrayzer/training/run_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "wildrayzer/io/mapped_file.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

double Now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

bool IsReserved(const std::string& tag) {
  return tag.empty() || tag == "step" || tag == "time" || tag == "start";
}

std::string ToLine(const RunLogEntry& entry) {
  Json json = {{"step", entry.step}, {"time", std::round(entry.time * 1e3) / 1e3}};
  if (entry.start) json["start"] = true;
  for (const auto& [tag, value] : entry.scalars) json[tag] = value;  // not finite becomes null
  for (const auto& [tag, text] : entry.texts) json[tag] = text;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

bool FromLine(std::string_view line, RunLogEntry* entry) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer()) return false;
  for (const auto& [key, value] : json.items()) {
    if (key == "step") {
      entry->step = value.get<int64_t>();
    } else if (key == "time") {
      entry->time = value.is_number() ? value.get<double>() : 0;
    } else if (key == "start") {
      entry->start = value.is_boolean() && value.get<bool>();
    } else if (value.is_number()) {
      entry->scalars[key] = value.get<double>();
    } else if (value.is_null()) {
      entry->scalars[key] = std::numeric_limits<double>::quiet_NaN();
    } else if (value.is_string()) {
      entry->texts[key] = value.get<std::string>();
    }
  }
  return true;
}

// Every line of the file that is a log entry, with its text. A line without its line feed is half-written.
struct Line {
  std::string_view text;  // with the line feed
  RunLogEntry entry;
};

std::vector<Line> SplitLines(std::string_view text, const fs::path& path) {
  std::vector<Line> lines;
  int foreign = 0;
  for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    Line line{text.substr(0, end + 1), {}};
    if (FromLine(line.text, &line.entry)) {
      lines.push_back(std::move(line));
    } else {
      ++foreign;
    }
    text.remove_prefix(end + 1);
  }
  if (foreign > 0) LogWarning("{}: {} damaged lines were passed over", path.string(), foreign);
  return lines;
}

std::string_view TextOf(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

// Leaves only whole lines up to `last_step` in the file. Nothing is rewritten when nothing is to be dropped.
void CutLog(const fs::path& path, int64_t last_step) {
  if (!fs::exists(path) || fs::file_size(path) == 0) return;
  std::string kept;
  uint64_t size = 0;
  {
    const auto file = MappedFile::Open(path);
    size = file->bytes().size();
    for (const Line& line : SplitLines(TextOf(*file), path)) {
      if (line.entry.step <= last_step) kept += line.text;
    }
  }
  if (kept.size() != size) WriteFileAtomically(path, kept);
}

// The file to append to, in a folder that exists, cut to what the resumed run keeps.
fs::path PreparedLog(const fs::path& folder, int64_t resume_step) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw FileError(folder.string(), "cannot create the folder: " + error.message());
  CutLog(folder / kRunLogName, resume_step);
  return folder / kRunLogName;
}

}  // namespace

bool MayStartRunLog(const fs::path& folder) {
  constexpr size_t kMost = 4096;  // the line that begins a log is short
  std::ifstream file(folder / kRunLogName, std::ios::binary);
  std::string text(kMost, '\0');
  file.read(text.data(), static_cast<std::streamsize>(kMost));
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.empty()) return true;
  RunLogEntry entry;
  return FromLine(text.substr(0, text.find('\n')), &entry) && entry.start;
}

RunLog::RunLog(fs::path folder, int64_t resume_step)
    : folder_(std::move(folder)), lines_(PreparedLog(folder_, resume_step)), events_(folder_) {
  events_.Write(
      {.wall_time = Now(), .step = resume_step + 1, .file_version = "", .session_start = true, .values = {}});
  last_step_ = std::max<int64_t>(resume_step, 0);
  RunLogEntry start;
  start.step = last_step_;
  start.time = Now();
  start.start = true;
  lines_.Append(ToLine(start));
}

RunLog::~RunLog() {
  try {
    Flush();
  } catch (const std::exception& error) {  // a destructor must not throw; Flush() tells callers who ask
    LogWarning("{}", error.what());
  }
}

void RunLog::Open(int64_t step, const std::string& tag) {
  if (IsReserved(tag)) throw Error(fmt::format("run log: '{}' cannot be a tag", tag));
  if (step < last_step_) {
    throw Error(fmt::format("run log: {} was given for step {} after step {}", tag, step, last_step_));
  }
  if (open_ && step != entry_.step) EndStep();
  open_ = true;
  entry_.step = last_step_ = step;
}

void RunLog::Scalar(int64_t step, const std::string& tag, double value) {
  Open(step, tag);
  entry_.scalars[tag] = value;
}

void RunLog::Image(int64_t step, const std::string& tag, const wildrayzer::Image& image) {
  Open(step, tag);
  const std::vector<std::byte> png = EncodePng(image);
  pictures_.push_back({.kind = EventValue::Kind::kImage,
                       .tag = tag,
                       .scalar = 0,
                       .width = image.width,
                       .height = image.height,
                       .bytes = {reinterpret_cast<const char*>(png.data()), png.size()}});
}

void RunLog::Text(int64_t step, const std::string& tag, const std::string& text) {
  Open(step, tag);
  entry_.texts[tag] = text;
}

void RunLog::EndStep() {
  open_ = false;
  RunLogEntry entry = std::exchange(entry_, {});
  entry.time = Now();
  Event event{.wall_time = entry.time,
              .step = entry.step,
              .file_version = "",
              .session_start = false,
              .values = std::exchange(pictures_, {})};
  const auto add = [&](EventValue::Kind kind, const std::string& tag, double scalar,
                       const std::string& text) {
    event.values.push_back({.kind = kind,
                            .tag = tag,
                            .scalar = static_cast<float>(scalar),
                            .width = 0,
                            .height = 0,
                            .bytes = text});
  };
  for (const auto& [tag, value] : entry.scalars) add(EventValue::Kind::kScalar, tag, value, "");
  for (const auto& [tag, text] : entry.texts) add(EventValue::Kind::kText, tag, 0, text);
  lines_.Append(ToLine(entry));
  events_.Write(event);
}

void RunLog::Flush() {
  if (open_) EndStep();
  lines_.Sync();
  events_.Sync();
}

std::vector<RunLogEntry> ReadRunLog(const fs::path& path) {
  if (fs::exists(path) && fs::is_regular_file(path) && fs::file_size(path) == 0) return {};
  const auto file = MappedFile::Open(path);
  std::vector<RunLogEntry> entries;
  for (Line& line : SplitLines(TextOf(*file), path)) {
    if (entries.empty() || entries.back().start || line.entry.start ||
        entries.back().step != line.entry.step) {
      entries.push_back(std::move(line.entry));
      continue;
    }
    RunLogEntry& merged = entries.back();
    merged.time = line.entry.time;
    for (const auto& [tag, value] : line.entry.scalars) merged.scalars[tag] = value;
    for (const auto& [tag, text] : line.entry.texts) merged.texts[tag] = text;
  }
  return entries;
}

}  // namespace wildrayzer

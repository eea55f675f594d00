// What a training run did, for people and programs to follow: TensorBoard events and JSON lines, and from
// them a report in the end (run_report.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "wildrayzer/io/images.h"
#include "wildrayzer/training/event_file.h"
#include "wildrayzer/util/append_file.h"

namespace wildrayzer {

// One step of log.jsonl. A line is one flat object: "step", "time" (seconds since 1970), "start": true where
// a session of the run began, every scalar (null: not finite) and every text under its tag.
struct RunLogEntry {
  int64_t step = 0;
  double time = 0;
  bool start = false;
  std::map<std::string, double> scalars;  // NaN: was not finite
  std::map<std::string, std::string> texts;
};

inline constexpr char kRunLogName[] = "log.jsonl";

// Whether a run that starts in `folder` finds no log there that somebody else wrote: it drops what it finds.
bool MayStartRunLog(const std::filesystem::path& folder);

// Writes `folder`/log.jsonl and `folder`/events.out.tfevents.*. Values are collected until their step ends
// (a value of a later step, Flush() or the destructor ends it), then one line and one event are handed to the
// operating system, so that a killed process loses the open step only.
class RunLog {
 public:
  static constexpr int64_t kFresh = -1;

  // Creates the folder if need be. `resume_step`: the step of the checkpoint that training continues from;
  // whatever was logged for later steps, and a half-written last line, is dropped, because it will come
  // again. kFresh drops everything. One process a folder: with several ranks only rank 0 logs.
  explicit RunLog(std::filesystem::path folder, int64_t resume_step = kFresh);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  // Steps must not decrease: Error. A tag names a curve, "group/name" ("train/loss", "validation/psnr"); the
  // report draws curves of the same name into one chart. The last value of a tag in a step counts. The tags
  // "step", "time" and "start" raise Error.
  void Scalar(int64_t step, const std::string& tag, double value);
  // A picture of any size, stored as PNG in the event file.
  void Image(int64_t step, const std::string& tag, const wildrayzer::Image& image);
  // Configuration, seeds, machine, counters, remarks.
  void Text(int64_t step, const std::string& tag, const std::string& text);

  // Ends the open step and waits until the disk has everything: before a checkpoint is written, so that the
  // log never lacks what the checkpoint knows. FileError when the disk is full.
  void Flush();

  const std::filesystem::path& folder() const { return folder_; }

 private:
  void Open(int64_t step, const std::string& tag);
  void EndStep();

  std::filesystem::path folder_;
  AppendFile lines_;
  EventWriter events_;
  bool open_ = false;  // entry_ and pictures_ hold values of entry_.step
  int64_t last_step_ = 0;
  RunLogEntry entry_;
  std::vector<EventValue> pictures_;
};

// All entries of a log.jsonl in order of steps, several lines of one step merged
// (a session's start stays on its own). A half-written last line
// and lines that are no log entries are passed over (counted in a warning). A missing file raises FileError.
std::vector<RunLogEntry> ReadRunLog(const std::filesystem::path& path);

}  // namespace wildrayzer

// Progress on stderr: a bar on a terminal, plain lines elsewhere; and the wall-clock seconds of every stage.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace wildrayzer {

// One long job made of named stages. Nothing is printed for jobs that finish within `quiet_seconds`.
class Progress {
 public:
  // enabled = false prints nothing but still measures.
  explicit Progress(bool enabled = true, double quiet_seconds = 2.0);
  ~Progress();

  // Ends the current stage and begins `name`, which has `steps` equal parts (0: unknown).
  void Stage(const std::string& name, int steps = 0);
  // One part of the current stage is done.
  void Step();
  // Ends the last stage.
  void Finish();

  // Seconds of every finished stage, of all times that it was begun together; in the order of the first.
  const std::vector<std::pair<std::string, double>>& seconds() const { return seconds_; }

 private:
  using Clock = std::chrono::steady_clock;
  void EndStage();
  void Show(bool stage_ended);

  bool enabled_;
  bool terminal_;
  double quiet_seconds_;
  Clock::time_point start_;
  Clock::time_point stage_start_;
  Clock::time_point last_shown_;
  std::string stage_;
  int steps_ = 0;
  int done_ = 0;
  bool line_open_ = false;
  std::vector<std::pair<std::string, double>> seconds_;
};

}  // namespace wildrayzer

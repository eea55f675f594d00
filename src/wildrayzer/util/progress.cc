#include "wildrayzer/util/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace wildrayzer {
namespace {

double Seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

Progress::Progress(bool enabled, double quiet_seconds)
    : enabled_(enabled),
      terminal_(::isatty(STDERR_FILENO) == 1),
      quiet_seconds_(quiet_seconds),
      start_(Clock::now()),
      stage_start_(start_),
      last_shown_(start_) {}

Progress::~Progress() {
  if (line_open_) std::fputc('\n', stderr);
}

void Progress::Stage(const std::string& name, int steps) {
  EndStage();
  stage_ = name;
  steps_ = steps;
  done_ = 0;
  stage_start_ = Clock::now();
  Show(false);
}

void Progress::Step() {
  ++done_;
  Show(false);
}

void Progress::Finish() { EndStage(); }

void Progress::EndStage() {
  if (stage_.empty()) return;
  const auto known = std::find_if(seconds_.begin(), seconds_.end(),
                                  [&](const auto& finished) { return finished.first == stage_; });
  const double seconds = Seconds(Clock::now() - stage_start_);
  if (known == seconds_.end()) {
    seconds_.emplace_back(stage_, seconds);
  } else {
    known->second += seconds;
  }
  Show(true);
  stage_.clear();
}

void Progress::Show(bool stage_ended) {
  const auto now = Clock::now();
  if (!enabled_ || Seconds(now - start_) < quiet_seconds_) return;
  const double elapsed = Seconds(now - stage_start_);
  if (stage_ended) {
    std::fputs(fmt::format("{}{:<28} {:6.1f} s{}\n", terminal_ ? "\r" : "", stage_, elapsed,
                           terminal_ ? "\033[K" : "")
                   .c_str(),
               stderr);
    line_open_ = false;
  } else if (terminal_) {
    constexpr int kWidth = 30;
    const int filled = steps_ > 0 ? kWidth * done_ / steps_ : 0;
    std::string bar(static_cast<size_t>(filled), '#');
    bar.resize(kWidth, '.');
    const std::string count = steps_ > 0 ? fmt::format("{}/{}", done_, steps_) : "";
    const std::string eta =
        steps_ > 0 && done_ > 0 ? fmt::format("ETA {:.0f} s", elapsed / done_ * (steps_ - done_)) : "";
    std::fputs(fmt::format("\r{:<28} [{}] {} {}\033[K", stage_, bar, count, eta).c_str(), stderr);
    line_open_ = true;
  } else if (done_ > 0 && (last_shown_ == start_ || Seconds(now - last_shown_) >= 10.0)) {
    const std::string of = steps_ > 0 ? fmt::format("/{}", steps_) : "";
    std::fputs(fmt::format("{} {}{}\n", stage_, done_, of).c_str(), stderr);
  } else {
    return;
  }
  last_shown_ = now;
  std::fflush(stderr);
}

}  // namespace wildrayzer

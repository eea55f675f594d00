// What changes over a training run, and how far a run has come (method.md section 6).
#pragma once

#include <cstdint>

namespace wildrayzer {

// A number that changes linearly over the run; start == end: a constant.
struct Ramp {
  double start = 0.0;
  double end = 0.0;

  static Ramp Constant(double value) { return {value, value}; }
  // progress in [0, 1].
  double At(double progress) const { return start + (end - start) * progress; }
  bool IsEverPositive() const { return start > 0 || end > 0; }
};

// Linear warm-up from 0, then half a cosine down to `final_factor`.
struct CosineSchedule {
  int64_t warmup_steps = 0;
  int64_t total_steps = 1;    // parameter updates of the whole run, warm-up included
  double final_factor = 0.0;  // what is left of the rate at the end and after it

  // What the base rate is multiplied by for update number `step` (from 0): step / warmup_steps during the
  // warm-up (the first update of a run with warm-up has rate 0, as in the release), in [0, 1].
  double Factor(int64_t step) const;

  // The same where the run is measured by something else than steps: the warm-up's line times half a cosine
  // over `progress` in [0, 1].
  double Factor(int64_t step, double progress) const;

 private:
  double Fall(double progress) const;
};

// How far a run has come: by its steps, or by its time where that is limited.
class RunProgress {
 public:
  // The run ends after so many steps, and where `budget` > 0 after so many seconds.
  RunProgress(int64_t steps, double budget) : steps_(steps), budget_(budget) {}

  // Steps done and seconds passed, over all sessions.
  void Update(int64_t step, double seconds) { step_ = step, seconds_ = seconds; }

  // In [0, 1]: seconds / budget, or steps done / steps where there is no budget.
  double value() const;
  bool timed() const { return budget_ > 0; }
  bool over() const { return step_ >= steps_ || (timed() && seconds_ >= budget_); }
  // Where a step takes so many seconds.
  double SecondsLeft(double seconds_a_step) const;

 private:
  int64_t steps_;
  double budget_;
  int64_t step_ = 0;
  double seconds_ = 0;
};

}  // namespace wildrayzer

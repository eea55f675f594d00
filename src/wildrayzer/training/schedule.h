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
};

}  // namespace wildrayzer

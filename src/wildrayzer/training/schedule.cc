#include "wildrayzer/training/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace wildrayzer {

double CosineSchedule::Fall(double progress) const {
  const double cosine = 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
  return final_factor + (1.0 - final_factor) * cosine;
}

double CosineSchedule::Factor(int64_t step) const {
  if (step < warmup_steps) return static_cast<double>(std::max<int64_t>(step, 0)) / warmup_steps;
  const double span = static_cast<double>(std::max<int64_t>(total_steps - warmup_steps, 1));
  return Fall(std::clamp(static_cast<double>(step - warmup_steps) / span, 0.0, 1.0));
}

double CosineSchedule::Factor(int64_t step, double progress) const {
  const double rise =
      step < warmup_steps ? static_cast<double>(std::max<int64_t>(step, 0)) / warmup_steps : 1.0;
  return rise * Fall(std::clamp(progress, 0.0, 1.0));
}

double RunProgress::value() const {
  const double part = timed() ? seconds_ / budget_ : static_cast<double>(step_) / static_cast<double>(steps_);
  return std::clamp(part, 0.0, 1.0);
}

double RunProgress::SecondsLeft(double seconds_a_step) const {
  const double by_steps = static_cast<double>(std::max<int64_t>(steps_ - step_, 0)) * seconds_a_step;
  return timed() ? std::clamp(budget_ - seconds_, 0.0, by_steps) : by_steps;
}

}  // namespace wildrayzer

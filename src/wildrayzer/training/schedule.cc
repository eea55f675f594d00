#include "wildrayzer/training/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace wildrayzer {

double CosineSchedule::Factor(int64_t step) const {
  if (step < warmup_steps) return static_cast<double>(std::max<int64_t>(step, 0)) / warmup_steps;
  const double span = static_cast<double>(std::max<int64_t>(total_steps - warmup_steps, 1));
  const double progress = std::clamp(static_cast<double>(step - warmup_steps) / span, 0.0, 1.0);
  const double cosine = 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
  return final_factor + (1.0 - final_factor) * cosine;
}

}  // namespace wildrayzer

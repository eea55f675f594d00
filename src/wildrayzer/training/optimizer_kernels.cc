#include "wildrayzer/training/optimizer_kernels.h"

#include <cmath>

namespace wildrayzer {

void AdamWUpdate(const AdamWStep& step, int64_t count, const float* __restrict gradient,
                 float* __restrict parameter, float* __restrict exp_avg, float* __restrict exp_avg_sq) {
  const AdamWStep s = step;  // local, so that the compiler knows that stores do not change it
  for (int64_t i = 0; i < count; ++i) {
    const float g = s.gradient_scale * gradient[i];
    const float m = s.beta1 * exp_avg[i] + (1.0f - s.beta1) * g;
    const float v = s.beta2 * exp_avg_sq[i] + (1.0f - s.beta2) * g * g;
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    parameter[i] =
        s.decay * parameter[i] - s.step_size * m / (std::sqrt(v) * s.inverse_root_correction2 + s.eps);
  }
}

void MomentumUpdate(float beta, float scale, bool nesterov, int64_t count, const float* __restrict gradient,
                    float* __restrict momentum, float* __restrict direction) {
  const float gradient_part = nesterov ? scale : 0.0f, momentum_part = nesterov ? beta : 1.0f;
  for (int64_t i = 0; i < count; ++i) {
    momentum[i] = beta * momentum[i] + scale * gradient[i];
    direction[i] = gradient_part * gradient[i] + momentum_part * momentum[i];
  }
}

void ApplyDirection(float decay, float rate, int64_t count, const float* __restrict direction,
                    float* __restrict parameter) {
  for (int64_t i = 0; i < count; ++i) parameter[i] = decay * parameter[i] - rate * direction[i];
}

void Average(float weight, int64_t count, const float* __restrict value, float* __restrict average) {
  for (int64_t i = 0; i < count; ++i) average[i] += (1.0f - weight) * (value[i] - average[i]);
}

double SumOfSquares(int64_t count, const float* values) {
  // Independent sums, so that the loop is vectorised without reordering what is written here.
  constexpr int64_t kLanes = 8;
  double sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const double value = values[i + lane];
      sums[lane] += value * value;
    }
  }
  for (; i < count; ++i) sums[0] += static_cast<double>(values[i]) * values[i];
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace wildrayzer

// The optimizer's loops over memory: each reads and writes every array once. Single-threaded; the callers
// split the work. Arrays of one call must not overlap.
#pragma once

#include <cstdint>

namespace wildrayzer {

// Scalars of one AdamW update, worked out once a parameter.
struct AdamWStep {
  float gradient_scale;  // clipping, applied to the gradient on the fly
  float decay;           // 1 - rate * weight decay
  float beta1, beta2;
  float step_size;                 // rate / (1 - beta1^t)
  float inverse_root_correction2;  // 1 / sqrt(1 - beta2^t)
  float eps;
};

// One AdamW update (Loshchilov and Hutter 2019, as in PyTorch: eps is added after the bias correction).
void AdamWUpdate(const AdamWStep& step, int64_t count, const float* gradient, float* parameter,
                 float* exp_avg, float* exp_avg_sq);

// momentum = beta * momentum + scale * gradient; direction = scale * gradient + beta * momentum with
// Nesterov, else momentum.
void MomentumUpdate(float beta, float scale, bool nesterov, int64_t count, const float* gradient,
                    float* momentum, float* direction);

// parameter = decay * parameter - rate * direction.
void ApplyDirection(float decay, float rate, int64_t count, const float* direction, float* parameter);

// average = weight * average + (1 - weight) * value.
void Average(float weight, int64_t count, const float* value, float* average);

// Sum of squares in double precision.
double SumOfSquares(int64_t count, const float* values);

}  // namespace wildrayzer

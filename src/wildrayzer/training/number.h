// Numbers of a training step that stay where they were computed until somebody reads them: reading one makes
// the processor wait for the device, so a step reads none.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

class Number {
 public:
  Number(double value = 0) : tensor_(torch::scalar_tensor(value, torch::kFloat64)) {}
  // The value of a scalar, or the sum of a larger tensor, in float64 and without gradient.
  explicit Number(const torch::Tensor& values) : tensor_(values.detach().sum(torch::kFloat64)) {}

  // A float64 scalar, on the device of what it was made of.
  const torch::Tensor& tensor() const { return tensor_; }
  // For losses, which are float32.
  torch::Tensor Float() const { return tensor_.to(torch::kFloat32); }
  // Waits for the device.
  operator double() const { return tensor_.item<double>(); }

  friend Number operator+(const Number& a, const Number& b) { return Number(a.tensor_ + b.tensor_); }
  friend Number operator-(const Number& a, const Number& b) { return Number(a.tensor_ - b.tensor_); }
  friend Number operator*(const Number& a, const Number& b) { return Number(a.tensor_ * b.tensor_); }
  friend Number operator/(const Number& a, const Number& b) { return Number(a.tensor_ / b.tensor_); }
  friend Number operator+(double a, const Number& b) { return Number(a) + b; }
  friend Number operator*(double a, const Number& b) { return Number(a) * b; }
  friend Number operator*(const Number& a, double b) { return a * Number(b); }
  Number AtLeast(double least) const { return Number(tensor_.clamp_min(least)); }

 private:
  torch::Tensor tensor_;
};

using Numbers = std::map<std::string, Number>;

// All values; the device is waited for once.
std::map<std::string, double> Read(const Numbers& numbers);

}  // namespace wildrayzer

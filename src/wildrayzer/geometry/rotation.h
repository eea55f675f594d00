// Rotations and camera vectors as differentiable tensors.
//
// Geometry never runs in reduced precision: inputs below float32 are promoted, the results are float32
// (double when the input is double), and no operation used here is touched by autocast to bf16. Quaternions
// are (w, x, y, z). Cameras are camera-to-world, OpenCV axes (x right, y down, z forward).
#pragma once

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// Two triplets a1, a2 [..., 6] -> rotation [..., 3, 3] with columns b1 = a1/|a1|, b2 = normalise(a2 - (b1.a2)
// b1), b3 = b1 x b2 (method.md section 3, step 4). Norms are floored at 1e-12, so parallel or zero triplets
// give a finite but singular matrix.
torch::Tensor Rotation6dToMatrix(const torch::Tensor& triplets);

// Quaternion of any norm [..., 4] -> rotation [..., 3, 3]; it is normalised first (norm floored at 1e-12).
torch::Tensor QuaternionToMatrix(const torch::Tensor& quaternion);

// Rotation [..., 3, 3] -> unit quaternion [..., 4] with w >= 0. Numerically stable for every angle: the
// component of largest magnitude is taken from the diagonal, the others by division through it.
torch::Tensor MatrixToQuaternion(const torch::Tensor& rotation);

// Decoded cameras of a batch.
struct CameraTensors {
  torch::Tensor c2w;       // [..., 4, 4]
  torch::Tensor fxfycxcy;  // [..., 4], in units of image width (fx, cx) and height (fy, cy)
};

// Camera vectors of the pose head: [..., 13] = (6D rotation, translation 3, fx fy cx cy) or
// [..., 11] = (quaternion, translation 3, fx fy cx cy). Any other width raises UsageError.
CameraTensors DecodeCameraInfo(const torch::Tensor& camera_info);

}  // namespace wildrayzer

// Bridge between Camera and the tensors of the models.
#pragma once

#include <span>
#include <vector>

#include "wildrayzer/geometry/camera.h"
#include "wildrayzer/geometry/rotation.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// c2w [V, 4, 4] and fxfycxcy [V, 4] (in units of image width and height) of any float type -> V cameras.
// Rotations are replaced by the nearest exact rotation, since float32 ones are orthonormal to 1e-7 only. A
// value that is not finite raises Error, wrong shapes UsageError.
std::vector<Camera> CamerasFromTensors(const torch::Tensor& c2w, const torch::Tensor& fxfycxcy);

// V cameras -> c2w [V, 4, 4], fxfycxcy [V, 4], float32 on the CPU.
CameraTensors CamerasToTensors(std::span<const Camera> cameras);

}  // namespace wildrayzer

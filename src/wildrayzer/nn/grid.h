// Places on a grid of patches or of smaller cells.
#pragma once

#include <cstdint>

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// Centres of the cells, row by row: [rows columns, 2] float32, (u, v) in [0, 1].
torch::Tensor GridCentres(int64_t rows, int64_t columns, torch::Device device);

}  // namespace wildrayzer

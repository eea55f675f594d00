// Checks of tensor data that read every element.
#pragma once

#include "wildrayzer/io/tensor_file.h"

namespace wildrayzer {

// False when a floating-point tensor holds a NaN or an infinity; integers and booleans are always finite.
bool AllFinite(const TensorEntry& entry);

}  // namespace wildrayzer

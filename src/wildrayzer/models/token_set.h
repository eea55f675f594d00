// Tokens of which not all need be there.
#pragma once

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

struct TokenSet {
  torch::Tensor tokens;  // [B, N, d]
  // [B] int64: of sample b the first counts[b] <= N are there; what the others hold reaches nothing.
  // Undefined: all are.
  torch::Tensor counts;
};

}  // namespace wildrayzer

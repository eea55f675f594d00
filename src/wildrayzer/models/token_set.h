// Tokens of which not all need be there.
#pragma once

#include <cstdint>
#include <vector>

#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

struct TokenSet {
  torch::Tensor tokens;  // [B, N, d]
  // Of sample b the first counts[b] <= N are there; what the others hold reaches nothing. Empty: all are.
  std::vector<int64_t> counts;
};

}  // namespace wildrayzer

// Which vector instructions the numerics may use.
#pragma once

namespace wildrayzer {

enum class SimdLevel { kPortable, kAvx2, kAvx512, kAvx512Bf16 };

// The best level of this processor, lowered by WILDRAYZER_SIMD = portable | avx2 | avx512 | avx512_bf16 if
// set (for tests and for comparing results between machines). Decided once.
SimdLevel AvailableSimd();
const char* SimdName(SimdLevel level);

}  // namespace wildrayzer

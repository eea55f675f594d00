// Which vector instructions the numerics may use.
#pragma once

namespace wildrayzer {

enum class SimdLevel { kPortable, kAvx2, kAvx512, kAvx512Bf16 };

// The best level of this processor, lowered by WILDRAYZER_SIMD = portable | avx2 | avx512 | avx512_bf16 if
// set (for tests and for comparing results between machines). Decided once.
SimdLevel AvailableSimd();
const char* SimdName(SimdLevel level);

// Whether the processor adds products of bytes in one instruction on vectors of so many bits: AVX-VNNI for
// 256, AVX512-VNNI for 512. Not lowered by WILDRAYZER_SIMD.
bool HasByteProducts(int bits);

}  // namespace wildrayzer

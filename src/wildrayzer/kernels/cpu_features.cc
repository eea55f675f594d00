#include "wildrayzer/kernels/cpu_features.h"

#include <cstdlib>
#include <string>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

SimdLevel MachineSimd() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512 && __builtin_cpu_supports("avx512bf16")) return SimdLevel::kAvx512Bf16;
  if (avx512) return SimdLevel::kAvx512;
  if (avx2) return SimdLevel::kAvx2;
#endif
  return SimdLevel::kPortable;
}

SimdLevel DecideSimd() {
  const SimdLevel machine = MachineSimd();
  const char* wanted = std::getenv("WILDRAYZER_SIMD");
  if (wanted == nullptr || *wanted == '\0') return machine;
  for (const SimdLevel level :
       {SimdLevel::kPortable, SimdLevel::kAvx2, SimdLevel::kAvx512, SimdLevel::kAvx512Bf16}) {
    if (std::string(wanted) == SimdName(level)) return level < machine ? level : machine;
  }
  throw UsageError(std::string("WILDRAYZER_SIMD=") + wanted + ": use portable, avx2, avx512 or avx512_bf16");
}

}  // namespace

SimdLevel AvailableSimd() {
  static const SimdLevel level = DecideSimd();
  return level;
}

bool HasByteProducts([[maybe_unused]] int bits) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return bits == 512 ? __builtin_cpu_supports("avx512vnni") != 0 : __builtin_cpu_supports("avxvnni") != 0;
#else
  return false;
#endif
}

const char* SimdName(SimdLevel level) {
  switch (level) {
    case SimdLevel::kAvx2:
      return "avx2";
    case SimdLevel::kAvx512:
      return "avx512";
    case SimdLevel::kAvx512Bf16:
      return "avx512_bf16";
    case SimdLevel::kPortable:
      break;
  }
  return "portable";
}

}  // namespace wildrayzer

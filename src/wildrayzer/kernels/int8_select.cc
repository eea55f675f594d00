#include <array>
#include <cstddef>

#include "wildrayzer/kernels/cpu_features.h"
#include "wildrayzer/kernels/int8_kernels.h"

namespace wildrayzer {
namespace {

struct Runnable {
  std::array<const Int8Kernels*, 5> all{};
  int count = 0;

  void Add(const Int8Kernels* kernels, bool can_run) {
    if (kernels != nullptr && can_run) all[static_cast<size_t>(count++)] = kernels;
  }

  Runnable() {
    const SimdLevel level = AvailableSimd();
    Add(kPortableInt8, true);
    Add(kAvx2Int8, level >= SimdLevel::kAvx2);
    Add(kAvxVnniInt8, level >= SimdLevel::kAvx2 && HasByteProducts(256));
    Add(kAvx512Int8, level >= SimdLevel::kAvx512);
    Add(kAvx512VnniInt8, level >= SimdLevel::kAvx512 && HasByteProducts(512));
  }
};

}  // namespace

const Int8Kernels* const* RunnableInt8(int* count) {
  static const Runnable runnable;
  *count = runnable.count;
  return runnable.all.data();
}

}  // namespace wildrayzer

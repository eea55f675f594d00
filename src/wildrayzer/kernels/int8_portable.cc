// int8 products with the instructions that every machine has.
#include "wildrayzer/kernels/int8_simd.h"

namespace wildrayzer {
namespace {
constexpr Int8Kernels kInt8 = Int8Path<PlainBytes<4>, 2>::Kernels("portable");
}  // namespace
const Int8Kernels* const kPortableInt8 = &kInt8;
}  // namespace wildrayzer

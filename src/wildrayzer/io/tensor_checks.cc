#include "wildrayzer/io/tensor_checks.h"

#include <cstring>

namespace wildrayzer {
namespace {

// NaN and infinity are the values whose exponent bits are all ones. No early exit inside: the loop stays
// vectorisable.
template <typename Word>
bool ExponentsBelowAllOnes(std::span<const std::byte> bytes, Word exponent_mask) {
  unsigned bad = 0;
  for (size_t i = 0; i + sizeof(Word) <= bytes.size(); i += sizeof(Word)) {
    Word word;
    std::memcpy(&word, bytes.data() + i, sizeof(Word));
    bad |= static_cast<unsigned>((word & exponent_mask) == exponent_mask);
  }
  return bad == 0;
}

bool AllFinite(DType dtype, std::span<const std::byte> bytes) {
  switch (dtype) {
    case DType::kF16:
      return ExponentsBelowAllOnes<uint16_t>(bytes, 0x7C00);
    case DType::kBF16:
      return ExponentsBelowAllOnes<uint16_t>(bytes, 0x7F80);
    case DType::kF32:
      return ExponentsBelowAllOnes<uint32_t>(bytes, 0x7F800000);
    case DType::kF64:
      return ExponentsBelowAllOnes<uint64_t>(bytes, 0x7FF0000000000000);
    default:
      return true;
  }
}

}  // namespace

bool AllFinite(const TensorEntry& entry) {
  bool finite = true;
  entry.Stream([&](std::span<const std::byte> bytes) { finite = AllFinite(entry.dtype, bytes) && finite; });
  return finite;
}

}  // namespace wildrayzer

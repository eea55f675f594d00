#include "wildrayzer/io/pickle_reader.h"

#include <bit>

#include "wildrayzer/io/utf8.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {

void PickleReader::Fail(const std::string& problem) const { throw FileError(path_, problem); }

std::string_view PickleReader::TakeLine() {
  const uint64_t begin = position_;
  while (TakeInteger<char>() != '\n') {
    if (position_ - begin > kLongestName) Fail("a name in the pickle is too long");
  }
  return {reinterpret_cast<const char*>(bytes_.data()) + begin, position_ - begin - 1};
}

PickleValue PickleReader::TakeBytes(uint64_t length) {
  const std::span<const std::byte> bytes = Take(length);
  if (length > UINT32_MAX) Fail("a text in the pickle is too long");
  PickleValue value;
  value.kind = PickleKind::kBytes;
  value.length = static_cast<uint32_t>(length);
  value.characters = reinterpret_cast<const char*>(bytes.data());
  return value;
}

PickleValue PickleReader::TakeString(uint64_t length) {
  PickleValue value = TakeBytes(length);
  if (IsUtf8(value.text())) value.kind = PickleKind::kString;
  return value;
}

PickleValue PickleReader::TakeLong(uint64_t length) {
  PickleValue value = TakeBytes(length);
  if (length > sizeof(int64_t)) {
    value.kind = PickleKind::kBigInt;
    return value;
  }
  const bool negative = length > 0 && (static_cast<uint8_t>(value.text().back()) & 0x80) != 0;
  int64_t number = negative ? -1 : 0;  // sign extension
  std::memcpy(&number, value.characters, length);
  PickleValue result;
  result.kind = PickleKind::kInt;
  result.integer = number;
  return result;
}

PickleValue PickleReader::TakeFloat() {
  PickleValue value;
  value.kind = PickleKind::kFloat;
  value.number = std::bit_cast<double>(__builtin_bswap64(TakeInteger<uint64_t>()));
  return value;
}

}  // namespace wildrayzer

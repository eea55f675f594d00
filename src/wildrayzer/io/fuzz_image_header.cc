// The parser that judges picture files before a decoder sees them, on arbitrary bytes.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "wildrayzer/io/image_header.h"
#include "wildrayzer/io/images.h"
#include "wildrayzer/util/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace wildrayzer;
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    const ImageHeader header = ParseImageHeader(bytes, "input");
    // What it accepts must keep its promises.
    const bool sized = header.width >= 1 && header.width <= kMaxImageSide && header.height >= 1 &&
                       header.height <= kMaxImageSide && header.width * header.height <= kMaxImagePixels;
    const bool left_to_decoder =
        header.format == ImageFormat::kHeif && header.width == 0 && header.height == 0;
    const bool sane = (sized || left_to_decoder) && header.orientation >= 1 && header.orientation <= 8 &&
                      header.essential.size() <= size;
    if (!sane) std::abort();
  } catch (const FileError&) {
    return 0;
  }
  return 0;
}

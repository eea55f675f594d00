// Damaged COCO files and masks must raise Error, nothing else. The first byte chooses what the rest is.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "wildrayzer/data/coco_parser.h"
#include "wildrayzer/data/rle.h"
#include "wildrayzer/util/error.h"

using namespace wildrayzer;

namespace {

void Rasterize(const CocoAnnotation& annotation) {
  if (annotation.run_height != 0) {
    MaskFromRle(annotation.packed_counts.empty()
                    ? MakeRle(annotation.run_height % 512, annotation.run_width % 512, annotation.counts)
                    : DecodeRleString(annotation.packed_counts, annotation.run_height % 512,
                                      annotation.run_width % 512));
  }
  for (const std::vector<double>& polygon : annotation.polygons) MaskFromRle(RleFromPolygon(polygon, 60, 80));
}

void Polygon(std::span<const uint8_t> bytes) {
  std::vector<double> xy(bytes.size() / sizeof(double));
  if (!xy.empty()) std::memcpy(xy.data(), bytes.data(), xy.size() * sizeof(double));
  MaskFromRle(RleFromPolygon(xy, 40, 30));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::span<const uint8_t> rest(data + 1, size - 1);
  try {
    if (data[0] == 'p') {
      Polygon(rest);
    } else if (data[0] == 'r') {
      const Rle rle = DecodeRleString({reinterpret_cast<const char*>(rest.data()), rest.size()}, 40, 30);
      if (!(DecodeRleString(EncodeRleString(rle), 40, 30) == rle)) __builtin_trap();
    } else {
      for (const CocoAnnotation& annotation :
           ParseCoco(std::as_bytes(std::span(data, size)), {}).annotations) {
        Rasterize(annotation);
      }
    }
  } catch (const Error&) {
  }
  return 0;
}

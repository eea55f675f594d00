#include "wildrayzer/data/rle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr int kFiner = 5;  // polygon outlines are drawn on a grid this much finer than the pixels
constexpr double kMaxOutline = 1'000'000.0;  // pixels

void CheckSize(int64_t height, int64_t width) {
  if (height < 1 || width < 1 || height > kMaxMaskPixels || width > kMaxMaskPixels ||
      height * width > kMaxMaskPixels) {
    throw Error(fmt::format("mask size {} x {} (height x width) is outside 1 to {} pixels", height, width,
                            kMaxMaskPixels));
  }
}

struct FinePoint {
  int x, y;
};

// Truncation toward zero is what the COCO tools do, also for negative numbers.
int RoundTowardsZeroAfterHalf(double value) { return static_cast<int>(value + 0.5); }

// Calls visit(point) for every point of the edge from `a` to `b` inclusive: steps of one along the longer
// axis, interpolated from the end with the smaller major coordinate so that both directions give the same
// points.
template <typename Visit>
void WalkEdge(FinePoint a, FinePoint b, const Visit& visit) {
  const int dx = std::abs(b.x - a.x);
  const int dy = std::abs(b.y - a.y);
  const bool along_x = dx >= dy;
  const bool reversed = along_x ? a.x > b.x : a.y > b.y;
  if (reversed) std::swap(a, b);
  const int length = along_x ? dx : dy;
  const double slope = length == 0 ? 0.0 : static_cast<double>(along_x ? b.y - a.y : b.x - a.x) / length;
  for (int i = 0; i <= length; ++i) {
    const int t = reversed ? length - i : i;
    if (along_x) {
      visit(FinePoint{a.x + t, RoundTowardsZeroAfterHalf(a.y + slope * t)});
    } else {
      visit(FinePoint{RoundTowardsZeroAfterHalf(a.x + slope * t), a.y + t});
    }
  }
}

// The corners on the fine grid, the first one repeated at the end.
std::vector<FinePoint> FineCorners(std::span<const double> xy) {
  if (xy.size() < 6 || xy.size() % 2 != 0) {
    throw Error(fmt::format("a polygon of {} numbers; it takes an even count of at least 6", xy.size()));
  }
  std::vector<FinePoint> corners;
  corners.reserve(xy.size() / 2 + 1);
  double outline = 0;
  for (size_t i = 0; i < xy.size(); i += 2) {
    if (!(std::abs(xy[i]) <= kMaxOutline) || !(std::abs(xy[i + 1]) <= kMaxOutline)) {
      throw Error("a polygon with a coordinate that is not a number or beyond a million pixels");
    }
    corners.push_back(
        {RoundTowardsZeroAfterHalf(kFiner * xy[i]), RoundTowardsZeroAfterHalf(kFiner * xy[i + 1])});
    const size_t next = (i + 2) % xy.size();
    outline += std::max(std::abs(xy[next] - xy[i]), std::abs(xy[next + 1] - xy[i + 1]));
  }
  if (!(outline <= kMaxOutline)) throw Error("a polygon whose outline is longer than a million pixels");
  corners.push_back(corners.front());
  return corners;
}

// Runs between sorted column-major positions; a zero run joins its neighbours (two crossings at one place
// cancel).
std::vector<uint32_t> RunsBetween(std::vector<uint32_t> positions, uint32_t total) {
  positions.push_back(total);
  std::sort(positions.begin(), positions.end());
  std::vector<uint32_t> runs;
  uint32_t previous = 0;
  bool join = false;
  for (const uint32_t position : positions) {
    const uint32_t run = position - previous;
    previous = position;
    if (join) {
      runs.back() += run;
      join = false;
    } else if (run == 0 && !runs.empty()) {
      join = true;
    } else {
      runs.push_back(run);
    }
  }
  return runs;
}

}  // namespace

int64_t Rle::Area() const {
  int64_t area = 0;
  for (size_t i = 1; i < counts.size(); i += 2) area += counts[i];
  return area;
}

Rle MakeRle(int64_t height, int64_t width, std::vector<uint32_t> counts) {
  CheckSize(height, width);
  int64_t sum = 0;
  for (const uint32_t count : counts) sum += count;
  const int64_t total = height * width;
  if (sum > total) {
    throw Error(
        fmt::format("the runs of a mask cover {} pixels, but its size is {} x {}", sum, height, width));
  }
  if (sum < total) {
    if (counts.size() % 2 == 0) counts.push_back(0);
    counts.back() += static_cast<uint32_t>(total - sum);
  }
  return {static_cast<int>(height), static_cast<int>(width), std::move(counts)};
}

Rle DecodeRleString(std::string_view text, int64_t height, int64_t width) {
  CheckSize(height, width);
  constexpr int kMaxGroups = 7;
  std::vector<uint32_t> counts;
  for (size_t at = 0; at < text.size();) {
    int64_t value = 0;
    int groups = 0;
    for (bool more = true; more;) {
      if (at == text.size()) throw Error("a compressed mask that ends in the middle of a number");
      if (groups == kMaxGroups) throw Error("a compressed mask with a number of more than 35 bits");
      const int code = static_cast<unsigned char>(text[at++]) - 48;
      if (code < 0 || code > 63) throw Error("a compressed mask with a character outside '0' .. 'o'");
      value |= static_cast<int64_t>(code & 31) << (5 * groups++);
      more = (code & 32) != 0;
      if (!more && (code & 16) != 0) value -= int64_t{1} << (5 * groups);
    }
    if (counts.size() > 2) value += counts[counts.size() - 2];
    if (value < 0 || value > std::numeric_limits<uint32_t>::max()) {
      throw Error("a compressed mask with a run that is negative or beyond 32 bits");
    }
    counts.push_back(static_cast<uint32_t>(value));
  }
  return MakeRle(height, width, std::move(counts));
}

std::string EncodeRleString(const Rle& rle) {
  std::string text;
  for (size_t i = 0; i < rle.counts.size(); ++i) {
    int64_t value = rle.counts[i];
    if (i > 2) value -= rle.counts[i - 2];
    for (bool more = true; more;) {
      const int group = static_cast<int>(value & 31);
      value >>= 5;
      more =
          (group & 16) != 0 ? value != -1 : value != 0;  // the rest must be the sign extension of this group
      text += static_cast<char>(48 + (more ? group | 32 : group));
    }
  }
  return text;
}

Rle RleFromPolygon(std::span<const double> xy, int64_t height, int64_t width) {
  CheckSize(height, width);
  const std::vector<FinePoint> corners = FineCorners(xy);
  std::vector<uint32_t> crossings;
  FinePoint previous = corners.front();
  const auto visit = [&](FinePoint point) {
    if (point.x != previous.x) {
      const double column = (std::min(previous.x, point.x) + 0.5) / kFiner - 0.5;
      if (column == std::floor(column) && column >= 0 && column <= static_cast<double>(width - 1)) {
        const double y = (std::min(previous.y, point.y) + 0.5) / kFiner - 0.5;
        const double row = std::ceil(std::clamp(y, 0.0, static_cast<double>(height)));
        crossings.push_back(
            static_cast<uint32_t>(static_cast<int64_t>(column) * height + static_cast<int64_t>(row)));
      }
    }
    previous = point;
  };
  for (size_t i = 0; i + 1 < corners.size(); ++i) WalkEdge(corners[i], corners[i + 1], visit);
  return {static_cast<int>(height), static_cast<int>(width),
          RunsBetween(std::move(crossings), static_cast<uint32_t>(height * width))};
}

Rle RleFromBox(const std::array<double, 4>& box, int64_t height, int64_t width) {
  const auto [x, y, w, h] = box;
  const std::array<double, 8> corners = {x, y, x, y + h, x + w, y + h, x + w, y};
  return RleFromPolygon(corners, height, width);
}

GrayImage MaskFromRle(const Rle& rle) {
  GrayImage mask(rle.width, rle.height);
  AddRle(rle, mask);
  return mask;
}

Rle RleFromMask(const GrayImage& mask) {
  CheckSize(mask.height, mask.width);
  std::vector<uint32_t> counts(1, 0);
  bool foreground = false;
  for (int x = 0; x < mask.width; ++x) {
    for (int y = 0; y < mask.height; ++y) {
      if ((mask.At(x, y) > 0) != foreground) {
        counts.push_back(0);
        foreground = !foreground;
      }
      ++counts.back();
    }
  }
  return {mask.height, mask.width, std::move(counts)};
}

void AddRle(const Rle& rle, GrayImage& mask) {
  if (rle.height != mask.height || rle.width != mask.width) {
    throw Error(fmt::format("a mask of {} x {} does not fit the picture of {} x {} (width x height)",
                            rle.width, rle.height, mask.width, mask.height));
  }
  int64_t position = 0;
  for (size_t i = 0; i < rle.counts.size(); ++i) {
    const int64_t end = position + rle.counts[i];
    if (i % 2 == 1) {
      for (int64_t p = position; p < end; ++p) {
        mask.At(static_cast<int>(p / rle.height), static_cast<int>(p % rle.height)) = 255;
      }
    }
    position = end;
  }
}

}  // namespace wildrayzer

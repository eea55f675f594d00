#include "wildrayzer/io/dtype_conversion.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

template <typename T>
T Load(const std::byte* address) {
  T value;
  std::memcpy(&value, address, sizeof(T));
  return value;
}

// IEEE half precision, subnormals included.
float HalfToFloat(uint16_t half) {
  const int exponent = (half >> 10) & 31;
  const float fraction = static_cast<float>(half & 1023);
  const float sign = (half & 0x8000) != 0 ? -1.0f : 1.0f;
  if (exponent == 31) return fraction == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024.0f + fraction, exponent - 25);
}

uint16_t FloatToBf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>((bits >> 16) | 0x40);  // stays a NaN when truncated
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float ReadFloat(const std::byte* address, DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return HalfToFloat(Load<uint16_t>(address));
    case DType::kBF16:
      return std::bit_cast<float>(static_cast<uint32_t>(Load<uint16_t>(address)) << 16);
    case DType::kF32:
      return Load<float>(address);
    default:
      return static_cast<float>(Load<double>(address));
  }
}

void WriteFloat(float value, DType dtype, std::vector<std::byte>& out) {
  const uint16_t narrow = FloatToBf16(value);
  const size_t size = dtype == DType::kF32 ? sizeof(float) : sizeof(uint16_t);
  const void* source = dtype == DType::kF32 ? static_cast<const void*>(&value) : &narrow;
  out.resize(out.size() + size);
  std::memcpy(out.data() + out.size() - size, source, size);
}

std::vector<std::byte> Rounded(std::span<const float> values, DType dtype) {
  std::vector<std::byte> out;
  for (const float value : values) WriteFloat(value, dtype, out);
  return out;
}

// The elements of a tensor, some at a time.
void StreamFloats(const TensorEntry& entry, const std::function<void(std::span<const float>)>& take) {
  const size_t size = static_cast<size_t>(DTypeSize(entry.dtype));
  std::vector<std::byte> rest;  // an element may be split between two pieces
  entry.Stream([&](std::span<const std::byte> piece) {
    constexpr size_t kBlock = 1 << 20;
    for (size_t at = 0; at < piece.size();) {
      const std::span<const std::byte> block = piece.subspan(at, std::min(kBlock, piece.size() - at));
      rest.insert(rest.end(), block.begin(), block.end());
      at += block.size();
      std::vector<float> values;
      size_t used = 0;
      for (; used + size <= rest.size(); used += size)
        values.push_back(ReadFloat(rest.data() + used, entry.dtype));
      rest.erase(rest.begin(), rest.begin() + static_cast<long>(used));
      take(values);
    }
  });
}

void CheckConvertible(const TensorEntry& entry, DType dtype) {
  if (!IsFloat(entry.dtype) || (dtype != DType::kF32 && dtype != DType::kBF16)) {
    throw Error("tensor '" + entry.name + "' cannot be converted from " +
                std::string(DTypeName(entry.dtype)) + " to " + std::string(DTypeName(dtype)));
  }
}

TensorSource Source(const TensorEntry& entry, DType dtype, std::function<void(const ByteSink&)> stream) {
  TensorSource source;
  source.name = entry.name;
  source.dtype = dtype;
  source.shape = entry.shape;
  source.stream = std::move(stream);
  return source;
}

}  // namespace

bool IsFloat(DType dtype) {
  return dtype == DType::kF16 || dtype == DType::kBF16 || dtype == DType::kF32 || dtype == DType::kF64;
}

TensorSource ConvertedSource(const TensorEntry& entry, DType dtype) {
  CheckConvertible(entry, dtype);
  if (entry.dtype == dtype) return TensorSource::Of(entry);
  return Source(entry, dtype, [entry, dtype](const ByteSink& sink) {
    StreamFloats(entry, [&](std::span<const float> values) { sink(Rounded(values, dtype)); });
  });
}

TensorSource MeanSource(const TensorEntry& entry, const TensorEntry& other, DType dtype) {
  CheckConvertible(entry, dtype);
  CheckConvertible(other, dtype);
  if (entry.shape != other.shape) throw Error("the tensors '" + entry.name + "' differ in shape");
  return Source(entry, dtype, [entry, other, dtype](const ByteSink& sink) {
    std::vector<float> others;
    StreamFloats(other, [&](std::span<const float> values) {
      others.insert(others.end(), values.begin(), values.end());
    });
    size_t at = 0;
    StreamFloats(entry, [&](std::span<const float> values) {
      std::vector<float> mean(values.begin(), values.end());
      for (float& value : mean) value = 0.5f * (value + others[at++]);
      sink(Rounded(mean, dtype));
    });
  });
}

namespace {

constexpr float kInt8Steps = 127.0f;

// The largest |x| of a row: 0 of numbers so small that the inverse might not be finite, NaN when one is not.
float LargestOf(std::span<const float> row) {
  float largest = 0.0f;
  bool finite = true;
  for (const float value : row) {
    finite = finite && std::isfinite(value);
    largest = std::max(largest, std::abs(value));
  }
  return !finite ? NAN : largest < 1e-35f ? 0.0f : largest;
}

void StreamRows(const TensorEntry& entry, const std::function<void(std::span<const float>)>& take) {
  const auto width = static_cast<size_t>(entry.shape[1]);
  std::vector<float> waiting;
  StreamFloats(entry, [&](std::span<const float> values) {
    waiting.insert(waiting.end(), values.begin(), values.end());
    size_t at = 0;
    for (; at + width <= waiting.size(); at += width) take({waiting.data() + at, width});
    waiting.erase(waiting.begin(), waiting.begin() + static_cast<long>(at));
  });
}

template <typename Value>
std::span<const std::byte> BytesOf(const std::vector<Value>& values) {
  return std::as_bytes(std::span(values));
}

}  // namespace

float QuantizeRow(std::span<const float> row, int8_t* q) {
  const float largest = LargestOf(row);
  const bool any = largest > 0;
  const float inverse = any ? kInt8Steps / largest : 0.0f;
  for (size_t i = 0; i < row.size(); ++i)
    q[i] = any ? static_cast<int8_t>(std::nearbyint(row[i] * inverse)) : int8_t{0};
  return largest / kInt8Steps;
}

std::vector<TensorSource> QuantizedSources(const TensorEntry& entry) {
  if (!IsFloat(entry.dtype) || entry.shape.size() != 2 || entry.numel() == 0)
    throw Error("tensor '" + entry.name + "' is no matrix of floating-point numbers: it has no int8 form");
  TensorSource values = Source(entry, DType::kI8, [entry](const ByteSink& sink) {
    std::vector<int8_t> q(static_cast<size_t>(entry.shape[1]));
    StreamRows(entry, [&](std::span<const float> row) {
      if (std::isnan(QuantizeRow(row, q.data())))
        throw Error("tensor '" + entry.name + "' holds a NaN or an infinity: the weights are damaged");
      sink(BytesOf(q));
    });
  });
  TensorSource scales = Source(entry, DType::kF32, [entry](const ByteSink& sink) {
    std::vector<float> all;
    StreamRows(entry, [&](std::span<const float> row) { all.push_back(LargestOf(row) / kInt8Steps); });
    sink(BytesOf(all));
  });
  scales.name += kScaleSuffix;
  scales.shape.resize(1);
  return {values, scales};
}

TensorSource DequantizedSource(const TensorEntry& entry, const TensorEntry& scales, DType dtype) {
  const bool fits = entry.dtype == DType::kI8 && entry.shape.size() == 2 && scales.dtype == DType::kF32 &&
                    scales.shape == std::vector<int64_t>{entry.shape[0]} && entry.numel() > 0;
  if (!fits || (dtype != DType::kF32 && dtype != DType::kBF16))
    throw Error("tensors '" + entry.name + "' and '" + scales.name + "' are no matrix in int8");
  return Source(entry, dtype, [entry, scales, dtype](const ByteSink& sink) {
    std::vector<float> row_scales;
    StreamFloats(scales, [&](std::span<const float> values) {
      row_scales.insert(row_scales.end(), values.begin(), values.end());
    });
    const auto width = static_cast<size_t>(entry.shape[1]);
    size_t at = 0;
    entry.Stream([&](std::span<const std::byte> piece) {
      constexpr size_t kBlock = 1 << 20;
      for (size_t first = 0; first < piece.size(); first += kBlock) {
        std::vector<float> values;
        for (const std::byte q : piece.subspan(first, std::min(kBlock, piece.size() - first)))
          values.push_back(static_cast<float>(static_cast<int8_t>(q)) * row_scales[at++ / width]);
        sink(Rounded(values, dtype));
      }
    });
  });
}

}  // namespace wildrayzer

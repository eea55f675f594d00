#include "wildrayzer/data/packed_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>
#include <utility>

#include "wildrayzer/data/packed_header.h"
#include "wildrayzer/data/rle.h"
#include "wildrayzer/io/image_header.h"
#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr size_t kIntrinsicNumbers = 4;
constexpr size_t kPoseNumbers = 16;

const TensorEntry& PackedTensor(const TensorFile& file, const std::string& name, DType dtype, size_t rank) {
  const TensorEntry* entry = file.Find(name);
  if (!entry) FailPacked(file.path(), fmt::format("it has no tensor '{}'", name));
  if (entry->dtype != dtype || entry->shape.size() != rank) {
    FailPacked(file.path(), fmt::format("its tensor '{}' is {} {}", name, DTypeName(entry->dtype),
                                        ShapeText(entry->shape)));
  }
  return *entry;
}

// A table of one row a frame.
const TensorEntry& PackedTable(const TensorFile& file, const std::string& name, DType dtype, int64_t rows,
                               int64_t columns) {
  const TensorEntry& entry = PackedTensor(file, name, dtype, 2);
  if (entry.shape[0] != rows || entry.shape[1] != columns) {
    FailPacked(file.path(), fmt::format("its tensor '{}' is {} instead of [{}, {}]", name,
                                        ShapeText(entry.shape), rows, columns));
  }
  return entry;
}

TensorFile ReadContainer(std::shared_ptr<const MappedFile> file) {
  try {
    return ParseSafetensors(std::move(file));
  } catch (const FileError& error) {
    throw FileError(error.path(),
                    error.problem() + " (packed scenes: copy the file again, or pack the data again)");
  }
}

}  // namespace

std::shared_ptr<const PackedFile> PackedFile::Open(const std::filesystem::path& path) {
  return Parse(MappedFile::Open(path));
}

std::shared_ptr<const PackedFile> PackedFile::Parse(std::shared_ptr<const MappedFile> mapping) {
  const TensorFile file = ReadContainer(std::move(mapping));
  const std::shared_ptr<PackedFile> pack(new PackedFile);
  pack->path_ = file.path();
  pack->mapping_ = file.mapping();
  const auto description = file.metadata().find(kPackedMetadataKey);
  if (description == file.metadata().end()) {
    throw FileError(
        file.path(),
        "holds no packed scenes (a checkpoint?); wildrayzer pack DATA --out FILE makes such a file");
  }
  pack->layout_ = ParsePackedLayout(description->second, file.path());
  const TensorEntry& scenes = PackedTensor(file, "scenes", DType::kU8, 1);
  pack->scenes_ = ParsePackedScenes(
      {reinterpret_cast<const char*>(scenes.data), static_cast<size_t>(scenes.byte_size())}, file.path());
  pack->frames_ = pack->scenes_.back().first_frame + pack->scenes_.back().frames;
  const TensorEntry& data = PackedTensor(file, "data", DType::kU8, 1);
  pack->data_ = {data.data, static_cast<size_t>(data.byte_size())};
  pack->places_ = PackedTable(file, "frames", DType::kI64, pack->frames_, kPackedFrameNumbers).data;
  pack->cameras_ = PackedTable(file, "cameras", DType::kF64, pack->frames_, kPackedCameraNumbers).data;
  pack->CheckPlaces();
  return pack;
}

// Every frame lies behind the one before it and inside the data, and has the bytes that its pictures need.
void PackedFile::CheckPlaces() {
  const int64_t pixels = int64_t{layout_.width} * layout_.height;
  const auto total = static_cast<int64_t>(data_.size());
  const auto fits = [&](int64_t size, int64_t raw, bool needed) {
    if (size == 0) return !needed;
    return layout_.jpeg ? size > 0 && size <= total : size == raw;
  };
  int64_t end = 0;
  for (int64_t i = 0; i < frames_; ++i) {
    const Place place = PlaceOf(i);
    if (!fits(place.picture, 3 * pixels, /*needed=*/true) || !fits(place.clean, 3 * pixels, false) ||
        !fits(place.mask, pixels, false)) {
      FailPacked(path_, fmt::format("frame {} has {}, {} and {} bytes of picture, clean picture and mask", i,
                                    place.picture, place.clean, place.mask));
    }
    // No sum overflows: every term is at most the size of the file.
    if (place.begin < end || place.begin > total ||
        place.begin + place.picture + place.clean + place.mask > total) {
      FailPacked(path_, fmt::format("frame {} at byte {} lies outside its place", i, place.begin));
    }
    end = place.begin + place.picture + place.clean + place.mask;
    if (place.photo_width < 1 || place.photo_width > kMaxImageSide || place.photo_height < 1 ||
        place.photo_height > kMaxImageSide) {
      FailPacked(path_, fmt::format("frame {} comes from a photo of {} x {}", i, place.photo_width,
                                    place.photo_height));
    }
    has_masks_ = has_masks_ || place.mask > 0;
  }
}

PackedFile::Place PackedFile::PlaceOf(int64_t frame) const {
  int64_t row[kPackedFrameNumbers];
  std::memcpy(row, places_ + frame * static_cast<int64_t>(sizeof(row)), sizeof(row));
  return {row[0], row[1], row[2], row[3], row[4], row[5]};
}

Framing PackedFile::FramingOf(int64_t frame) const {
  const Place place = PlaceOf(frame);
  return CoverFraming(static_cast<int>(place.photo_width), static_cast<int>(place.photo_height),
                      layout_.width, layout_.height, layout_.patch);
}

// Numbers of a row of `cameras`; nothing when all are NaN.
template <size_t kCount>
std::optional<std::array<double, kCount>> PackedFile::Camera(int64_t frame, size_t first) const {
  std::array<double, kCount> numbers;
  const auto row = static_cast<size_t>(frame) * kPackedCameraNumbers;
  std::memcpy(numbers.data(), cameras_ + sizeof(double) * (row + first), sizeof(numbers));
  if (std::all_of(numbers.begin(), numbers.end(), [](double v) { return std::isnan(v); })) return {};
  if (!std::all_of(numbers.begin(), numbers.end(), [](double v) { return std::isfinite(v); }))
    FailPacked(path_, fmt::format("the camera of frame {} has numbers that are not finite", frame));
  return numbers;
}

std::optional<PixelIntrinsics> PackedFile::Intrinsics(int64_t frame) const {
  const auto k = Camera<kIntrinsicNumbers>(frame, 0);
  if (!k) return std::nullopt;
  return PixelIntrinsics{(*k)[0], (*k)[1], (*k)[2], (*k)[3]};
}

std::optional<Eigen::Matrix4d> PackedFile::WorldToCamera(int64_t frame) const {
  const auto pose = Camera<kPoseNumbers>(frame, kIntrinsicNumbers);
  if (!pose) return std::nullopt;
  return Eigen::Matrix4d(Eigen::Map<const Eigen::Matrix<double, 4, 4, Eigen::RowMajor>>(pose->data()));
}

Image PackedFile::DecodePicture(int64_t frame, int64_t begin, int64_t size) const {
  if (size == 0) return {};
  const auto bytes = data_.subspan(static_cast<size_t>(begin), static_cast<size_t>(size));
  if (!layout_.jpeg) {
    Image image(layout_.width, layout_.height);
    std::memcpy(image.rgb.data(), bytes.data(), bytes.size());
    return image;
  }
  const std::string name = fmt::format("{}, frame {}", path_, frame);
  // Looked at first, so that nothing large is decoded in vain.
  const ImageHeader header = ParseImageHeader(bytes, name);
  if (header.width != layout_.width || header.height != layout_.height || header.orientation != 1) {
    FailPacked(path_, fmt::format("frame {} holds a picture of {} x {} instead of {} x {}", frame,
                                  header.width, header.height, layout_.width, layout_.height));
  }
  return DecodeImage(bytes, name);
}

Image PackedFile::Picture(int64_t frame) const {
  const Place place = PlaceOf(frame);
  return DecodePicture(frame, place.begin, place.picture);
}

Image PackedFile::CleanPicture(int64_t frame) const {
  const Place place = PlaceOf(frame);
  return DecodePicture(frame, place.begin + place.picture, place.clean);
}

GrayImage PackedFile::Mask(int64_t frame) const {
  const Place place = PlaceOf(frame);
  if (place.mask == 0) return {};
  const char* bytes = reinterpret_cast<const char*>(data_.data()) + place.begin + place.picture + place.clean;
  if (!layout_.jpeg) {
    GrayImage mask(layout_.width, layout_.height);
    std::memcpy(mask.values.data(), bytes, mask.values.size());
    return mask;
  }
  try {
    return MaskFromRle(
        DecodeRleString({bytes, static_cast<size_t>(place.mask)}, layout_.height, layout_.width));
  } catch (const Error& error) {
    FailPacked(path_, fmt::format("the mask of frame {}: {}", frame, error.what()));
  }
}

}  // namespace wildrayzer

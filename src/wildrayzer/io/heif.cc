// HEIC and AVIF by libheif.

#include <libheif/heif.h>

#include <algorithm>
#include <memory>

#include "wildrayzer/io/codecs.h"
#include "wildrayzer/io/colour_header.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/system.h"

namespace wildrayzer {
namespace {

template <auto Free>
struct FreeHeif {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using HeifContext = std::unique_ptr<heif_context, FreeHeif<heif_context_free>>;
using HeifHandle = std::unique_ptr<heif_image_handle, FreeHeif<heif_image_handle_release>>;
using HeifImage = std::unique_ptr<heif_image, FreeHeif<heif_image_release>>;
using HeifCodes = std::unique_ptr<heif_color_profile_nclx, FreeHeif<heif_nclx_color_profile_free>>;

ColourSpace ColourOfHeif(const heif_image_handle* handle) {
  ColourSpace colour;
  const size_t size = heif_image_handle_get_raw_color_profile_size(handle);
  if (size > kMaxProfileBytes) {
    colour.problem = "its colour profile is too large";
  } else if (size > 0) {
    std::vector<std::byte> icc(size);
    if (heif_image_handle_get_raw_color_profile(handle, icc.data()).code != heif_error_Ok) icc.clear();
    SetProfile(colour, icc);
  } else {
    heif_color_profile_nclx* codes = nullptr;
    if (heif_image_handle_get_nclx_color_profile(handle, &codes).code == heif_error_Ok && codes != nullptr) {
      const HeifCodes owner(codes);
      colour = ColourSpaceOfCodes(codes->color_primaries, codes->transfer_characteristics);
    }
  }
  return colour;
}

// `bits` a sample become all of T's.
template <typename T>
bool CopyPixels(const heif_image* image, int channels, int bits, DecodedSamples& out) {
  int stride = 0;
  const uint8_t* plane = heif_image_get_plane_readonly(image, heif_channel_interleaved, &stride);
  Samples<T> samples(heif_image_get_primary_width(image), heif_image_get_primary_height(image), channels);
  const auto row = static_cast<size_t>(samples.width) * static_cast<size_t>(channels);
  if (plane == nullptr || stride < 0 || static_cast<size_t>(stride) < row * sizeof(T)) return false;
  const uint32_t most = (1u << bits) - 1;
  for (int y = 0; y < samples.height; ++y) {
    const uint8_t* in = plane + static_cast<size_t>(y) * static_cast<size_t>(stride);
    T* to = samples.Pixel(0, y);
    for (size_t i = 0; i < row; ++i) {
      const uint32_t value = sizeof(T) == 1 ? in[i] : in[2 * i] | in[2 * i + 1] << 8;
      to[i] = static_cast<T>(sizeof(T) == 1 ? value : (std::min(value, most) * 65535 + most / 2) / most);
    }
  }
  out = std::move(samples);
  return true;
}

void CheckHeifError(const heif_error& error, const std::string& name) {
  const bool decoder =
      error.code == heif_error_Decoder_plugin_error || error.subcode == heif_suberror_Unsupported_codec;
  if (error.code == heif_error_Unsupported_filetype || error.code == heif_error_Unsupported_feature ||
      decoder) {
    throw FileError(
        name,
        "is of a kind of HEIC or AVIF that the installed libheif does not decode: save it as PNG or JPEG "
        "first");
  }
}

}  // namespace

bool DecodeHeif(std::span<const std::byte> bytes, const std::string& name, ColourSpace& colour,
                DecodedSamples& out) {
  const HeifContext context(heif_context_alloc());
  if (!context) return false;
  heif_context_set_maximum_image_size_limit(context.get(), static_cast<int>(kMaxImageSide));
  heif_context_set_max_decoding_threads(context.get(), AvailableCores());
  heif_error error =
      heif_context_read_from_memory_without_copy(context.get(), bytes.data(), bytes.size(), nullptr);
  heif_image_handle* primary = nullptr;
  if (error.code == heif_error_Ok) error = heif_context_get_primary_image_handle(context.get(), &primary);
  CheckHeifError(error, name);
  const HeifHandle handle(primary);
  if (!handle) return false;
  const auto check = [&name](int width, int height) { CheckImageSize(width, height, name); };
  check(heif_image_handle_get_width(primary), heif_image_handle_get_height(primary));
  check(heif_image_handle_get_ispe_width(primary), heif_image_handle_get_ispe_height(primary));
  const bool alpha = heif_image_handle_has_alpha_channel(primary) != 0;
  const bool wide = heif_image_handle_get_luma_bits_per_pixel(primary) > 8;
  heif_image* decoded = nullptr;
  error = heif_decode_image(
      primary, &decoded, heif_colorspace_RGB,
      wide ? (alpha ? heif_chroma_interleaved_RRGGBBAA_LE : heif_chroma_interleaved_RRGGBB_LE)
           : (alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB),
      nullptr);
  CheckHeifError(error, name);
  const HeifImage image(decoded);
  if (!image) return false;
  check(heif_image_get_primary_width(decoded), heif_image_get_primary_height(decoded));
  colour = ColourOfHeif(primary);
  const int channels = alpha ? 4 : 3;
  const int bits = heif_image_get_bits_per_pixel_range(decoded, heif_channel_interleaved);
  if (!wide) return CopyPixels<uint8_t>(decoded, channels, 8, out);
  return bits > 8 && bits <= 16 && CopyPixels<uint16_t>(decoded, channels, bits, out);
}

}  // namespace wildrayzer

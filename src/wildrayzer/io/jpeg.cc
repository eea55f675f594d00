// libjpeg leaves by longjmp, as libpng does; see png.cc.

#include <jpeglib.h>

#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it first
#include <cstdlib>
#include <cstring>

#include "wildrayzer/io/codecs.h"

namespace wildrayzer {
namespace {

struct JpegErrors {
  jpeg_error_mgr manager{};
  std::jmp_buf leave{};

  JpegErrors() {
    jpeg_std_error(&manager);
    manager.error_exit = [](j_common_ptr jpeg) {
      std::longjmp(reinterpret_cast<JpegErrors*>(jpeg->err)->leave, 1);  // `manager` comes first
    };
    manager.output_message = [](j_common_ptr) {};
  }
};

struct JpegSource {
  jpeg_decompress_struct jpeg{};
  JpegErrors errors;

  JpegSource() { jpeg.err = &errors.manager; }
  ~JpegSource() { jpeg_destroy_decompress(&jpeg); }
};

bool StartJpeg(JpegSource& source, std::span<const std::byte> bytes) {
  if (setjmp(source.errors.leave) != 0) return false;
  jpeg_create_decompress(&source.jpeg);
  jpeg_mem_src(&source.jpeg, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&source.jpeg, TRUE);
  source.jpeg.out_color_space = source.jpeg.num_components == 1   ? JCS_GRAYSCALE
                                : source.jpeg.num_components == 4 ? JCS_CMYK
                                                                  : JCS_RGB;
  jpeg_start_decompress(&source.jpeg);
  return true;
}

bool ReadJpegRows(JpegSource& source, Samples<uint8_t>& samples) {
  if (setjmp(source.errors.leave) != 0) return false;
  while (source.jpeg.output_scanline < source.jpeg.output_height) {
    const auto y = static_cast<int>(source.jpeg.output_scanline);
    JSAMPROW row = samples.Pixel(0, y);
    if (jpeg_read_scanlines(&source.jpeg, &row, 1) != 1) return false;
  }
  jpeg_finish_decompress(&source.jpeg);
  return true;
}

struct JpegSink {
  jpeg_compress_struct jpeg{};
  JpegErrors errors;
  unsigned char* data = nullptr;  // grown by libjpeg
  unsigned long size = 0;

  JpegSink() { jpeg.err = &errors.manager; }
  ~JpegSink() {
    jpeg_destroy_compress(&jpeg);
    std::free(data);
  }
};

bool WriteJpegRows(JpegSink& sink, const SampleView& view, int quality) {
  if (setjmp(sink.errors.leave) != 0) return false;
  jpeg_create_compress(&sink.jpeg);
  jpeg_mem_dest(&sink.jpeg, &sink.data, &sink.size);
  sink.jpeg.image_width = static_cast<JDIMENSION>(view.width);
  sink.jpeg.image_height = static_cast<JDIMENSION>(view.height);
  sink.jpeg.input_components = view.channels;
  sink.jpeg.in_color_space = view.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&sink.jpeg);
  jpeg_set_quality(&sink.jpeg, quality, TRUE);
  jpeg_start_compress(&sink.jpeg, TRUE);
  const auto* data = static_cast<const uint8_t*>(view.data);
  while (sink.jpeg.next_scanline < sink.jpeg.image_height) {
    const size_t at = static_cast<size_t>(sink.jpeg.next_scanline) * view.width * view.channels;
    JSAMPROW row = const_cast<uint8_t*>(data + at);  // only read
    jpeg_write_scanlines(&sink.jpeg, &row, 1);
  }
  jpeg_finish_compress(&sink.jpeg);
  return true;
}

}  // namespace

bool DecodeJpeg(std::span<const std::byte> bytes, DecodedSamples& out) {
  JpegSource source;
  if (!StartJpeg(source, bytes)) return false;
  const auto width = static_cast<int>(source.jpeg.output_width);
  Samples<uint8_t> samples(width, static_cast<int>(source.jpeg.output_height),
                           source.jpeg.out_color_components);
  samples.cmyk = samples.channels == 4;
  if (!ReadJpegRows(source, samples)) return false;
  out = std::move(samples);
  return true;
}

std::vector<std::byte> EncodeJpegSamples(const SampleView& view, int quality) {
  JpegSink sink;
  if (!WriteJpegRows(sink, view, quality)) return {};
  const auto* data = reinterpret_cast<const std::byte*>(sink.data);
  return {data, data + sink.size};
}

}  // namespace wildrayzer

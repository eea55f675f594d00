// Colours and shapes of videos: clips of one colour, the YUV values of which follow from the matrix's
// definition.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <iterator>

#include "wildrayzer/io/ffmpeg.h"
#include "wildrayzer/io/video.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;

struct Clip {
  std::string name = "a.mkv";
  std::string container = "matroska";
  AVCodecID codec = AV_CODEC_ID_FFV1;
  AVPixelFormat format = AV_PIX_FMT_YUV444P;
  int width = 64;
  int height = 48;
  int frames = 3;
  AVColorSpace matrix = AVCOL_SPC_UNSPECIFIED;
  AVColorRange range = AVCOL_RANGE_UNSPECIFIED;
  AVColorPrimaries primaries = AVCOL_PRI_UNSPECIFIED;
  AVColorTransferCharacteristic transfer = AVCOL_TRC_UNSPECIFIED;
  AVRational shape = {1, 1};
  std::array<int, 3> values = {128, 128, 128};  // Y, U, V of all pixels
};

// Y, U, V of R, G, B in [0, 1], by ITU-T H.273.
std::array<int, 3> Yuv(const std::array<double, 3>& rgb, double kr, double kb, int bits, bool full) {
  const double y = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2];
  const double u = (rgb[2] - y) / (2 - 2 * kb), v = (rgb[0] - y) / (2 - 2 * kr);
  const int scale = 1 << (bits - 8), most = (1 << bits) - 1;
  const auto value = [](double x) { return static_cast<int>(std::lround(x)); };
  if (full) return {value(most * y), value(most * u) + 128 * scale, value(most * v) + 128 * scale};
  return {value((219 * y + 16) * scale), value((224 * u + 128) * scale), value((224 * v + 128) * scale)};
}

class VideoColours : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  // A clip, or nothing where this FFmpeg has no such encoder.
  fs::path Make(const Clip& clip) {
    const fs::path path = folder_ / clip.name;
    const AVCodec* codec = avcodec_find_encoder(clip.codec);
    if (codec == nullptr) return {};
    AVFormatContext* raw = nullptr;
    avformat_alloc_output_context2(&raw, nullptr, clip.container.c_str(), nullptr);
    const MuxerPtr muxer(raw);
    const CodecPtr encoder(avcodec_alloc_context3(codec));
    encoder->width = clip.width;
    encoder->height = clip.height;
    encoder->pix_fmt = clip.format;
    encoder->time_base = {1, 25};
    encoder->framerate = {25, 1};
    encoder->sample_aspect_ratio = clip.shape;
    encoder->colorspace = clip.matrix;
    encoder->color_range = clip.range;
    encoder->color_primaries = clip.primaries;
    encoder->color_trc = clip.transfer;
    encoder->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
    if ((muxer->oformat->flags & AVFMT_GLOBALHEADER) != 0) encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    AVStream* track = avformat_new_stream(muxer.get(), nullptr);
    EXPECT_GE(avcodec_open2(encoder.get(), codec, nullptr), 0) << clip.name;
    avcodec_parameters_from_context(track->codecpar, encoder.get());
    track->time_base = encoder->time_base;
    track->avg_frame_rate = encoder->framerate;
    track->sample_aspect_ratio = clip.shape;
    EXPECT_GE(avio_open(&muxer->pb, path.c_str(), AVIO_FLAG_WRITE), 0);
    EXPECT_GE(avformat_write_header(muxer.get(), nullptr), 0) << clip.name;
    for (int i = 0; i <= clip.frames; ++i)
      Encode(clip, encoder.get(), muxer.get(), track, i < clip.frames ? i : -1);
    av_write_trailer(muxer.get());
    return path;
  }

  void Encode(const Clip& clip, AVCodecContext* encoder, AVFormatContext* muxer, AVStream* track, int index) {
    const FramePtr frame(av_frame_alloc());
    frame->width = clip.width;
    frame->height = clip.height;
    frame->format = clip.format;
    av_frame_get_buffer(frame.get(), 0);
    frame->pts = index;
    const bool wide = clip.format == AV_PIX_FMT_YUV444P10 || clip.format == AV_PIX_FMT_YUV420P10;
    const bool packed = clip.format == AV_PIX_FMT_RGB8;
    for (size_t p = 0; p < (packed ? 1 : 3); ++p) {
      const int rows = p > 0 && frame->linesize[1] < frame->linesize[0] ? (clip.height + 1) / 2 : clip.height;
      for (int i = 0; i < rows * frame->linesize[p] / (wide ? 2 : 1); ++i) {
        if (wide) {
          reinterpret_cast<uint16_t*>(frame->data[p])[i] = static_cast<uint16_t>(clip.values[p]);
        } else {
          frame->data[p][i] = static_cast<uint8_t>(clip.values[p]);
        }
      }
    }
    avcodec_send_frame(encoder, index < 0 ? nullptr : frame.get());
    const PacketPtr packet(av_packet_alloc());
    while (avcodec_receive_packet(encoder, packet.get()) == 0) {
      packet->duration = 1;
      av_packet_rescale_ts(packet.get(), encoder->time_base, track->time_base);
      packet->stream_index = track->index;
      av_interleaved_write_frame(muxer, packet.get());
    }
  }

  void ExpectColour(const Clip& clip, const std::array<int, 3>& wanted, int tolerance,
                    const std::string& what) {
    VideoReader reader(Make(clip));
    const std::optional<Image> image = reader.Read();
    ASSERT_TRUE(image.has_value()) << what;
    EXPECT_EQ(image->width, reader.width());
    EXPECT_EQ(image->height, reader.height());
    const uint8_t* pixel = image->Pixel(image->width / 2, image->height / 2);
    for (size_t c = 0; c < 3; ++c) EXPECT_NEAR(pixel[c], wanted[c], tolerance) << what << ", channel " << c;
  }

  fs::path folder_ = fs::temp_directory_path() / ("wrz_video_colour_" + std::to_string(::getpid()));
};

constexpr std::array<double, 3> kGreenLight = {40 / 255.0, 200 / 255.0, 40 / 255.0};
constexpr std::array<int, 3> kGreenValues = {40, 200, 40};

struct Matrix {
  AVColorSpace code;
  double kr, kb;
};
constexpr Matrix kMatrices[] = {{AVCOL_SPC_BT709, 0.2126, 0.0722},   {AVCOL_SPC_SMPTE170M, 0.299, 0.114},
                                {AVCOL_SPC_BT470BG, 0.299, 0.114},   {AVCOL_SPC_BT2020_NCL, 0.2627, 0.0593},
                                {AVCOL_SPC_SMPTE240M, 0.212, 0.087}, {AVCOL_SPC_FCC, 0.30, 0.11}};

TEST_F(VideoColours, MatrixAndRangeAreFollowed) {
  for (const Matrix& matrix : kMatrices) {
    for (const bool full : {false, true}) {
      for (const int bits : {8, 10}) {
        Clip clip;
        clip.format = bits == 8 ? AV_PIX_FMT_YUV444P : AV_PIX_FMT_YUV444P10;
        clip.matrix = matrix.code;
        clip.range = full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
        clip.values = Yuv(kGreenLight, matrix.kr, matrix.kb, bits, full);
        ExpectColour(clip, kGreenValues, 2,
                     std::to_string(matrix.code) + (full ? " full " : " ") + std::to_string(bits));
      }
    }
  }
}

// As players do.
TEST_F(VideoColours, AnUntoldMatrixIsGuessedBySize) {
  Clip clip;
  clip.values = Yuv(kGreenLight, 0.299, 0.114, 8, false);
  ExpectColour(clip, kGreenValues, 2, "small");
  clip.width = 1280;
  clip.height = 720;
  clip.values = Yuv(kGreenLight, 0.2126, 0.0722, 8, false);
  ExpectColour(clip, kGreenValues, 2, "large");
}

TEST_F(VideoColours, WhatIsWrittenSaysItsColours) {
  const fs::path path = folder_ / "out.mp4";
  VideoWriter writer(path, 1280, 720, 10);
  Image frame(1280, 720);
  for (size_t i = 0; i < frame.rgb.size(); ++i) frame.rgb[i] = static_cast<uint8_t>(kGreenValues[i % 3]);
  for (int i = 0; i < 2; ++i) writer.Write(frame);
  writer.Commit();
  const std::optional<Image> read = VideoReader(path).Read();
  for (size_t c = 0; c < 3; ++c) EXPECT_NEAR(read->Pixel(600, 300)[c], kGreenValues[c], 3) << c;
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(bytes, HasSubstr(std::string("colrnclx\0\1\0\1\0\1", 14)));
}

// Wide primaries with the ordinary curve: green of BT.709 is inside BT.2020, and Display P3.
TEST_F(VideoColours, PrimariesAreConverted) {
  Clip clip;
  clip.format = AV_PIX_FMT_YUV444P10;
  clip.matrix = AVCOL_SPC_BT2020_NCL;
  clip.range = AVCOL_RANGE_MPEG;
  clip.primaries = AVCOL_PRI_BT2020;
  clip.transfer = AVCOL_TRC_BT709;
  const auto light = [](double v) { return std::pow(v, 2.4); };  // BT.1886
  const auto value = [](double l) { return std::pow(l, 1 / 2.4); };
  const double g = light(kGreenLight[1]), rb = light(kGreenLight[0]);
  clip.values =
      Yuv({value((0.627404 + 0.043313) * rb + 0.329283 * g), value((0.069097 + 0.011362) * rb + 0.919540 * g),
           value((0.016391 + 0.895595) * rb + 0.088013 * g)},
          0.2627, 0.0593, 10, false);
  ExpectColour(clip, kGreenValues, 3, "BT.2020");
  Clip sd;  // tagged by habit
  sd.matrix = AVCOL_SPC_SMPTE170M;
  sd.primaries = AVCOL_PRI_SMPTE170M;
  sd.transfer = AVCOL_TRC_SMPTE170M;
  sd.values = Yuv(kGreenLight, 0.299, 0.114, 8, false);
  ExpectColour(sd, kGreenValues, 2, "SD");
  clip.primaries = AVCOL_PRI_SMPTE432;
  clip.values = Yuv({value(0.822462 * rb + 0.177538 * g), value(0.033194 * rb + 0.966806 * g),
                     value((0.017083 + 0.910520) * rb + 0.072397 * g)},
                    0.2627, 0.0593, 10, false);
  ExpectColour(clip, kGreenValues, 3, "Display P3");
}

// A grey of 128 where 203 cd/m2 are white: (128 / 255) to the power 2.4 of it, 38.8 cd/m2.
TEST_F(VideoColours, HdrIsBroughtToAnOrdinaryDisplay) {
  Clip clip;
  clip.format = AV_PIX_FMT_YUV420P10;
  clip.matrix = AVCOL_SPC_BT2020_NCL;
  clip.range = AVCOL_RANGE_MPEG;
  clip.primaries = AVCOL_PRI_BT2020;
  clip.transfer = AVCOL_TRC_SMPTE2084;
  clip.values = Yuv({0.4155, 0.4155, 0.4155}, 0.2627, 0.0593, 10, false);
  ExpectColour(clip, {128, 128, 128}, 2, "PQ");
  // (43.8 / 1000) to the power 1 / 1.2 is the scene's light, 0.0738, which HLG writes as its root of the
  // triple
  clip.transfer = AVCOL_TRC_ARIB_STD_B67;
  clip.values = Yuv({0.4471, 0.4471, 0.4471}, 0.2627, 0.0593, 10, false);
  ExpectColour(clip, {128, 128, 128}, 2, "HLG");
  EXPECT_THAT(Warnings(), testing::Not(Contains(HasSubstr(folder_.string()))));
}

TEST_F(VideoColours, WhatCannotBeConvertedIsSaid) {
  Clip clip;
  clip.name = "ictcp.mkv";
  clip.matrix = AVCOL_SPC_ICTCP;
  VideoReader(Make(clip)).Read();
  EXPECT_THAT(Warnings(),
              Contains(HasSubstr("ictcp.mkv: its colour matrix (14 of ITU-T H.273) is not supported")));
  clip.name = "log.mkv";
  clip.matrix = AVCOL_SPC_BT709;
  clip.transfer = AVCOL_TRC_LOG;
  VideoReader(Make(clip)).Read();
  EXPECT_THAT(Warnings(),
              Contains(HasSubstr("log.mkv: its curve of light (9 of ITU-T H.273) is not supported")));
}

TEST_F(VideoColours, PixelsBecomeSquare) {
  struct Shape {
    AVRational shape;
    int width;  // of what is shown, 48 rows high
  };
  for (const Shape& shape :
       {Shape{{1, 1}, 64}, {{0, 1}, 64}, {{4, 3}, 85}, {{8, 9}, 57}, {{2, 1}, 128}, {{1, 2}, 32}}) {
    for (const char* container : {"matroska", "mp4"}) {
      Clip clip;
      clip.container = container;
      clip.name = std::string("shape.") + container;
      clip.codec = AV_CODEC_ID_MPEG4;
      clip.format = AV_PIX_FMT_YUV420P;
      clip.shape = shape.shape;
      const std::optional<Image> image = VideoReader(Make(clip)).Read();
      EXPECT_EQ(image->width, shape.width) << shape.shape.num << ":" << shape.shape.den << " " << container;
      EXPECT_EQ(image->height, 48);
    }
  }
  Clip odd;
  odd.name = "odd.mkv";
  odd.shape = {200, 1};
  EXPECT_EQ(VideoReader(Make(odd)).width(), 64);
  EXPECT_THAT(Warnings(), Contains(HasSubstr("odd.mkv: says that its pixels are 200:1")));
}

TEST_F(VideoColours, ContainersAreKnownByTheirBytes) {
  struct Kind {
    const char* name;
    const char* container;
    AVCodecID codec;
  };
  for (const Kind& kind : {Kind{"clip", "mp4", AV_CODEC_ID_MPEG4},
                           {"CLIP.INSV", "mov", AV_CODEC_ID_MPEG4},
                           {"00001.MTS", "mpegts", AV_CODEC_ID_MPEG2VIDEO},
                           {"00001.m2ts", "mpegts", AV_CODEC_ID_H264},
                           {"a.vob", "vob", AV_CODEC_ID_MPEG2VIDEO},
                           {"a.jpg.part", "avi", AV_CODEC_ID_MPEG4},
                           {"a.txt", "flv", AV_CODEC_ID_FLV1},
                           {"a.gif", "gif", AV_CODEC_ID_GIF},
                           {"a.bin", "matroska", AV_CODEC_ID_FFV1},
                           {"a.wmv", "asf", AV_CODEC_ID_WMV2},
                           {"a.m2v", "mpeg2video", AV_CODEC_ID_MPEG2VIDEO},
                           {"a.264", "h264", AV_CODEC_ID_H264},
                           {"a.3gp", "3gp", AV_CODEC_ID_MPEG4}}) {
    Clip clip;
    clip.name = kind.name;
    clip.container = kind.container;
    clip.codec = kind.codec;
    clip.frames = 30;  // FFmpeg wants to see some packets
    clip.format = kind.codec == AV_CODEC_ID_GIF ? AV_PIX_FMT_RGB8 : AV_PIX_FMT_YUV420P;
    const fs::path path = Make(clip);
    if (path.empty()) continue;
    EXPECT_TRUE(IsVideoFile(path)) << kind.name;
    EXPECT_EQ(SampleVideo(path, 2).images.size(), 2u) << kind.name;
  }
  for (const char* text : {"", "hello", "{\"a\": 1}", "#EXTM3U\nhttp://127.0.0.1:9/a.ts\n",
                           "ffconcat version 1.0\nfile a\n", "\xFF\xD8\xFF\xE0", "\x89PNG\r\n\x1A\n"}) {
    std::ofstream(folder_ / "none.mp4") << text;
    EXPECT_FALSE(IsVideoFile(folder_ / "none.mp4")) << text;
  }
  EXPECT_FALSE(IsVideoFile(folder_));
}

}  // namespace
}  // namespace wildrayzer

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "wildrayzer/io/ffmpeg.h"
#include "wildrayzer/io/video.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/system.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

bool EndsInMp4(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return extension == ".mp4";
}

// Null where there is no such encoder, or it does not take the size.
CodecPtr OpenEncoder(const std::string& fourcc, int width, int height, AVRational rate) {
  const AVCodec* codec = fourcc == "avc1"   ? avcodec_find_encoder(AV_CODEC_ID_H264)
                         : fourcc == "mp4v" ? avcodec_find_encoder(AV_CODEC_ID_MPEG4)
                                            : nullptr;
  CodecPtr encoder(codec != nullptr ? avcodec_alloc_context3(codec) : nullptr);
  if (!encoder) return nullptr;
  encoder->width = width;
  encoder->height = height;
  encoder->pix_fmt = AV_PIX_FMT_YUV420P;
  encoder->framerate = rate;
  encoder->time_base = av_inv_q(rate);
  encoder->sample_aspect_ratio = {1, 1};
  encoder->color_primaries = AVCOL_PRI_BT709;
  encoder->color_trc = AVCOL_TRC_BT709;
  encoder->colorspace = AVCOL_SPC_BT709;
  encoder->color_range = AVCOL_RANGE_MPEG;
  encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;  // MP4 keeps it apart from the frames
  encoder->thread_count = std::min(AvailableCores(), 16);
  if (codec->id == AV_CODEC_ID_MPEG4) {
    encoder->flags |= AV_CODEC_FLAG_QSCALE;
    encoder->global_quality = 3 * FF_QP2LAMBDA;  // of 1 (best) to 31
  }
  return avcodec_open2(encoder.get(), codec, nullptr) < 0 ? nullptr : std::move(encoder);
}

}  // namespace

struct VideoWriter::State {
  State(const fs::path& target, int w, int h) : path(target), file(target), width(w), height(h) {}

  fs::path path;
  AtomicFile file;
  CodecPtr encoder;
  MuxerPtr muxer;
  AVStream* track = nullptr;
  ScalerPtr scaler;
  FramePtr rgb{av_frame_alloc()};
  FramePtr yuv{av_frame_alloc()};
  PacketPtr packet{av_packet_alloc()};
  std::string codec;
  int width;
  int height;
  int64_t frames = 0;

  [[noreturn]] void Fail() const {
    throw FileError(path.string(), "the video cannot be completed (is the disk full?)");
  }

  void Check(int result) const {
    if (result < 0) Fail();
  }

  void OpenFile() {
    AVFormatContext* context = nullptr;
    Check(avformat_alloc_output_context2(&context, nullptr, "mp4", nullptr));
    muxer.reset(context);
    track = avformat_new_stream(context, nullptr);
    if (track == nullptr) Fail();
    track->time_base = encoder->time_base;
    track->avg_frame_rate = encoder->framerate;
    Check(avcodec_parameters_from_context(track->codecpar, encoder.get()));
    Check(avio_open(&context->pb, ("file:" + fs::absolute(file.temporary_path()).string()).c_str(),
                    AVIO_FLAG_WRITE));
    Check(avformat_write_header(context, nullptr));
  }

  void OpenConversion() {
    for (AVFrame* frame : {rgb.get(), yuv.get()}) {
      frame->width = encoder->width;
      frame->height = encoder->height;
      frame->format = frame == rgb.get() ? AV_PIX_FMT_RGB24 : AV_PIX_FMT_YUV420P;
      Check(av_frame_get_buffer(frame, 0));
    }
    scaler.reset(sws_getContext(encoder->width, encoder->height, AV_PIX_FMT_RGB24, encoder->width,
                                encoder->height, AV_PIX_FMT_YUV420P, kScalerFlags, nullptr, nullptr,
                                nullptr));
    if (!scaler) Fail();
    const int* matrix = sws_getCoefficients(AVCOL_SPC_BT709);
    sws_setColorspaceDetails(scaler.get(), matrix, 1, matrix, 0, 0, 1 << 16, 1 << 16);
  }

  // Null: the end.
  void Encode(const AVFrame* frame) {
    Check(avcodec_send_frame(encoder.get(), frame));
    while (true) {
      const int result = avcodec_receive_packet(encoder.get(), packet.get());
      if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return;
      Check(result);
      packet->duration = 1;
      av_packet_rescale_ts(packet.get(), encoder->time_base, track->time_base);
      packet->stream_index = track->index;
      Check(av_interleaved_write_frame(muxer.get(), packet.get()));
    }
  }
};

VideoWriter::VideoWriter(const fs::path& path, int width, int height, double fps,
                         const std::vector<std::string>& codecs) {
  SilenceFfmpeg();
  if (!EndsInMp4(path)) throw UsageError(path.string() + ": the name of a video must end in .mp4");
  if (width <= 0 || height <= 0 || width > kMaxImageSide || height > kMaxImageSide ||
      !(fps > 0 && fps <= 240)) {
    throw UsageError(fmt::format("{}: a video of {} x {} pixels at {} frames a second cannot be written",
                                 path.string(), width, height, fps));
  }
  state_ = std::make_unique<State>(path, width, height);
  for (const std::string& codec : codecs) {
    state_->encoder = OpenEncoder(codec, (width + 1) / 2 * 2, (height + 1) / 2 * 2, av_d2q(fps, 60000));
    if (!state_->encoder) continue;
    state_->codec = codec;
    break;
  }
  if (state_->codec.empty())
    throw FileError(path.string(), "no video encoder works (install Debian's libavcodec59 with libx264)");
  state_->OpenFile();
  state_->OpenConversion();
  if (state_->codec != codecs.front()) {
    LogWarning("no H.264 encoder is installed: the video is MPEG-4 part 2, which some browsers do not play");
  }
}

VideoWriter::~VideoWriter() = default;

const std::string& VideoWriter::codec() const { return state_->codec; }

void VideoWriter::Write(const Image& frame) {
  State& s = *state_;
  if (frame.width != s.width || frame.height != s.height) {
    throw Error(fmt::format("a frame of {} x {} does not fit into a video of {} x {}", frame.width,
                            frame.height, s.width, s.height));
  }
  for (int y = 0; y < s.rgb->height; ++y) {
    uint8_t* row = s.rgb->data[0] + static_cast<ptrdiff_t>(y) * s.rgb->linesize[0];
    std::copy_n(frame.Pixel(0, std::min(y, s.height - 1)), 3 * s.width, row);
    if (s.width % 2 == 1) std::copy_n(row + 3 * (s.width - 1), 3, row + 3 * s.width);
  }
  s.Check(av_frame_make_writable(s.yuv.get()));  // the encoder may still hold the last one
  sws_scale(s.scaler.get(), s.rgb->data, s.rgb->linesize, 0, s.rgb->height, s.yuv->data, s.yuv->linesize);
  s.yuv->pts = s.frames++;
  s.Encode(s.yuv.get());
}

void VideoWriter::Commit() {
  State& s = *state_;
  if (s.frames == 0) throw Error(s.path.string() + ": a video without frames cannot be written");
  s.Encode(nullptr);
  s.Check(av_write_trailer(s.muxer.get()));
  s.Check(avio_closep(&s.muxer->pb));
  int64_t found = 0;
  try {
    found = VideoReader(s.file.temporary_path()).expected_frames();
  } catch (const FileError&) {
    found = 0;  // what is there is no video
  }
  if (found != s.frames) s.Fail();
  s.file.Commit();
}

}  // namespace wildrayzer

// Owners of FFmpeg's objects; for .cc files of io only.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
}

#include <memory>

namespace wildrayzer {

// Calls `Free` with the address of the pointer, as FFmpeg's functions want it.
template <auto Free>
struct FreeByAddress {
  template <typename T>
  void operator()(T* pointer) const {
    Free(&pointer);
  }
};
struct FreeScaler {
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};

struct FreeMuxer {
  void operator()(AVFormatContext* muxer) const {
    avio_closep(&muxer->pb);
    avformat_free_context(muxer);
  }
};

using DemuxerPtr = std::unique_ptr<AVFormatContext, FreeByAddress<avformat_close_input>>;
using MuxerPtr = std::unique_ptr<AVFormatContext, FreeMuxer>;
using CodecPtr = std::unique_ptr<AVCodecContext, FreeByAddress<avcodec_free_context>>;
using FramePtr = std::unique_ptr<AVFrame, FreeByAddress<av_frame_free>>;
using PacketPtr = std::unique_ptr<AVPacket, FreeByAddress<av_packet_free>>;
using OptionsPtr = std::unique_ptr<AVDictionary, FreeByAddress<av_dict_free>>;
using ScalerPtr = std::unique_ptr<SwsContext, FreeScaler>;

// Bicubic, and exact rather than fast: the quick ways are off by some levels.
inline constexpr int kScalerFlags = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP;

}  // namespace wildrayzer

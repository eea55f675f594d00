#include "wildrayzer/io/video.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "wildrayzer/io/ffmpeg.h"
#include "wildrayzer/io/image_header.h"
#include "wildrayzer/io/video_frame.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/system.h"

extern "C" {
#include <libavutil/avstring.h>
}

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

// Reads that fail before the file is given up: a damaged one may need more than one, but must come to an end.
constexpr int kMaxFailedReads = 8;

// FFmpeg's names of what holds its pictures itself. Play lists and descriptions of streams, which name other
// files and addresses that FFmpeg would follow, are none of them.
constexpr const char* kContainers =
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,ogg,flv,asf,gif,h264,hevc,av1,obu,ivf,dv,mxf,nut,rm,wtv,swf,"
    "yuv4mpegpipe";

constexpr const char* kNoVideo =
    "is not a video that can be read (MP4, MOV, MKV, WebM, AVI, MPEG, transport stream, OGG, FLV, WMV, GIF, "
    "DV or MXF)";

// The first bytes, and zeros after them, as FFmpeg wants it.
std::vector<unsigned char> HeadOf(const fs::path& path, size_t* size) {
  std::vector<unsigned char> head((64 << 10) + AVPROBE_PADDING_SIZE);
  std::ifstream file(path, std::ios::binary);
  if (!file) throw FileError(path.string(), "cannot be opened (is reading permitted?)");
  file.read(reinterpret_cast<char*>(head.data()), 64 << 10);
  *size = static_cast<size_t>(file.gcount());
  return head;
}

// Null for what is none of our containers.
const AVInputFormat* ContainerOf(std::vector<unsigned char>& head, size_t size) {
  AVProbeData data{};
  data.filename = "";
  data.buf = head.data();
  data.buf_size = static_cast<int>(size);
  int score = 0;
  const AVInputFormat* format = av_probe_input_format3(&data, 1, &score);
  const bool known =
      format != nullptr && score >= AVPROBE_SCORE_RETRY && av_match_list(format->name, kContainers, ',') != 0;
  return known ? format : nullptr;
}

const AVInputFormat* CheckContainer(const fs::path& path) {
  const fs::file_status status = fs::status(path);
  if (!fs::exists(status)) throw FileError(path.string(), "no such file");
  if (!fs::is_regular_file(status)) throw FileError(path.string(), "is not a regular file");
  size_t size = 0;
  std::vector<unsigned char> head = HeadOf(path, &size);
  if (size == 0) throw FileError(path.string(), "is empty");
  const AVInputFormat* format = ContainerOf(head, size);
  if (format == nullptr) throw FileError(path.string(), kNoVideo);
  return format;
}

DemuxerPtr OpenDemuxer(const fs::path& path, const AVInputFormat* format) {
  AVDictionary* raw = nullptr;
  av_dict_set(&raw, "protocol_whitelist", "file", 0);
  av_dict_set(&raw, "format_whitelist", kContainers, 0);
  AVFormatContext* context = nullptr;
  // With its protocol and absolute, a path cannot be taken for another address ("concat:...").
  const std::string address = "file:" + fs::absolute(path).string();
  const int result = avformat_open_input(&context, address.c_str(), format, &raw);
  const OptionsPtr unused(raw);
  DemuxerPtr demuxer(result < 0 ? nullptr : context);
  if (!demuxer || avformat_find_stream_info(demuxer.get(), nullptr) < 0)
    throw FileError(path.string(), "cannot be opened as a video (damaged or cut off?)");
  return demuxer;
}

AVStream* PictureTrack(AVFormatContext* demuxer, const fs::path& path) {
  const int index = av_find_best_stream(demuxer, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  // A cover is a picture of a sound file.
  if (index < 0 || (demuxer->streams[index]->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0)
    throw FileError(path.string(), "holds no video (sound only, or damaged?)");
  for (unsigned i = 0; i < demuxer->nb_streams; ++i) {
    if (static_cast<int>(i) != index) demuxer->streams[i]->discard = AVDISCARD_ALL;
  }
  return demuxer->streams[index];
}

CodecPtr OpenDecoder(const AVStream& track, const fs::path& path) {
  const AVCodec* codec = avcodec_find_decoder(track.codecpar->codec_id);
  if (codec == nullptr) {
    throw FileError(path.string(),
                    fmt::format("is encoded as {}, which the installed FFmpeg does not decode: "
                                "convert it to H.264 first",
                                avcodec_get_name(track.codecpar->codec_id)));
  }
  CodecPtr decoder(avcodec_alloc_context3(codec));
  if (!decoder || avcodec_parameters_to_context(decoder.get(), track.codecpar) < 0)
    throw FileError(path.string(), "cannot be read as a video (damaged?)");
  decoder->max_pixels = kMaxImagePixels;  // looked at before pictures are allocated
  decoder->thread_count = std::min(AvailableCores(), 16);
  decoder->pkt_timebase = track.time_base;
  if (avcodec_open2(decoder.get(), codec, nullptr) < 0)
    throw FileError(path.string(), "cannot be read as a video (damaged?)");
  return decoder;
}

// Pictures that the track is said to show: what an edit list cuts off is in the file, and not shown.
int64_t ExpectedFrames(AVFormatContext* demuxer, AVStream* track, double fps) {
  if (track->nb_frames > 0) {
    const int entries = avformat_index_get_entries_count(track);
    if (entries == 0 || av_match_name("mov", demuxer->iformat->name) == 0) return track->nb_frames;
    int64_t shown = 0;
    for (int i = 0; i < entries; ++i)
      shown += (avformat_index_get_entry(track, i)->flags & AVINDEX_DISCARD_FRAME) == 0 ? 1 : 0;
    return shown;
  }
  double seconds = 0;
  if (track->duration > 0) {
    seconds = static_cast<double>(track->duration) * av_q2d(track->time_base);
  } else if (demuxer->duration > 0) {
    seconds = static_cast<double>(demuxer->duration) / AV_TIME_BASE;
  }
  const double count = std::floor(seconds * fps + 0.5);
  return count > 0 && count < 1e9 ? static_cast<int64_t>(count) : 0;
}

}  // namespace

struct VideoReader::State {
  fs::path path;
  DemuxerPtr demuxer;
  AVStream* track = nullptr;
  CodecPtr decoder;
  FramePtr frame{av_frame_alloc()};
  PacketPtr packet{av_packet_alloc()};
  FrameConverter converter;
  FrameLook look;
  double fps = 0;
  int64_t expected = 0;
  int64_t position = 0;
  bool draining = false;
  bool ended = false;

  bool Grab() {
    if (ended) return false;
    int result = avcodec_receive_frame(decoder.get(), frame.get());
    while (result != 0 && result != AVERROR_EOF && !draining) {
      Feed();
      result = avcodec_receive_frame(decoder.get(), frame.get());
    }
    // What is left in the decoder; a frame that it cannot finish is left out.
    for (int failures = 0; result != 0 && result != AVERROR_EOF && failures < kMaxFailedReads; ++failures)
      result = avcodec_receive_frame(decoder.get(), frame.get());
    if (result == 0) {
      ++position;
      return true;
    }
    ReportEnd();
    ended = true;
    return false;
  }

  // The track's next packet to the decoder; after the last one, its end.
  void Feed() {
    for (int failures = 0; failures < kMaxFailedReads;) {
      const int result = av_read_frame(demuxer.get(), packet.get());
      if (result == AVERROR_EOF) break;
      if (result < 0) {
        ++failures;
        continue;
      }
      const bool ours = packet->stream_index == track->index;
      if (ours) avcodec_send_packet(decoder.get(), packet.get());  // a damaged one is passed over
      av_packet_unref(packet.get());
      if (ours) return;
    }
    draining = true;
    avcodec_send_packet(decoder.get(), nullptr);
  }

  void ReportEnd() const {
    if (position == 0)
      throw FileError(path.string(), "has no frame that can be decoded (damaged or cut off?)");
    // The slack is for containers that only know the duration.
    if (static_cast<double>(position) < 0.9 * static_cast<double>(expected) - 1) {
      LogWarning("{}: ends after {} of {} frames; the file is damaged or cut off", path.string(), position,
                 expected);
    }
  }
};

VideoReader::VideoReader(const fs::path& path) : state_(std::make_unique<State>()) {
  SilenceFfmpeg();
  State& s = *state_;
  s.path = path;
  s.demuxer = OpenDemuxer(path, CheckContainer(path));
  s.track = PictureTrack(s.demuxer.get(), path);
  s.decoder = OpenDecoder(*s.track, path);
  if (s.track->codecpar->width <= 0 || s.track->codecpar->height <= 0)
    throw FileError(path.string(), "has no picture size (damaged?)");
  s.look = LookOf(s.demuxer.get(), s.track, path.string());
  CheckImageSize(s.track->codecpar->width, s.track->codecpar->height, path.string());
  CheckImageSize(s.look.width, s.look.height, path.string());
  s.fps = av_q2d(av_guess_frame_rate(s.demuxer.get(), s.track, nullptr));
  if (!std::isfinite(s.fps) || s.fps < 0 || s.fps > 10000) s.fps = 0;
  s.expected = ExpectedFrames(s.demuxer.get(), s.track, s.fps);
}

VideoReader::~VideoReader() = default;
VideoReader::VideoReader(VideoReader&&) noexcept = default;
VideoReader& VideoReader::operator=(VideoReader&&) noexcept = default;

int VideoReader::width() const {
  return state_->look.orientation < 5 ? state_->look.width : state_->look.height;
}
int VideoReader::height() const {
  return state_->look.orientation < 5 ? state_->look.height : state_->look.width;
}
double VideoReader::fps() const { return state_->fps; }
int64_t VideoReader::expected_frames() const { return state_->expected; }
int64_t VideoReader::position() const { return state_->position; }

bool VideoReader::Skip() { return state_->Grab(); }

std::optional<Image> VideoReader::Read() {
  State& s = *state_;
  if (!s.Grab()) return std::nullopt;
  const AVCodecParameters& track = *s.track->codecpar;
  Image image;
  if (s.frame->width == track.width && s.frame->height == track.height)
    image = s.converter.Convert(*s.frame, track, s.look, s.path.string());
  if (image.empty()) {
    throw FileError(s.path.string(),
                    fmt::format("frame {} is damaged or has another size than the first", s.position - 1));
  }
  return image;
}

bool IsVideoFile(const fs::path& path) {
  SilenceFfmpeg();
  size_t size = 0;
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return false;
  std::vector<unsigned char> head = HeadOf(path, &size);
  return size > 0 && ContainerOf(head, size) != nullptr;
}

void SilenceFfmpeg() { av_log_set_level(AV_LOG_QUIET); }

}  // namespace wildrayzer

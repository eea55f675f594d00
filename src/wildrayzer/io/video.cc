#include "wildrayzer/io/video.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <fstream>
#include <opencv2/core.hpp>
#include <opencv2/videoio.hpp>
#include <string_view>

#include "wildrayzer/io/mat.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

// FFmpeg gives up on a frame after some thousand unreadable packets; a damaged file may need this more than
// once, but must come to an end.
constexpr int kMaxFailedReads = 8;

std::string LowerExtension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return extension;
}

bool IsKnownContainer(std::string_view head) {
  const auto is = [head](size_t at, std::string_view magic) {
    return head.size() >= at && head.substr(at, magic.size()) == magic;
  };
  constexpr std::array<std::string_view, 8> kMovBoxes = {"ftyp", "moov", "mdat", "free",
                                                         "skip", "wide", "pnot", "uuid"};
  const bool mov =
      std::any_of(kMovBoxes.begin(), kMovBoxes.end(), [&](std::string_view box) { return is(4, box); });
  const bool transport = (is(0, "G") && is(188, "G")) || (is(4, "G") && is(196, "G"));
  return mov || transport || (is(0, "RIFF") && is(8, "AVI ")) || is(0, "\x1A\x45\xDF\xA3") ||
         is(0, std::string_view("\0\0\1\xBA", 4)) || is(0, std::string_view("\0\0\1\xB3", 4)) ||
         is(0, "OggS") || is(0, "FLV") || is(0, "\x30\x26\xB2\x75");
}

void CheckContainer(const fs::path& path) {
  const fs::file_status status = fs::status(path);
  if (!fs::exists(status)) throw FileError(path.string(), "no such file");
  if (!fs::is_regular_file(status)) throw FileError(path.string(), "is not a regular file");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw FileError(path.string(), "cannot be opened (is reading permitted?)");
  std::string head(256, '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(file.gcount()));
  if (head.empty()) throw FileError(path.string(), "is empty");
  if (!IsKnownContainer(head)) {
    throw FileError(path.string(), "is not a video (MP4, MOV, AVI, MKV, WebM, MPEG, OGG, FLV or WMV)");
  }
}

// Clockwise turn in degrees that makes a stored frame upright.
void Turn(cv::Mat* frame, int degrees) {
  if (degrees == 90) cv::rotate(*frame, *frame, cv::ROTATE_90_CLOCKWISE);
  if (degrees == 180) cv::rotate(*frame, *frame, cv::ROTATE_180);
  if (degrees == 270) cv::rotate(*frame, *frame, cv::ROTATE_90_COUNTERCLOCKWISE);
}

}  // namespace

struct VideoReader::State {
  fs::path path;
  cv::VideoCapture capture;
  int width = 0;  // as stored
  int height = 0;
  int rotation = 0;
  double fps = 0;
  int64_t expected = 0;
  int64_t position = 0;
  bool ended = false;

  bool Grab() {
    for (int failures = 0; !ended && failures < kMaxFailedReads; ++failures) {
      if (capture.grab()) {
        ++position;
        return true;
      }
      if (position >= expected) break;
    }
    if (!ended) ReportEnd();
    ended = true;
    return false;
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
  SilenceOpenCv();
  CheckContainer(path);
  State& s = *state_;
  s.path = path;
  try {
    // An absolute path cannot be taken for an address ("concat:...").
    s.capture.open(fs::absolute(path).string(), cv::CAP_FFMPEG);
    if (!s.capture.isOpened())
      throw FileError(path.string(), "cannot be opened as a video (damaged or cut off?)");
    s.capture.set(cv::CAP_PROP_ORIENTATION_AUTO,
                  0);  // its default differs between versions; done here instead
    s.width = static_cast<int>(s.capture.get(cv::CAP_PROP_FRAME_WIDTH));
    s.height = static_cast<int>(s.capture.get(cv::CAP_PROP_FRAME_HEIGHT));
    int turn = static_cast<int>(std::lround(s.capture.get(cv::CAP_PROP_ORIENTATION_META)));
    // OpenCV 4.6, Debian 12's, reports the angle with the wrong sign (opencv/opencv issue 22088).
    if (cv::getVersionMajor() == 4 && cv::getVersionMinor() == 6) turn = -turn;
    s.rotation = ((turn % 360) + 360) % 360;
    s.fps = s.capture.get(cv::CAP_PROP_FPS);
    const double count = s.capture.get(cv::CAP_PROP_FRAME_COUNT);
    s.expected = count > 0 && count < 1e9 ? static_cast<int64_t>(count) : 0;
  } catch (const cv::Exception&) {
    throw FileError(path.string(), "cannot be read as a video (damaged?)");
  }
  if (!std::isfinite(s.fps) || s.fps < 0 || s.fps > 10000) s.fps = 0;
  if (s.width <= 0 || s.height <= 0) throw FileError(path.string(), "has no picture size (damaged?)");
  if (s.width > kMaxImageSide || s.height > kMaxImageSide ||
      static_cast<int64_t>(s.width) * s.height > kMaxImagePixels) {
    throw FileError(path.string(),
                    fmt::format("has frames of {} x {} pixels, which is too large", s.width, s.height));
  }
}

VideoReader::~VideoReader() = default;
VideoReader::VideoReader(VideoReader&&) noexcept = default;
VideoReader& VideoReader::operator=(VideoReader&&) noexcept = default;

int VideoReader::width() const { return state_->rotation % 180 == 0 ? state_->width : state_->height; }
int VideoReader::height() const { return state_->rotation % 180 == 0 ? state_->height : state_->width; }
double VideoReader::fps() const { return state_->fps; }
int64_t VideoReader::expected_frames() const { return state_->expected; }
int64_t VideoReader::position() const { return state_->position; }

bool VideoReader::Skip() { return state_->Grab(); }

std::optional<Image> VideoReader::Read() {
  State& s = *state_;
  if (!s.Grab()) return std::nullopt;
  cv::Mat frame;
  try {
    s.capture.retrieve(frame);
  } catch (const cv::Exception&) {
    frame.release();
  }
  const bool usable = frame.type() == CV_8UC3 && frame.cols == s.width && frame.rows == s.height;
  if (!usable) {
    throw FileError(s.path.string(),
                    fmt::format("frame {} is damaged or has another size than the first", s.position - 1));
  }
  Turn(&frame, s.rotation);
  return FromBgr(frame);
}

struct VideoWriter::State {
  State(const fs::path& target, int w, int h) : path(target), file(target), width(w), height(h) {}

  fs::path path;
  AtomicFile file;
  cv::VideoWriter writer;
  std::string codec;
  int width;
  int height;
  int64_t frames = 0;
};

VideoWriter::VideoWriter(const fs::path& path, int width, int height, double fps,
                         const std::vector<std::string>& codecs) {
  SilenceOpenCv();
  if (LowerExtension(path) != ".mp4")
    throw UsageError(path.string() + ": the name of a video must end in .mp4");
  if (width <= 0 || height <= 0 || width > kMaxImageSide || height > kMaxImageSide ||
      !(fps > 0 && fps <= 240)) {
    throw UsageError(fmt::format("{}: a video of {} x {} pixels at {} frames a second cannot be written",
                                 path.string(), width, height, fps));
  }
  state_ = std::make_unique<State>(path, width, height);
  const cv::Size even((width + 1) / 2 * 2, (height + 1) / 2 * 2);
  for (const std::string& codec : codecs) {
    try {
      const int fourcc = cv::VideoWriter::fourcc(codec.at(0), codec.at(1), codec.at(2), codec.at(3));
      state_->writer.open(state_->file.temporary_path().string(), cv::CAP_FFMPEG, fourcc, fps, even);
    } catch (const cv::Exception&) {
      continue;
    }
    if (!state_->writer.isOpened()) continue;
    state_->codec = codec;
    break;
  }
  if (state_->codec.empty()) {
    throw FileError(path.string(),
                    "no video encoder works (install Debian's libavcodec59 with libx264, or check the disk)");
  }
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
  cv::Mat padded;
  cv::copyMakeBorder(ToBgr(frame), padded, 0, s.height % 2, 0, s.width % 2, cv::BORDER_REPLICATE);
  s.writer.write(padded);
  ++s.frames;
}

void VideoWriter::Commit() {
  State& s = *state_;
  if (s.frames == 0) throw Error(s.path.string() + ": a video without frames cannot be written");
  s.writer.release();
  int64_t found = 0;
  try {
    found = VideoReader(s.file.temporary_path()).expected_frames();
  } catch (const FileError&) {
    found = 0;  // what is there is no video
  }
  if (found != s.frames)
    throw FileError(s.path.string(), "the video cannot be completed (is the disk full?)");
  s.file.Commit();
}

}  // namespace wildrayzer

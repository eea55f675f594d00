// In place of the files that need OpenCV, FFmpeg, LittleCMS or libheif, in a build for GPU nodes: every
// function of theirs that is called from elsewhere, each raising an error that names the remedy.

#include <fstream>

#include "wildrayzer/data/copy_paste.h"
#include "wildrayzer/evaluation/floors.h"
#include "wildrayzer/io/codecs.h"
#include "wildrayzer/io/colour.h"
#include "wildrayzer/io/video.h"
#include "wildrayzer/labels/cosegmentation.h"
#include "wildrayzer/labels/refinement.h"
#include "wildrayzer/pipeline/clean_photos.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/node_build.h"
#include "wildrayzer/vision/overlay.h"

namespace wildrayzer {
namespace {

[[noreturn]] void Missing(const std::string& what, const std::string& remedy) {
  throw Error(WithoutOpenCv(what, remedy));
}

[[noreturn]] void MissingPasting() { Missing("pasting objects", "set training.copy_paste.enabled=false"); }

[[noreturn]] void MissingVideo() { Missing("reading and writing videos", "use pictures (PNG or JPEG)"); }

}  // namespace

// io
bool DecodeOther(std::span<const std::byte>, ImageFormat, DecodedSamples&) {
  Missing("reading WebP, BMP and TIFF", "save the picture as PNG or JPEG");
}

bool DecodeHeif(std::span<const std::byte>, const std::string&, ColourSpace&, DecodedSamples&) {
  Missing("reading HEIC and AVIF", "save the picture as PNG or JPEG");
}

void ConvertToSrgb(DecodedSamples& samples, const ColourSpace& space, const std::string&) {
  if (!space.IsSrgb()) {
    LogWarning(
        "this build applies no colour profiles: pictures in wide colours (Display P3, Adobe RGB) come out "
        "paler");
  }
  if (std::visit([](const auto& s) { return s.cmyk; }, samples)) samples = PlainRgbOfCmyk(samples);
}

// So far as to say that videos are not read.
bool IsVideoFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string head(12, '\0');
  file.read(head.data(), 12);
  return head.substr(4, 4) == "ftyp" || head.starts_with("\x1A\x45\xDF\xA3") ||
         (head.starts_with("RIFF") && head.ends_with("AVI "));
}

struct VideoReader::State {};
VideoReader::VideoReader(const std::filesystem::path&) { MissingVideo(); }
VideoReader::~VideoReader() = default;
VideoReader::VideoReader(VideoReader&&) noexcept = default;
VideoReader& VideoReader::operator=(VideoReader&&) noexcept = default;
int VideoReader::width() const { MissingVideo(); }
int VideoReader::height() const { MissingVideo(); }
double VideoReader::fps() const { MissingVideo(); }
int64_t VideoReader::expected_frames() const { MissingVideo(); }
int64_t VideoReader::position() const { MissingVideo(); }
std::optional<Image> VideoReader::Read() { MissingVideo(); }
bool VideoReader::Skip() { MissingVideo(); }

struct VideoWriter::State {};
VideoWriter::VideoWriter(const std::filesystem::path&, int, int, double, const std::vector<std::string>&) {
  MissingVideo();
}
VideoWriter::~VideoWriter() = default;
void VideoWriter::Write(const Image&) { MissingVideo(); }
void VideoWriter::Commit() { MissingVideo(); }
const std::string& VideoWriter::codec() const { MissingVideo(); }

// data
PastePool::PastePool(const std::filesystem::path&, const std::filesystem::path&,
                     const std::vector<std::string>&, bool crowds)
    : crowds_(crowds) {}  // a recipe may name one in stages that are trained elsewhere
CutOut PastePool::Draw(Random&) const { MissingPasting(); }
Pasted PasteObjects(std::span<const Image>, const PastePool&, const PasteOptions&, Random&) {
  MissingPasting();
}

// pipeline
std::vector<CleanPhoto> CleanPhotos(std::span<const Image> photos, const Scene& scene,
                                    std::span<const Image> rendered, std::span<const InputPlaces>,
                                    const CleanOptions&, const ProgressCallback&) {
  LogWarning("clean/ holds renderings alone: taking pixels from other photos {}", kNoOpenCv);
  std::vector<CleanPhoto> clean;
  for (size_t i = 0; i < photos.size(); ++i)
    clean.push_back(RenderedPhoto(photos[i], scene.framings[i], rendered[i]));
  return clean;
}

// labels
GrayImage GrabCutMask(const Image&, const GrayImage&, int, int) {
  Missing("GrabCut", "leave it out (model.dinov3_pseudolabel.coseg_grabcut=false)");
}
PseudoLabels CoSegment(std::span<const LabelFrame>, const LabelShape&, const LabelOptions&) {
  Missing("co-segmentation", "leave it out (--no-cosegmentation)");
}

// evaluation, vision
WarpedView WarpOntoView(const Planes&, const Planes&, uint64_t) {
  Missing("the floor of homographies", "leave it out (--no-floors)");
}
Image ContactSheet(const std::vector<SheetEntry>&, int, int, int) {
  Missing("a contact sheet", "leave the pictures out (--no-pictures)");
}

}  // namespace wildrayzer

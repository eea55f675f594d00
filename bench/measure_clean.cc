// Measures clean photos: PSNR where something moved, against the same view without it, of the clean photo,
// the rendering alone, the mean of the other photos as they are, and OpenCV's inpainting.
//
//   measure_clean MODEL INPUTS DATA [--told] [--pictures FOLDER]
//
// DATA: a list of paired rooms (wildrayzer rooms --paired-val, --paired; masks beside it in binary_masks/),
// of which INPUTS frames are taken from the first to the last; or a folder of folders with clean/ and
// transient/, pictures of one fixed camera: what differs from the clean ones moves. Judged is what the model
// saw. --told: true masks take the place of the model's. --pictures: every method's pictures, for looking at.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <opencv2/imgproc.hpp>
#include <opencv2/photo.hpp>
#include <string>
#include <vector>

#include "wildrayzer/data/listed_scenes.h"
#include "wildrayzer/data/masks.h"
#include "wildrayzer/io/mat.h"
#include "wildrayzer/pipeline/clean_photos.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/spread.h"
#include "wildrayzer/vision/resize.h"

namespace {

using namespace wildrayzer;
namespace fs = std::filesystem;

// Photos of one place; of each what it would show without what moves, and where that is (0: nowhere).
struct Place {
  std::string name;
  std::vector<Image> photos, truth;
  std::vector<GrayImage> moved;
};

std::vector<size_t> Spread(size_t size, size_t count) {
  std::vector<size_t> indices;
  for (size_t i = 0; i < count; ++i) indices.push_back((2 * i * (size - 1) + count - 1) / (2 * (count - 1)));
  return indices;
}

Place ReadRoom(const SceneDataset& scenes, size_t index, const fs::path& masks, size_t inputs) {
  const SceneRecord record = scenes.Read(index);
  Place place{record.name, {}, {}, {}};
  for (const size_t frame : Spread(record.frames.size(), inputs)) {
    place.photos.push_back(ReadImage(record.frames[frame].image_path));
    place.truth.push_back(ReadImage(record.frames[frame].clean_path));
    const GrayImage mask = ReadMask(masks / record.name / fmt::format("{:05d}.npy", frame));
    place.moved.push_back(ResizeMask(mask, place.photos.back().width, place.photos.back().height));
  }
  return place;
}

std::vector<fs::path> Pictures(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (IsPictureFile(entry.path())) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  if (files.size() < 2) throw FileError(folder.string(), "holds fewer than two pictures");
  return files;
}

// The mean of several pictures.
Image Mean(const std::vector<Image>& images) {
  Image mean(images[0].width, images[0].height);
  for (size_t i = 0; i < mean.rgb.size(); ++i) {
    int sum = 0;
    for (const Image& image : images) sum += image.rgb[i];
    mean.rgb[i] =
        static_cast<uint8_t>((sum + static_cast<int>(images.size()) / 2) / static_cast<int>(images.size()));
  }
  return mean;
}

// What is farther from the clean picture than light and compression bring it.
GrayImage Differs(const Image& photo, const Image& clean) {
  constexpr double kNoise = 24;
  cv::Mat apart, gray;
  cv::absdiff(AsMat(photo), AsMat(clean), apart);
  cv::GaussianBlur(apart, apart, {}, 1.5);
  cv::cvtColor(apart, gray, cv::COLOR_RGB2GRAY);
  GrayImage mask(photo.width, photo.height);
  const cv::Mat disc = cv::getStructuringElement(cv::MORPH_ELLIPSE, {9, 9});
  cv::Mat moved = gray > kNoise;
  cv::morphologyEx(moved, moved, cv::MORPH_OPEN, disc);
  cv::morphologyEx(moved, moved, cv::MORPH_CLOSE, disc);
  moved.copyTo(AsMat(mask));
  return mask;
}

Place ReadPairs(const fs::path& folder, size_t inputs) {
  Place place{folder.filename().string(), {}, {}, {}};
  std::vector<Image> clean;
  for (const fs::path& file : Pictures(folder / "clean")) clean.push_back(ReadImage(file));
  const std::vector<fs::path> files = Pictures(folder / "transient");
  for (const size_t i : Spread(files.size(), inputs)) {
    place.photos.push_back(ReadImage(files[i]));
    place.truth.push_back(Mean(clean));
    place.moved.push_back(Differs(place.photos.back(), place.truth.back()));
  }
  return place;
}

std::vector<Place> ReadPlaces(const fs::path& data, size_t inputs) {
  std::vector<Place> places;
  if (!fs::is_directory(data)) {
    const auto scenes = OpenListedScenes(data);
    for (size_t i = 0; i < scenes->size(); ++i)
      places.push_back(ReadRoom(*scenes, i, data.parent_path() / "binary_masks", inputs));
    return places;
  }
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(data)) {
    if (fs::is_directory(entry.path() / "transient")) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  for (const fs::path& folder : folders) places.push_back(ReadPairs(folder, inputs));
  return places;
}

double Psnr(const Image& image, const Image& truth, const GrayImage& where) {
  double sum = 0, count = 0;
  for (size_t i = 0; i < where.values.size(); ++i) {
    if (where.values[i] == 0) continue;
    for (size_t c = 0; c < 3; ++c)
      sum += std::pow(static_cast<double>(image.rgb[3 * i + c]) - truth.rgb[3 * i + c], 2);
    count += 3;
  }
  return count == 0 ? 0 : -10 * std::log10(std::max(sum / count / (255.0 * 255.0), 1e-6));
}

Image Inpainted(const Image& photo, const GrayImage& hole, int method) {
  constexpr double kRadius = 5;
  cv::Mat out;
  cv::inpaint(AsMat(photo), AsMat(hole), out, kRadius, method);
  Image image(photo.width, photo.height);
  out.copyTo(AsMat(image));
  return image;
}

GrayImage Grown(const GrayImage& mask) {
  GrayImage grown(mask.width, mask.height);
  const int side = 2 * std::max(2, mask.width / 100) + 1;
  cv::dilate(AsMat(mask), AsMat(grown), cv::getStructuringElement(cv::MORPH_ELLIPSE, {side, side}));
  return grown;
}

// Both where it is not 0.
GrayImage Both(const GrayImage& a, const GrayImage& b) {
  GrayImage both = a;
  for (size_t i = 0; i < both.values.size(); ++i)
    both.values[i] = a.values[i] > 0 && b.values[i] > 0 ? 255 : 0;
  return both;
}

double Share(const GrayImage& mask) {
  const auto n = std::count_if(mask.values.begin(), mask.values.end(), [](uint8_t v) { return v > 0; });
  return static_cast<double>(n) / static_cast<double>(mask.values.size());
}

// True masks in the place of the model's.
std::vector<MotionMask> TrueMasks(const Place& place, const Scene& scene) {
  std::vector<MotionMask> masks;
  for (size_t i = 0; i < place.photos.size(); ++i) {
    const GrayImage mask = ApplyFraming(place.moved[i], scene.framings[i]);
    MotionMask& told = masks.emplace_back(MotionMask{mask.width, mask.height, {}, 0});
    for (const uint8_t v : mask.values) told.probability.push_back(v > 127 ? 1.0F : 0.0F);
  }
  return masks;
}

struct Options {
  fs::path model, data, pictures;
  size_t inputs = 2;
  bool told = false;
};

class Tally {
 public:
  void Add(const std::string& name, double value) {
    auto& [sum, count] = sums_[name];
    sum += value;
    ++count;
  }
  void Print() const {
    for (const auto& [name, value] : sums_)
      fmt::print("{:34} {:8.3f}   (mean of {})\n", name, value.first / value.second, value.second);
  }

 private:
  std::map<std::string, std::pair<double, int>> sums_;
};

void Judge(const Place& place, const Scene& scene, const std::vector<Image>& rendered,
           const std::vector<CleanPhoto>& clean, double threshold, const Options& options, Tally& tally) {
  constexpr double kLeastMoved = 0.005;
  for (size_t i = 0; i < place.photos.size(); ++i) {
    const Image &photo = place.photos[i], &truth = place.truth[i];
    const MotionMask& motion = scene.masks[i];
    const UncroppedMask seen =
        UncropMask(FromProbabilities(motion.probability, motion.width, motion.height), scene.framings[i]);
    const GrayImage region = Both(place.moved[i], seen.known);
    if (Share(region) < kLeastMoved) continue;
    GrayImage hole = seen.mask;
    for (uint8_t& v : hole.values) v = v > 255 * threshold ? 255 : 0;
    const auto add = [&](const std::string& name, const Image& image) {
      tally.Add(name + ", dB", Psnr(image, truth, region));
      if (!options.pictures.empty())
        WritePng(options.pictures / fmt::format("{}_{}_{}.png", place.name, i, name), image);
    };
    std::vector<Image> others;
    for (size_t j = 0; j < place.photos.size(); ++j) {
      if (j != i) others.push_back(Resize(place.photos[j], photo.width, photo.height, Filter::kBilinear));
    }
    add("a photo as taken", photo);
    add("b mean of the other photos", Mean(others));
    add("c Telea, model's masks", Inpainted(photo, Grown(hole), cv::INPAINT_TELEA));
    add("d Navier-Stokes, model's masks", Inpainted(photo, Grown(hole), cv::INPAINT_NS));
    add("e Telea, true masks", Inpainted(photo, Grown(region), cv::INPAINT_TELEA));
    add("f rendering", RenderedPhoto(photo, scene.framings[i], rendered[i]).image);
    add("g clean photo", clean[i].image);
    if (!options.pictures.empty()) {
      WritePng(options.pictures / fmt::format("{}_{}_h truth.png", place.name, i), truth);
      WritePng(options.pictures / fmt::format("{}_{}_i source.png", place.name, i),
               ColourSources(clean[i].source));
      WritePng(options.pictures / fmt::format("{}_{}_j mask.png", place.name, i), seen.mask);
    }
    // Ghosts: what is plainly wrong in the photo and was left. Harm: what was right and was replaced.
    double ghosts = 0, left_by_mask = 0, plain = 0, touched = 0, still = 0;
    for (size_t p = 0; p < region.values.size(); ++p) {
      if (seen.known.values[p] == 0) continue;
      double apart = 0;
      for (size_t c = 0; c < 3; ++c)
        apart = std::max(apart, std::abs(static_cast<double>(photo.rgb[3 * p + c]) - truth.rgb[3 * p + c]));
      const bool own = clean[i].source.values[p] == kOwnPixel;
      if (region.values[p] > 0 && apart > 30) {
        ++plain;
        ghosts += own;
        left_by_mask += hole.values[p] == 0;
      } else if (apart < 10) {
        ++still;
        touched += !own;
      }
    }
    tally.Add("p ghosts left by masks alone, %", 100 * left_by_mask / std::max(plain, 1.0));
    tally.Add("q ghosts left, %", 100 * ghosts / std::max(plain, 1.0));
    tally.Add("r still pixels replaced, %", 100 * touched / std::max(still, 1.0));
    tally.Add("s moved, % of the photo", 100 * Share(region));
    tally.Add("t from other photos, %", 100 * clean[i].photos);
    tally.Add("u rendered, %", 100 * clean[i].rendered);
  }
}

void Run(const Options& options) {
  ModelSource source;
  source.weights = options.model;
  const Reconstructor model(source);
  if (!options.pictures.empty()) fs::create_directories(options.pictures);
  Tally tally;
  for (const Place& place : ReadPlaces(options.data, options.inputs)) {
    constexpr int kDetail = 4;
    Scene scene = model.Reconstruct(place.photos, 0, {}, {}, kDetail);
    if (options.told) {
      const std::vector<MotionMask> masks = TrueMasks(place, scene);
      scene = model.Reconstruct(place.photos, 0, {}, masks, kDetail);
      scene.masks = masks;
    }
    const std::vector<Image> rendered = model.Render(scene, scene.cameras);
    const auto start = std::chrono::steady_clock::now();
    const std::vector<CleanPhoto> clean =
        CleanPhotos(place.photos, scene, rendered, model.FindInInputs(scene, scene.cameras),
                    {.threshold = model.motion_threshold(), .masks_are_told = options.told});
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    tally.Add("v seconds a photo", seconds.count() / static_cast<double>(place.photos.size()));
    Judge(place, scene, rendered, clean, model.motion_threshold(), options, tally);
  }
  tally.Print();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Options options;
    std::vector<std::string> plain;
    for (int i = 1; i < argc; ++i) {
      const std::string argument = argv[i];
      if (argument == "--told") {
        options.told = true;
      } else if (argument == "--pictures" && i + 1 < argc) {
        options.pictures = argv[++i];
      } else {
        plain.push_back(argument);
      }
    }
    if (plain.size() != 3 || std::atoi(plain[1].c_str()) < 2) {
      fmt::print(stderr, "usage: measure_clean MODEL INPUTS DATA [--told] [--pictures FOLDER]\n");
      return 2;
    }
    options.model = plain[0];
    options.inputs = static_cast<size_t>(std::atoi(plain[1].c_str()));
    options.data = plain[2];
    Run(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "measure_clean: {}\n", error.what());
    return 1;
  }
}

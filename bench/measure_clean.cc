// Measures clean photos: PSNR where something moved in a photo, against the picture without it, beside the rendering
// alone, the mean of the other photos as they are, and OpenCV's inpainting.
//
//   measure_clean MODEL INPUTS SCENES [OUT]
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <sstream>
#include <opencv2/imgproc.hpp>
#include <opencv2/photo.hpp>

#include "wildrayzer/data/folder_scenes.h"
#include "wildrayzer/data/masks.h"
#include "wildrayzer/data/view_lists.h"
#include "wildrayzer/io/mat.h"
#include "wildrayzer/pipeline/clean_photos.h"
#include "wildrayzer/util/spread.h"
#include "wildrayzer/vision/framing.h"
#include "wildrayzer/vision/resize.h"

namespace {

using namespace wildrayzer;
namespace fs = std::filesystem;

struct Sums {
  double psnr = 0;
  double square = 0;
  size_t count = 0;
};

double Psnr(const Image& a, const Image& b, const GrayImage& mask, bool where) {
  double sum = 0, n = 0;
  for (size_t i = 0; i < mask.values.size(); ++i) {
    if ((mask.values[i] > 0) != where) continue;
    for (size_t c = 0; c < 3; ++c) {
      const double d = double(a.rgb[3 * i + c]) - b.rgb[3 * i + c];
      sum += d * d;
    }
    n += 3;
  }
  return n == 0 ? NAN : std::min(60.0, -10 * std::log10(std::max(sum / n, 1e-6) / (255.0 * 255.0)));
}

Image Inpainted(const Image& photo, const GrayImage& hole, int method) {
  cv::Mat out;
  cv::inpaint(AsMat(photo), AsMat(hole), out, 5, method);
  Image image(photo.width, photo.height);
  out.copyTo(AsMat(image));
  return image;
}

}  // namespace

int main(int argc, char** argv) {
  const int inputs = std::atoi(argv[2]);
  const fs::path out = argc > 4 ? argv[4] : "";
  const bool told = std::getenv("TOLD") != nullptr;
  const int most = std::getenv("SCENES") ? std::atoi(std::getenv("SCENES")) : 1000;
  ModelSource source;
  source.weights = argv[1];
  const Reconstructor model(source);
  std::map<std::string, Sums> sums;
  std::map<std::string, std::pair<double, double>> shares;
  double seconds = 0, cleaned = 0;
  const auto scenes = OpenScenes(argv[3], ListedScenesOptions{.view_index = {}, .masks = {}});
  for (size_t s = 0; s < scenes->size() && s < size_t(most); ++s) {
    const SceneRecord record = scenes->Read(s);
    std::vector<Image> photos, clean;
    std::vector<GrayImage> moved;
    const size_t frames = record.frames.size();
    for (int i = 0; i < inputs; ++i) {
      const size_t f = size_t(std::lround(double(i) * double(frames - 1) / (inputs - 1)));
      photos.push_back(ReadImage(record.frames[f].image_path));
      clean.push_back(ReadImage(record.frames[f].clean_path));
      fs::path mask = fs::path(argv[3]).parent_path() / "binary_masks" / record.name / fmt::format("{:05d}.npy", f);
      if (!fs::exists(mask)) mask = fs::path(argv[3]).parent_path() / "binary_masks" / record.name / fmt::format("{:05d}.png", f);
      moved.push_back(ResizeMask(ReadMask(mask), photos.back().width, photos.back().height));
    }
    std::vector<MotionMask> given;
    Scene scene = model.Reconstruct(photos, 0, {}, {}, 4);
    if (told) {
      for (size_t i = 0; i < photos.size(); ++i) {
        const Framing& f = scene.framings[i];
        const GrayImage m = ApplyFraming(moved[i], f);
        MotionMask mask;
        mask.width = m.width, mask.height = m.height;
        for (const uint8_t v : m.values) mask.probability.push_back(v > 127 ? 1.0F : 0.0F);
        given.push_back(mask);
      }
      scene = model.Reconstruct(photos, 0, {}, given, 4);
      scene.masks = given;
    }
    const auto rendered = model.Render(scene, scene.cameras);
    const auto start = std::chrono::steady_clock::now();
    const auto places = model.FindInInputs(scene, scene.cameras);
    CleanOptions options;
    options.threshold = model.motion_threshold();
    options.masks_are_told = told;
    setenv("KEY", std::to_string(s).c_str(), 1);
    const auto result = CleanPhotos(photos, scene, rendered, places, options);
    // Other settings, by the aligned pictures that are kept: "A=1 B=2;A=3".
    if (const char* variants = std::getenv("VARIANTS")) {
      std::stringstream list(variants);
      std::string variant;
      while (std::getline(list, variant, ';')) {
        std::stringstream settings(variant);
        std::string setting;
        std::vector<std::pair<std::string, std::string>> before;
        while (settings >> setting) {
          const std::string name = setting.substr(0, setting.find('='));
          const char* old = std::getenv(name.c_str());
          before.emplace_back(name, old ? old : "");
          setenv(name.c_str(), setting.substr(setting.find('=') + 1).c_str(), 1);
        }
        const auto other = CleanPhotos(photos, scene, rendered, places, options);
        for (auto& [name, old] : before) old.empty() ? unsetenv(name.c_str()) : setenv(name.c_str(), old.c_str(), 1);
        for (size_t i = 0; i < photos.size(); ++i) {
          const UncroppedMask seen = UncropMask(FromProbabilities(scene.masks[i].probability, scene.masks[i].width, scene.masks[i].height), scene.framings[i]);
          GrayImage region = moved[i], still = moved[i];
          size_t moving = 0;
          for (size_t p = 0; p < region.values.size(); ++p) {
            if (!seen.known.values[p]) region.values[p] = 0, still.values[p] = 255;
            moving += region.values[p] > 0;
          }
          if (double(moving) < 0.005 * double(region.values.size())) continue;
          sums["v " + variant].psnr += Psnr(other[i].image, clean[i], region, true), sums["v " + variant].count++;
          double square = 0, n = 0;
          for (size_t p = 0; p < still.values.size(); ++p) {
            if (still.values[p]) continue;
            n += 3;
            for (int c = 0; c < 3; ++c) square += std::pow(double(other[i].image.rgb[3 * p + c]) - clean[i].rgb[3 * p + c], 2);
          }
          sums["v " + variant].square += std::sqrt(square / std::max(1.0, n));
        }
      }
    }
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    cleaned += double(photos.size());
    for (size_t i = 0; i < photos.size(); ++i) {
      const GrayImage& mask = moved[i];
      // Only where the model looked.
      const UncroppedMask seen = UncropMask(FromProbabilities(scene.masks[i].probability, scene.masks[i].width, scene.masks[i].height), scene.framings[i]);
      GrayImage region = mask, predicted(mask.width, mask.height);
      size_t moving = 0;
      for (size_t p = 0; p < mask.values.size(); ++p) {
        if (!seen.known.values[p]) region.values[p] = 0;
        moving += region.values[p] > 0;
        predicted.values[p] = seen.mask.values[p] > 255 * options.threshold ? 255 : 0;
      }
      if (double(moving) < 0.005 * double(mask.values.size())) continue;
      const auto add = [&](const std::string& name, const Image& image) {
        const double p = Psnr(image, clean[i], region, true);
        sums[name].psnr += p, sums[name].count++;
        if (!out.empty()) {
          fs::create_directories(out);
          WritePng(out / fmt::format("{}_{}_{}.png", record.name, i, name), image);
        }
      };
      const UncroppedImage view = UncropImage(rendered[i], scene.framings[i].Times(scene.detail));
      Image rendering = photos[i];
      for (int y = 0; y < view.image.height; ++y)
        std::copy_n(view.image.Pixel(0, y), 3 * view.image.width, rendering.Pixel(view.x, view.y + y));
      Image pasted = photos[i];
      for (size_t p = 0; p < region.values.size(); ++p)
        if (predicted.values[p]) for (int c = 0; c < 3; ++c) pasted.rgb[3 * p + c] = rendering.rgb[3 * p + c];
      Image mean(photos[i].width, photos[i].height);
      std::vector<int> total(mean.rgb.size());
      int n = 0;
      for (size_t j = 0; j < photos.size(); ++j) {
        if (j == i) continue;
        const Image other = Resize(photos[j], mean.width, mean.height, Filter::kBilinear);
        for (size_t p = 0; p < total.size(); ++p) total[p] += other.rgb[p];
        ++n;
      }
      for (size_t p = 0; p < total.size(); ++p) mean.rgb[p] = uint8_t(total[p] / std::max(1, n));
      GrayImage grown = predicted;
      cv::dilate(AsMat(predicted), AsMat(grown), cv::Mat::ones(5, 5, CV_8U));
      add("0 photo", photos[i]);
      add("1 mean", mean);
      add("2 telea", Inpainted(photos[i], grown, cv::INPAINT_TELEA));
      add("3 ns", Inpainted(photos[i], grown, cv::INPAINT_NS));
      add("4 telea, true masks", Inpainted(photos[i], region, cv::INPAINT_TELEA));
      add("5 rendering", rendering);
      add("6 rendering in masks", pasted);
      add("7 clean", result[i].image);
      if (!out.empty()) {
        Image sources(mask.width, mask.height);
        for (size_t p = 0; p < mask.values.size(); ++p) {
          const uint8_t v = result[i].source.values[p];
          const uint8_t colour[6][3] = {{40, 40, 40}, {0, 120, 255}, {0, 200, 80}, {240, 200, 0}, {200, 0, 200}, {0, 200, 200}};
          for (int c = 0; c < 3; ++c) sources.rgb[3 * p + c] = v == 255 ? (c == 0 ? 255 : 0) : colour[std::min<int>(v, 5)][c];
        }
        WritePng(out / fmt::format("{}_{}_8 sources.png", record.name, i), sources);
        WritePng(out / fmt::format("{}_{}_9 truth.png", record.name, i), clean[i]);
        WritePng(out / fmt::format("{}_{}_A mask.png", record.name, i), seen.mask);
      }
      // Where nothing moved: how much was touched, and how good.
      size_t still = 0, touched = 0, ghosts = 0, mask_ghosts = 0, replaced = 0;
      double own_sum = 0, now_sum = 0;
      for (size_t p = 0; p < mask.values.size(); ++p) {
        double d_own = 0, d_now = 0;
        for (int c = 0; c < 3; ++c) {
          d_own += std::pow(double(photos[i].rgb[3 * p + c]) - clean[i].rgb[3 * p + c], 2);
          d_now += std::pow(double(result[i].image.rgb[3 * p + c]) - clean[i].rgb[3 * p + c], 2);
        }
        if (region.values[p]) {
          ghosts += result[i].source.values[p] == 0 && d_own > 3 * 20 * 20;
          mask_ghosts += !predicted.values[p] && d_own > 3 * 20 * 20;
          replaced += d_own > 3 * 20 * 20;
        } else if (seen.known.values[p]) {
          ++still;
          touched += result[i].source.values[p] != 0;
          own_sum += d_own, now_sum += d_now;
        }
      }
      const double n_still = double(std::max<size_t>(still, 1));
      shares["ghosts left"].first += double(ghosts) / double(std::max<size_t>(replaced, 1));
      shares["ghosts, masks"].first += double(mask_ghosts) / double(std::max<size_t>(replaced, 1));
      shares["still touched"].first += double(touched) / n_still;
      shares["still rms before"].first += std::sqrt(own_sum / n_still / 3);
      shares["still rms after"].first += std::sqrt(now_sum / n_still / 3);
      shares["rendered"].first += result[i].rendered;
      for (auto& [k, v] : shares) v.second = double(sums["7 clean"].count);
      if (std::getenv("VERBOSE"))
        fmt::print("{} {}: photo {:.2f} rendering {:.2f} clean {:.2f} ghosts {:.2f} touched {:.3f} moved {:.3f}\n", record.name, i, Psnr(photos[i], clean[i], region, true),
                 Psnr(rendering, clean[i], region, true), Psnr(result[i].image, clean[i], region, true), double(ghosts) / double(std::max<size_t>(replaced, 1)), double(touched) / n_still, double(moving) / double(mask.values.size()));
    }
  }
  for (const auto& [name, sum] : sums) fmt::print("{:22} {:6.2f} dB  ({} photos) {:.2f}\n", name, sum.psnr / double(sum.count), sum.count, sum.square / double(sum.count));
  for (const auto& [name, share] : shares) fmt::print("{:22} {:.4f}\n", name, share.first / share.second);
  fmt::print("{:.3f} s a photo\n", seconds / cleaned);
}

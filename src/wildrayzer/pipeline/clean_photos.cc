#include "wildrayzer/pipeline/clean_photos.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "wildrayzer/io/mat.h"
#include "wildrayzer/pipeline/clean_work.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
double CleanKnob(const char* name, double value);
namespace {

constexpr int kWorkSide = 768;

// Places in units of input k's frame, at this photo's work pixels, in pixels of input k.
cv::Mat PlacesInPhoto(const WorkView& view, const Framing& framing, const InputPlaces& places, size_t input,
                      const Framing& their_framing) {
  const size_t count = static_cast<size_t>(places.width) * places.height;
  std::vector<cv::Mat> at;
  const cv::Mat here = PlacesInFrame(view, framing);
  for (const std::vector<float>* axis : {&places.x, &places.y}) {
    const cv::Mat values(places.height, places.width, CV_32FC1, const_cast<float*>(axis->data() + input * count));
    cv::Mat fine;
    cv::remap(values, fine, here, {}, cv::INTER_LINEAR, cv::BORDER_REPLICATE);
    at.push_back(fine);
  }
  cv::Mat out(view.colour.size(), CV_32FC2);
  for (int y = 0; y < out.rows; ++y) {
    for (int x = 0; x < out.cols; ++x) {
      const Point photo = their_framing.ModelToPhoto({double{at[0].at<float>(y, x)} * their_framing.width,
                                                      double{at[1].at<float>(y, x)} * their_framing.height});
      out.at<cv::Vec2f>(y, x) = {static_cast<float>(photo.x - 0.5), static_cast<float>(photo.y - 0.5)};
    }
  }
  return out;
}

// Work pixels of the whole photo's part brought to its pixels within `tile`.
cv::Mat Enlarge(const cv::Mat& field, const WorkView& view, const cv::Rect& tile) {
  cv::Mat at(tile.size(), CV_32FC2);
  for (int y = 0; y < tile.height; ++y) {
    for (int x = 0; x < tile.width; ++x) {
      at.at<cv::Vec2f>(y, x) = {static_cast<float>((tile.x - view.part.x + x + 0.5) * view.scale_x() - 0.5),
                                static_cast<float>((tile.y - view.part.y + y + 0.5) * view.scale_y() - 0.5)};
    }
  }
  cv::Mat out;
  cv::remap(field, out, at, {}, cv::INTER_LINEAR, cv::BORDER_REPLICATE);
  return out;
}

struct Layer {
  uint8_t source;
  cv::Mat weight;      // work pixels, CV_32FC1
  cv::Mat correction;  // CV_32FC3
};

void Compose(const WorkView& own, const std::vector<OtherView>& others, const std::vector<Layer>& layers,
             std::span<const Image> photos, const Image& rendered, const cv::Rect& tile, CleanPhoto& clean) {
  cv::Mat sum = cv::Mat::zeros(tile.size(), CV_32FC3), total = cv::Mat::zeros(tile.size(), CV_32FC1);
  cv::Mat most = cv::Mat::zeros(tile.size(), CV_32FC1), source = cv::Mat::zeros(tile.size(), CV_8UC1);
  for (size_t k = 0; k < others.size(); ++k) {
    const cv::Mat weight = Enlarge(layers[k].weight, own, tile);
    if (cv::countNonZero(weight > 0) == 0) continue;
    const Image& from = others[k].source == kRenderedPixel ? rendered : photos[others[k].source - kFirstPhoto];
    const cv::Mat place = Enlarge(others[k].place, own, tile), correction = Enlarge(layers[k].correction, own, tile);
    cv::Mat bytes, colour;
    cv::remap(AsMat(from), bytes, place, {}, cv::INTER_CUBIC, cv::BORDER_REPLICATE);
    bytes.convertTo(colour, CV_32FC3);
    for (int y = 0; y < tile.height; ++y) {
      for (int x = 0; x < tile.width; ++x) {
        const float w = weight.at<float>(y, x);
        if (w <= 0) continue;
        cv::Vec3f c = colour.at<cv::Vec3f>(y, x);
        for (int i = 0; i < 3; ++i)
          c[i] = std::clamp(c[i] * others[k].gain[i] + others[k].offset[i] + correction.at<cv::Vec3f>(y, x)[i], 0.0F, 255.0F);
        sum.at<cv::Vec3f>(y, x) += w * c;
        total.at<float>(y, x) += w;
        if (w > most.at<float>(y, x)) most.at<float>(y, x) = w, source.at<uint8_t>(y, x) = others[k].source;
      }
    }
  }
  for (int y = 0; y < tile.height; ++y) {
    for (int x = 0; x < tile.width; ++x) {
      const float w = total.at<float>(y, x);
      if (w <= 1e-3F) continue;
      uint8_t* pixel = clean.image.Pixel(tile.x + x, tile.y + y);
      const cv::Vec3f c = sum.at<cv::Vec3f>(y, x) / w;
      const float mix = std::min(w, 1.0F);
      for (int i = 0; i < 3; ++i)
        pixel[i] = static_cast<uint8_t>(std::lround(std::clamp(mix * c[i] + (1 - mix) * static_cast<float>(pixel[i]), 0.0F, 255.0F)));
      clean.source.At(tile.x + x, tile.y + y) = source.at<uint8_t>(y, x);
    }
  }
}

std::vector<Layer> MakeLayers(const WorkView& own, const std::vector<OtherView>& others, const cv::Mat& source,
                              double unit) {
  const cv::Mat gone = source > 0;
  cv::Mat stays;
  cv::Mat(1 - gone / 255).convertTo(stays, CV_32FC1);
  // Outside of the mask the layers end softly.
  const int ring = std::max(1, static_cast<int>(std::lround(CleanKnob("RING", 1) * unit)));
  cv::Mat distance, alpha;
  cv::distanceTransform(~gone, distance, cv::DIST_L2, 3);
  alpha = cv::max(0.0, 1.0 - distance / (ring + 1.0));
  std::vector<Layer> layers;
  cv::Mat all = cv::Mat::zeros(source.size(), CV_32FC1);
  for (const OtherView& other : others) {
    cv::Mat here;
    cv::Mat((source == other.source) / 255).convertTo(here, CV_32FC1);
    const double sigma = CleanKnob("FEATHER", 1.5) * unit;
    cv::GaussianBlur(here, here, {}, sigma, sigma, cv::BORDER_REPLICATE);
    here = here.mul(other.valid);
    layers.push_back({other.source, here, {}});
    all += here;
  }
  for (size_t k = 0; k < layers.size(); ++k) {
    cv::Mat share = layers[k].weight / cv::max(all, 1e-6);
    layers[k].weight = share.mul(alpha);
    cv::Mat difference = own.colour - others[k].colour;
    difference = cv::min(cv::max(difference, -25.0), 25.0);
    cv::Mat trust = others[k].agrees.mul(stays);
    if (others[k].source == kRenderedPixel) trust = (1 - own.moves).mul(stays);
    layers[k].correction = FillIn(difference, trust);
    const double soft = CleanKnob("CSOFT", 2) * unit;
    cv::GaussianBlur(layers[k].correction, layers[k].correction, {}, soft, soft, cv::BORDER_REPLICATE);
    layers[k].correction *= CleanKnob("CORRECT", 1);
  }
  return layers;
}

CleanPhoto CleanOne(std::span<const Image> photos, std::span<const WorkView> views, const Scene& scene, size_t index,
                    const Image& rendered, const InputPlaces& places, const CleanOptions& options) {
  const WorkView& own = views[index];
  const Framing& framing = scene.framings[index];
  CleanPhoto clean{photos[index], GrayImage(photos[index].width, photos[index].height), 1, 0, 0};
  const double unit = std::max(1.0, static_cast<double>(own.colour.cols) / framing.width);
  OtherView render;
  render.source = kRenderedPixel;
  const Framing of_views = framing.Times(scene.detail);
  render.place = PlacesInFrame(own, of_views);
  OtherPicture picture;
  AsMat(rendered).convertTo(picture.colour, CV_32FC3);
  picture.moves = cv::Mat::zeros(picture.colour.size(), CV_32FC1);
  picture.part = {0, 0, rendered.width, rendered.height};
  AlignOther(own, picture, {}, unit, render);
  std::vector<OtherView> others;
  for (size_t k = 0; k < static_cast<size_t>(scene.num_inputs); ++k) {
    if (k == index || places.x.empty()) continue;
    OtherView other;
    other.source = static_cast<uint8_t>(kFirstPhoto + k);
    other.place = PlacesInPhoto(own, framing, places, k, scene.framings[k]);
    AlignOther(own, {views[k].colour, views[k].moves, views[k].part}, render.colour, unit, other);
    others.push_back(std::move(other));
  }
  others.push_back(std::move(render));

  const Choice choice = ChooseSources(own, others, unit, options);
  if (cv::countNonZero(choice.source) > 0) {
    const std::vector<Layer> layers = MakeLayers(own, others, choice.source, unit);
    constexpr int kTile = 512;
    for (int y = own.part.y; y < own.part.br().y; y += kTile) {
      for (int x = own.part.x; x < own.part.br().x; x += kTile) {
        const cv::Rect tile = cv::Rect(x, y, kTile, kTile) & own.part;
        Compose(own, others, layers, photos, rendered, tile, clean);
      }
    }
  }
  clean.CountShares();
  return clean;
}

void CheckSizes(std::span<const Image> photos, const Scene& scene, std::span<const Image> rendered,
                std::span<const InputPlaces> places) {
  const size_t count = scene.framings.size();
  bool fits = photos.size() == count && rendered.size() == count && (places.empty() || places.size() == count) &&
              (scene.masks.empty() || scene.masks.size() == count) && scene.num_inputs >= 0 &&
              static_cast<size_t>(scene.num_inputs) <= count && scene.num_inputs < kRenderedPixel - kFirstPhoto;
  for (size_t i = 0; fits && i < count; ++i) {
    const Framing& framing = scene.framings[i];
    fits = photos[i].width == framing.photo_width && photos[i].height == framing.photo_height &&
           rendered[i].width == framing.width * scene.detail && rendered[i].height == framing.height * scene.detail;
    if (fits && !scene.masks.empty()) {
      const MotionMask& mask = scene.masks[i];
      fits = mask.width == framing.width && mask.height == framing.height &&
             mask.probability.size() == static_cast<size_t>(mask.width) * mask.height;
    }
    if (fits && !places.empty()) {
      const size_t pixels = static_cast<size_t>(places[i].width) * places[i].height;
      fits = places[i].width == framing.width && places[i].height == framing.height &&
             places[i].inputs == scene.num_inputs && places[i].x.size() == pixels * places[i].inputs &&
             places[i].y.size() == places[i].x.size();
    }
  }
  if (!fits) throw Error("photos, renderings, masks and places are not of one scene");
}

}  // namespace

void ForEachCleanPhoto(std::span<const Image> photos, const Scene& scene, std::span<const Image> rendered,
                       std::span<const InputPlaces> places, const CleanOptions& options,
                       const ProgressCallback& progress,
                       const std::function<void(size_t index, CleanPhoto clean)>& take) {
  CheckSizes(photos, scene, rendered, places);
  if (progress) progress("cleaning photos", static_cast<int>(photos.size()));
  std::vector<WorkView> views;
  for (size_t i = 0; i < photos.size(); ++i) {
    views.push_back(MakeWorkView(photos[i], scene.framings[i], scene.masks.empty() ? MotionMask{} : scene.masks[i],
                                 kWorkSide));
  }
  for (size_t i = 0; i < photos.size(); ++i) {
    take(i, scene.masks.empty() ? RenderedPhoto(photos[i], scene.framings[i], rendered[i])
                                : CleanOne(photos, views, scene, i, rendered[i],
                                           places.empty() ? InputPlaces{} : places[i], options));
    if (progress) progress("", 0);
  }
}

std::vector<CleanPhoto> CleanPhotos(std::span<const Image> photos, const Scene& scene,
                                    std::span<const Image> rendered, std::span<const InputPlaces> places,
                                    const CleanOptions& options, const ProgressCallback& progress) {
  std::vector<CleanPhoto> all;
  ForEachCleanPhoto(photos, scene, rendered, places, options, progress,
                    [&](size_t, CleanPhoto clean) { all.push_back(std::move(clean)); });
  return all;
}

}  // namespace wildrayzer

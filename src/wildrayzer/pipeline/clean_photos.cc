#include "wildrayzer/pipeline/clean_photos.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "wildrayzer/io/mat.h"
#include "wildrayzer/pipeline/clean_work.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

// Longest side of what is aligned and decided; more costs time and finds little more.
constexpr int kWorkSide = 768;

void CheckSizes(std::span<const Image> photos, const Scene& scene, std::span<const Image> rendered,
                std::span<const InputPlaces> places, const CleanOptions& options) {
  const size_t count = scene.framings.size();
  const auto all = [count](size_t size, bool optional) { return size == count || (optional && size == 0); };
  bool fits = all(photos.size(), false) && all(rendered.size(), false) && all(places.size(), true) &&
              all(scene.masks.size(), true) && all(options.told_masks.size(), true) &&
              static_cast<size_t>(scene.num_inputs) <= count &&
              scene.num_inputs < kRenderedPixel - kFirstPhoto;
  for (size_t i = 0; fits && i < count; ++i) {
    const Framing& framing = scene.framings[i];
    const size_t pixels = static_cast<size_t>(framing.width) * framing.height;
    fits = photos[i].width == framing.photo_width && photos[i].height == framing.photo_height &&
           rendered[i].width == framing.width * scene.detail &&
           rendered[i].height == framing.height * scene.detail;
    if (!scene.masks.empty()) {
      const MotionMask& mask = scene.masks[i];
      fits = fits && mask.width == framing.width && mask.height == framing.height &&
             mask.probability.size() == pixels;
    }
    if (!places.empty()) {
      const InputPlaces& at = places[i];
      fits = fits && at.width == framing.width && at.height == framing.height &&
             at.inputs == scene.num_inputs && at.x.size() == pixels * static_cast<size_t>(at.inputs) &&
             at.y.size() == at.x.size();
    }
  }
  if (!fits) throw Error("photos, renderings, masks and places are not of one scene");
}

// Where the work pixels are in input k, in its pixels, as the model's matches say.
cv::Mat PlacesInInput(const WorkView& view, const Framing& framing, const InputPlaces& places, size_t input,
                      const Framing& their_framing) {
  const size_t first = input * static_cast<size_t>(places.width) * places.height;
  const cv::Mat here = PlacesInFrame(view, framing);
  const auto axis = [&](const std::vector<float>& all) {
    const cv::Mat values(places.height, places.width, CV_32FC1, const_cast<float*>(all.data() + first));
    cv::Mat fine;
    cv::remap(values, fine, here, {}, cv::INTER_LINEAR, cv::BORDER_REPLICATE);
    return fine;
  };
  const cv::Mat u = axis(places.x), v = axis(places.y);
  cv::Mat at(view.colour.size(), CV_32FC2);
  for (int y = 0; y < at.rows; ++y) {
    for (int x = 0; x < at.cols; ++x) {
      const Point photo = their_framing.ModelToPhoto({double{u.at<float>(y, x)} * their_framing.width,
                                                      double{v.at<float>(y, x)} * their_framing.height});
      at.at<cv::Vec2f>(y, x) = {static_cast<float>(photo.x - 0.5), static_cast<float>(photo.y - 0.5)};
    }
  }
  return at;
}

OtherView AlignRendering(const WorkView& own, const Framing& framing, int detail, const Image& rendered) {
  OtherPicture picture;
  AsMat(rendered).convertTo(picture.colour, CV_32FC3);
  picture.moves = cv::Mat::zeros(picture.colour.size(), CV_32FC1);
  picture.part = {0, 0, rendered.width, rendered.height};
  OtherView view;
  view.place = PlacesInFrame(own, framing.Times(detail));
  AlignOther(own, picture, {}, view);
  view.valid.setTo(1);  // it has nothing better
  return view;
}

// How many times CleanOne calls `step`: for every picture that it aligns, and in the end.
int StepsOfOne(const Scene& scene, size_t index, bool has_places) {
  const int self = index < static_cast<size_t>(scene.num_inputs) ? 1 : 0;
  return (has_places ? scene.num_inputs - self : 0) + 2;
}

// places: where the pixels of photo `index` appear in the inputs; nullptr: nobody knows.
CleanPhoto CleanOne(std::span<const Image> photos, const std::vector<WorkView>& views, const Scene& scene,
                    size_t index, const Image& rendered, const InputPlaces* places, double threshold,
                    const std::function<void()>& step) {
  CleanPhoto clean = {photos[index], GrayImage(photos[index].width, photos[index].height)};
  const WorkView& view = views[index];
  const Framing& framing = scene.framings[index];
  const OtherView rendering = AlignRendering(view, framing, scene.detail, rendered);
  step();
  std::vector<OtherView> others;
  std::vector<const Image*> pictures;
  for (size_t k = 0; k < static_cast<size_t>(scene.num_inputs) && places != nullptr; ++k) {
    if (k == index) continue;
    OtherView& other = others.emplace_back();
    other.source = static_cast<uint8_t>(kFirstPhoto + k);
    other.place = PlacesInInput(view, framing, *places, k, scene.framings[k]);
    AlignOther(view, {views[k].colour, views[k].moves, views[k].part}, rendering.colour, other);
    pictures.push_back(&photos[k]);
    step();
  }
  const bool alone = std::all_of(others.begin(), others.end(),
                                 [](const OtherView& other) { return cv::countNonZero(other.valid) == 0; });
  others.push_back(rendering);
  pictures.push_back(&rendered);
  ReplacePixels(view, others, pictures, ChooseSources(view, others, threshold), clean);
  clean.CountShares();
  if (alone && others.size() > 1 && clean.rendered > 0) {
    LogWarning(
        "photo {}: no other photo can be aligned with it, so what moves in it is rendered: the cameras may "
        "be wrong",
        index + 1);
  }
  step();
  return clean;
}

}  // namespace

void ForEachCleanPhoto(std::span<const Image> photos, const Scene& scene, std::span<const Image> rendered,
                       std::span<const InputPlaces> places, const CleanOptions& options,
                       const ProgressCallback& progress,
                       const std::function<void(size_t index, CleanPhoto clean)>& take) {
  CheckSizes(photos, scene, rendered, places, options);
  // A large photo takes seconds, so its parts are told.
  int steps = 0;
  for (size_t i = 0; i < photos.size(); ++i)
    steps += scene.masks.empty() ? 1 : StepsOfOne(scene, i, !places.empty());
  if (progress) progress("cleaning photos", steps);
  const auto step = [&progress] {
    if (progress) progress("", 0);
  };
  std::vector<WorkView> views;
  for (size_t i = 0; i < photos.size() && !scene.masks.empty(); ++i) {
    views.push_back(MakeWorkView(photos[i], scene.framings[i], scene.masks[i], kWorkSide));
    views.back().told = !options.told_masks.empty() && options.told_masks[i];
  }
  for (size_t i = 0; i < photos.size(); ++i) {
    if (scene.masks.empty()) {
      take(i, RenderedPhoto(photos[i], scene.framings[i], rendered[i]));
      step();
      continue;
    }
    take(i, CleanOne(photos, views, scene, i, rendered[i], places.empty() ? nullptr : &places[i],
                     options.threshold, step));
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

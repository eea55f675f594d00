#include "wildrayzer/pipeline/photo_checks.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "wildrayzer/util/log.h"
#include "wildrayzer/vision/resize.h"

namespace wildrayzer {
namespace {

// Of values from 0 to 255. Photos of one burst differ by more than this, copies in another quality by less.
constexpr double kSamePhoto = 1.0;
constexpr double kNearlyBlack = 6.0;
// In the unit in which what is seen is about 1 away.
constexpr double kNoMotion = 0.006;  // photos from a tripod give 0.005, those of a small step 0.01

double MeanDifference(const Image& a, const Image& b) {
  int sum = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) sum += std::abs(a.rgb[i] - b.rgb[i]);
  return static_cast<double>(sum) / static_cast<double>(a.rgb.size());
}

}  // namespace

void WarnOfShellOrder(const std::vector<std::string>& paths) {
  const auto by_number = [](const std::string& a, const std::string& b) {
    return ::strverscmp(a.c_str(), b.c_str()) < 0;
  };
  if (!std::is_sorted(paths.begin(), paths.end())) return;  // the user's own order
  const auto odd = std::is_sorted_until(paths.begin(), paths.end(), by_number);
  if (odd == paths.end()) return;
  LogWarning("{} comes after {}: the path follows the order given; give the folder for that of the numbers",
             *odd, *std::prev(odd));
}

void WarnOfPoorPhotos(std::span<const Photo> photos) {
  constexpr int kSide = 64;
  std::vector<Image> small;
  for (const Photo& photo : photos) {
    small.push_back(Resize(photo.image, kSide, kSide, Filter::kBilinear));
    if (MeanDifference(small.back(), Image(kSide, kSide)) < kNearlyBlack)
      LogWarning("{}: is nearly black; leave it out or take it with more light", photo.source);
  }
  for (size_t i = 0; i < small.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (MeanDifference(small[i], small[j]) >= kSamePhoto) continue;
      LogWarning("{}: is the same picture as {}; give photos from different places", photos[i].source,
                 photos[j].source);
      break;
    }
  }
}

void WarnOfPoorViews(std::span<const Photo> photos, const Scene& scene) {
  for (size_t i = 0; i < photos.size(); ++i) {
    const Framing& framing = scene.framings[i];
    const Rectangle seen = framing.VisiblePhoto();
    const double share = (seen.right - seen.left) * (seen.bottom - seen.top) /
                         (static_cast<double>(framing.photo_width) * framing.photo_height);
    if (share < 0.5) {
      LogWarning(
          "{}: the model looks at the middle {:.0f} % of it only; give one of a shape nearer to {} : {}",
          photos[i].source, 100 * share, framing.width, framing.height);
    }
  }
  const std::span<const Camera> inputs =
      std::span(scene.cameras).first(static_cast<size_t>(scene.num_inputs));
  if (SceneScale(inputs) < kNoMotion)
    LogWarning("the cameras of the inputs stand at one place: give photos taken some steps apart");
}

}  // namespace wildrayzer

// Photos without what moves, in the photos' own pixels: what stood still stays bit for bit, the rest comes
// from other photos, or from the model's rendering where no photo shows it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "wildrayzer/io/images.h"
#include "wildrayzer/pipeline/reconstructor.h"
#include "wildrayzer/vision/overlay.h"

namespace wildrayzer {

// Where a pixel came from; kFirstPhoto + k is input k.
enum PixelSource : uint8_t { kOwnPixel = 0, kFirstPhoto = 1, kRenderedPixel = 255 };

struct CleanPhoto {
  Image image;       // the photo's size
  GrayImage source;  // the photo's size, PixelSource
  // Shares of the photo's pixels, of sum 1.
  double own = 1;
  double photos = 0;  // from other photos
  double rendered = 0;
  // Sets the shares by the map.
  void CountShares();
};

struct CleanOptions {
  // What moves with more than this probability is taken for moving, until other photos say otherwise; in
  // [0, 1].
  double threshold = 0.5;
  // Photos whose masks were given by somebody who knows: what they cover goes, whatever other photos show.
  // One a photo, or empty for none.
  std::vector<bool> told_masks = {};
};

// The rendering wherever the model looked, the photo's own pixels elsewhere: what is left to do where nobody
// tells what moves. rendered: of framing.Times(n)'s size for a whole n.
CleanPhoto RenderedPhoto(const Image& photo, const Framing& framing, const Image& rendered);

// What a source map means, in colours that are told apart: gray own, one colour a photo (they repeat after
// six), red rendered.
Rgb SourceColour(uint8_t source);
Image ColourSources(const GrayImage& source);

// photos: those that `scene` was made of, in its order; rendered: one view of scene.width x scene.height from
// each photo's camera; places: Reconstructor::FindInInputs at each photo's camera, or none, and then
// everything that moves is rendered. A scene without masks gives RenderedPhoto. What the model did not see is
// the photo's own. Only inputs' pixels are used for other photos. Error for numbers and sizes that do not
// fit.
std::vector<CleanPhoto> CleanPhotos(std::span<const Image> photos, const Scene& scene,
                                    std::span<const Image> rendered, std::span<const InputPlaces> places,
                                    const CleanOptions& options = {}, const ProgressCallback& progress = {});
// The same one by one, for whoever need not have them all: `take` gets each with its index when it is made.
void ForEachCleanPhoto(std::span<const Image> photos, const Scene& scene, std::span<const Image> rendered,
                       std::span<const InputPlaces> places, const CleanOptions& options,
                       const ProgressCallback& progress,
                       const std::function<void(size_t index, CleanPhoto clean)>& take);

}  // namespace wildrayzer

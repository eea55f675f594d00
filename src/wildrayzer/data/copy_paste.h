// Copy-paste augmentation: objects cut out of COCO pictures are pasted into the views of a static scene, so
// that what "moves" is known exactly (Ghiasi et al. 2021, with the numbers of WildRayZer).
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/data/coco.h"
#include "wildrayzer/io/images.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {

// An object: its tight crop, and its pixels (255).
struct CutOut {
  Image image;
  GrayImage mask;
  int category_id = 0;
};

// Where the objects come from. Pictures are decoded when they are drawn; all functions may be called from
// several threads.
class PastePool {
 public:
  // `annotations`: a COCO instances file; `pictures`: the folder of its file names; `categories`: names or
  // ids that may be pasted, empty for all; `crowds`: whether crowd regions count (the release does not filter
  // them). Raises FileError / UsageError, also when nothing is left to paste.
  PastePool(const std::filesystem::path& annotations, const std::filesystem::path& pictures,
            const std::vector<std::string>& categories, bool crowds = true);

  // Pictures with at least one object that may be pasted.
  size_t size() const { return pictures_.size(); }
  // A random object of a random picture. A picture that cannot be read, has another size than annotated or an
  // empty mask is passed over with a warning and another one drawn; after 20 in a row FileError.
  CutOut Draw(Random& random) const;

 private:
  CutOut Cut(size_t picture, Random& random) const;

  std::filesystem::path folder_;
  CocoInstances coco_;
  bool crowds_;
  std::vector<size_t> pictures_;  // indices into coco_.images()
};

struct PasteOptions {
  double probability = 0.8;  // of pasting into a scene at all
  int min_objects = 1;
  int max_objects = 2;
  double min_scale = 0.25;  // of the view's width and height; objects keep their shape
  double max_scale = 0.35;
  double margin = 0.15;           // of the view: the top-left corner lies in [margin, 1 - margin]
  double edge_sigma = 0.0;        // pixels; above 0 the edge fades (Gaussian), 0 keeps it hard
  double per_view_objects = 0.5;  // probability that every view gets its own objects
};

// Pasted pictures and, for every view, the pixels that were pasted (255; the unfaded masks united). The given
// pictures are the clean ones. Nothing pasted: `images` is empty.
struct Pasted {
  std::vector<Image> images;
  std::vector<GrayImage> overlays;
  std::vector<std::vector<int>> categories;  // per view, in order of pasting
};

// Pastes into all views of one scene or (with probability 1 - options.probability) none. Either the same
// objects are put at a fresh place and scale in every view, or every view gets fresh objects. Deterministic
// in `random`'s state. Raises UsageError for impossible options.
Pasted PasteObjects(std::span<const Image> views, const PastePool& pool, const PasteOptions& options,
                    Random& random);

// Scales one object by `scale` (the crop fits into (floor(W scale), floor(H scale)), sizes truncated, at
// least 1) and composites it with its top-left corner at (x, y), cut off at the borders; adds its pixels to
// `overlay`.
void PasteOne(const CutOut& object, double scale, int x, int y, double edge_sigma, Image& view,
              GrayImage& overlay);

}  // namespace wildrayzer

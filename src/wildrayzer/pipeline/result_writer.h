// Writes what `wildrayzer render` leaves behind.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/pipeline/clean_photos.h"
#include "wildrayzer/pipeline/photo_source.h"
#include "wildrayzer/pipeline/reconstructor.h"

namespace wildrayzer {

// Everything that one render produced.
struct RenderResult {
  std::vector<Photo> photos;  // inputs, then held-out targets
  Scene scene;
  std::vector<Image> rendered;    // the place from each photo's own camera, size of the scene; may be empty
  std::vector<CleanPhoto> clean;  // each photo without what moves; empty or one a photo
  std::vector<Camera> path;
  std::vector<Image> path_views;
  int extended_cameras = 0;  // of the path, whose frames had another shape (ExtendToShape)
  double fps = 12;
  double motion_threshold = 0.5;  // what is exported counts as moving above it
  std::vector<std::string> mask_origins =
      {};  // whose word each photo's mask is; empty when all are the model's
};

// Under `folder`: views/ (one PNG per camera of the path, and target_NAME.png per held-out photo), clean/
// and source/ (photos without what moves, and where each pixel came from), masks/ (probability, 0..255, the
// photo's size), masks_overlay/, video.mp4 (there and back), cameras.json; and what exports.h says for
// `exports`.
void WriteRenderFiles(const std::filesystem::path& folder, const RenderResult& result,
                      const std::vector<std::string>& exports);

// [{colour, meaning}] of source/ for inputs of these names, in the order in which they are explained.
nlohmann::ordered_json SourceLegend(std::span<const std::string> inputs);

// masks/ and masks_overlay/ alone, of the photos from `first` on. Nothing when the scene has no masks.
void WriteMaskFiles(const std::filesystem::path& folder, const std::vector<Photo>& photos, const Scene& scene,
                    size_t first = 0);

// Adds "photos" (size, framing, masked share), "output" (resolution, counts) to `metadata`.
void DescribeResult(const RenderResult& result, nlohmann::ordered_json& metadata);

// index.html, from the files written before and the finished metadata.
void WriteRenderPage(const std::filesystem::path& folder, const RenderResult& result,
                     const nlohmann::ordered_json& metadata);

}  // namespace wildrayzer

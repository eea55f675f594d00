// Pictures for people: masks drawn on photos, heat maps, contact sheets.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "wildrayzer/io/images.h"

namespace wildrayzer {

using Rgb = std::array<uint8_t, 3>;

struct OverlayStyle {
  Rgb color = {255, 48, 32};
  double opacity = 0.55;   // of the colour where the probability is 1; in [0, 1]
  double threshold = 0.5;  // an outline is drawn around probabilities of at least this; in (0, 1]
};

// The photo with the colour blended in by `probability` (255 = 1; same size as the photo) and the outline of
// everything at or above the threshold. Error on sizes that differ.
Image OverlayMask(const Image& photo, const GrayImage& probability, const OverlayStyle& style = {});

// Darkens what is not `known` (0; same size), so that a missing mask is not taken for an empty one.
Image DimUnknown(const Image& photo, const GrayImage& known);

// Values 0 to 255 in the colours of the "inferno" map: black, purple, orange, pale yellow; brightness rises
// throughout.
Image HeatMap(const GrayImage& values);

struct SheetEntry {
  Image image;
  std::string label;  // ASCII; other characters are drawn as question marks
};

// A grid with `columns` cells of cell_width x cell_height pixels a row on white; each picture is scaled to
// fit its cell, centred, with its label below. Error when there is nothing to show or the sheet would exceed
// the picture limits.
Image ContactSheet(const std::vector<SheetEntry>& entries, int columns, int cell_width, int cell_height);

}  // namespace wildrayzer

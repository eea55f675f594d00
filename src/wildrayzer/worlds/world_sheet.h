// Contact sheets of worlds, to look at.
#pragma once

#include <vector>

#include "wildrayzer/io/images.h"
#include "wildrayzer/worlds/world_facts.h"

namespace wildrayzer {

// One row of a sheet: all views as seen, the first one framed in orange and the other inputs in blue; then of
// the last view what it shows without the movers, the movers in red, the depth of what stands still (near is
// bright), and its patch centres in colour where their matches hold; last the first view with the same points
// where they appear there.
std::vector<Image> SheetRow(const RenderedWorld& world, int inputs);

// Rows of pictures, each in a square cell of `cell` pixels, on white.
Image Sheet(const std::vector<std::vector<Image>>& rows, int cell);

}  // namespace wildrayzer

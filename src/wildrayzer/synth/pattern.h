// Procedural textures: floors, walls, fabrics, pictures and the view from a window. Everything is drawn from
// a seed.
#pragma once

#include <cstdint>

#include "wildrayzer/synth/texture.h"

namespace wildrayzer::synth {

enum class Pattern {
  kPlanks,    // wooden floor boards
  kTiles,     // square tiles with joints
  kPlaster,   // painted wall with faint mottling
  kStripes,   // striped wallpaper
  kOrnament,  // wallpaper with repeated motifs
  kBrick,
  kCarpet,  // short pile
  kRug,     // borders and motifs, to be stretched over a rug once
  kFabric,  // woven checks
  kWood,    // grain for furniture
  kMarble,
  kSkin,       // faint mottling, for built-in people and animals
  kPainting,   // picture for a frame
  kLandscape,  // what a window shows
};

// size x size pixels; every pattern but kRug, kPainting and kLandscape repeats without seams.
TexturePtr MakePattern(Pattern pattern, uint64_t seed, int size = 256);

// Colour from hue in [0, 1), saturation and value in [0, 1]; sRGB.
Vec3 ColorFromHsv(float hue, float saturation, float value);

}  // namespace wildrayzer::synth

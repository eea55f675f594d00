// The pictures that worlds are papered with: procedural textures, crops of photographs, and cut-outs with
// alpha. All are squares of one size with smaller versions of themselves, so that one function samples them
// all, on the host and on a GPU.
#pragma once

#include <bit>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "wildrayzer/io/images.h"
#include "wildrayzer/util/random.h"
#include "wildrayzer/worlds/float3.h"

namespace wildrayzer {

inline constexpr int kTextureSide = 128;  // texels of the largest level; each further level has half
inline constexpr int kTextureLevels = 8;
// Of all levels: (4^8 - 1) / 3.
inline constexpr int kTextureTexels = 21845;
inline constexpr int kTextureBytes = 4 * kTextureTexels;  // RGBA

// kTextureSide squared texels, row-major RGBA with values 0 to 255. Where alpha is 0 the colour says nothing.
using Texture = std::vector<uint8_t>;

// Pictures whose terms let weights ship that were trained on them are the user's care; worlds need none.
struct TextureSources {
  // Pictures, or folders with pictures in any depth, of which crops become textures.
  std::vector<std::filesystem::path> pictures;
  // Data sets of COCO instances (a folder with instances.json and the pictures, or images/): each object
  // becomes a cut-out.
  std::vector<std::filesystem::path> cutouts;
  int procedural = 512;             // textures made here
  int crops = 1024;                 // taken from `pictures` at most
  int procedural_cutouts = 256;     // figures, animals and blobs made here
  int photographic_cutouts = 1024;  // taken from `cutouts` at most
};

class TextureBank {
 public:
  // Draws procedural ones, reads the others. Depends on its arguments and the files only, whatever `threads`.
  // A file that cannot be read is passed over with a warning; FileError when a source has nothing to give.
  static TextureBank Make(const TextureSources& sources, uint64_t seed, int threads);

  // Ranges of indices: [begin, end).
  struct Range {
    int begin = 0, end = 0;
    int count() const { return end - begin; }
  };
  Range procedural() const { return procedural_; }
  Range crops() const { return crops_; }
  // Procedural cut-outs, then photographic ones; their pictures fill the square (`aspect` tells their shape).
  Range cutouts() const { return cutouts_; }
  // Width over height of what cut-out `index` shows.
  float Aspect(int index) const { return aspects_[static_cast<size_t>(index)]; }

  int size() const { return static_cast<int>(aspects_.size()); }
  // kTextureBytes a texture: levels from the largest to one texel, each row-major RGBA.
  std::span<const uint8_t> texels() const { return texels_; }

 private:
  void Add(const std::vector<Texture>& textures, const std::vector<float>& aspects, Range& range,
           int threads);

  std::vector<uint8_t> texels_;
  std::vector<float> aspects_;
  Range procedural_, crops_, cutouts_;
};

// Colours and alpha in [0, 1].
struct Rgba {
  Float3 colour;
  float alpha = 1;
};

// One texture of TextureBank::texels() at (u, v), in texture widths, bilinear on the level whose texels are
// about as large as `footprint` (texture widths). Beyond [0, 1] it is mirrored.
WILDRAYZER_HD inline Rgba SampleTexture(const uint8_t* texture, float u, float v, float footprint) {
  // Half a level up, the exponent of the footprint in texels is the rounded level.
  const float doubled = Clamp(1.41421356F * kTextureSide * footprint, 1.0F, 1 << (kTextureLevels - 1));
  const int level = static_cast<int>(std::bit_cast<uint32_t>(doubled) >> 23U) - 127;
  const int side = kTextureSide >> level;
  // (4^8 - 4^(8 - level)) / 3 texels come before it.
  const uint8_t* texels = texture + 4 * ((65536 - (65536 >> (2 * level))) / 3);
  const auto mirrored = [](float x) {
    x = fabsf(x - 2.0F * floorf(0.5F * x));  // [0, 2)
    return x > 1.0F ? 2.0F - x : x;
  };
  const float last = static_cast<float>(side - 1);
  const float x = Clamp(mirrored(u) * static_cast<float>(side) - 0.5F, 0.0F, last);
  const float y = Clamp(mirrored(v) * static_cast<float>(side) - 0.5F, 0.0F, last);
  const int column = static_cast<int>(x), row = static_cast<int>(y);
  const int next_column = column + 1 < side ? column + 1 : column, next_row = row + 1 < side ? row + 1 : row;
  const float fx = x - static_cast<float>(column), fy = y - static_cast<float>(row);
  float mixed[4];
  for (int channel = 0; channel < 4; ++channel) {
    const auto at = [&](int r, int c) { return static_cast<float>(texels[4 * (r * side + c) + channel]); };
    const float top = at(row, column) + fx * (at(row, next_column) - at(row, column));
    const float bottom = at(next_row, column) + fx * (at(next_row, next_column) - at(next_row, column));
    mixed[channel] = (top + fy * (bottom - top)) * (1.0F / 255.0F);
  }
  return {{mixed[0], mixed[1], mixed[2]}, mixed[3]};
}

// The procedural ones, one at a time.
Texture ProceduralTexture(Random& random);
struct Cutout {
  Texture texture;
  float aspect = 1;
};
Cutout ProceduralCutout(Random& random);

}  // namespace wildrayzer

#include "wildrayzer/worlds/texture_bank.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "wildrayzer/util/error.h"
#include "wildrayzer/util/run_parallel.h"
#include "wildrayzer/worlds/photographic_textures.h"

namespace wildrayzer {
namespace {

// One level of a texture while it is made: colour times alpha, and alpha, in 0 to 255.
struct Level {
  int side = 0;
  std::vector<std::array<float, 4>> texels;

  std::array<float, 4>& At(int row, int column) { return texels[static_cast<size_t>(row * side + column)]; }
  const std::array<float, 4>& At(int row, int column) const {
    return texels[static_cast<size_t>(row * side + column)];
  }
};

Level LargestLevel(const Texture& texture) {
  Level level{kTextureSide, {}};
  level.texels.resize(texture.size() / 4);
  for (size_t i = 0; i < level.texels.size(); ++i) {
    const float alpha = texture[4 * i + 3];
    for (size_t channel = 0; channel < 3; ++channel) {
      level.texels[i][channel] = static_cast<float>(texture[4 * i + channel]) * alpha / 255.0F;
    }
    level.texels[i][3] = alpha;
  }
  return level;
}

Level HalfOf(const Level& level) {
  Level half{level.side / 2, {}};
  half.texels.resize(level.texels.size() / 4);
  for (int row = 0; row < half.side; ++row) {
    for (int column = 0; column < half.side; ++column) {
      for (size_t channel = 0; channel < 4; ++channel) {
        half.At(row, column)[channel] =
            0.25F *
            (level.At(2 * row, 2 * column)[channel] + level.At(2 * row, 2 * column + 1)[channel] +
             level.At(2 * row + 1, 2 * column)[channel] + level.At(2 * row + 1, 2 * column + 1)[channel]);
      }
    }
  }
  return half;
}

// The colour of a texel; where nothing is opaque, that of its opaque neighbours, else of the texel of
// `coarser` (of half the side, colours complete) around it: samples between texels meet no foreign colour.
Float3 ColourOf(const Level& level, int row, int column, const std::vector<Float3>& coarser) {
  const auto& texel = level.At(row, column);
  std::array<float, 4> sum = texel;
  if (texel[3] == 0) {
    for (int r = std::max(row - 1, 0); r <= std::min(row + 1, level.side - 1); ++r) {
      for (int c = std::max(column - 1, 0); c <= std::min(column + 1, level.side - 1); ++c) {
        for (size_t channel = 0; channel < 4; ++channel) sum[channel] += level.At(r, c)[channel];
      }
    }
  }
  if (sum[3] > 0) return (255.0F / sum[3]) * Float3{sum[0], sum[1], sum[2]};
  if (coarser.empty()) return {};
  return coarser[static_cast<size_t>(row / 2 * (level.side / 2) + column / 2)];
}

// kTextureBytes: all levels of `texture` one after the other.
void WriteLevels(const Texture& texture, uint8_t* out) {
  std::vector<Level> levels{LargestLevel(texture)};
  while (levels.back().side > 1) levels.push_back(HalfOf(levels.back()));
  uint8_t* end = out + kTextureBytes;
  std::vector<Float3> coarser;
  for (size_t l = levels.size(); l-- > 0;) {
    const Level& level = levels[l];
    std::vector<Float3> colours;
    colours.reserve(level.texels.size());
    end -= 4 * level.texels.size();
    for (int i = 0; i < level.side * level.side; ++i) {
      const Float3 colour = ColourOf(level, i / level.side, i % level.side, coarser);
      colours.push_back(colour);
      const float values[4] = {colour.x, colour.y, colour.z, level.texels[static_cast<size_t>(i)][3]};
      for (int channel = 0; channel < 4; ++channel) {
        end[4 * i + channel] = static_cast<uint8_t>(std::clamp(values[channel], 0.0F, 255.0F) + 0.5F);
      }
    }
    coarser = std::move(colours);
  }
}

// Drawn cut-outs of one kind: each from a stream of its own, so that threads do not matter.
template <typename T, typename Draw>
std::vector<T> DrawMany(int count, uint64_t seed, const char* kind, int threads, const Draw& draw) {
  std::vector<T> all(static_cast<size_t>(count));
  RunParallel(count, threads, [&](int i) {
    Random random(seed, fmt::format("{} {}", kind, i));
    all[static_cast<size_t>(i)] = draw(random);
  });
  return all;
}

}  // namespace

void TextureBank::Add(const std::vector<Texture>& textures, const std::vector<float>& aspects, Range& range,
                      int threads) {
  const size_t before = aspects_.size();
  range = {static_cast<int>(before), static_cast<int>(before + textures.size())};
  aspects_.insert(aspects_.end(), aspects.begin(), aspects.end());
  texels_.resize(aspects_.size() * kTextureBytes);
  RunParallel(range.count(), threads, [&](int i) {
    const size_t index = static_cast<size_t>(i);
    WriteLevels(textures[index], texels_.data() + (before + index) * kTextureBytes);
  });
}

TextureBank TextureBank::Make(const TextureSources& sources, uint64_t seed, int threads) {
  if (sources.procedural < 1 || sources.procedural_cutouts < 1) {
    throw UsageError("a texture bank needs at least one procedural texture and one procedural cut-out");
  }
  TextureBank bank;
  const auto opaque = [](const std::vector<Texture>& textures) {
    return std::vector<float>(textures.size(), 1.0F);
  };
  const auto procedural =
      DrawMany<Texture>(sources.procedural, seed, "procedural texture", threads, ProceduralTexture);
  bank.Add(procedural, opaque(procedural), bank.procedural_, threads);
  const std::vector<Texture> crops = CropsOfPictures(sources.pictures, sources.crops, seed, threads);
  bank.Add(crops, opaque(crops), bank.crops_, threads);

  std::vector<Cutout> cutouts =
      DrawMany<Cutout>(sources.procedural_cutouts, seed, "procedural cut-out", threads, ProceduralCutout);
  for (Cutout& cutout : CutoutsOfPictures(sources.cutouts, sources.photographic_cutouts, seed, threads)) {
    cutouts.push_back(std::move(cutout));
  }
  std::vector<Texture> textures;
  std::vector<float> aspects;
  for (Cutout& cutout : cutouts) {
    textures.push_back(std::move(cutout.texture));
    aspects.push_back(cutout.aspect);
  }
  bank.Add(textures, aspects, bank.cutouts_, threads);
  return bank;
}

}  // namespace wildrayzer

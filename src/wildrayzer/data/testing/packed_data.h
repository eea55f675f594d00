// Data sets to pack, with pixels that no resize or crop leaves alone.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <span>
#include <vector>

#include "wildrayzer/data/folder_scenes.h"
#include "wildrayzer/data/packed_scenes.h"
#include "wildrayzer/data/testing/small_scenes.h"
#include "wildrayzer/io/npy.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer::testing {

inline Image Noise(int width, int height, uint64_t seed) {
  Random random(seed, "noise");
  Image image(width, height);
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(random.Below(256));
  return image;
}

// Scenes like synthetic rooms in ROOT/full_list.txt, with clean pictures, cameras and ROOT/masks; the photos
// of every second scene are taller than wide.
inline ListedScenesOptions WriteRoomsLike(const std::filesystem::path& root, int scenes, int frames) {
  WriteList(root, scenes, frames, /*paired=*/true);
  for (int s = 0; s < scenes; ++s) {
    const std::string name = fmt::format("scene_{:02d}", s);
    const int width = s % 2 == 0 ? 96 : 60, height = s % 2 == 0 ? 64 : 75;
    std::filesystem::create_directories(root / "masks" / name);
    for (int f = 0; f < frames; ++f) {
      const std::string file = fmt::format("{:05d}", f);
      const auto seed = static_cast<uint64_t>(100 * s + f);
      WritePicture(root / "images" / name / (file + ".png"), Noise(width, height, seed));
      WritePicture(root / "clean" / name / (file + ".png"), Noise(width, height, seed + 5000));
      std::vector<uint8_t> mask(48 * 48);
      for (size_t p = 0; p < mask.size(); ++p) mask[p] = (p / 48 + p % 48 * static_cast<size_t>(f)) % 7 < 3;
      WriteNpy(root / "masks" / name / (file + ".npy"), DType::kU8, {48, 48}, std::as_bytes(std::span(mask)));
    }
  }
  ListedScenesOptions listed;
  listed.masks.roots["default"] = root / "masks";
  return listed;
}

// Packs for frames of 32 x 32 without saying so.
inline PackReport Pack(const SceneDataset& scenes, const std::filesystem::path& out, int jpeg_quality = 0,
                       int threads = 2) {
  PackOptions options;
  options.width = options.height = 32;
  options.jpeg_quality = jpeg_quality;
  options.threads = threads;
  Progress silent(/*enabled=*/false);
  return PackScenes(scenes, options, out, silent);
}

inline ViewOptions PackedSize() {
  ViewOptions options;
  options.width = options.height = 32;
  options.clean = options.masks = true;
  return options;
}

}  // namespace wildrayzer::testing

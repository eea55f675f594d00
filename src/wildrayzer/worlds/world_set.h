// Many worlds at once, to look at and to measure (docs/worlds.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "wildrayzer/util/progress.h"
#include "wildrayzer/worlds/world_facts.h"

namespace wildrayzer {

struct WorldSetOptions {
  std::filesystem::path out;
  int scenes = 48;
  uint64_t seed = 0;
  int size = 128;  // pixels: square root of the frames' area about, a multiple of 16, 32 to 512
  // Width over height of the frames, as "4:3"; or "mixed" alone: every shape from 16:9 to 9:16. Each world
  // draws one of them.
  std::vector<std::string> aspects = {"1:1"};
  WorldOptions drawn;  // without width and height
  TextureSources textures;
  int threads = 0;      // 0: all cores
  bool layout = false;  // also writes the scenes in the field's layouts
};

struct WorldSetReport {
  int made = 0, found = 0;   // worlds measured now, and found from an earlier run
  double bank_seconds = 0;   // of the textures
  double world_seconds = 0;  // wall clock a world, with all threads at work; 0 when none was made
};

// Gives what renders worlds papered from a bank.
using WorldRendererMaker = std::function<RenderWorldFunction(const TextureBank& bank)>;
// On the processor, one thread a world.
RenderWorldFunction RenderOnProcessor(const TextureBank& bank);

// Makes below `out`, or goes on where an earlier run was stopped, whatever the number of threads the same
// bytes:
//   worlds.json        the settings, so that a later run with others is refused; `scenes` may grow
//   facts.jsonl        what was measured of each world, a line a world
//   statistics.json    how that is distributed
//   histograms.svg     the same to look at
//   sheet_{%03d}.png   eight worlds a sheet, at most six sheets
//   scenes/            with `layout`: images/, clean/, binary_masks/, depth/, metadata/, full_list.txt and
//                      full_list_context_{inputs}_view_idx.json (data/scene_writer.h)
// World `index` depends on the seed, the index, the options and the textures' files alone.
// Raises UsageError for impossible options and for a folder that holds something else or other settings,
// FileError when the disk refuses.
WorldSetReport MakeWorldSet(const WorldSetOptions& options, const WorldRendererMaker& renderer,
                            Progress& progress);

}  // namespace wildrayzer

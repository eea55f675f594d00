// Worlds in the field's layouts.
#pragma once

#include <filesystem>
#include <string>

#include "wildrayzer/worlds/world_facts.h"

namespace wildrayzer {

// "world_000012".
std::string WorldName(int index);

// Writes the scene of a world below `root` as data/scene_writer.h says, with pairs: cameras and depths in
// metres, the first camera at the origin; masks are 1 where movers cover at least half of the pixel; depths
// are those of what stands still.
void WriteWorldScene(const std::filesystem::path& root, int index, const World& world,
                     const RenderedWorld& rendered);

}  // namespace wildrayzer

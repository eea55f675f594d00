// A batch of worlds in one piece of memory, as it goes to a GPU: one copy, and offsets instead of vectors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "wildrayzer/worlds/ray_caster.h"

namespace wildrayzer {

// Where a world's things begin in the arrays of its batch, and what all its views share.
struct PackedWorld {
  int32_t first_primitive = 0, first_paper = 0;
  int32_t still = 0;
  float unit = 1;
  Light lights[2];
  Float3 ambient;
};

// The arrays of a batch, in memory that whoever renders can read.
struct PackedBatch {
  const PackedWorld* worlds = nullptr;
  const WorldView* views = nullptr;  // of all worlds, one after the other; movers count within their world
  const Primitive* primitives = nullptr;
  const Paper* papers = nullptr;
  const uint8_t* texels = nullptr;  // of the TextureBank
  int32_t count = 0;                // worlds
  int32_t views_each = 0;

  WILDRAYZER_HD WorldPointers World(int world) const {
    const PackedWorld& packed = worlds[world];
    WorldPointers pointers;
    pointers.primitives = primitives + packed.first_primitive;
    pointers.papers = papers + packed.first_paper;
    pointers.texels = texels;
    pointers.lights[0] = packed.lights[0];
    pointers.lights[1] = packed.lights[1];
    pointers.ambient = packed.ambient;
    pointers.still = packed.still;
    return pointers;
  }
};

// Where the arrays lie, in bytes from the beginning.
struct PackedLayout {
  int32_t count = 0, views_each = 0;
  size_t worlds = 0, views = 0, primitives = 0, papers = 0;
  size_t bytes = 0;  // of all
};

// Error unless all indices of all worlds are within bounds, `textures` being the bank's, all have the same
// number of views, and no view has more things than kMaxThings.
PackedLayout LayOutWorlds(std::span<const World> worlds, int textures);
// out: layout.bytes, aligned as operator new does.
void PackWorlds(std::span<const World> worlds, const PackedLayout& layout, std::span<std::byte> out);
// packed: the same bytes wherever they now are; nothing is read.
PackedBatch BatchAt(const PackedLayout& layout, const std::byte* packed, const uint8_t* texels);

}  // namespace wildrayzer

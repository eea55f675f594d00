// Which views are rendered from which, so that every frame of a scene is labelled.
#pragma once

#include <vector>

#include "wildrayzer/data/scene.h"

namespace wildrayzer {

// Groups of `inputs` inputs and at most `targets` targets in which every frame is a target exactly once. The
// inputs are spread evenly over the scene, both ends among them; the other frames are dealt out to groups
// that each cover the whole scene. The inputs' own labels come from their neighbours as inputs. Raises
// UsageError for a scene of fewer than twice as many frames as inputs.
std::vector<ViewList> GroupsOfViews(int frames, int inputs, int targets);

}  // namespace wildrayzer

// Wavefront OBJ models with MTL materials.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "wildrayzer/synth/mesh.h"

namespace wildrayzer::synth {

// Content of a file that lies beside the model, or nothing when there is none.
using FileReader = std::function<std::optional<std::string>(const std::string& name)>;

// Parses a model: polygons are triangulated, materials named by `mtllib` are fetched through `read`, as are
// their diffuse textures (Kd, map_Kd, d; textures are halved until they have at most 512 pixels a side).
// Positions are as in the file. `name` stands for the file in messages. Raises FileError when the text is no
// OBJ, has no triangles, more than 2 million of them, a polygon of more than 1024 corners, indices out of
// range, more than 256 textures or 1 MiB of materials; a texture that cannot be read is replaced by the plain
// colour, with a warning.
Mesh ParseObj(const std::string& text, const FileReader& read, const std::string& name);

}  // namespace wildrayzer::synth

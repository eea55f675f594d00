// A world as plain numbers: things, how they are papered, light, and what every camera sees of the movers.
// Worlds are drawn by draw_world.h and rendered by render_worlds.h, on the processor or on a GPU.
#pragma once

#include <cstdint>
#include <vector>

#include "wildrayzer/worlds/float3.h"

namespace wildrayzer {

enum class Shape : int32_t {
  kRoom,      // a box seen from inside: walls, or ground and sky
  kBox,       // seen from outside
  kCylinder,  // upright in its own axes (y), with lids
  kSphere,
  kCard,  // a rectangle in its own x and y, seen from both sides; transparent where its texture is
};

// How a face is papered: texture coordinates are an affine map of metres on the face, and the colour is
// base + gain * texture.
struct Paper {
  int32_t texture = 0;     // of the TextureBank
  int32_t cutout = 0;      // 1: the texture covers the face once, and its alpha cuts it out
  float u[3] = {0, 1, 0};  // u = u[0] + u[1] a + u[2] b, in texture widths
  float v[3] = {0, 0, 1};  // a and b: metres from the face's centre, along its own axes
  Float3 base, gain{1, 1, 1};
};

inline constexpr int32_t kTwin = -2;

struct Primitive {
  Shape shape = Shape::kBox;
  int32_t mover =
      -1;  // number of the mover that it belongs to; -1: it stands still; kTwin: so does the copy of one
  int32_t paper[6] =
      {};  // of World::papers, by face: -x, +x, -y, +y, -z, +z (cylinder: side, then lids; sphere, card: 0)
  float specular = 0;
  // Darkening of surfaces near it: strength at contact, and metres in which that falls to 1/e. 0: none.
  float shade = 0, shade_reach = 0.12F;
  // Strength of the soft shadow that it throws away from the first light. 0: none.
  float shadow = 0;
  Float3 centre;
  Float3 half{1, 1, 1};  // half sizes in its own axes; radii of cylinder and sphere
  Frame3 axes;
};

// Lambert: colour * max(0, cosine) / (1 + (distance / reach)^2).
// A colour of 0 is no light.
struct Light {
  Float3 position, colour;
  float reach = 4;
};

struct WorldView {
  Float3 position;  // of the camera, metres
  Frame3 axes;      // right, down, ahead
  // Focal length in the square root of (width * height), so that it is the same in pixels for both axes and
  // for any shape of the frame; the principal point is the centre.
  float focal = 1;
  Float3 gain{1, 1, 1};  // exposure and white balance
  float noise = 0;       // standard deviation of every channel of every pixel
  float spread = 1;      // width of a pixel's samples in pixels: above 1 the view is blurred
  uint32_t seed = 0;     // of the noise
  // World::primitives [first_mover, first_mover + movers) are the movers as this view sees them.
  int32_t first_mover = 0, movers = 0;
};

struct World {
  std::vector<Primitive> primitives;  // what stands still, then the movers of every view
  int32_t still = 0;                  // how many stand still
  std::vector<Paper> papers;
  std::vector<WorldView> views;  // the inputs first; the first one is canonical
  int32_t inputs = 2;
  Light lights[2];
  Float3 ambient{0.5F, 0.5F, 0.5F};
  // Metres: the median depth of the first view, the unit of length of cameras and depths.
  float unit = 1;
  // What was drawn, for statistics.
  bool open = false;   // outdoors
  int32_t movers = 0;  // things that move
  int32_t twins = 0;   // that have a copy which stands still
};

}  // namespace wildrayzer

// Pictures of a scene with their ground truth.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "wildrayzer/io/images.h"
#include "wildrayzer/synth/light_field.h"
#include "wildrayzer/synth/scene.h"

namespace wildrayzer::synth {

struct RenderOptions {
  int width = 128, height = 128;
  int samples = 8;            // rays a pixel for colour
  float cell = 0;             // metres, resolution of the static light; 0: finer for larger pictures
  bool mover_shadows = true;  // movers darken the floor and walls about them
};

// Everything is [height, width], row-major.
//
// Shadows: a mover darkens what it stands on and takes light from, as in real video. The moving mask covers
// the mover itself, not its shadow. `shadow` marks the pixels outside the mask whose colour the mover's
// shadow or contact shade changes, so that where neither is set `rgb` and `clean` are equal byte for byte:
// both are traced with the same random numbers, and a ray that meets no mover and whose light no mover blocks
// gives the same colour to both. With mover_shadows off, movers throw no shadow on the room and `shadow` is
// empty.
struct Frame {
  Image rgb;                    // as seen
  Image clean;                  // the same view without the movers
  std::vector<uint8_t> mask;    // 1: at least one ray of the pixel met a mover
  std::vector<float> cover;     // fraction of the colour rays that met a mover
  std::vector<uint8_t> shadow;  // 1: see above; disjoint from mask
  std::vector<float> depth;     // camera z in metres of what the ray through the pixel's centre meets
  std::vector<float> clean_depth;
};

// Renders the frames of one scene. Not thread-safe; results depend on the order of frames only through the
// static light, so render frames in order, each once.
class Renderer {
 public:
  // scene and catalogue are kept by reference.
  Renderer(const Scene& scene, const Catalogue& catalogue, const RenderOptions& options, uint64_t seed);

  Frame Render(size_t frame);

  const LightField& light() const { return light_; }

 private:
  struct Sample {
    Vec3 clean, seen;  // display-linear colours in [0, 1]
    bool mover = false, shaded = false;
  };
  Sample Trace(const View& view, const Vec3& ray, uint64_t key, uint32_t index);
  Vec3 StaticLight(const Surface& surface, uint32_t instance, uint64_t key, uint32_t index, bool* shaded,
                   Vec3* seen);
  Vec3 MoverLight(const Surface& surface, uint64_t key, uint32_t index);
  // Casts at the movers; the boxes about them are tried first since most rays miss all of them.
  bool MoverBlocks(const Vec3& origin, const Vec3& direction, float far) const;
  bool MayMeetMover(const Vec3& origin, const Vec3& direction, float far) const;
  bool NearMover(const Vec3& point) const;
  // Exposure and shoulder of the film curve: linear scene radiance to display-linear [0, 1).
  Vec3 Tone(const Vec3& radiance) const;
  void SetExposure(uint64_t seed);

  const Scene& scene_;
  RenderOptions options_;
  uint64_t seed_;
  LightField light_;
  RayWorld movers_;
  std::vector<Bounds> mover_bounds_;  // of the current frame
  float exposure_ = 1;
  float pixel_angle_ = 0;  // width of a sample at distance 1
};

}  // namespace wildrayzer::synth

// How much clients may have.
#pragma once

#include <cstdint>

namespace wildrayzer {

struct ServeLimits {
  int scenes = 8;                            // kept at a time; a further one is refused, none is thrown away
  int64_t forgotten_after = 3600;            // seconds; a scene that is collecting and gets nothing more goes
  int files = 64;                            // of a scene
  int photos = 16;                           // that a scene is made of, inputs and others
  uint64_t file_bytes = uint64_t{1} << 30;   // of a photo or video
  uint64_t scene_bytes = uint64_t{4} << 30;  // of the files of a scene
  uint64_t free_bytes = uint64_t{512} << 20;  // that uploads leave on the disk
  int64_t pixels = 100'000'000;               // of a photo, frame or mask
  int64_t used_pixels = 400'000'000;          // of all photos that a scene is made of
  int uploads = 8;                            // at a time, of all clients
  uint64_t json_bytes = 2 << 20;
  uint64_t mask_bytes = 32 << 20;
  int recordings = 16;  // of a scene
  int path_cameras = 2000;
};

}  // namespace wildrayzer

// Whatever the bytes, the reader of camera files answers with one Error or with usable cameras, which survive
// our own writer.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "wildrayzer/geometry/camera_files.h"
#include "wildrayzer/util/error.h"

namespace {

bool Usable(const wildrayzer::NamedCamera& named) {
  const wildrayzer::Camera& camera = named.camera;
  return camera.c2w.allFinite() && wildrayzer::OrthonormalityError(camera.rotation()) < 1e-12 &&
         camera.fx > 0 && camera.fy > 0 && std::isfinite(camera.fx + camera.fy + camera.cx + camera.cy) &&
         named.width > 0 && named.height > 0 && !named.name.empty();
}

// Rounding may carry a number over the reader's limits only when it lies on them.
bool AwayFromLimits(const wildrayzer::NamedCamera& named) {
  const wildrayzer::Camera& camera = named.camera;
  return camera.fx * named.width > 1e-8 && camera.fy * named.height > 1e-8 &&
         camera.c2w.cwiseAbs().maxCoeff() < 1e8 && camera.fx * named.width < 1e8 &&
         camera.fy * named.height < 1e8 && std::abs(camera.cx) * named.width < 1e8 &&
         std::abs(camera.cy) * named.height < 1e8;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<wildrayzer::NamedCamera> cameras;
  try {
    cameras = wildrayzer::ParseCameras({reinterpret_cast<const char*>(data), size}, "fuzz");
  } catch (const wildrayzer::Error&) {
    return 0;
  }
  bool moderate = true;
  for (const wildrayzer::NamedCamera& camera : cameras) {
    if (!Usable(camera)) std::abort();
    moderate = moderate && AwayFromLimits(camera);
  }
  if (moderate) {
    if (wildrayzer::ParseCameras(wildrayzer::FormatCameras(cameras), "own").size() != cameras.size())
      std::abort();
  }
  return 0;
}

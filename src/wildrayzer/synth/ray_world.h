// Ray casting with Embree: models with their own bounding hierarchies, placed as instances.
#pragma once

#include <embree3/rtcore.h>

#include <memory>
#include <vector>

#include "wildrayzer/synth/mesh.h"
#include "wildrayzer/synth/vec.h"

namespace wildrayzer::synth {

constexpr float kFar = 1e4F;       // metres: beyond everything
constexpr float kEpsilon = 1e-3F;  // metres that secondary rays start off the surface

// One Embree device. Hierarchies are built by the calling thread alone, so that results do not depend on
// scheduling.
class RayDevice {
 public:
  RayDevice();
  ~RayDevice();
  RayDevice(const RayDevice&) = delete;
  RayDevice& operator=(const RayDevice&) = delete;
  RTCDevice get() const { return device_; }

 private:
  RTCDevice device_;
};

using RayDevicePtr = std::shared_ptr<const RayDevice>;

// A mesh ready to be instanced. Opaque triangles are geometry 0, see-through ones (alpha < 1) geometry 1.
class RayModel {
 public:
  RayModel(RayDevicePtr device, MeshPtr mesh);
  ~RayModel();
  RayModel(const RayModel&) = delete;
  RayModel& operator=(const RayModel&) = delete;

  const Mesh& mesh() const { return *mesh_; }
  const Bounds& bounds() const { return bounds_; }
  RTCScene scene() const { return scene_; }
  // Triangle of the mesh behind an Embree geometry and primitive.
  uint32_t Triangle(uint32_t geometry, uint32_t primitive) const { return triangles_[geometry][primitive]; }

 private:
  friend struct AlphaFilter;
  void Attach(RTCGeometry geometry, uint32_t index);

  RayDevicePtr device_;
  MeshPtr mesh_;
  Bounds bounds_;
  RTCScene scene_;
  std::vector<uint32_t> triangles_[2];
};

using RayModelPtr = std::shared_ptr<const RayModel>;

// A model somewhere in the world.
struct Instance {
  RayModelPtr model;
  Pose pose = {};
  Vec3 tint = Vec3::Ones();         // multiplies every albedo
  Mat3 normals = Mat3::Identity();  // inverse transpose of pose.linear; kept by the world
};

struct Hit {
  float t = -1;  // distance in units of the ray direction; < 0: nothing was hit
  uint32_t instance = 0;
  uint32_t triangle = 0;
  float u = 0, v = 0;  // barycentric weights of the triangle's second and third vertex
  Vec3 normal;         // unit geometric normal, on the side the ray came from
  explicit operator bool() const { return t >= 0; }
};

// Instances that are cast at together.
class RayWorld {
 public:
  explicit RayWorld(RayDevicePtr device);
  ~RayWorld();
  RayWorld(const RayWorld&) = delete;
  RayWorld& operator=(const RayWorld&) = delete;

  uint32_t Add(Instance instance);
  // Moves an instance; takes effect at the next Commit().
  void Move(uint32_t instance, const Pose& pose);
  void Commit();

  bool empty() const { return instances_.empty(); }
  const std::vector<Instance>& instances() const { return instances_; }

  // Nearest hit with near < t < far. A see-through surface stops the ray when its alpha exceeds a number made
  // from `alpha_key` and the triangle; key 0 means alpha >= 0.5.
  Hit Cast(const Vec3& origin, const Vec3& direction, float near, float far, uint64_t alpha_key) const;
  // Whether anything opaque lies between near and far.
  bool Occluded(const Vec3& origin, const Vec3& direction, float near, float far) const;

 private:
  RayDevicePtr device_;
  RTCScene scene_;
  std::vector<Instance> instances_;
  std::vector<RTCGeometry> geometries_;
};

// What a hit looks like.
struct Surface {
  Vec3 position;
  Vec3 normal;  // shading normal on the side of the ray
  Vec3 albedo;  // linear
  float glow = 0;
};

// footprint: width of the sample on the surface in metres, for texture filtering.
Surface Shade(const RayWorld& world, const Hit& hit, const Vec3& origin, const Vec3& direction,
              float footprint);

}  // namespace wildrayzer::synth

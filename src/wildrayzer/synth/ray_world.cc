#include "wildrayzer/synth/ray_world.h"

#include <cstring>
#include <string>

#include "wildrayzer/synth/sampling.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer::synth {

// Embree hands filters the model as user pointer and the ray's context.
struct AlphaFilter {
  struct Context {
    RTCIntersectContext embree;
    uint64_t alpha_key;
  };

  static void Intersect(const RTCFilterFunctionNArguments* arguments) {
    const auto* model = static_cast<const RayModel*>(arguments->geometryUserPtr);
    const auto* context = reinterpret_cast<const Context*>(arguments->context);
    const uint32_t primitive = RTCHitN_primID(arguments->hit, arguments->N, 0);
    const uint32_t triangle = model->triangles_[1][primitive];
    const float alpha = model->mesh_->materials[model->mesh_->material_of[triangle]].alpha;
    const float threshold = context->alpha_key == 0 ? 0.5F : UnitFloat(MixKeys(context->alpha_key, triangle));
    if (alpha < threshold) arguments->valid[0] = 0;
  }
  static void Occlude(const RTCFilterFunctionNArguments* arguments) { arguments->valid[0] = 0; }
};

RayDevice::RayDevice() : device_(rtcNewDevice("threads=1,set_affinity=0")) {
  if (device_ == nullptr) {
    throw Error("Embree cannot start (error " + std::to_string(rtcGetDeviceError(nullptr)) +
                "); check the libembree3 package");
  }
}

RayDevice::~RayDevice() { rtcReleaseDevice(device_); }

RayModel::RayModel(RayDevicePtr device, MeshPtr mesh)
    : device_(std::move(device)),
      mesh_(std::move(mesh)),
      bounds_(mesh_->bounds()),
      scene_(rtcNewScene(device_->get())) {
  for (uint32_t t = 0; t < mesh_->triangles.size(); ++t) {
    triangles_[mesh_->materials[mesh_->material_of[t]].alpha < 1.0F ? 1 : 0].push_back(t);
  }
  rtcSetSceneFlags(scene_, RTC_SCENE_FLAG_ROBUST);
  for (uint32_t index = 0; index < 2; ++index) {
    if (triangles_[index].empty()) continue;
    RTCGeometry geometry = rtcNewGeometry(device_->get(), RTC_GEOMETRY_TYPE_TRIANGLE);
    Attach(geometry, index);
    rtcReleaseGeometry(geometry);
  }
  rtcCommitScene(scene_);
}

void RayModel::Attach(RTCGeometry geometry, uint32_t index) {
  auto* vertices = static_cast<float*>(rtcSetNewGeometryBuffer(
      geometry, RTC_BUFFER_TYPE_VERTEX, 0, RTC_FORMAT_FLOAT3, 3 * sizeof(float), mesh_->positions.size()));
  auto* indices = static_cast<uint32_t*>(rtcSetNewGeometryBuffer(
      geometry, RTC_BUFFER_TYPE_INDEX, 0, RTC_FORMAT_UINT3, 3 * sizeof(uint32_t), triangles_[index].size()));
  if (vertices == nullptr || indices == nullptr) throw Error("Embree has no memory left for a model");
  for (const Vec3& p : mesh_->positions) {
    std::memcpy(vertices, p.data(), 3 * sizeof(float));
    vertices += 3;
  }
  for (const uint32_t t : triangles_[index]) {
    std::memcpy(indices, mesh_->triangles[t].data(), 3 * sizeof(uint32_t));
    indices += 3;
  }
  rtcSetGeometryUserData(geometry, this);
  if (index == 1) {
    rtcSetGeometryIntersectFilterFunction(geometry, AlphaFilter::Intersect);
    rtcSetGeometryOccludedFilterFunction(geometry, AlphaFilter::Occlude);
  }
  rtcCommitGeometry(geometry);
  rtcAttachGeometryByID(scene_, geometry, index);
}

RayModel::~RayModel() { rtcReleaseScene(scene_); }

RayWorld::RayWorld(RayDevicePtr device) : device_(std::move(device)), scene_(rtcNewScene(device_->get())) {
  rtcSetSceneFlags(scene_, RTC_SCENE_FLAG_ROBUST);
}

RayWorld::~RayWorld() {
  for (RTCGeometry geometry : geometries_) rtcReleaseGeometry(geometry);
  rtcReleaseScene(scene_);
}

uint32_t RayWorld::Add(Instance instance) {
  RTCGeometry geometry = rtcNewGeometry(device_->get(), RTC_GEOMETRY_TYPE_INSTANCE);
  rtcSetGeometryInstancedScene(geometry, instance.model->scene());
  const auto id = static_cast<uint32_t>(instances_.size());
  geometries_.push_back(geometry);
  instances_.push_back(std::move(instance));
  Move(id, instances_[id].pose);
  rtcAttachGeometryByID(scene_, geometry, id);
  return id;
}

void RayWorld::Move(uint32_t instance, const Pose& pose) {
  float matrix[12];  // column-major 3x4
  std::memcpy(matrix, pose.linear.data(), 9 * sizeof(float));
  std::memcpy(matrix + 9, pose.offset.data(), 3 * sizeof(float));
  rtcSetGeometryTransform(geometries_[instance], 0, RTC_FORMAT_FLOAT3X4_COLUMN_MAJOR, matrix);
  rtcCommitGeometry(geometries_[instance]);
  instances_[instance].pose = pose;
  instances_[instance].normals = pose.linear.inverse().transpose();
}

void RayWorld::Commit() { rtcCommitScene(scene_); }

Hit RayWorld::Cast(const Vec3& origin, const Vec3& direction, float near, float far,
                   uint64_t alpha_key) const {
  AlphaFilter::Context context;
  rtcInitIntersectContext(&context.embree);
  context.alpha_key = alpha_key;
  RTCRayHit ray{};
  ray.ray.org_x = origin.x();
  ray.ray.org_y = origin.y();
  ray.ray.org_z = origin.z();
  ray.ray.dir_x = direction.x();
  ray.ray.dir_y = direction.y();
  ray.ray.dir_z = direction.z();
  ray.ray.tnear = near;
  ray.ray.tfar = far;
  ray.ray.mask = 0xFFFFFFFFU;
  ray.hit.geomID = RTC_INVALID_GEOMETRY_ID;
  ray.hit.instID[0] = RTC_INVALID_GEOMETRY_ID;
  rtcIntersect1(scene_, &context.embree, &ray);
  Hit hit;
  if (ray.hit.geomID == RTC_INVALID_GEOMETRY_ID) return hit;
  hit.t = ray.ray.tfar;
  hit.instance = ray.hit.instID[0];
  const Instance& instance = instances_[hit.instance];
  hit.triangle = instance.model->Triangle(ray.hit.geomID, ray.hit.primID);
  hit.u = ray.hit.u;
  hit.v = ray.hit.v;
  // Embree gives the normal in the model's frame.
  const Vec3 local(ray.hit.Ng_x, ray.hit.Ng_y, ray.hit.Ng_z);
  hit.normal = Vec3(instance.normals * local).normalized();
  if (hit.normal.dot(direction) > 0) hit.normal = -hit.normal;
  return hit;
}

bool RayWorld::Occluded(const Vec3& origin, const Vec3& direction, float near, float far) const {
  RTCIntersectContext context;
  rtcInitIntersectContext(&context);
  RTCRay ray{};
  ray.org_x = origin.x();
  ray.org_y = origin.y();
  ray.org_z = origin.z();
  ray.dir_x = direction.x();
  ray.dir_y = direction.y();
  ray.dir_z = direction.z();
  ray.tnear = near;
  ray.tfar = far;
  ray.mask = 0xFFFFFFFFU;
  rtcOccluded1(scene_, &context, &ray);
  return ray.tfar < 0;
}

Surface Shade(const RayWorld& world, const Hit& hit, const Vec3& origin, const Vec3& direction,
              float footprint) {
  const Instance& instance = world.instances()[hit.instance];
  const Mesh& mesh = instance.model->mesh();
  const auto& [a, b, c] = mesh.triangles[hit.triangle];
  const float w = 1.0F - hit.u - hit.v;
  const Material& material = mesh.materials[mesh.material_of[hit.triangle]];
  Surface surface;
  surface.position = origin + hit.t * direction;
  surface.normal = hit.normal;
  const Vec3 smooth = w * mesh.normals[a] + hit.u * mesh.normals[b] + hit.v * mesh.normals[c];
  if (smooth.squaredNorm() > 1e-8F) {
    const Vec3 n = Vec3(instance.normals * smooth).normalized();
    // A smooth normal that faces away from the viewer's side of the triangle is flipped to it.
    surface.normal = n.dot(hit.normal) < 0 ? Vec3(-n) : n;
  }
  surface.glow = material.glow;
  surface.albedo = material.albedo.cwiseProduct(instance.tint);
  if (material.texture) {
    const Vec2 uv = w * mesh.uvs[a] + hit.u * mesh.uvs[b] + hit.v * mesh.uvs[c];
    const Vec2 e1 = mesh.uvs[b] - mesh.uvs[a], e2 = mesh.uvs[c] - mesh.uvs[a];
    const float uv_area = std::abs(e1.x() * e2.y() - e1.y() * e2.x());
    const Vec3 p1 = instance.pose.linear * (mesh.positions[b] - mesh.positions[a]);
    const Vec3 p2 = instance.pose.linear * (mesh.positions[c] - mesh.positions[a]);
    const float area = std::max(p1.cross(p2).norm(), 1e-12F);
    const float texels = uv_area * static_cast<float>(material.texture->width()) *
                         static_cast<float>(material.texture->height()) / area;  // per square metre
    surface.albedo = surface.albedo.cwiseProduct(material.texture->Sample(uv, footprint * std::sqrt(texels)));
  }
  return surface;
}

}  // namespace wildrayzer::synth

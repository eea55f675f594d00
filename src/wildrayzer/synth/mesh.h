// Triangle meshes with materials, and the primitives that the built-in models and the rooms are made of.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "wildrayzer/synth/texture.h"
#include "wildrayzer/synth/vec.h"

namespace wildrayzer::synth {

struct Material {
  Vec3 albedo = Vec3::Constant(0.7F);  // linear, multiplies the texture
  float alpha = 1.0F;                  // opacity; below 1 light passes without being bent and casts no shadow
  float glow = 0.0F;  // > 0: shown with glow * albedo * texture in display light, whatever falls on it
  TexturePtr texture;

  Vec3 MeanAlbedo() const { return texture ? Vec3(albedo.cwiseProduct(texture->mean())) : albedo; }
};

struct Mesh {
  std::vector<Vec3> positions;
  std::vector<Vec3> normals;  // zero where the face normal is to be used
  std::vector<Vec2> uvs;
  std::vector<std::array<uint32_t, 3>> triangles;
  std::vector<uint16_t> material_of;  // one a triangle
  std::vector<Material> materials;

  Bounds bounds() const;
};

using MeshPtr = std::shared_ptr<const Mesh>;

// Appends primitives to a mesh. Texture coordinates are metres divided by `texture_size`.
class MeshBuilder {
 public:
  // Primitives that follow use this material.
  void UseMaterial(Material material, float texture_size = 1.0F);
  // Primitives that follow are moved by this pose.
  void SetPose(const Pose& pose) { pose_ = pose; }

  // Parallelogram with corners origin, origin + a, origin + a + b, origin + b; its front faces a x b.
  // uv runs from (u0, v0) along a and b in metres; unit_uv stretches the texture over it exactly once
  // instead.
  void Quad(const Vec3& origin, const Vec3& a, const Vec3& b, bool unit_uv = false,
            const Vec2& uv_origin = Vec2::Zero());
  // Box from `low` to `high`.
  void Box(const Vec3& low, const Vec3& high);
  // Closed cone frustum along +y from y0 (radius r0) to y1 (radius r1) about (x, z).
  void Cylinder(const Vec3& base, float height, float r0, float r1, int sides = 20);
  // Sphere swept from a to b while its radius goes from ra to rb, smooth normals.
  void Capsule(const Vec3& a, const Vec3& b, float ra, float rb, int sides = 14);
  // Ellipsoid with the given half axes.
  void Ellipsoid(const Vec3& center, const Vec3& half, int sides = 16);

  Mesh Build() { return std::move(mesh_); }

 private:
  uint32_t Vertex(const Vec3& position, const Vec3& normal, const Vec2& uv);
  void Triangle(uint32_t a, uint32_t b, uint32_t c);
  // Grid of (rows + 1) x (columns + 1) vertices that were appended row by row from `first`.
  void Stitch(uint32_t first, int rows, int columns);

  Mesh mesh_;
  Pose pose_;
  float texture_size_ = 1.0F;
};

}  // namespace wildrayzer::synth

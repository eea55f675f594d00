#include "wildrayzer/synth/mesh.h"

namespace wildrayzer::synth {

Bounds Mesh::bounds() const {
  Bounds b;
  for (const Vec3& p : positions) b.Add(p);
  return b;
}

void MeshBuilder::UseMaterial(Material material, float texture_size) {
  mesh_.materials.push_back(std::move(material));
  texture_size_ = texture_size;
}

uint32_t MeshBuilder::Vertex(const Vec3& position, const Vec3& normal, const Vec2& uv) {
  mesh_.positions.push_back(pose_(position));
  mesh_.normals.push_back(pose_.linear * normal);  // poses of primitives are rotations
  mesh_.uvs.push_back(uv);
  return static_cast<uint32_t>(mesh_.positions.size() - 1);
}

void MeshBuilder::Triangle(uint32_t a, uint32_t b, uint32_t c) {
  mesh_.triangles.push_back({a, b, c});
  mesh_.material_of.push_back(static_cast<uint16_t>(mesh_.materials.size() - 1));
}

void MeshBuilder::Quad(const Vec3& origin, const Vec3& a, const Vec3& b, bool unit_uv,
                       const Vec2& uv_origin) {
  const Vec3 n = a.cross(b).normalized();
  const float u = unit_uv ? 1.0F : a.norm() / texture_size_, v = unit_uv ? 1.0F : b.norm() / texture_size_;
  const Vec2 uv0 = unit_uv ? Vec2::Zero() : Vec2(uv_origin / texture_size_);
  const uint32_t i = Vertex(origin, n, uv0);
  Vertex(origin + a, n, uv0 + Vec2(u, 0));
  Vertex(origin + a + b, n, uv0 + Vec2(u, v));
  Vertex(origin + b, n, uv0 + Vec2(0, v));
  Triangle(i, i + 1, i + 2);
  Triangle(i, i + 2, i + 3);
}

void MeshBuilder::Box(const Vec3& low, const Vec3& high) {
  const Vec3 d = high - low;
  const Vec3 x(d.x(), 0, 0), y(0, d.y(), 0), z(0, 0, d.z());
  Quad(low + z, x, y);       // +z
  Quad(low + x, -x, y);      // -z
  Quad(low + x + z, -z, y);  // +x
  Quad(low, z, y);           // -x
  Quad(low + y + z, x, -z);  // +y
  Quad(low, x, z);           // -y
}

void MeshBuilder::Stitch(uint32_t first, int rows, int columns) {
  const auto stride = static_cast<uint32_t>(columns + 1);
  for (uint32_t r = 0; r < static_cast<uint32_t>(rows); ++r) {
    for (uint32_t c = 0; c < static_cast<uint32_t>(columns); ++c) {
      const uint32_t i = first + r * stride + c;
      Triangle(i, i + 1, i + stride + 1);
      Triangle(i, i + stride + 1, i + stride);
    }
  }
}

void MeshBuilder::Cylinder(const Vec3& base, float height, float r0, float r1, int sides) {
  const auto first = static_cast<uint32_t>(mesh_.positions.size());
  for (int row = 0; row < 2; ++row) {
    const float r = row == 0 ? r0 : r1;
    for (int s = 0; s <= sides; ++s) {
      const float phi = -2.0F * kPi * static_cast<float>(s) / static_cast<float>(sides);
      const Vec3 out(std::cos(phi), 0, std::sin(phi));
      const Vec3 normal = Vec3(out * height + Vec3(0, r0 - r1, 0)).normalized();
      Vertex(base + out * r + Vec3(0, row * height, 0), normal,
             Vec2(-phi * std::max(r0, r1), row * height) / texture_size_);
    }
  }
  Stitch(first, 1, sides);
  for (int row = 0; row < 2; ++row) {
    const Vec3 normal(0, row == 0 ? -1.0F : 1.0F, 0);
    const Vec3 center = base + Vec3(0, row * height, 0);
    const uint32_t c = Vertex(center, normal, Vec2::Zero());
    const float r = row == 0 ? r0 : r1;
    for (int s = 0; s <= sides; ++s) {
      const float phi = 2.0F * kPi * static_cast<float>(s) / static_cast<float>(sides);
      const Vec2 flat(r * std::cos(phi), r * std::sin(phi));
      Vertex(center + Vec3(flat.x(), 0, flat.y()), normal, flat / texture_size_);
    }
    for (uint32_t s = 0; s < static_cast<uint32_t>(sides); ++s) Triangle(c, c + 1 + s, c + 2 + s);
  }
}

void MeshBuilder::Capsule(const Vec3& a, const Vec3& b, float ra, float rb, int sides) {
  const Vec3 axis = b - a;
  const float length = axis.norm();
  const Vec3 up = length > 1e-6F ? Vec3(axis / length) : Vec3(Vec3::UnitY());
  Vec3 t, w;
  TangentFrame(up, &t, &w);
  const int half = 5;
  const auto first = static_cast<uint32_t>(mesh_.positions.size());
  for (int row = 0; row <= 2 * half + 1; ++row) {
    const bool top = row > half;
    const float theta =
        0.5F * kPi * (top ? static_cast<float>(row - half - 1) / half : static_cast<float>(row) / half - 1);
    for (int s = 0; s <= sides; ++s) {
      const float phi = 2.0F * kPi * static_cast<float>(s) / static_cast<float>(sides);
      const Vec3 n = std::cos(theta) * (std::cos(phi) * t + std::sin(phi) * w) + std::sin(theta) * up;
      const float along = (top ? length : 0) + std::sin(theta) * (top ? rb : ra);
      Vertex((top ? b : a) + n * (top ? rb : ra), n, Vec2(phi * ra, along) / texture_size_);
    }
  }
  Stitch(first, 2 * half + 1, sides);
}

void MeshBuilder::Ellipsoid(const Vec3& center, const Vec3& half, int sides) {
  const int rows = sides / 2;
  const auto first = static_cast<uint32_t>(mesh_.positions.size());
  for (int row = 0; row <= rows; ++row) {
    const float theta = kPi * (static_cast<float>(row) / static_cast<float>(rows) - 0.5F);
    for (int s = 0; s <= sides; ++s) {
      const float phi = -2.0F * kPi * static_cast<float>(s) / static_cast<float>(sides);
      const Vec3 unit(std::cos(theta) * std::cos(phi), std::sin(theta), std::cos(theta) * std::sin(phi));
      const Vec3 normal = unit.cwiseQuotient(half).normalized();
      Vertex(center + unit.cwiseProduct(half), normal,
             Vec2(-phi * half.x(), theta * half.y()) / texture_size_);
    }
  }
  Stitch(first, rows, sides);
}

}  // namespace wildrayzer::synth

// Furniture, people and pets made of boxes, cylinders and capsules: what rooms are furnished with when the
// Sweet Home 3D catalogues are not installed, and what the tests use.
#include <string>

#include "wildrayzer/synth/catalogue.h"
#include "wildrayzer/synth/pattern.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer::synth {
namespace {

// Draws proportions and materials of one model from its id.
class Maker {
 public:
  explicit Maker(const std::string& id) : seed_(Fnv1a64(id)), random_(seed_, "model") {}

  float Between(float low, float high) { return static_cast<float>(random_.Uniform(low, high)); }
  int Below(int n) { return static_cast<int>(random_.Below(static_cast<uint64_t>(n))); }
  Vec3 Color(float saturation, float low, float high) {
    return ColorFromHsv(Between(0, 1), saturation, Between(low, high));
  }

  void Use(Pattern pattern, const Vec3& tint = Vec3::Ones(), float size = 1.0F) {
    Material material;
    material.albedo = tint;
    material.texture = MakePattern(pattern, MixSeed(), 128);
    builder.UseMaterial(material, size);
  }
  void UseColor(const Vec3& srgb) {
    Material material;
    for (int c = 0; c < 3; ++c) material.albedo[c] = SrgbToLinear(srgb[c]);
    builder.UseMaterial(material);
  }
  void Box(float x0, float x1, float y0, float y1, float z0, float z1) {
    builder.Box({x0, y0, z0}, {x1, y1, z1});
  }
  // Four legs below a plate.
  void Legs(float w, float d, float h, float thick) {
    for (const float sx : {-1.0F, 1.0F}) {
      for (const float sz : {-1.0F, 1.0F}) {
        const float x = sx * (w / 2 - thick), z = sz * (d / 2 - thick);
        Box(x - thick / 2, x + thick / 2, 0, h, z - thick / 2, z + thick / 2);
      }
    }
  }

  MeshBuilder builder;

 private:
  uint64_t MixSeed() { return SplitMix64(seed_ + ++patterns_); }
  uint64_t seed_;
  Random random_;
  uint64_t patterns_ = 0;
};

void Cabinet(Maker& m, const Vec3& s) {
  m.Use(Pattern::kWood);
  m.Box(-s.x() / 2, s.x() / 2, 0.06F, s.y(), -s.z() / 2, s.z() / 2 - 0.02F);
  m.Box(-s.x() / 2 + 0.03F, s.x() / 2 - 0.03F, 0, 0.06F, -s.z() / 2, s.z() / 2 - 0.06F);
  m.Use(Pattern::kWood, Vec3::Constant(m.Between(0.7F, 1.0F)));
  const int columns = std::max(1, static_cast<int>(s.x() / 0.5F)), rows = s.y() > 1.3F ? 1 : 1 + m.Below(3);
  const float w = s.x() / static_cast<float>(columns), h = (s.y() - 0.1F) / static_cast<float>(rows);
  for (int c = 0; c < columns; ++c) {
    for (int r = 0; r < rows; ++r) {
      const float x = -s.x() / 2 + static_cast<float>(c) * w, y = 0.08F + static_cast<float>(r) * h;
      m.Box(x + 0.012F, x + w - 0.012F, y + 0.012F, y + h - 0.012F, s.z() / 2 - 0.02F, s.z() / 2 - 0.004F);
    }
  }
  m.UseColor(Vec3::Constant(0.25F));
  for (int c = 0; c < columns; ++c) {
    for (int r = 0; r < rows; ++r) {
      const float x = -s.x() / 2 + (static_cast<float>(c) + 0.85F) * w,
                  y = 0.08F + (static_cast<float>(r) + 0.5F) * h;
      m.Box(x - 0.01F, x + 0.01F, y - 0.05F, y + 0.05F, s.z() / 2 - 0.005F, s.z() / 2);
    }
  }
}

void Bookcase(Maker& m, const Vec3& s) {
  m.Use(Pattern::kWood);
  const float t = 0.025F, x = s.x() / 2, z = s.z() / 2;
  m.Box(-x, -x + t, 0, s.y(), -z, z);
  m.Box(x - t, x, 0, s.y(), -z, z);
  m.Box(-x, x, 0, s.y(), -z, -z + 0.01F);
  const int shelves = std::max(2, static_cast<int>(s.y() / 0.35F));
  const float step = (s.y() - t) / static_cast<float>(shelves);
  for (int i = 0; i <= shelves; ++i)
    m.Box(-x, x, step * static_cast<float>(i), step * static_cast<float>(i) + t, -z, z);
  for (int i = 0; i < shelves; ++i) {
    for (float at = -x + t + m.Between(0, 0.1F); at < x - 0.08F;) {
      const float w = m.Between(0.015F, 0.05F), h = m.Between(0.5F, 0.85F) * step;
      m.UseColor(m.Color(m.Between(0.2F, 0.8F), 0.2F, 0.8F));
      const float y = step * static_cast<float>(i) + t;
      m.Box(at, at + w, y, y + h, -z + 0.02F, -z + 0.02F + m.Between(0.6F, 0.85F) * (s.z() - 0.03F));
      at += w + (m.Below(9) == 0 ? 0.12F : 0.003F);
    }
  }
}

void Sofa(Maker& m, const Vec3& s) {
  m.Use(Pattern::kFabric, Vec3::Ones(), 0.5F);
  const float x = s.x() / 2, z = s.z() / 2, arm = 0.16F;
  m.Box(-x, x, 0.05F, 0.3F, -z, z - 0.02F);
  m.Box(-x, x, 0.3F, s.y(), -z, -z + 0.2F);
  m.Box(-x, -x + arm, 0.3F, 0.58F, -z, z);
  m.Box(x - arm, x, 0.3F, 0.58F, -z, z);
  const int seats = std::max(1, static_cast<int>((s.x() - 2 * arm) / 0.6F));
  const float w = (s.x() - 2 * arm) / static_cast<float>(seats);
  for (int i = 0; i < seats; ++i) {
    const float a = -x + arm + w * static_cast<float>(i);
    m.Box(a + 0.008F, a + w - 0.008F, 0.3F, 0.44F, -z + 0.2F, z);
  }
  m.Use(Pattern::kFabric, Vec3::Ones(), 0.3F);
  for (int i = 0; i < seats; ++i) {
    if (m.Below(2) == 0) continue;
    const float a = -x + arm + w * (static_cast<float>(i) + 0.5F);
    m.builder.Ellipsoid({a, 0.6F, -z + 0.3F}, {0.2F, 0.17F, 0.08F});
  }
}

void Bed(Maker& m, const Vec3& s) {
  const float x = s.x() / 2, z = s.z() / 2;
  m.Use(Pattern::kWood);
  m.Box(-x, x, 0.1F, 0.3F, -z, z);
  m.Box(-x, x, 0, s.y(), -z, -z + 0.06F);
  m.Use(Pattern::kFabric, Vec3::Ones(), 0.8F);
  m.Box(-x + 0.02F, x - 0.02F, 0.3F, 0.55F, -z + 0.06F, z - 0.02F);
  m.Use(Pattern::kOrnament, Vec3::Ones(), 0.7F);
  m.Box(-x, x, 0.35F, 0.58F, -z + 0.7F, z);
  m.UseColor(Vec3::Constant(0.9F));
  m.builder.Ellipsoid({-x / 2, 0.6F, -z + 0.35F}, {x / 2 - 0.06F, 0.1F, 0.22F});
  m.builder.Ellipsoid({x / 2, 0.6F, -z + 0.35F}, {x / 2 - 0.06F, 0.1F, 0.22F});
}

void Desk(Maker& m, const Vec3& s) {
  m.Use(Pattern::kWood);
  m.Box(-s.x() / 2, s.x() / 2, s.y() - 0.035F, s.y(), -s.z() / 2, s.z() / 2);
  m.Legs(s.x(), s.z(), s.y() - 0.035F, 0.05F);
  m.Box(s.x() / 2 - 0.45F, s.x() / 2 - 0.04F, 0.15F, s.y() - 0.035F, -s.z() / 2 + 0.03F, s.z() / 2 - 0.03F);
}

void TableModel(Maker& m, const Vec3& s) {
  m.Use(m.Below(3) == 0 ? Pattern::kMarble : Pattern::kWood);
  if (m.Below(2) == 0) {
    const float r = std::min(s.x(), s.z()) / 2;
    m.builder.Cylinder({0, s.y() - 0.035F, 0}, 0.035F, r, r, 32);
    m.builder.Cylinder({0, 0.03F, 0}, s.y() - 0.06F, 0.05F, 0.04F);
    m.builder.Cylinder({0, 0, 0}, 0.03F, r * 0.6F, r * 0.55F, 32);
    return;
  }
  m.Box(-s.x() / 2, s.x() / 2, s.y() - 0.04F, s.y(), -s.z() / 2, s.z() / 2);
  m.Legs(s.x(), s.z(), s.y() - 0.04F, 0.06F);
}

void Chair(Maker& m, const Vec3& s) {
  m.Use(Pattern::kWood);
  m.Legs(s.x(), s.z(), 0.44F, 0.035F);
  const float x = s.x() / 2, z = s.z() / 2;
  for (const float side : {-x + 0.02F, x - 0.055F}) m.Box(side, side + 0.035F, 0.44F, s.y(), -z, -z + 0.03F);
  for (float y = 0.6F; y < s.y() - 0.05F; y += 0.14F)
    m.Box(-x + 0.02F, x - 0.02F, y, y + 0.07F, -z + 0.005F, -z + 0.025F);
  m.Use(Pattern::kFabric, Vec3::Ones(), 0.3F);
  m.Box(-x, x, 0.43F, 0.48F, -z, z);
}

void Plant(Maker& m, const Vec3& s) {
  m.UseColor(m.Color(0.4F, 0.4F, 0.8F));
  const float pot = 0.22F * s.y(), r = s.x() / 2;
  m.builder.Cylinder({0, 0, 0}, pot, 0.35F * r, 0.5F * r);
  m.UseColor({0.32F, 0.22F, 0.13F});
  m.builder.Cylinder({0, pot, 0}, 0.4F * s.y(), 0.06F * r, 0.04F * r, 8);
  for (int i = 0; i < 14; ++i) {
    m.UseColor(ColorFromHsv(m.Between(0.25F, 0.38F), 0.6F, m.Between(0.25F, 0.55F)));
    const float phi = m.Between(0, 2 * kPi), y = m.Between(0.45F, 0.9F) * s.y(), out = 0.45F * r;
    m.builder.Ellipsoid({out * std::cos(phi), y, out * std::sin(phi)},
                        {0.5F * r, m.Between(0.05F, 0.1F) * s.y(), 0.5F * r}, 10);
  }
}

void Vase(Maker& m, const Vec3& s) {
  m.Use(Pattern::kMarble, m.Color(0.5F, 0.6F, 1.0F), 0.3F);
  const float r = s.x() / 2;
  m.builder.Cylinder({0, 0, 0}, 0.4F * s.y(), 0.5F * r, r);
  m.builder.Cylinder({0, 0.4F * s.y(), 0}, 0.45F * s.y(), r, 0.4F * r);
  m.builder.Cylinder({0, 0.85F * s.y(), 0}, 0.15F * s.y(), 0.4F * r, 0.6F * r);
}

void BookPile(Maker& m, const Vec3& s) {
  for (float y = 0; y < s.y() - 0.01F; y += 0.04F) {
    m.UseColor(m.Color(0.6F, 0.3F, 0.8F));
    const float x = s.x() / 2 * m.Between(0.7F, 1), z = s.z() / 2 * m.Between(0.7F, 1);
    m.Box(-x, x, y, std::min(y + 0.038F, s.y()), -z, z);
  }
}

void LampModel(Maker& m, const Vec3& s) {
  m.UseColor(Vec3::Constant(m.Between(0.1F, 0.7F)));
  const float r = s.x() / 2;
  m.builder.Cylinder({0, 0, 0}, 0.02F, 0.7F * r, 0.7F * r);
  m.builder.Cylinder({0, 0, 0}, 0.8F * s.y(), 0.015F, 0.015F, 10);
  Material shade;
  shade.albedo = Vec3(0.95F, 0.85F, 0.65F);
  shade.glow = 0.95F;
  m.builder.UseMaterial(shade);
  m.builder.Cylinder({0, 0.72F * s.y(), 0}, 0.28F * s.y(), r, 0.7F * r, 28);
}

void PendantModel(Maker& m, const Vec3& s) {
  m.UseColor(Vec3::Constant(0.2F));
  m.builder.Cylinder({0, 0.3F * s.y(), 0}, 0.7F * s.y(), 0.008F, 0.008F, 8);
  Material shade;
  shade.albedo = Vec3(1.0F, 0.93F, 0.8F);
  shade.glow = 1.0F;
  m.builder.UseMaterial(shade);
  m.builder.Cylinder({0, 0, 0}, 0.3F * s.y(), s.x() / 2, s.x() / 5, 28);
}

void Person(Maker& m, const Vec3& s) {
  const float h = s.y(), w = s.x() / 2, stride = m.Between(0.05F, 0.13F);
  const Vec3 skin = ColorFromHsv(m.Between(0.04F, 0.09F), m.Between(0.3F, 0.6F), m.Between(0.4F, 0.95F));
  m.Use(Pattern::kFabric, m.Color(0.4F, 0.5F, 1.0F), 0.25F);
  for (const float side : {-1.0F, 1.0F}) {  // trousers, one foot ahead
    m.builder.Capsule({side * 0.1F, 0.09F, side * stride}, {side * 0.08F, 0.5F * h, 0}, 0.06F, 0.095F);
  }
  m.Use(Pattern::kStripes, m.Color(0.5F, 0.5F, 1.0F), 0.3F);
  m.builder.Capsule({0, 0.52F * h, 0}, {0, 0.74F * h, 0}, 0.14F, 0.17F);
  const float shoulder = 0.78F * h;
  for (const float side : {-1.0F, 1.0F}) {
    const Vec3 elbow(side * (w - 0.05F), 0.62F * h, -side * stride);
    m.builder.Capsule({side * 0.17F, shoulder, 0}, elbow, 0.06F, 0.05F);
  }
  m.UseColor(skin);
  for (const float side : {-1.0F, 1.0F}) {
    m.builder.Capsule({side * (w - 0.05F), 0.62F * h, -side * stride}, {side * (w - 0.05F), 0.49F * h, 0.08F},
                      0.045F, 0.04F);
  }
  m.builder.Capsule({0, 0.8F * h, 0}, {0, 0.86F * h, 0}, 0.055F, 0.05F);
  m.builder.Ellipsoid({0, 0.92F * h, 0.01F}, {0.075F, 0.08F * h, 0.095F});
  m.UseColor(ColorFromHsv(m.Between(0.05F, 0.12F), 0.5F, m.Between(0.05F, 0.6F)));
  m.builder.Ellipsoid({0, 0.945F * h, -0.02F}, {0.083F, 0.055F * h, 0.1F});
  m.UseColor(Vec3::Constant(m.Between(0.05F, 0.4F)));
  for (const float side : {-1.0F, 1.0F})
    m.builder.Capsule({side * 0.1F, 0.045F, side * stride}, {side * 0.11F, 0.04F, side * stride + 0.14F},
                      0.045F, 0.035F);
}

void Pet(Maker& m, const Vec3& s) {
  m.Use(Pattern::kSkin, ColorFromHsv(m.Between(0.05F, 0.12F), m.Between(0.1F, 0.6F), m.Between(0.15F, 0.9F)),
        0.4F);
  const float r = 0.32F * s.x() + 0.04F, y = 0.55F * s.y(), z = s.z() / 2;
  m.builder.Capsule({0, y, -0.55F * z}, {0, y, 0.35F * z}, r, 1.1F * r);
  for (const float side : {-1.0F, 1.0F}) {
    for (const float at : {-0.55F, 0.35F}) {
      m.builder.Capsule({side * 0.6F * r, 0.03F, (at + side * 0.08F) * z}, {side * 0.5F * r, y, at * z},
                        0.3F * r, 0.4F * r);
    }
    m.builder.Cylinder({side * 0.45F * r, 0.9F * s.y(), 0.62F * z}, 0.1F * s.y(), 0.3F * r, 0.02F, 8);
  }
  m.builder.Ellipsoid({0, 0.82F * s.y(), 0.7F * z}, {0.8F * r, 0.14F * s.y(), 0.28F * z});
  m.builder.Capsule({0, y, -0.6F * z}, {0, 0.9F * s.y(), -0.95F * z}, 0.3F * r, 0.2F * r);
}

void Cargo(Maker& m, const Vec3& s) {
  m.Use(m.Below(2) == 0 ? Pattern::kFabric : Pattern::kWood, Vec3::Ones(), 0.4F);
  m.Box(-s.x() / 2, s.x() / 2, 0.03F, s.y(), -s.z() / 2, s.z() / 2);
  m.UseColor(Vec3::Constant(0.15F));
  m.Box(-0.3F * s.x(), 0.3F * s.x(), 0, 0.03F, -0.4F * s.z(), 0.4F * s.z());
  m.Box(-0.52F * s.x(), 0.52F * s.x(), 0.45F * s.y(), 0.55F * s.y(), -0.505F * s.z(), 0.505F * s.z());
}

struct Kind {
  const char* name;
  Role role;
  RoomKind room;
  int count;
  Vec3 low, high;  // range of sizes
  void (*make)(Maker&, const Vec3&);
};

const std::vector<Kind>& Kinds() {
  static const std::vector<Kind> kinds = {
      {"cabinet", Role::kWallPiece, RoomKind::kAny, 10, {0.7F, 0.7F, 0.4F}, {1.6F, 2.1F, 0.6F}, Cabinet},
      {"bookcase",
       Role::kWallPiece,
       RoomKind::kLiving,
       10,
       {0.7F, 1.2F, 0.25F},
       {1.4F, 2.2F, 0.35F},
       Bookcase},
      {"sofa", Role::kWallPiece, RoomKind::kLiving, 10, {1.4F, 0.75F, 0.8F}, {2.3F, 0.95F, 0.95F}, Sofa},
      {"bed", Role::kWallPiece, RoomKind::kBedroom, 10, {0.95F, 0.8F, 1.95F}, {1.8F, 1.2F, 2.1F}, Bed},
      {"desk", Role::kWallPiece, RoomKind::kOffice, 10, {1.1F, 0.72F, 0.55F}, {1.7F, 0.77F, 0.8F}, Desk},
      {"table", Role::kFreePiece, RoomKind::kAny, 12, {0.7F, 0.4F, 0.6F}, {1.6F, 0.77F, 1.0F}, TableModel},
      {"plant", Role::kFreePiece, RoomKind::kAny, 10, {0.4F, 0.7F, 0.4F}, {0.8F, 1.7F, 0.8F}, Plant},
      {"chair", Role::kSeat, RoomKind::kAny, 12, {0.4F, 0.85F, 0.4F}, {0.5F, 1.05F, 0.5F}, Chair},
      {"vase", Role::kTabletop, RoomKind::kAny, 12, {0.1F, 0.15F, 0.1F}, {0.22F, 0.4F, 0.22F}, Vase},
      {"books", Role::kTabletop, RoomKind::kAny, 12, {0.18F, 0.08F, 0.14F}, {0.3F, 0.25F, 0.22F}, BookPile},
      {"lamp", Role::kFloorLamp, RoomKind::kAny, 10, {0.3F, 1.3F, 0.3F}, {0.5F, 1.7F, 0.5F}, LampModel},
      {"pendant", Role::kPendant, RoomKind::kAny, 10, {0.3F, 0.5F, 0.3F}, {0.6F, 0.9F, 0.6F}, PendantModel},
      {"person", Role::kPerson, RoomKind::kAny, 30, {0.5F, 1.5F, 0.35F}, {0.6F, 1.9F, 0.45F}, Person},
      {"pet", Role::kPet, RoomKind::kAny, 12, {0.2F, 0.3F, 0.5F}, {0.35F, 0.65F, 1.0F}, Pet},
      {"box", Role::kCargo, RoomKind::kAny, 10, {0.3F, 0.25F, 0.25F}, {0.5F, 0.5F, 0.4F}, Cargo},
  };
  return kinds;
}

// Centres the mesh on the floor and scales it to exactly `size`.
MeshPtr FitToSize(Mesh mesh, const Vec3& size) {
  const Bounds b = mesh.bounds();
  const Vec3 scale = size.cwiseQuotient(b.size()), origin(b.center().x(), b.low.y(), b.center().z());
  for (Vec3& p : mesh.positions) p = (p - origin).cwiseProduct(scale);
  for (Vec3& n : mesh.normals) n = n.cwiseQuotient(scale);
  return std::make_shared<const Mesh>(std::move(mesh));
}

void AddKind(Catalogue& catalogue, const Kind& kind) {
  for (int i = 0; i < kind.count; ++i) {
    ModelInfo info;
    info.id = std::string("built-in/") + kind.name + "/" + std::to_string(i);
    info.name = kind.name;
    info.creator = "wildrayzer";
    info.license = "CC0";
    info.source = "built-in";
    info.role = kind.role;
    info.room = kind.room;
    Random random(Fnv1a64(info.id), "size");
    for (int c = 0; c < 3; ++c) info.size[c] = static_cast<float>(random.Uniform(kind.low[c], kind.high[c]));
    const auto make = [id = info.id, size = info.size, paint = kind.make]() -> MeshPtr {
      Maker maker(id);
      paint(maker, size);
      return FitToSize(maker.builder.Build(), size);
    };
    catalogue.Add(std::move(info), make);
  }
}

}  // namespace

void AddBuiltInModels(Catalogue& catalogue) {
  for (const Kind& kind : Kinds()) AddKind(catalogue, kind);
}

}  // namespace wildrayzer::synth

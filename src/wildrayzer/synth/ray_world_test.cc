#include "wildrayzer/synth/ray_world.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "wildrayzer/synth/catalogue.h"
#include "wildrayzer/synth/obj.h"
#include "wildrayzer/synth/pattern.h"
#include "wildrayzer/synth/room.h"
#include "wildrayzer/synth/sampling.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer::synth {
namespace {

namespace fs = std::filesystem;

RayModelPtr BoxModel(const RayDevicePtr& device, const Vec3& low, const Vec3& high, float alpha = 1) {
  MeshBuilder builder;
  Material material;
  material.alpha = alpha;
  builder.UseMaterial(material);
  builder.Box(low, high);
  return std::make_shared<const RayModel>(device, std::make_shared<const Mesh>(builder.Build()));
}

// From inside a box the nearest wall along d is at min over the axes of (face - o) / d.
TEST(RayWorld, BoxRoomMatchesTheClosedForm) {
  const auto device = std::make_shared<const RayDevice>();
  const Vec3 size(4, 2.5F, 5);
  RayWorld world(device);
  // Built around another origin and placed by the pose, turned by a quarter, so that transforms count.
  world.Add({.model = BoxModel(device, {-2.5F, 0, -2}, {2.5F, 2.5F, 2}),
             .pose = {YawRotation(kPi / 2), {2, 0, 2.5F}}});
  world.Commit();
  Random random(3);
  for (int i = 0; i < 2000; ++i) {
    Vec3 origin, direction;
    for (int c = 0; c < 3; ++c) {
      origin[c] = static_cast<float>(random.Uniform(0.05, 0.95)) * size[c];
      direction[c] = static_cast<float>(random.Normal());
    }
    float expected = 1e9F;
    int axis = 0;
    for (int c = 0; c < 3; ++c) {
      const float t = ((direction[c] > 0 ? size[c] : 0) - origin[c]) / direction[c];
      if (t < expected) {
        expected = t;
        axis = c;
      }
    }
    const Hit hit = world.Cast(origin, direction, 0, 1e4F, 0);
    ASSERT_TRUE(hit);
    // Single precision over a few metres, with directions of length about 1.7 and components that may be
    // small.
    EXPECT_NEAR(hit.t, expected, 2e-5F * (1 + expected));
    EXPECT_NEAR(hit.normal[axis], direction[axis] > 0 ? -1 : 1, 1e-4F);
    EXPECT_TRUE(world.Occluded(origin, direction, 0, expected * 1.001F));
    EXPECT_FALSE(world.Occluded(origin, direction, 0, expected * 0.999F));
  }
}

TEST(RayWorld, SeeThroughSurfacesPassTheRightShareAndCastNoShadow) {
  const auto device = std::make_shared<const RayDevice>();
  RayWorld world(device);
  world.Add({.model = BoxModel(device, {0, 0, 0}, {1, 1, 1}, 0.3F)});
  world.Commit();
  int stopped = 0;
  constexpr int kRays = 4000;
  for (uint64_t i = 1; i <= kRays; ++i)
    stopped += static_cast<bool>(world.Cast({0.4F, 0.3F, 3}, -Vec3::UnitZ(), 0, 10, SplitMix64(i)));
  // Two sides with opacity 0.3: 1 - 0.7^2 = 0.51; standard deviation 0.008.
  EXPECT_NEAR(static_cast<double>(stopped) / kRays, 0.51, 0.04);
  EXPECT_FALSE(world.Cast({0.4F, 0.3F, 3}, -Vec3::UnitZ(), 0, 10, 0));
  EXPECT_FALSE(world.Occluded({0.4F, 0.3F, 3}, -Vec3::UnitZ(), 0, 10));
}

TEST(Sampling, CosineDirectionsHaveTheMomentsOfTheCosineLobe) {
  const Vec3 n = Vec3(0.3F, -0.8F, 0.5F).normalized();
  Vec3 mean = Vec3::Zero();
  constexpr uint32_t kCount = 4096;
  for (uint32_t i = 0; i < kCount; ++i) mean += CosineDirection(n, LowDiscrepancy(i, 77)) / kCount;
  EXPECT_LT((mean - n * (2.0F / 3.0F)).norm(), 0.01F);  // E[cos] = 2/3 for a density of cos / pi
}

TEST(Texture, MipLevelsKeepTheMeanAndSamplesRepeat) {
  const TexturePtr texture = MakePattern(Pattern::kTiles, 5, 64);
  Vec3 sum = Vec3::Zero();
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      sum += texture->Sample({(static_cast<float>(x) + 0.5F) / 64, (static_cast<float>(y) + 0.5F) / 64}, 1);
    }
  }
  EXPECT_LT((sum / 4096 - texture->mean()).norm(), 0.02F);  // six roundings to 8 bits on the way up
  EXPECT_LT((texture->Sample({0.3F, 0.7F}, 1) - texture->Sample({-1.7F, 3.7F}, 1)).norm(), 2e-3F);
  EXPECT_THROW(Texture(2, 2, std::vector<uint8_t>(3)), Error);
}

TEST(Footprints, OverlapAndDistanceAgreeWithGeometry) {
  const Footprint a{{0, 0}, {1, 0.5F}, 0, 0, 1}, b{{2.2F, 0}, {1, 0.5F}, 0, 0, 1};
  EXPECT_FALSE(Overlap(a, b, 0.1F));
  EXPECT_TRUE(Overlap(a, b, 0.3F));
  // A square turned by 45 degrees reaches sqrt(2) / 2 along the axes.
  const Footprint diamond{{1.6F, 0}, {0.5F, 0.5F}, kPi / 4, 0, 1};
  EXPECT_TRUE(Overlap(a, diamond, 0.12F));
  EXPECT_FALSE(Overlap(a, {{1.6F, 0}, {0.5F, 0.5F}, 0, 0, 1}, 0.05F));
  EXPECT_NEAR(Distance(diamond, {1.6F, 2}), 2 - std::sqrt(0.5F), 1e-5F);
  // Turned by 90 degrees about +y, the width lies along z.
  EXPECT_NEAR(Distance({{0, 0}, {1, 0.5F}, kPi / 2, 0, 1}, {0, 1.5F}), 0.5F, 1e-5F);
}

constexpr const char* kCubeFace =
    "mtllib a.mtl\nv 0 0 0\nv 2 0 0\nv 2 2 0\nv 0 2 0\nv 0 0 1\nusemtl red\nf 1 2 3 4\nf 1 2 5\n";

TEST(Obj, ReadsFacesAndMaterials) {
  const FileReader read = [](const std::string& name) -> std::optional<std::string> {
    return name == "a.mtl" ? std::optional<std::string>("newmtl red\nKd 1 0 0\nd 0.25\n") : std::nullopt;
  };
  const Mesh mesh = ParseObj(kCubeFace, read, "cube.obj");
  EXPECT_EQ(mesh.triangles.size(), 3U);
  EXPECT_FLOAT_EQ(mesh.materials[mesh.material_of[0]].alpha, 0.25F);
  EXPECT_GT(mesh.materials[mesh.material_of[0]].albedo.x(), 0.9F);
  EXPECT_FLOAT_EQ(mesh.materials[mesh.material_of[0]].albedo.y(), 0);
}

TEST(Obj, RefusesDamagedModels) {
  const FileReader none = [](const std::string&) { return std::nullopt; };
  EXPECT_THROW(ParseObj("", none, "empty.obj"), FileError);
  EXPECT_THROW(ParseObj("v 0 0 0\nv 1 0 0\nf 1 2 900000\n", none, "range.obj"), FileError);
  EXPECT_THROW(ParseObj("v 1e99 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 3\n", none, "infinite.obj"), FileError);
  EXPECT_THROW(ParseObj(std::string("\0\1\2garbage", 10), none, "noise.obj"), FileError);
}

TEST(SweetHome, AFileThatIsNoCatalogueIsNamed) {
  const fs::path folder = fs::temp_directory_path() / ("wildrayzer_sh3f_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  std::ofstream(folder / "broken.sh3f") << "this is no zip archive";
  Catalogue catalogue(std::make_shared<const RayDevice>());
  try {
    AddSweetHomeModels(catalogue, folder);
    ADD_FAILURE() << "a broken catalogue was accepted";
  } catch (const FileError& error) {
    EXPECT_NE(std::string(error.what()).find("broken.sh3f"), std::string::npos);
  }
  fs::remove_all(folder);
  EXPECT_EQ(AddSweetHomeModels(catalogue, folder), 0);  // no such folder: no models
}

TEST(Catalogue, SplitsShareNoModelAndLeaveNoRoleEmpty) {
  Catalogue catalogue(std::make_shared<const RayDevice>());
  AddBuiltInModels(catalogue);
  catalogue.AssignSplits();
  size_t listed = 0;
  for (int role = 0; role < kRoles; ++role) {
    for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
      const auto& models = catalogue.Find(static_cast<Role>(role), split);
      EXPECT_FALSE(models.empty()) << role << " " << SplitName(split);
      for (const size_t i : models) EXPECT_EQ(catalogue.split(i), split);
      listed += models.size();
    }
  }
  EXPECT_EQ(listed, catalogue.models().size());
  for (size_t i = 0; i < catalogue.models().size(); i += 7) {
    const RayModelPtr model = catalogue.Load(i);
    ASSERT_TRUE(model);
    EXPECT_LT((model->bounds().size() - catalogue.models()[i].size).norm(), 1e-4F)
        << catalogue.models()[i].id;
    EXPECT_NEAR(model->bounds().low.y(), 0, 1e-5F);
  }
}

}  // namespace
}  // namespace wildrayzer::synth

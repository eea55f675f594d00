// Furniture catalogues made here, sound and hostile.
#include "wildrayzer/synth/sweet_home.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zip.h>

#include <filesystem>
#include <fstream>

#include "wildrayzer/io/images.h"
#include "wildrayzer/testing/files.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer::synth {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::FreshFolder;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::ReadText;
using ::testing::SizeIs;

// A box of 2 x 1 x 4 units whose corner is at (10, 20, 30).
constexpr char kBox[] =
    "mtllib box.mtl\n"
    "v 10 20 30\nv 12 20 30\nv 12 21 30\nv 10 21 30\nv 10 20 34\nv 12 20 34\nv 12 21 34\nv 10 21 34\n"
    "usemtl cloth\nf 1 2 3 4\nf 5 6 7 8\nf 1 5 8 4\n";

std::string Entry(int number, const std::string& name, const std::string& category, const std::string& model,
                  const std::string& more = "") {
  const std::string n = std::to_string(number);
  return "name#" + n + "=" + name + "\ncategory#" + n + "=" + category + "\nmodel#" + n + "=" + model +
         "\nwidth#" + n + "=200\ndepth#" + n + "=90\nheight#" + n + "=80\n" + more;
}

void WriteArchive(const fs::path& path, const std::vector<std::pair<std::string, std::string>>& members) {
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  for (const auto& [name, content] : members) {
    zip_file_add(archive, name.c_str(), zip_source_buffer(archive, content.data(), content.size(), 0), 0);
  }
  ASSERT_EQ(zip_close(archive), 0);
}

// One-line FileError with the text.
void ExpectRefused(const std::function<void()>& action, const std::string& problem) {
  try {
    action();
    ADD_FAILURE() << "accepted; expected: " << problem;
  } catch (const FileError& error) {
    EXPECT_THAT(error.what(), HasSubstr(problem));
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
  }
}

TEST(SweetHome, SortsTheModelsOfACatalogue) {
  const std::string text =
      "# comment\nid=x\nlicense=CC-BY 3.0\nno equals sign\n" +
      Entry(2, "Sofa \\u2014 large", "Living room", "/a/sofa.obj", "creator#2=J\xFCrgen\r\n") +
      Entry(1, "Car", "Vehicles", "/a/car.obj") + Entry(4, "Sofa again", "Living room", "/a/sofa.obj") +
      Entry(5, "Relative", "Bedroom", "bed.obj") +
      Entry(7, "Walking man", "Characters", "/b/man.obj", "height#7=180\nwidth#7=60\n") +
      Entry(9, "Cat", "Characters", "/b/cat.obj", "height#9=30\n");
  const std::vector<SweetHomeEntry> entries = ParseFurnitureProperties(text, "test.sh3f");
  ASSERT_THAT(entries, SizeIs(3));
  const ModelInfo& sofa = entries[0].info;
  EXPECT_EQ(sofa.id, "a/sofa.obj");
  EXPECT_EQ(sofa.name, "Sofa \xE2\x80\x94 large");
  EXPECT_EQ(sofa.creator, "J\xC3\xBCrgen");
  EXPECT_EQ(sofa.license, "CC-BY 3.0");
  EXPECT_EQ(sofa.source, "test.sh3f");
  EXPECT_EQ(sofa.role, Role::kWallPiece);
  EXPECT_EQ(sofa.room, RoomKind::kLiving);
  EXPECT_LT((sofa.size - Vec3(2.0F, 0.8F, 0.9F)).norm(), 1e-6F);
  EXPECT_EQ(entries[1].info.role, Role::kPerson);
  EXPECT_EQ(entries[2].info.role, Role::kPet);
}

TEST(SweetHome, EscapesBecomeUtf8WhateverTheyAre) {
  const auto name = [](const std::string& raw) {
    const auto entries = ParseFurnitureProperties(Entry(1, raw, "Bedroom", "/bed.obj"), "test.sh3f");
    return entries.empty() ? "none" : entries[0].info.name;
  };
  EXPECT_EQ(name("\\uD83D\\uDE00"), "\xF0\x9F\x98\x80");            // a pair of surrogates
  EXPECT_EQ(name("\\uD83Dx\\uDE00"), "\xEF\xBF\xBDx\xEF\xBF\xBD");  // halves of pairs
  EXPECT_EQ(name("x\\uD83D"), "x\xEF\xBF\xBD");
  EXPECT_EQ(name("\\u-1ab \\u12"), "u-1ab u12");  // no four digits
  EXPECT_EQ(name("50 \\% \\"), "50 % ");
}

TEST(SweetHome, ImpossibleNumbersAreLeftOut) {
  for (const char* more : {"width#1=1e30\n", "width#1=nan\n", "width#1=inf\n", "width#1=-3\n", "height#1=\n",
                           "depth#1=0.0001\n", "height#1=99999\n"}) {
    EXPECT_THAT(ParseFurnitureProperties(Entry(1, "Bed", "Bedroom", "/bed.obj", more), ""), IsEmpty())
        << more;
  }
  EXPECT_THAT(ParseFurnitureProperties("model#99999999999999999999=/a.obj\nmodel#x=/b.obj\n=\n#\n", ""),
              IsEmpty());
  for (const char* rotation :
       {"1 0 0", "0 0 1e30 0 1 0 -1 0 0", "a b c d e f g h i", "nan 0 0 0 1 0 0 0 1"}) {
    const auto entries = ParseFurnitureProperties(
        Entry(1, "Bed", "Bedroom", "/bed.obj", std::string("modelRotation#1=") + rotation + "\n"), "");
    EXPECT_EQ(entries.at(0).rotation, Mat3::Identity()) << rotation;
  }
}

TEST(SweetHome, ModelsAreTurnedAndScaledToTheirSize) {
  const std::string text = Entry(1, "Bed", "Bedroom", "/m/box.obj", "modelRotation#1=0 0 1 0 1 0 -1 0 0\n");
  const SweetHomeEntry entry = ParseFurnitureProperties(text, "").at(0);
  const FileReader read = [](const std::string& name) {
    return name == "box.mtl" ? std::optional<std::string>("newmtl cloth\nKd 0 0 1\n") : std::nullopt;
  };
  const Mesh mesh = MakeFurnitureMesh(kBox, read, entry, "box");
  const Bounds bounds = mesh.bounds();
  // 1e-5: single precision at coordinates of 30 units, scaled down to 2 m.
  EXPECT_LT((bounds.low - Vec3(-1.0F, 0.0F, -0.45F)).norm(), 1e-5F);
  EXPECT_LT((bounds.high - Vec3(1.0F, 0.8F, 0.45F)).norm(), 1e-5F);
  // x' = z, z' = -x: the corner (10, 20, 30) has the smallest x' and the largest z'.
  EXPECT_LT((mesh.positions[0] - Vec3(-1.0F, 0.0F, 0.45F)).norm(), 1e-5F);
  EXPECT_GT(mesh.materials[mesh.material_of[0]].albedo.z(), 0.9F);
}

TEST(SweetHome, ReadsAnArchive) {
  const fs::path folder = FreshFolder("archive");
  const std::vector<std::byte> png = EncodePng(Image(600, 4));
  WriteArchive(folder / "a.sh3f",
               {{"PluginFurnitureCatalog.properties",
                 Entry(1, "Bed", "Bedroom", "/m/box.obj") + Entry(2, "Desk", "Office", "/m/absent.obj")},
                {"m/box.obj", kBox},
                {"m/BOX.mtl", "newmtl cloth\nmap_Kd wood.png\n"},
                {"m/wood.png", {reinterpret_cast<const char*>(png.data()), png.size()}}});
  Catalogue catalogue(std::make_shared<const RayDevice>());
  ASSERT_EQ(AddSweetHomeModels(catalogue, folder), 2);
  EXPECT_EQ(catalogue.models()[0].source, "a.sh3f");
  EXPECT_NE(catalogue.Load(0), nullptr);
  EXPECT_EQ(catalogue.Load(1), nullptr);  // named in the log; the others remain usable
}

TEST(SweetHome, HostileArchivesAreRefused) {
  const fs::path folder = FreshFolder("hostile");
  Catalogue catalogue(std::make_shared<const RayDevice>());
  const auto add = [&] { AddSweetHomeModels(catalogue, folder); };
  WriteArchive(folder / "a.sh3f", {{"readme.txt", "nothing here"}});
  ExpectRefused(add, "is no Sweet Home 3D furniture catalogue");
  // Half a megabyte that unpacks to hundreds.
  WriteArchive(folder / "a.sh3f", {{"PluginFurnitureCatalog.properties", std::string(9u << 20, '\n')}});
  ASSERT_LT(fs::file_size(folder / "a.sh3f"), 1u << 20);
  ExpectRefused(add, "is larger than");
  WriteArchive(folder / "a.sh3f",
               {{"PluginFurnitureCatalog.properties", Entry(1, "Bed", "Bedroom", "/box.obj")},
                {"box.obj", std::string(33u << 20, '\n')}});
  ASSERT_EQ(AddSweetHomeModels(catalogue, folder), 1);
  EXPECT_EQ(catalogue.Load(0), nullptr);
  // Every truncation and flipped byte either still reads or is refused in one line.
  WriteArchive(folder / "a.sh3f", {{"PluginFurnitureCatalog.properties", "name#1=x\n"}});
  const std::string whole = ReadText(folder / "a.sh3f");
  for (size_t i = 0; i < 2 * whole.size(); ++i) {
    std::string damaged = whole;
    i < whole.size() ? damaged.resize(i) : void(damaged[i - whole.size()] ^= 0x55);
    std::ofstream(folder / "a.sh3f", std::ios::binary) << damaged;
    Catalogue fresh(nullptr);
    try {
      AddSweetHomeModels(fresh, folder);
    } catch (const FileError& error) {
      EXPECT_THAT(error.what(), HasSubstr("a.sh3f"));
    }
  }
}

TEST(SweetHome, HostileModelsAreRefused) {
  SweetHomeEntry entry;
  entry.info.size = Vec3(1, 1, 1);
  entry.rotation = Mat3::Identity();
  int reads = 0;
  std::string materials;
  const FileReader read = [&](const std::string& name) {
    ++reads;
    return name.ends_with(".mtl") ? std::optional<std::string>(materials) : std::nullopt;
  };
  const auto make = [&](const std::string& obj) {
    return [&, obj] { MakeFurnitureMesh(obj, read, entry, "m.obj"); };
  };
  const std::string triangle = "v 0 0 0\nv 1 0 0\nv 1 1 1\nf 1 2 3\n";
  EXPECT_NO_THROW(make(triangle)());
  ExpectRefused(make("v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 3\n"), "is flat");
  ExpectRefused(make("v -3e38 0 0\nv 3e38 0 0\nv 1 1 1\nf 1 2 3\n"), "has no bounds");
  std::string corners;
  for (int i = 0; i < 1025; ++i) corners += " 1";
  ExpectRefused(make(triangle + "f" + corners + "\n"), "too large polygons");
  std::string many;
  for (int i = 0; i < 500; ++i) many += "\t f" + corners.substr(0, 2 * 1000) + "\n";
  ExpectRefused(make(triangle + many), "too large polygons");
  // The same library a thousand times is read once; different ones add up to a limit.
  std::string libraries;
  for (int i = 0; i < 1000; ++i) libraries += "mtllib same.mtl\n";
  reads = 0;
  EXPECT_NO_THROW(make(libraries + triangle)());
  EXPECT_EQ(reads, 1);
  for (int i = 0; i < 1000; ++i) libraries += "mtllib " + std::to_string(i) + ".mtl\n";
  ExpectRefused(make(libraries + triangle), "too many materials");
  EXPECT_LT(reads, 100);
  for (int i = 0; i < 300; ++i)
    materials += "newmtl m" + std::to_string(i) + "\nmap_Kd " + std::to_string(i) + ".png\n";
  ExpectRefused(make("mtllib a.mtl\n" + triangle), "more than 256 textures");
}

}  // namespace
}  // namespace wildrayzer::synth

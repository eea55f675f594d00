#include "wildrayzer/pipeline/exports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "wildrayzer/testing/files.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::FreshFolder;
using testing::ReadText;

Image PlainImage(int width, int height, uint8_t value) {
  Image image(width, height);
  std::fill(image.rgb.begin(), image.rgb.end(), value);
  return image;
}

// Two inputs and a held-out photo of sizes unlike each other, with names that collide and names that no other
// program reads; in a model's frame of 32 x 32, rendered with 64 x 64. The left half of the first one moves.
RenderResult HostileResult() {
  constexpr int kFrame = 32;
  RenderResult result;
  const std::vector<std::string> names = {"my photo", "my_photo", "path_000"};
  const std::vector<std::pair<int, int>> sizes = {{120, 60}, {40, 90}, {64, 64}};
  Scene& scene = result.scene;
  scene.num_inputs = 2;
  scene.detail = 2;
  scene.width = scene.height = kFrame * scene.detail;
  for (size_t i = 0; i < names.size(); ++i) {
    const auto [width, height] = sizes[i];
    result.photos.push_back({names[i], names[i] + ".jpg", PlainImage(width, height, 40)});
    scene.framings.push_back(CoverFraming(width, height, kFrame, kFrame, 8));
    Camera camera = LookAt({0.2 * static_cast<double>(i), 0, -2}, {0, 0, 0}, {0, -1, 0});
    camera.fx = camera.fy = 1.1;
    scene.cameras.push_back(camera);
    MotionMask mask{kFrame, kFrame, std::vector<float>(kFrame * kFrame), 0};
    for (size_t pixel = 0; i == 0 && pixel < mask.probability.size(); ++pixel)
      mask.probability[pixel] = pixel % kFrame < kFrame / 2 ? 0.7f : 0.3f;
    scene.masks.push_back(mask);
    result.rendered.push_back(PlainImage(scene.width, scene.height, 200));
  }
  result.path = {scene.cameras[1]};
  result.path_views = {PlainImage(scene.width, scene.height, 100)};
  scene.points = {{0, 0, 0}, {0.1f, 0.1f, 0.5f}, {0, 0, -50}};  // the last one is behind all cameras
  return result;
}

struct ImageLine {
  std::string name;
  size_t lens = 0;
};

std::vector<std::string> ReadDataLines(const fs::path& path) {
  std::istringstream text(ReadText(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);)
    if (!line.starts_with('#')) lines.push_back(line);
  return lines;
}

std::vector<ImageLine> ReadImageLines(const fs::path& model) {
  const std::vector<std::string> lines = ReadDataLines(model / "images.txt");
  std::vector<ImageLine> images;
  for (size_t i = 0; i + 1 < lines.size(); i += 2) {  // every other line lists points
    std::istringstream words(lines[i]);
    std::string number;
    for (int k = 0; k < 8; ++k) words >> number;
    ImageLine image;
    words >> image.lens >> image.name;
    EXPECT_TRUE(words && words.eof()) << lines[i];
    images.push_back(image);
  }
  return images;
}

// What transforms.json and colmap/ name is there, in the size that their intrinsics are of.
void ExpectOneSet(const fs::path& folder, const std::vector<std::string>& names) {
  const json frames = json::parse(ReadText(folder / "transforms.json"))["frames"];
  const std::vector<std::string> lenses = ReadDataLines(folder / "colmap/cameras.txt");
  const std::vector<ImageLine> images = ReadImageLines(folder / "colmap");
  ASSERT_EQ(frames.size(), names.size());
  ASSERT_EQ(images.size(), names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(frames[i]["file_path"], names[i]);
    EXPECT_EQ(images[i].name, names[i]);
    const Image image = ReadImage(folder / names[i]);
    EXPECT_EQ(frames[i]["w"], image.width);
    EXPECT_EQ(frames[i]["h"], image.height);
    std::istringstream words(lenses.at(images[i].lens - 1));
    std::string id, model;
    double width, height, fx, fy, cx, cy;
    words >> id >> model >> width >> height >> fx >> fy >> cx >> cy;
    EXPECT_EQ(std::make_pair(width, height), std::make_pair(1.0 * image.width, 1.0 * image.height));
    EXPECT_DOUBLE_EQ(fx, frames[i]["fl_x"].get<double>());
    EXPECT_DOUBLE_EQ(fy, frames[i]["fl_y"].get<double>());
    EXPECT_DOUBLE_EQ(cx, frames[i]["cx"].get<double>());
    EXPECT_DOUBLE_EQ(cy, frames[i]["cy"].get<double>());
  }
}

TEST(Exports, NamesAreOnesThatEveryProgramReads) {
  const std::vector<std::string> names =
      PlainFileNames(std::vector<std::string>{"a b", "a_b", "A_B", "a_b_2", "\xc3\xa9\xe3\x80\x80",
                                              "<!--\n\"&'", std::string(250, 'x'), std::string(250, 'x')});
  EXPECT_EQ(names[0], "a_b");
  EXPECT_EQ(names[1], "a_b_2");
  EXPECT_EQ(names[2], "A_B_3");  // not the same file on a disk that ignores case
  EXPECT_EQ(names[3], "a_b_2_2");
  EXPECT_EQ(names[4], "_____");
  EXPECT_EQ(names[5], "__--____");
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  for (const std::string& name : names) EXPECT_LE(name.size(), 100u);
}

TEST(Exports, PicturesMasksAndCamerasBelongTogether) {
  const fs::path folder = FreshFolder("exports");
  const RenderResult result = HostileResult();
  WriteRenderFiles(folder, result, {"nerfstudio", "colmap"});
  ExpectOneSet(folder, {"images/my_photo.jpg", "images/my_photo_2.jpg", "images/path_000.jpg"});
  ExpectOneSet(folder / "place", {"images/my_photo.png", "images/my_photo_2.png", "images/path_000.png",
                                  "images/path_000_2.png"});
  EXPECT_EQ(ReadImage(folder / "place/images/my_photo.png"), result.rendered[0]);
  EXPECT_EQ(ReadImage(folder / "place/images/path_000_2.png"), result.path_views[0]);

  // What the model's frame shows at (0.25, 0.75) stands in the photo where its framing says.
  const json root = json::parse(ReadText(folder / "transforms.json"));
  const json place = json::parse(ReadText(folder / "place/transforms.json"));
  for (size_t i = 0; i < result.photos.size(); ++i) {
    const json &photo = root["frames"][i], &clean = place["frames"][i];
    const double x = (16 - clean["cx"].get<double>()) / clean["fl_x"].get<double>();
    const double y = (48 - clean["cy"].get<double>()) / clean["fl_y"].get<double>();
    const Point expected = result.scene.framings[i].ModelToPhoto({8, 24});
    EXPECT_NEAR(photo["cx"].get<double>() + x * photo["fl_x"].get<double>(), expected.x, 1e-9);
    EXPECT_NEAR(photo["cy"].get<double>() + y * photo["fl_y"].get<double>(), expected.y, 1e-9);
  }

  // Black where something moves and where the model did not look.
  EXPECT_EQ(root["frames"][0]["mask_path"], "image_masks/images/my_photo.jpg.png");
  EXPECT_FALSE(place["frames"][0].contains("mask_path"));
  const GrayImage mask = ReadGray(folder / "image_masks/images/my_photo.jpg.png");
  ASSERT_EQ(std::make_pair(mask.width, mask.height), std::make_pair(120, 60));
  EXPECT_EQ(mask.At(5, 30), 0);   // cropped
  EXPECT_EQ(mask.At(40, 30), 0);  // moves
  EXPECT_EQ(mask.At(75, 30), 255);
  EXPECT_EQ(mask.At(115, 30), 0);  // cropped
  RenderResult generous = result;
  generous.motion_threshold = 0.8;
  WriteRenderFiles(folder, generous, {"colmap"});
  EXPECT_EQ(ReadGray(folder / "image_masks/images/my_photo.jpg.png").At(40, 30), 255);

  EXPECT_EQ(root["train_filenames"], json::parse(R"(["images/my_photo.jpg", "images/my_photo_2.jpg"])"));
  EXPECT_EQ(root["val_filenames"], json::parse(R"(["images/path_000.jpg"])"));
  EXPECT_EQ(root["test_filenames"], root["val_filenames"]);
  for (const fs::path& set : {folder, folder / "place"}) {
    EXPECT_EQ(json::parse(ReadText(set / "transforms.json"))["ply_file_path"], "points.ply");
    EXPECT_THAT(
        ReadText(set / "points.ply"),
        ::testing::EndsWith("element vertex 2\nproperty float x\nproperty float y\nproperty float z\n"
                            "property uchar red\nproperty uchar green\nproperty uchar blue\n"
                            "end_header\n0 0 0 200 200 200\n0.100000001 0.100000001 0.5 200 200 200\n"));
    EXPECT_EQ(ReadDataLines(set / "colmap/points3D.txt").size(), 2u);
  }
}

TEST(Exports, WithoutMasksRenderingsAndDepths) {
  const fs::path folder = FreshFolder("exports_bare");
  RenderResult result = HostileResult();
  result.scene.masks.clear();
  result.scene.points.clear();
  result.rendered.clear();
  result.path.clear();
  result.path_views.clear();
  WriteRenderFiles(folder, result, {"nerfstudio"});
  EXPECT_FALSE(fs::exists(folder / "place"));
  EXPECT_FALSE(fs::exists(folder / "image_masks"));
  EXPECT_FALSE(fs::exists(folder / "colmap"));
  EXPECT_FALSE(json::parse(ReadText(folder / "transforms.json"))["frames"][0].contains("mask_path"));
  EXPECT_THAT(ReadText(folder / "points.ply"), ::testing::HasSubstr("element vertex 2048\n"));  // guessed
  const fs::path none = FreshFolder("exports_none");
  WriteRenderFiles(none, result, {});
  EXPECT_FALSE(fs::exists(none / "images"));
}

TEST(Exports, ColmapOpensThem) {
  if (std::system("colmap -h >/dev/null 2>&1") != 0) GTEST_SKIP() << "colmap is not installed";
  const fs::path folder = FreshFolder("exports_colmap");
  WriteRenderFiles(folder, HostileResult(), {"colmap"});
  const auto run = [](const std::string& arguments) {
    return std::system(("QT_QPA_PLATFORM=offscreen colmap " + arguments + " >/dev/null 2>&1").c_str());
  };
  for (const fs::path& set : {folder, folder / "place"}) {
    const std::string model = (set / "colmap").string(), out = (set / "undistorted").string();
    fs::create_directories(set / "binary");
    EXPECT_EQ(run("model_converter --input_path " + model + " --output_type BIN --output_path " +
                  (set / "binary").string()),
              0);
    EXPECT_TRUE(fs::exists(set / "binary/images.bin"));
    EXPECT_EQ(run("image_undistorter --image_path " + set.string() + " --input_path " + model +
                  " --output_path " + out),
              0);
    for (const ImageLine& image : ReadImageLines(set / "colmap")) {
      const Image before = ReadImage(set / image.name),
                  after = ReadImage(fs::path(out) / "images" / image.name);
      EXPECT_EQ(std::make_pair(after.width, after.height), std::make_pair(before.width, before.height));
    }
  }
}

}  // namespace
}  // namespace wildrayzer

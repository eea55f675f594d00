#include "wildrayzer/geometry/camera_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "wildrayzer/geometry/test_cameras.h"
#include "wildrayzer/testing/files.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using testing::FreshFolder;
using ::testing::HasSubstr;
using testing::ReadText;

std::vector<NamedCamera> SomeCameras(int count, uint64_t seed) {
  std::vector<NamedCamera> cameras;
  for (const Camera& camera : test::RandomCameras(count, seed)) {
    const size_t i = cameras.size();
    const CameraRole role = i % 3 == 0   ? CameraRole::kInput
                            : i % 3 == 1 ? CameraRole::kTarget
                                         : CameraRole::kTrajectory;
    cameras.push_back({"views/" + std::to_string(i) + ".png", role, 640, 360, camera});
  }
  return cameras;
}

void ExpectSame(const std::vector<NamedCamera>& a, const std::vector<NamedCamera>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].name, b[i].name);
    EXPECT_EQ(a[i].width, b[i].width);
    EXPECT_EQ(a[i].height, b[i].height);
    EXPECT_LT((a[i].camera.c2w - b[i].camera.c2w).norm(), 1e-13);
    EXPECT_DOUBLE_EQ(a[i].camera.fx, b[i].camera.fx);
    EXPECT_DOUBLE_EQ(a[i].camera.fy, b[i].camera.fy);
    EXPECT_DOUBLE_EQ(a[i].camera.cx, b[i].camera.cx);
    EXPECT_DOUBLE_EQ(a[i].camera.cy, b[i].camera.cy);
  }
}

// The message for a text that must be refused.
std::string Refusal(const std::string& text) {
  try {
    ParseCameras(text, "bad.json");
  } catch (const FileError& error) {
    const std::string message = error.what();
    EXPECT_THAT(message, HasSubstr("bad.json"));
    EXPECT_EQ(message.find('\n'), std::string::npos);
    EXPECT_LT(message.size(), 300u);
    return message;
  }
  ADD_FAILURE() << "accepted: " << text.substr(0, 200);
  return "";
}

// A correct file with one camera, changed by `edit`.
template <typename Edit>
std::string Edited(const Edit& edit) {
  json root = json::parse(FormatCameras(SomeCameras(2, 1)));
  edit(root);
  return root.dump();
}

TEST(CamerasJson, RoundTrip) {
  const fs::path path = FreshFolder("round") / "cameras.json";
  const std::vector<NamedCamera> cameras = SomeCameras(7, 2);
  WriteCameras(path, cameras);
  const std::vector<NamedCamera> read = ReadCameras(path);
  ExpectSame(read, cameras);
  for (size_t i = 0; i < cameras.size(); ++i) EXPECT_EQ(read[i].role, cameras[i].role);
}

TEST(CamerasJson, WritesTheDocumentedForm) {
  NamedCamera named{"a.jpg", CameraRole::kInput, 200, 100, {}};
  named.camera.c2w(0, 3) = 0.25;
  const json root = json::parse(FormatCameras(std::vector{named}));
  EXPECT_EQ(root["version"], 1);
  EXPECT_EQ(root["convention"], "OpenCV camera-to-world (x right, y down, z forward)");
  const json expected = json::parse(R"({"name": "a.jpg", "role": "input", "width": 200, "height": 100,
      "fx": 250.0, "fy": 125.0, "cx": 100.0, "cy": 50.0,
      "c2w": [[1.0, 0.0, 0.0, 0.25], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]})");
  EXPECT_EQ(root["cameras"], json::array({expected}));
}

TEST(CamerasJson, OptionalFieldsHaveDefaults) {
  const std::vector<NamedCamera> cameras = ParseCameras(Edited([](json& root) {
                                                          root.erase("convention");
                                                          root["cameras"][1].erase("name");
                                                          root["cameras"][1].erase("role");
                                                        }),
                                                        "x.json");
  EXPECT_EQ(cameras[1].name, "camera_1");
  EXPECT_EQ(cameras[1].role, CameraRole::kTrajectory);
}

TEST(CamerasJson, RotationsAreMadeExact) {
  const std::vector<NamedCamera> cameras =
      ParseCameras(Edited([](json& root) {
                     for (int row = 0; row < 3; ++row) {
                       for (int column = 0; column < 3; ++column) {
                         json& value = root["cameras"][0]["c2w"][row][column];
                         value = std::round(value.get<double>() * 1e4) / 1e4;
                       }
                     }
                   }),
                   "x.json");
  EXPECT_LT(OrthonormalityError(cameras[0].camera.rotation()), 1e-12);
}

TEST(CamerasJson, RefusesWrongCameras) {
  const auto edited = [](auto edit) {
    return Refusal(Edited([&](json& root) { edit(root["cameras"][1]); }));
  };
  EXPECT_THAT(edited([](json& c) { c["c2w"][0][0] = c["c2w"][0][0].get<double>() + 0.01; }),
              AllOf(HasSubstr("camera 1"), HasSubstr("orthonormal"), HasSubstr("remove scale")));
  EXPECT_THAT(edited([](json& c) {
                for (int row = 0; row < 3; ++row) c["c2w"][row][1] = -c["c2w"][row][1].get<double>();
              }),
              HasSubstr("mirroring"));
  EXPECT_THAT(edited([](json& c) { c["fx"] = 0; }), HasSubstr("\"fx\" must be positive"));
  EXPECT_THAT(edited([](json& c) { c["fy"] = -1; }), HasSubstr("\"fy\" must be positive"));
  EXPECT_THAT(edited([](json& c) { c["fx"] = 1e300; }), HasSubstr("finite"));
  EXPECT_THAT(edited([](json& c) { c.erase("cx"); }), HasSubstr("\"cx\" must be a number"));
  EXPECT_THAT(edited([](json& c) { c["cy"] = "1"; }), HasSubstr("\"cy\" must be a number"));
  EXPECT_THAT(edited([](json& c) { c["width"] = 0; }), HasSubstr("\"width\""));
  EXPECT_THAT(edited([](json& c) { c["width"] = 2.5; }), HasSubstr("\"width\""));
  EXPECT_THAT(edited([](json& c) { c["height"] = 100000000; }), HasSubstr("\"height\""));
  EXPECT_THAT(edited([](json& c) { c["role"] = "spare"; }), HasSubstr("role"));
  EXPECT_THAT(edited([](json& c) { c["role"] = 1; }), HasSubstr("role"));
  EXPECT_THAT(edited([](json& c) { c["name"] = "a\nb"; }), HasSubstr("control characters"));
  EXPECT_THAT(edited([](json& c) { c["name"] = std::string(5000, 'a'); }), HasSubstr("\"name\""));
  EXPECT_THAT(edited([](json& c) { c.erase("c2w"); }), HasSubstr("4 x 4"));
  EXPECT_THAT(edited([](json& c) {
                c["c2w"].erase(0);
                c["c2w"].erase(0);
              }),
              HasSubstr("4 x 4"));
  EXPECT_THAT(edited([](json& c) { c["c2w"][2].erase(0); }), HasSubstr("four numbers"));
  EXPECT_THAT(edited([](json& c) { c["c2w"][2][3] = nullptr; }), HasSubstr("four numbers"));
  EXPECT_THAT(edited([](json& c) { c["c2w"][2][3] = 1e12; }), HasSubstr("not finite or above"));
  EXPECT_THAT(edited([](json& c) { c["c2w"][3][0] = 1; }), HasSubstr("last row"));
  EXPECT_THAT(edited([](json& c) { c = 5; }), HasSubstr("not a JSON object"));
}

TEST(CamerasJson, RefusesWrongFiles) {
  EXPECT_THAT(Refusal(""), HasSubstr("not valid JSON"));
  EXPECT_THAT(Refusal("{\"cameras\": ["), HasSubstr("syntax error at byte"));
  EXPECT_THAT(Refusal("[]"), HasSubstr("neither"));
  EXPECT_THAT(Refusal("{}"), HasSubstr("neither"));
  EXPECT_THAT(Refusal("{\"a\": 1e999}"), HasSubstr("number out of range"));
  EXPECT_THAT(Refusal("{\"cameras\": NaN}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(Refusal("\"\xff\""), HasSubstr("not valid JSON"));
  EXPECT_THAT(Refusal(Edited([](json& root) { root["version"] = 2; })), HasSubstr("\"version\" is not 1"));
  EXPECT_THAT(Refusal(Edited([](json& root) { root.erase("version"); })), HasSubstr("\"version\" is not 1"));
  EXPECT_THAT(Refusal(Edited([](json& root) { root["convention"] = "OpenGL"; })), HasSubstr("convention"));
  EXPECT_THAT(Refusal(Edited([](json& root) { root["cameras"] = json::array(); })), HasSubstr("1 to 100000"));
  EXPECT_THAT(Refusal(Edited([](json& root) { root["cameras"] = 5; })), HasSubstr("1 to 100000"));
  EXPECT_THAT(Refusal(Edited([](json& root) { root["cameras"] = json::array_t(100001, 0); })),
              HasSubstr("1 to 100000"));
}

TEST(CamerasJson, RefusesBombs) {
  EXPECT_THAT(Refusal(std::string(1000000, '[')), HasSubstr("nested"));
  std::string deep_object;
  for (int i = 0; i < 100000; ++i) deep_object += "{\"a\":";
  EXPECT_THAT(Refusal(deep_object), HasSubstr("nested"));
  std::string zeros = "[0";
  for (int i = 0; i < 6000000; ++i) zeros += ",0";
  EXPECT_THAT(Refusal(zeros + "]"), HasSubstr("far more values"));
  EXPECT_THAT(Refusal(std::string(kLargestCameraFile + 1, ' ')), HasSubstr("64 MiB"));
}

TEST(CamerasJson, RefusesMissingFilesAndFolders) {
  const fs::path folder = FreshFolder("missing");
  for (const fs::path& path : {folder, folder / "absent.json"}) {
    try {
      ReadCameras(path);
      FAIL();
    } catch (const FileError& error) {
      EXPECT_THAT(error.what(), HasSubstr(path.string()));
    }
  }
  std::ofstream(folder / "huge.json").close();
  fs::resize_file(folder / "huge.json", kLargestCameraFile + 1);  // sparse: takes no space
  EXPECT_THROW(ReadCameras(folder / "huge.json"), FileError);
}

TEST(CamerasJson, NeverWritesNan) {
  const fs::path folder = FreshFolder("nan");
  std::vector<NamedCamera> cameras = SomeCameras(2, 3);
  cameras[1].camera.fx = std::nan("");
  EXPECT_THROW(WriteCameras(folder / "cameras.json", cameras), FileError);
  EXPECT_THROW(WriteNerfstudio(folder / "transforms.json", cameras), FileError);
  EXPECT_THROW(WriteColmap(folder, cameras), FileError);
  EXPECT_TRUE(fs::is_empty(folder));
}

TEST(Nerfstudio, RoundTrip) {
  const fs::path path = FreshFolder("nerfstudio") / "transforms.json";
  const std::vector<NamedCamera> cameras = SomeCameras(5, 4);
  WriteNerfstudio(path, cameras);
  ExpectSame(ReadCameras(path), cameras);
}

TEST(Nerfstudio, NamesMasksAndWhatIsHeldOut) {
  const fs::path path = FreshFolder("nerfstudio_files") / "transforms.json";
  std::vector<NamedCamera> cameras = SomeCameras(3, 4);  // an input, a target, one of a trajectory
  WriteNerfstudio(path, cameras, {"masks", "points.ply"});
  json root = json::parse(ReadText(path));
  EXPECT_EQ(root["frames"][1]["mask_path"], "masks/views/1.png.png");
  EXPECT_EQ(root["ply_file_path"], "points.ply");
  EXPECT_EQ(root["train_filenames"], json::parse(R"(["views/0.png", "views/2.png"])"));
  EXPECT_EQ(root["val_filenames"], json::parse(R"(["views/1.png"])"));
  EXPECT_EQ(root["test_filenames"], root["val_filenames"]);
  cameras[1].role = CameraRole::kInput;
  WriteNerfstudio(path, cameras);
  root = json::parse(ReadText(path));
  EXPECT_EQ(root["val_filenames"].size(), 3u);
  EXPECT_EQ(root["val_filenames"], root["train_filenames"]);
  EXPECT_FALSE(root["frames"][1].contains("mask_path") || root.contains("ply_file_path"));
}

TEST(Nerfstudio, AxesAreOpenGl) {
  const fs::path path = FreshFolder("opengl") / "transforms.json";
  const NamedCamera named{"a.png", CameraRole::kInput, 100, 100, LookAt({0, 0, -2}, {0, 0, 0}, {0, -1, 0})};
  WriteNerfstudio(path, std::vector{named});
  const json matrix = json::parse(ReadText(path))["frames"][0]["transform_matrix"];
  // The camera looks along +z of the world with -y up: in OpenGL terms its y axis is -y, its z axis -z.
  EXPECT_EQ(matrix,
            json::parse("[[1.0,0.0,0.0,0.0],[0.0,-1.0,0.0,0.0],[0.0,0.0,-1.0,-2.0],[0.0,0.0,0.0,1.0]]"));
}

TEST(Nerfstudio, ReadsSharedIntrinsicsAndFieldsOfView) {
  const std::string frame = R"("transform_matrix": [[1,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]])";
  std::vector<NamedCamera> cameras = ParseCameras(
      R"({"w": 800, "h": 600.0, "fl_x": 400, "cx": 410, "cy": 290, "frames": [{"file_path": "a.png", )" +
          frame + "}]}",
      "t.json");
  EXPECT_EQ(cameras[0].name, "a.png");
  EXPECT_DOUBLE_EQ(cameras[0].camera.fx, 0.5);
  EXPECT_DOUBLE_EQ(cameras[0].camera.fy, 400.0 / 600);
  EXPECT_DOUBLE_EQ(cameras[0].camera.cx, 410.0 / 800);
  EXPECT_DOUBLE_EQ(cameras[0].camera.cy, 290.0 / 600);
  // 90 degrees: the focal length is half the width; the centre defaults to the middle.
  cameras = ParseCameras(
      R"({"w": 800, "h": 800, "camera_angle_x": 1.5707963267948966, "frames": [{)" + frame + "}]}", "t.json");
  EXPECT_NEAR(cameras[0].camera.fx, 0.5, 1e-15);
  EXPECT_NEAR(cameras[0].camera.fy, 0.5, 1e-15);
  EXPECT_EQ(cameras[0].camera.cx, 0.5);
  EXPECT_THAT(Refusal(R"({"w": 800, "h": 800, "frames": [{)" + frame + "}]}"), HasSubstr("focal length"));
  EXPECT_THAT(Refusal(R"({"fl_x": 8, "frames": [{)" + frame + "}]}"), HasSubstr("\"w\""));
  EXPECT_THAT(Refusal(R"({"w": 8, "h": 8, "camera_angle_x": 3.2, "frames": [{)" + frame + "}]}"),
              HasSubstr("angle"));
  EXPECT_THAT(Refusal(R"({"w": 8, "h": 8, "camera_angle_x": 1e-9, "frames": [{)" + frame + "}]}"),
              HasSubstr("angle"));
  EXPECT_THAT(Refusal(R"({"camera_model": "OPENCV_FISHEYE", "frames": [{}]})"), HasSubstr("pinhole"));
  EXPECT_THAT(Refusal(R"({"frames": []})"), HasSubstr("frames"));
  EXPECT_THAT(Refusal(R"({"w": 8, "h": 8, "fl_x": 8, "frames": [3]})"), HasSubstr("camera 0"));
  EXPECT_THAT(Refusal(R"({"w": 8, "h": 8, "fl_x": 8, "frames": [{}]})"), HasSubstr("transform_matrix"));
}

// Reads our COLMAP text back with the formula of COLMAP's documentation: X_camera = R(q) X_world + t, the
// camera's centre is -R^T t.
TEST(Colmap, TextModelHoldsTheCameras) {
  const fs::path folder = FreshFolder("colmap");
  std::vector<NamedCamera> cameras = SomeCameras(4, 5);
  cameras[3].camera.fx = cameras[2].camera.fx, cameras[3].camera.fy = cameras[2].camera.fy;
  cameras[3].camera.cx = cameras[2].camera.cx, cameras[3].camera.cy = cameras[2].camera.cy;
  cameras[1].name = "my view.png";
  EXPECT_THROW(WriteColmap(folder, cameras), Error);
  EXPECT_TRUE(fs::is_empty(folder));
  cameras[1].name = "my_view.png";
  WriteColmap(folder, cameras, std::vector<ColoredPoint>{{{0.5, -1, 2}, {1, 20, 255}}});

  std::ifstream lens_file(folder / "cameras.txt");
  std::vector<std::vector<double>> lenses;
  for (std::string line; std::getline(lens_file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    int id = 0;
    std::string model;
    std::vector<double> numbers(6);
    words >> id >> model;
    for (double& number : numbers) words >> number;
    EXPECT_TRUE(words) << line;
    EXPECT_EQ(id, static_cast<int>(lenses.size()) + 1);
    EXPECT_EQ(model, "PINHOLE");
    lenses.push_back(numbers);
  }
  EXPECT_EQ(lenses.size(), 3u);  // the last two cameras share one

  std::ifstream image_file(folder / "images.txt");
  size_t count = 0;
  for (std::string line; std::getline(image_file, line);) {
    if (line.starts_with('#')) continue;
    ASSERT_LT(count, cameras.size());
    const NamedCamera& expected = cameras[count++];
    std::istringstream words(line);
    size_t id = 0, lens = 0;
    double w, x, y, z;
    Eigen::Vector3d t;
    std::string name;
    words >> id >> w >> x >> y >> z >> t[0] >> t[1] >> t[2] >> lens >> name;
    ASSERT_TRUE(words) << line;
    EXPECT_TRUE(words.eof());
    EXPECT_EQ(id, count);
    Eigen::Matrix3d r;
    r << 1 - 2 * y * y - 2 * z * z, 2 * x * y - 2 * z * w, 2 * x * z + 2 * y * w,  //
        2 * x * y + 2 * z * w, 1 - 2 * x * x - 2 * z * z, 2 * y * z - 2 * x * w,   //
        2 * x * z - 2 * y * w, 2 * y * z + 2 * x * w, 1 - 2 * x * x - 2 * y * y;
    EXPECT_LT((r.transpose() - expected.camera.rotation()).norm(), 1e-12);
    EXPECT_LT((-r.transpose() * t - expected.camera.position()).norm(), 1e-12);
    ASSERT_TRUE(lens >= 1 && lens <= lenses.size());
    EXPECT_EQ(lenses[lens - 1][0], expected.width);
    EXPECT_EQ(lenses[lens - 1][1], expected.height);
    EXPECT_DOUBLE_EQ(lenses[lens - 1][2], expected.camera.fx * expected.width);
    EXPECT_DOUBLE_EQ(lenses[lens - 1][5], expected.camera.cy * expected.height);
    EXPECT_EQ(name, expected.name);
    ASSERT_TRUE(std::getline(image_file, line));
    EXPECT_EQ(line, "");
  }
  EXPECT_EQ(count, cameras.size());
  EXPECT_THAT(ReadText(folder / "points3D.txt"), ::testing::EndsWith("\n1 0.5 -1 2 1 20 255 0\n"));
}

TEST(RealEstate, ReadsWorldToCameraLines) {
  const fs::path path = FreshFolder("realestate") / "cameras.txt";
  // A quarter turn about y and a move: w2c = [R | t], so the centre is -R^T t.
  WriteFileAtomically(path,
                      "https://example.org/watch\n"
                      "4000000000 0.5 0.9 0.5 0.4 0 0 0 0 1 1 0 1 0 2 -1 0 0 3\r\n"
                      "\n"
                      "33 0.5 0.9 0.5 0.5 0.0 0.0 1 0 0 0 0 1 0 0 0 0 1 0\n");
  const std::vector<Camera> cameras = ReadRealEstateCameras(path);
  ASSERT_EQ(cameras.size(), 2u);
  EXPECT_LT((cameras[0].position() - Eigen::Vector3d(3, -2, -1)).norm(), 1e-15);
  EXPECT_LT((cameras[0].forward() - Eigen::Vector3d(-1, 0, 0)).norm(), 1e-15);
  EXPECT_EQ(cameras[0].fx, 0.5);
  EXPECT_EQ(cameras[0].fy, 0.9);
  EXPECT_EQ(cameras[0].cy, 0.4);
  EXPECT_LT((cameras[1].c2w - Eigen::Matrix4d::Identity()).norm(), 1e-15);
}

TEST(RealEstate, RefusesDamagedLists) {
  const fs::path path = FreshFolder("realestate_bad") / "cameras.txt";
  const std::string good = "33 0.5 0.9 0.5 0.5 0 0 1 0 0 0 0 1 0 0 0 0 1 0";
  const std::pair<std::string, std::string> cases[] = {
      {"", "holds no camera"},
      {"# only a header\n", "holds no camera"},
      {"#\n" + good.substr(0, good.size() - 2), "line 2: not the 19 numbers"},
      {"#\n" + good + " 7\n", "line 2: not the 19 numbers"},
      {"#\n" + good + "\n33 nan 0.9 0.5 0.5 0 0 1 0 0 0 0 1 0 0 0 0 1 0\n", "line 3"},
      {"#\n33 0.5 0 0.5 0.5 0 0 1 0 0 0 0 1 0 0 0 0 1 0\n", "focal lengths must be positive"},
      {"#\n33 0.5 0.9 0.5 0.5 0 0 2 0 0 0 0 2 0 0 0 0 2 0\n", "orthonormal"},
      {"#\n33 0.5 0.9 0.5 0.5 0 0 1 0 0 1e300 0 1 0 0 0 0 1 0\n", "line 2"},
  };
  for (const auto& [text, problem] : cases) {
    WriteFileAtomically(path, text);
    try {
      ReadRealEstateCameras(path);
      ADD_FAILURE() << "accepted: " << text;
    } catch (const FileError& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr(path.string()), HasSubstr(problem)));
    }
  }
}

}  // namespace
}  // namespace wildrayzer

// The readers of scene layouts: lists, metadata, view lists, DAVIS, folders, videos.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "wildrayzer/data/camera_lines.h"
#include "wildrayzer/data/folder_scenes.h"
#include "wildrayzer/data/listed_scenes.h"
#include "wildrayzer/data/scene_json.h"
#include "wildrayzer/data/testing/small_scenes.h"
#include "wildrayzer/data/view_lists.h"
#include "wildrayzer/io/video.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::FreshFolder;
using ::testing::HasSubstr;
using testing::Plain;
using testing::WriteList;
using testing::WritePicture;
using testing::WriteScene;

// `action` must raise FileError in one line that holds both texts.
void ExpectFileError(const std::function<void()>& action, const std::string& file,
                     const std::string& problem) {
  try {
    action();
    ADD_FAILURE() << "accepted; expected: " << problem;
  } catch (const FileError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr(file), HasSubstr(problem)));
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
  }
}

TEST(ListedScenes, ReadsTheRealEstateLayout) {
  const fs::path root = FreshFolder("re10k");
  const auto data = OpenScenes(WriteList(root, 3, 4));
  ASSERT_EQ(data->size(), 3u);
  EXPECT_EQ(data->name(1), "scene_01");
  const SceneRecord scene = data->Read(1);
  ASSERT_EQ(scene.frames.size(), 4u);
  EXPECT_EQ(scene.frames[2].image_path, root / "images/scene_01/00002.png");
  EXPECT_EQ(scene.frames[2].intrinsics->values.fy, 90);
  EXPECT_FALSE(scene.frames[2].intrinsics->fractions);
  EXPECT_EQ((*scene.frames[2].w2c)(0, 3), 2);
  EXPECT_TRUE(scene.frames[2].clean_path.empty());
  EXPECT_FALSE(data->EvaluationViews(1).has_value());
  EXPECT_EQ(OpenScenes(root)->size(), 3u);  // the folder with full_list.txt
}

TEST(ListedScenes, PairsAndPoseVariants) {
  const fs::path root = FreshFolder("iphone");
  WriteList(root, 1, 2, /*paired=*/true);
  EXPECT_EQ(OpenScenes(root)->Read(0).frames[1].clean_path, root / "clean/scene_00/00001.png");
  // transform_matrix is camera-to-world; a missing pose and missing intrinsics stay missing.
  WriteFileAtomically(root / "metadata/pose.json",
                      R"({"scene_name": "pose", "frames": [
      {"image_path": "a.png", "transform_matrix": [[0,-1,0,5],[1,0,0,6],[0,0,1,7],[0,0,0,1]]}, {"image_path": "b.png"}]})");
  const SceneRecord pose = ReadSceneJson(root / "metadata/pose.json", root);
  Eigen::Matrix4d c2w;
  c2w << 0, -1, 0, 5, 1, 0, 0, 6, 0, 0, 1, 7, 0, 0, 0, 1;
  EXPECT_LT((*pose.frames[0].w2c * c2w - Eigen::Matrix4d::Identity()).cwiseAbs().maxCoeff(), 1e-12);
  EXPECT_FALSE(pose.frames[1].w2c.has_value());
  EXPECT_FALSE(pose.frames[1].intrinsics.has_value());
}

TEST(ListedScenes, PathsAreTriedInTheOrderOfTheRule) {
  const fs::path root = FreshFolder("paths");
  const fs::path metadata = root / "metadata" / "s.json";
  const Image picture = Plain(8, 8, 1, 2, 3);
  const auto resolve = [&](const char* written) { return ResolvePicture(written, metadata, root, "s"); };
  EXPECT_EQ(resolve("/elsewhere/x.png"), "/elsewhere/x.png");
  EXPECT_EQ(resolve("pics/x.png"), root / "metadata/pics/x.png");  // nothing exists: the first rule
  WritePicture(root / "images/s/x.png", picture);
  EXPECT_EQ(resolve("pics/x.png"), root / "images/s/x.png");
  WritePicture(root / "pics/x.png", picture);
  EXPECT_EQ(resolve("pics/x.png"), root / "pics/x.png");
  WritePicture(root / "metadata/pics/x.png", picture);
  EXPECT_EQ(resolve("pics/x.png"), root / "metadata/pics/x.png");
}

TEST(ListedScenes, ListLinesMayBeRelativeToTheDataRoot) {
  const fs::path root = FreshFolder("relative");
  WriteScene(root / "dynamic_re10k/test", 4, 2);
  WriteFileAtomically(root / "dynamic_re10k/test/list.txt",
                      "dynamic_re10k/test/metadata/scene_04.json\r\n  \n");
  const auto data = OpenScenes(root / "dynamic_re10k/test/list.txt");
  EXPECT_EQ(data->Read(0).frames.size(), 2u);
}

TEST(ListedScenes, ViewIndexChoosesTheScenes) {
  const fs::path root = FreshFolder("views");
  const fs::path list = WriteList(root, 4, 6);
  const fs::path index = root / "x_view_idx.json";
  WriteFileAtomically(index, R"({"scene_01": {"context": [0, 5], "target": [1, 2, 3]}, "scene_02": null,
                                 "scene_03": {"context": [5, 0], "target": [4]}, "other": {"context": [0], "target": [1]}})");
  ListedScenesOptions options;
  options.view_index = index;
  const auto data = OpenListedScenes(list, options);
  ASSERT_EQ(data->size(), 2u);
  EXPECT_EQ(data->name(0), "scene_01");
  EXPECT_THAT(data->EvaluationViews(0)->targets, ElementsAre(1, 2, 3));
  EXPECT_THAT(data->EvaluationViews(1)->inputs, ElementsAre(5, 0));  // order is kept
  ExpectFileError(
      [&] {
        CheckViews(ViewList{{0, 6}, {1}}, data->Read(0));
      },
      "scene_01.json", "has 6 frames, but view 6");
}

TEST(ListedScenes, MaskFoldersFollowTheRules) {
  const fs::path root = FreshFolder("masks");
  for (const char* const file : {"A/clip/00000.npy", "A/clip/00001.npy", "W/wildrayzer_x/00001.npy"}) {
    fs::create_directories((root / file).parent_path());
    WriteFileAtomically(root / file, "x");
  }
  for (const char* const name : {"clip_context_2_split_0", "wildrayzer_x_context_2", "lost"}) {
    WriteFileAtomically(
        root / (std::string(name) + ".json"),
        fmt::format(R"({{"scene_name": "{}", "frames": [{{"image_path": "a"}}, {{"image_path": "b"}}]}})",
                    name));
  }
  WriteFileAtomically(root / "list.txt",
                      "clip_context_2_split_0.json\nwildrayzer_x_context_2.json\nlost.json\n");
  ListedScenesOptions options;
  options.masks.roots = {{"dre10k", root / "A"}, {"wildrayzer", root / "W"}};
  const auto data = OpenListedScenes(root / "list.txt", options);
  EXPECT_EQ(data->Read(0).frames[1].mask_path, root / "A/clip/00001.npy");
  EXPECT_EQ(data->Read(0).frames[1].mask_frame, MaskFrame::kModel);
  EXPECT_EQ(data->Read(1).frames[0].mask_path, root / "W/wildrayzer_x/00001.npy");  // numbered from 1
  ExpectFileError([&] { data->Read(2); }, "A/lost", "masks of scene 'lost' is missing");
  options.masks.preserve_suffix = true;
  ExpectFileError([&] { OpenListedScenes(root / "list.txt", options)->Read(0); }, "clip_context_2_split_0",
                  "missing");
  options.masks.roots = {{"wildrayzer", root / "W"}};
  EXPECT_THROW(OpenListedScenes(root / "list.txt", options)->Read(0), UsageError);
}

TEST(ListedScenes, DamagedFilesAreNamed) {
  const fs::path root = FreshFolder("damaged");
  const auto scene = [&](const std::string& text) {
    WriteFileAtomically(root / "bad.json", text);
    ReadSceneJson(root / "bad.json", root);
  };
  const auto expect = [&](const std::string& text, const std::string& problem) {
    ExpectFileError([&] { scene(text); }, "bad.json", problem);
  };
  const auto frame = [](const std::string& fields) {
    return R"({"scene_name": "s", "frames": [{"image_path": "a.png", )" + fields + "}]}";
  };
  expect("{\"scene_name\": ", "not valid JSON");
  expect("[]", "no list 'frames'");
  expect(R"({"scene_name": "s", "frames": []})", "no list 'frames'");
  expect(R"({"frames": [{"image_path": "a"}]})", "no text 'scene_name'");
  expect(R"({"scene_name": "s", "frames": [7]})", "frame 0 is not an object");
  expect(R"({"scene_name": "s", "frames": [{"image_path": 3}]})", "frame 0 has no text 'image_path'");
  expect(frame(R"("fxfycxcy": [1, 2, 3])"), "frame 0 fxfycxcy is not a list of 4 numbers");
  expect(frame(R"("fxfycxcy": [0, 2, 3, 4])"), "focal length");
  expect(frame(R"("fxfycxcy": [1, 2, 3, 1e999])"), "not");
  expect(frame(R"("w2c": [[1,0,0,0],[0,1,0,0],[0,0,1,0]])"), "w2c is not a 4 x 4 matrix");
  expect(frame(R"("w2c": [[2,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]])"), "not a rotation");
  expect(frame(R"("w2c": [[1,0,0,0],[0,1,0,0],[0,0,-1,0],[0,0,0,1]])"), "not a rotation");
  expect(frame(R"("w2c": [[1,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,1,1]])"), "not a rotation");
  expect(R"({"scene_name": "s", "frames": [{"image_path": "a", "gt_image_path": "b"}, {"image_path": "c"}]})",
         "frame 1 has no text 'gt_image_path'");

  const auto index = [&](const std::string& text) {
    WriteFileAtomically(root / "views.json", text);
    ReadViewIndex(root / "views.json");
  };
  for (const auto& [text, problem] : std::vector<std::pair<std::string, std::string>>{
           {"[1]", "not a view list"},
           {"{\"s\": null}", "of no scene"},
           {R"({"s": {"context": [0, 1]}})", "scene 's' has no list 'target'"},
           {R"({"s": {"context": [0, -1], "target": [2]}})", "no frame number"},
           {R"({"s": {"context": [0, 0.5], "target": [2]}})", "no frame number"},
           {R"({"s": {"context": [0, 99999999999999999999], "target": [2]}})", "no frame number"},
           {R"({"s": {"context": [0, 0], "target": [2]}})", "twice"},
           {R"({"s": {"context": [], "target": [2]}})", "empty"}}) {
    ExpectFileError([&] { index(text); }, "views.json", problem);
  }
  // A damaged entry among good ones costs its scene only.
  WriteFileAtomically(root / "views.json",
                      R"({"bad": {"context": []}, "good": {"context": [0, 1], "target": [2]}})");
  const std::map<std::string, ViewList> views = ReadViewIndex(root / "views.json");
  EXPECT_EQ(views.at("good").inputs.size(), 2u);
  SceneRecord bad;
  bad.name = "bad";
  bad.source = "bad.json";
  ExpectFileError([&] { CheckViews(views.at("bad"), bad); }, "bad.json", "no views of scene 'bad'");

  ExpectFileError([&] { OpenScenes(root / "none.txt"); }, "none.txt", "does not exist");
  WriteFileAtomically(root / "blank.txt", " \n\n");
  ExpectFileError([&] { OpenScenes(root / "blank.txt"); }, "blank.txt", "lists no scene");
  WriteFileAtomically(root / "twice.txt", "a/x.json\nb/x.json\n");
  ExpectFileError([&] { OpenScenes(root / "twice.txt"); }, "twice.txt", "'x' twice");
  WriteFileAtomically(root / "missing.txt", "x.json\n");
  ExpectFileError([&] { OpenScenes(root / "missing.txt")->Read(0); }, "x.json", "");
}

TEST(FolderScenes, DavisWithAndWithoutResolutions) {
  const fs::path root = FreshFolder("davis");
  for (const char* const level : {"", "480p", "Full-Resolution"}) {
    const fs::path base = root / (std::string("root") + level);
    for (const char* const scene : {"bear", "camel"}) {
      for (const char* const file : {"00000", "00001"}) {
        WritePicture(base / "JPEGImages" / level / scene / (std::string(file) + ".png"),
                     Plain(16, 12, 9, 9, 9));
      }
      WritePicture(base / "Annotations" / level / scene / "00000.png", Plain(16, 12, 128, 0, 0));
    }
    const auto data = OpenScenes(base);
    ASSERT_EQ(data->size(), 2u) << level;
    const SceneRecord camel = data->Read(1);
    EXPECT_EQ(camel.name, "camel");
    EXPECT_EQ(camel.frames[0].mask_path, base / "Annotations" / level / "camel/00000.png");
    EXPECT_TRUE(camel.frames[1].mask_path.empty());
  }
  ExpectFileError([&] { FindDavisScenes(root); }, "JPEGImages", "missing");
  ExpectFileError([&] { FindDavisScenes(root / "root480p", "1080p"); }, "1080p", "missing");
}

TEST(FolderScenes, AnEmptyFolderOfDavisIsOneSceneThatCannotBeRead) {
  const fs::path root = FreshFolder("davis_gap");
  fs::create_directories(root / "JPEGImages/a_empty");
  WritePicture(root / "JPEGImages/bear/00000.png", Plain(16, 12, 9, 9, 9));
  const auto data = OpenScenes(root);
  ASSERT_EQ(data->size(), 2u);
  ExpectFileError([&] { data->Read(0); }, "a_empty", "holds no pictures");
  EXPECT_EQ(data->Read(1).frames.size(), 1u);
  ExpectFileError([&] { FindDavisScenes(root); }, "a_empty", "holds no pictures");
}

TEST(FolderScenes, PicturesInNaturalOrderWithMasksAndCameras) {
  const fs::path root = FreshFolder("folders");
  for (const char* const file : {"f10.png", "f9.png", "f1.png", ".hidden.png"}) {
    WritePicture(root / "a/images" / file, Plain(8, 8, 1, 1, 1));
  }
  WritePicture(root / "a/masks/f9.png", Plain(8, 8, 255, 255, 255));
  WritePicture(root / "b/x.png", Plain(8, 8, 1, 1, 1));
  WriteFileAtomically(root / "b/notes.txt", "nothing");
  const std::string line = "0 0.5 0.9 0.5 0.5 0 0 1 0 0 0.25 0 1 0 0 0 0 1 0\n";
  WriteFileAtomically(root / "a/cameras.txt", "# made here\n" + line + line + line);
  const auto data = OpenScenes(root);
  ASSERT_EQ(data->size(), 2u);
  const SceneRecord a = data->Read(0);
  ASSERT_EQ(a.frames.size(), 3u);
  EXPECT_EQ(a.frames[1].image_path.filename(), "f9.png");
  EXPECT_EQ(a.frames[2].image_path.filename(), "f10.png");
  EXPECT_EQ(a.frames[1].mask_path.filename(), "f9.png");
  EXPECT_TRUE(a.frames[1].intrinsics->fractions);
  EXPECT_EQ((*a.frames[1].w2c)(0, 3), 0.25);
  EXPECT_EQ(data->name(1), "b");
  EXPECT_EQ(OpenScenes(root / "b/")->name(0), "b");  // one scene alone

  WriteFileAtomically(root / "views.json", R"({"b": {"context": [0], "target": [0]}})");
  ListedScenesOptions options;
  options.view_index = root / "views.json";
  EXPECT_THAT(OpenScenes(root, options)->EvaluationViews(0)->inputs, ElementsAre(0));

  WriteFileAtomically(root / "a/cameras.txt", line + line);
  // A scene at fault says so when its turn comes, and is no reason to refuse the others.
  const auto some = OpenScenes(root);
  ASSERT_EQ(some->size(), 2u);
  EXPECT_EQ(some->name(0), "a");
  ExpectFileError([&] { some->Read(0); }, "cameras.txt", "2 cameras for the 3 pictures");
  EXPECT_EQ(some->Read(1).frames.size(), 1u);
  ExpectFileError([&] { OpenScenes(root / "a"); }, "cameras.txt", "2 cameras for the 3 pictures");
  WriteFileAtomically(root / "a/cameras.txt", line + "0 0.5 0.9 0.5 0.5 0 0 1 0 nan 0.25 0 1 0 0 0 0 1 0\n");
  ExpectFileError([&] { OpenScenes(root)->Read(0); }, "cameras.txt", "line 2");
  fs::create_directories(root / "alone");
  fs::rename(root / "a", root / "alone/a");
  ExpectFileError([&] { OpenScenes(root / "alone"); }, "cameras.txt", "line 2");  // nothing is left
  fs::create_directories(root / "empty");
  ExpectFileError([&] { OpenScenes(root / "empty"); }, "empty", "holds no data set");
  ExpectFileError([&] { OpenScenes(root / "b/notes.docx"); }, "notes.docx", "does not exist");
}

TEST(FolderScenes, VideosAreCountedByDecoding) {
  const fs::path root = FreshFolder("video");
  VideoWriter writer(root / "clip.mp4", 64, 48, 10, {"mp4v"});
  for (int i = 0; i < 7; ++i) writer.Write(Plain(64, 48, 30 * i, 100, 100));
  writer.Commit();
  const auto data = OpenScenes(root / "clip.mp4");
  const SceneRecord scene = data->Read(0);
  EXPECT_EQ(scene.name, "clip");
  ASSERT_EQ(scene.frames.size(), 7u);
  EXPECT_EQ(scene.frames[5].video_frame, 5);
}

TEST(FolderScenes, SharedData) {
  const fs::path shared = "../shared/data";
  if (!fs::exists(shared)) GTEST_SKIP() << shared << " is absent";
  const auto dynamic = OpenScenes(shared / "dynamic");
  std::map<std::string, SceneRecord> scenes;
  for (size_t i = 0; i < dynamic->size(); ++i) scenes[dynamic->name(i)] = dynamic->Read(i);
  ASSERT_TRUE(scenes.contains("davis_dog"));
  EXPECT_EQ(scenes["davis_dog"].frames.size(), 60u);
  for (const FrameRecord& frame : scenes["davis_dog"].frames) EXPECT_FALSE(frame.mask_path.empty());
  EXPECT_TRUE(scenes["davis_lady_running"].frames[0].mask_path.empty());
  EXPECT_EQ(OpenScenes(shared / "dynamic/ytvos_groups")->size(), 7u);
  const auto re10k = OpenScenes(shared / "static/re10k");
  ASSERT_EQ(re10k->size(), 6u);
  for (size_t i = 0; i < re10k->size(); ++i) {
    const SceneRecord scene = re10k->Read(i);
    ASSERT_EQ(scene.frames.size(), 16u);
    EXPECT_TRUE(scene.frames[15].w2c && scene.frames[15].intrinsics->fractions);
  }
}

}  // namespace
}  // namespace wildrayzer

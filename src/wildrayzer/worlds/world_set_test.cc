// Sets of worlds: the files are there, other modules read them, and they follow from the options alone.
#include "wildrayzer/worlds/world_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/LU>
#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "wildrayzer/data/folder_scenes.h"
#include "wildrayzer/data/masks.h"
#include "wildrayzer/data/scene_writer.h"
#include "wildrayzer/testing/files.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/worlds/histograms.h"
#include "wildrayzer/worlds/world_scene_files.h"
#include "wildrayzer/worlds/world_sheet.h"
#include "wildrayzer/worlds/world_statistics.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

WorldSetOptions SmallWorldSet(const fs::path& out, int threads = 1) {
  WorldSetOptions options;
  options.out = out;
  options.scenes = 5;
  options.seed = 3;
  options.size = 32;
  options.aspects = {"mixed"};
  options.drawn.views = 4;
  options.drawn.movers = 1;
  options.textures.procedural = 6;
  options.textures.procedural_cutouts = 6;
  options.threads = threads;
  options.layout = true;
  return options;
}

WorldSetReport MakeSet(const WorldSetOptions& options) {
  Progress progress(false);
  return MakeWorldSet(options, RenderOnProcessor, progress);
}

std::map<std::string, std::string> FilesOf(const fs::path& root) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.is_regular_file()) {
      files[fs::relative(entry.path(), root).generic_string()] = testing::ReadText(entry.path());
    }
  }
  return files;
}

// Made once.
const fs::path& MadeSet() {
  static const fs::path made = [] {
    const fs::path out = testing::ProcessFolder() / "world_set";
    const WorldSetReport report = MakeSet(SmallWorldSet(out));
    EXPECT_EQ(report.made, 5);
    EXPECT_EQ(report.found, 0);
    return out;
  }();
  return made;
}

TEST(WorldSet, IsTheSameForAnyNumberOfThreads) {
  const fs::path out = testing::FreshFolder("world_set_threads");
  MakeSet(SmallWorldSet(out, 2));
  const auto one = FilesOf(MadeSet()), two = FilesOf(out);
  EXPECT_GT(one.size(), 5U * (4 * 4 + 1));
  ASSERT_EQ(one.size(), two.size());
  for (const auto& [name, bytes] : one) EXPECT_TRUE(two.contains(name) && two.at(name) == bytes) << name;
}

TEST(WorldSet, GoesOnWhereItWasStopped) {
  const fs::path out = testing::FreshFolder("world_set_resumed");
  WorldSetOptions options = SmallWorldSet(out);
  options.scenes = 2;
  MakeSet(options);
  // As a kill leaves it: half a line, half a folder, a scene without its metadata.
  WriteFileAtomically(out / "facts.jsonl", testing::ReadText(out / "facts.jsonl") + "{\"world\":2,\"colu");
  fs::create_directories(out / "scenes" / "images" / ".world_000002.tmp-1-1");
  fs::remove(out / "scenes" / "metadata" / "world_000001.json");
  options.scenes = 5;
  const WorldSetReport report = MakeSet(options);
  EXPECT_EQ(report.found, 2);
  EXPECT_EQ(report.made, 3);
  EXPECT_TRUE(FilesOf(out) == FilesOf(MadeSet()));
}

TEST(WorldSet, RefusesOtherFoldersAndSettings) {
  const fs::path out = testing::FreshFolder("world_set_refused");
  WorldSetOptions options = SmallWorldSet(out);
  options.scenes = 1;
  options.layout = false;
  MakeSet(options);
  const auto refused = [&](const std::string& message) {
    EXPECT_THAT([&] { MakeSet(options); }, ThrowsMessage<UsageError>(HasSubstr(message)));
  };
  options.seed = 4;
  refused("another seed (3, now 4)");
  options = SmallWorldSet(out);
  options.textures.procedural = 7;
  refused("another textures");
  options = SmallWorldSet(out);
  options.size = 40;
  refused("--size must be a multiple of 16, not 40");
  options = SmallWorldSet(out);
  options.drawn.inputs = 4;
  refused("--inputs must be between 1 and 3");
  options = SmallWorldSet(out);
  options.aspects = {"4:3", "mixed"};
  refused("--aspect mixed: give WIDTH:HEIGHT");
  options = SmallWorldSet(out.parent_path());
  refused(out.parent_path().string());
  WriteFileAtomically(out / "facts.jsonl", "{}\n");
  options = SmallWorldSet(out);
  EXPECT_THAT([&] { MakeSet(options); }, ThrowsMessage<FileError>(HasSubstr("facts.jsonl: is damaged")));
}

TEST(WorldSet, ReadersAcceptTheLayout) {
  const fs::path scenes = MadeSet() / "scenes";
  ListedScenesOptions options;
  options.view_index = scenes / "full_list_context_2_view_idx.json";
  options.masks.roots["default"] = scenes / "binary_masks";
  const auto listed = OpenScenes((scenes / "full_list.txt").string(), options);
  ASSERT_EQ(listed->size(), 5U);
  double moving = 0;
  for (size_t i = 0; i < listed->size(); ++i) {
    const SceneRecord scene = listed->Read(i);
    ASSERT_EQ(scene.frames.size(), 4U);
    for (const FrameRecord& frame : scene.frames) {
      const Image image = ReadImage(frame.image_path);
      EXPECT_NEAR(image.width * image.height, 32 * 32, 0.09 * 32 * 32);
      EXPECT_EQ(ReadImage(frame.clean_path).width, image.width);
      for (const uint8_t value : ReadMask(frame.mask_path).values) moving += value != 0 ? 1 : 0;
      ASSERT_TRUE(frame.w2c && frame.intrinsics);
      EXPECT_NEAR(frame.w2c->topLeftCorner(3, 3).determinant(), 1, 1e-5);
    }
    const auto views = listed->EvaluationViews(i);
    ASSERT_TRUE(views);
    EXPECT_THAT(views->inputs, ElementsAre(0, 1));
    EXPECT_THAT(views->targets, ElementsAre(2, 3));
  }
  EXPECT_GT(moving / (5 * 4 * 32 * 32), 0.02);
}

TEST(WorldSet, StatisticsTellWhatWasDrawn) {
  const auto statistics = nlohmann::json::parse(testing::ReadText(MadeSet() / "statistics.json"));
  EXPECT_EQ(statistics.at("worlds"), 5);
  EXPECT_EQ(statistics.at("views"), 20);
  EXPECT_GE(statistics.at("with_movers"), 4);  // now and then there is no room
  EXPECT_EQ(statistics.at("overlap").at("count"), 15);
  EXPECT_EQ(statistics.at("cover").at("count"), 4 * statistics.at("with_movers").get<int>());
  // Worlds are accepted by a coarser grid of points than they are measured by.
  EXPECT_GE(statistics.at("overlap").at("least").get<double>(), 0.35 - 0.05);
  EXPECT_LE(statistics.at("overlap").at("greatest").get<double>(), 1.0);
  EXPECT_GT(statistics.at("brightness").at("least").get<double>(), 0.05);
  const Image sheet = ReadImage(MadeSet() / "sheet_000.png");
  EXPECT_EQ(sheet.width, (4 + 5) * 36 + 4);
  EXPECT_EQ(sheet.height, 5 * 36 + 4);
  EXPECT_THAT(testing::ReadText(MadeSet() / "histograms.svg"), HasSubstr("overlap with the first view"));
}

TEST(WorldFacts, ALineHoldsThem) {
  MeasuredWorld world;
  world.index = 7;
  world.shape = {18, 14};
  world.open = true;
  world.movers = 2;
  world.unit = 2.5;
  world.brightness = 0.4375;
  world.views.resize(2);
  world.views[1].facts.yaw = -12.5;
  world.views[1].facts.overlap = 0.75;
  world.views[1].visible = 0.5;
  const std::string line = FactsLine(world);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  const MeasuredWorld read = ParseFactsLine(line, "facts");
  EXPECT_EQ(FactsLine(read), line);
  EXPECT_EQ(read.index, 7);
  EXPECT_EQ(read.views[1].facts.yaw, -12.5);
  EXPECT_EQ(read.views[1].visible, 0.5);
  EXPECT_THROW(ParseFactsLine("{\"world\": 1}", "facts"), FileError);
}

TEST(Histograms, CountValuesInBars) {
  Histogram linear{"linear", {0.1, 0.3, 0.35, 0.99, 1.5, -2}, 0, 1, false, 4, std::nullopt};
  const std::vector<double> bars = BarsOf(linear);
  const double sixth = 1.0 / 6;
  ASSERT_EQ(bars.size(), 4U);
  EXPECT_NEAR(bars[0], 2 * sixth, 1e-12);  // with what lies below
  EXPECT_NEAR(bars[1], 2 * sixth, 1e-12);
  EXPECT_NEAR(bars[2], 0, 1e-12);
  EXPECT_NEAR(bars[3], 2 * sixth, 1e-12);  // with what lies above
  const Histogram logarithmic{"log", {0.02, 0.2, 2, 20}, 0.01, 100, true, 4, std::nullopt};
  for (const double bar : BarsOf(logarithmic)) EXPECT_NEAR(bar, 0.25, 1e-12);
  EXPECT_TRUE(BarsOf({"none", {}, 0, 1, false, 4, std::nullopt}).empty());
}

// What the files say, against the matches: a patch centre of one view, moved into space by its depth and its
// camera, appears in the first view where the match says.
TEST(WorldSceneFiles, CamerasAndDepthsAgreeWithMatches) {
  TextureSources textures;
  textures.procedural = textures.procedural_cutouts = 4;
  const TextureBank bank = TextureBank::Make(textures, 1, 1);
  WorldOptions options;
  options.width = options.height = 80;
  Random random(11, "scene files");
  const World world = DrawWorld(bank, options, random);
  // Patches of an odd number of pixels have a pixel at their centre.
  RenderedWorld rendered({16, 16}, 5, static_cast<int>(world.views.size()));
  const WorldFrames frames = rendered.frames();
  RenderWorlds({&world, 1}, bank, 1, frames);
  const fs::path root = testing::FreshFolder("world_scene");
  WriteWorldScene(root, 0, world, rendered);
  const auto described = nlohmann::json::parse(testing::ReadText(root / "metadata" / "world_000000.json"));
  const auto camera = [&](size_t view) {
    Eigen::Matrix4d w2c;
    for (int i = 0; i < 16; ++i)
      w2c(i / 4, i % 4) = described["frames"][view]["w2c"][i / 4][i % 4].get<double>();
    return w2c;
  };
  const auto k = described["frames"][0]["fxfycxcy"].get<std::vector<double>>();
  int checked = 0;
  for (size_t view = 1; view < world.views.size(); ++view) {
    int height = 0, width = 0;
    const std::vector<float> depth = ReadNpyFloats(
        root / "depth" / "world_000000" / ("0000" + std::to_string(view) + ".npy"), &height, &width);
    ASSERT_EQ(width, 80);
    ASSERT_EQ(height, 80);
    for (int patch = 0; patch < rendered.patches(); ++patch) {
      const size_t at = view * static_cast<size_t>(rendered.patches()) + static_cast<size_t>(patch);
      if (rendered.visible[at] == 0) continue;
      const int x = patch % 16 * 5 + 2, y = patch / 16 * 5 + 2;
      const double z = depth[static_cast<size_t>(y * width + x)];
      const Eigen::Vector4d seen((x + 0.5 - k[2]) / k[0] * z, (y + 0.5 - k[3]) / k[1] * z, z, 1);
      const Eigen::Vector4d first = camera(0) * camera(view).inverse() * seen;
      EXPECT_NEAR((first.x() / first.z() * k[0] + k[2]) / width, rendered.matches[2 * at], 2e-4);
      EXPECT_NEAR((first.y() / first.z() * k[1] + k[3]) / height, rendered.matches[2 * at + 1], 2e-4);
      ++checked;
    }
  }
  EXPECT_GT(checked, 400);
}

}  // namespace
}  // namespace wildrayzer

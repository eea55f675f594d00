#include "wildrayzer/data/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <set>
#include <span>

#include "wildrayzer/data/folder_scenes.h"
#include "wildrayzer/data/testing/small_coco.h"
#include "wildrayzer/data/testing/small_scenes.h"
#include "wildrayzer/io/npy.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::FreshFolder;
using ::testing::HasSubstr;
using testing::SceneColor;
using ::testing::ThrowsMessage;
using testing::WriteList;

// Five static scenes of 12 frames and three dynamic ones of 10.
struct Sets {
  fs::path root;
  std::shared_ptr<const SceneDataset> still, moving;
};

Sets MakeSets(const std::string& name) {
  Sets sets;
  sets.root = FreshFolder(name);
  sets.still = OpenScenes(WriteList(sets.root / "static", 5, 12));
  sets.moving = OpenScenes(WriteList(sets.root / "dynamic", 3, 10));
  return sets;
}

LoaderOptions Options(const Sets& sets) {
  LoaderOptions options;
  options.static_set.scenes = sets.still;
  options.static_set.span.end = {6, 11};
  options.dynamic_set.scenes = sets.moving;
  options.dynamic_set.span.end = {4, 8};
  options.dynamic_ratio = 0.5;
  options.targets = 2;
  options.view.width = options.view.height = 32;
  options.batch_size = 2;
  options.seed = 77;
  options.threads = 0;
  return options;
}

// Everything that identifies a batch, pixels included.
std::string Fingerprint(const Batch& batch) {
  std::string text = fmt::format("{}/{}:{}", batch.epoch, batch.position, batch.inputs);
  for (const Sample& sample : batch.samples) {
    text += fmt::format(" {}{}{}", sample.scene, sample.dynamic, sample.pasted);
    for (const View& view : sample.views) {
      uint64_t hash = Fnv1a64({reinterpret_cast<const char*>(view.image.rgb.data()), view.image.rgb.size()});
      text += fmt::format(",{}:{:x}", view.frame, hash);
    }
    for (const GrayImage& overlay : sample.overlays) {
      text += fmt::format(";{}", std::count(overlay.values.begin(), overlay.values.end(), 255));
    }
  }
  return text;
}

std::vector<std::string> Take(TrainingLoader& loader, int batches) {
  std::vector<std::string> prints;
  for (int i = 0; i < batches; ++i) prints.push_back(Fingerprint(loader.Next()));
  return prints;
}

TEST(TrainingLoader, SamplesHoldTheViewsTheyName) {
  const Sets sets = MakeSets("loader_views");
  LoaderOptions options = Options(sets);
  options.input_counts = {2, 3, 4};
  TrainingLoader loader(options);
  EXPECT_EQ(loader.steps_per_epoch(), 4);  // 8 scenes, 2 a step
  std::set<int> inputs;
  for (int i = 0; i < 40; ++i) {
    const Batch batch = loader.Next();
    EXPECT_EQ(batch.epoch, i / 4);
    EXPECT_EQ(batch.position, i % 4);
    ASSERT_EQ(batch.samples.size(), 2u);
    EXPECT_NE(batch.samples[0].dynamic, batch.samples[1].dynamic);  // the ratio holds within every step
    inputs.insert(batch.inputs);
    for (const Sample& sample : batch.samples) {
      ASSERT_EQ(sample.list.inputs.size(), static_cast<size_t>(batch.inputs));
      ASSERT_EQ(sample.list.targets.size(), 2u);
      ASSERT_EQ(sample.views.size(), sample.list.inputs.size() + 2);
      const int scene = sample.scene.back() - '0';
      for (size_t v = 0; v < sample.views.size(); ++v) {
        const int frame = v < sample.list.inputs.size() ? sample.list.inputs[v]
                                                        : sample.list.targets[v - sample.list.inputs.size()];
        EXPECT_EQ(sample.views[v].frame, frame);
        EXPECT_EQ(sample.views[v].image, testing::Plain(32, 32, SceneColor(scene), 100 + frame, 7));
      }
      const int span = sample.list.inputs.back() - sample.list.inputs.front();
      EXPECT_GE(span, sample.dynamic ? 4 : 6);
      EXPECT_LE(span, sample.dynamic ? 8 : 11);
    }
  }
  EXPECT_EQ(inputs, (std::set<int>{2, 3, 4}));
}

TEST(TrainingLoader, OrderDoesNotDependOnThreadsOrQueue) {
  const Sets sets = MakeSets("loader_threads");
  LoaderOptions options = Options(sets);
  options.pool = std::make_shared<PastePool>(testing::WriteSmallCoco(sets.root / "coco") / "instances.json",
                                             sets.root / "coco/images", std::vector<std::string>{});
  options.static_set.paste = true;
  std::vector<std::string> expected;
  for (const auto& [threads, queue] : {std::pair{0, 1}, {1, 1}, {4, 1}, {3, 8}}) {
    options.threads = threads;
    options.queued_batches = queue;
    TrainingLoader loader(options);
    const std::vector<std::string> prints = Take(loader, 30);
    if (expected.empty()) expected = prints;
    EXPECT_EQ(prints, expected) << threads << " threads";
  }
  options.seed = 78;
  TrainingLoader other(options);
  EXPECT_NE(Take(other, 30), expected);
}

// What is drawn is drawn for a sample: all its views are mirrored, tinted and enlarged alike.
TEST(TrainingLoader, AugmentsSamplesAsAWholeOnAnyThread) {
  const Sets sets = MakeSets("loader_augment");
  LoaderOptions options = Options(sets);
  TrainingLoader plain(options);
  const std::vector<std::string> recorded = Take(plain, 20);
  options.augment = {0.5, 0.5, 0.2, 1.3};
  std::vector<std::string> expected;
  for (const int threads : {0, 3}) {
    options.threads = threads;
    TrainingLoader loader(options);
    const std::vector<std::string> prints = Take(loader, 20);
    if (expected.empty()) expected = prints;
    EXPECT_EQ(prints, expected) << threads << " threads";
  }
  EXPECT_NE(expected, recorded);

  TrainingLoader loader(options);
  int mirrored = 0, backwards = 0, samples = 0;
  std::set<double> focal_lengths;
  for (int i = 0; i < 20; ++i) {
    for (const Sample& sample : loader.Next().samples) {
      ++samples;
      std::vector<int> frames = sample.list.inputs;
      const bool reversed = frames.front() > frames.back();
      EXPECT_EQ(sample.list.targets.front() > sample.list.targets.back(), reversed);
      backwards += reversed;
      frames.insert(frames.end(), sample.list.targets.begin(), sample.list.targets.end());
      const View& first = sample.views.front();
      const bool mirror = (*first.w2c)(0, 3) < 0 || (*sample.views.back().w2c)(0, 3) < 0;
      mirrored += mirror;
      focal_lengths.insert(first.intrinsics->fx);
      EXPECT_GE(first.intrinsics->fx, 40);
      EXPECT_LE(first.intrinsics->fx, 52);
      for (size_t v = 0; v < sample.views.size(); ++v) {
        const View& view = sample.views[v];
        EXPECT_EQ(view.frame, frames[v]);
        EXPECT_EQ((*view.w2c)(0, 3), mirror ? -frames[v] : frames[v]);
        EXPECT_EQ(view.intrinsics->fx, first.intrinsics->fx);
        EXPECT_EQ(view.image.Pixel(3, 3)[0], first.image.Pixel(3, 3)[0]);  // of the scene, not the frame
      }
    }
  }
  EXPECT_GT(mirrored, samples / 4);
  EXPECT_LT(mirrored, samples * 3 / 4);
  EXPECT_GT(backwards, samples / 4);
  EXPECT_LT(backwards, samples * 3 / 4);
  EXPECT_EQ(focal_lengths.size(), static_cast<size_t>(samples));
}

TEST(TrainingLoader, AStepHasOneOfTheSizes) {
  const Sets sets = MakeSets("loader_sizes");
  LoaderOptions options = Options(sets);
  options.view.patch = 16;
  options.sizes = {{32, 32}, {48, 16}, {16, 64}};
  TrainingLoader first(options);
  options.world_size = 2;  // ranks agree
  options.rank = 1;
  TrainingLoader second(options);
  std::map<std::array<int, 2>, int> drawn;
  for (int i = 0; i < 60; ++i) {
    const Batch batch = first.Next(), other = second.Next();
    const Image& image = batch.samples[0].views[0].image;
    ++drawn[{image.width, image.height}];
    EXPECT_EQ(other.samples[0].views[0].image.width, image.width);
    for (const Sample& sample : batch.samples) {
      for (const View& view : sample.views) {
        EXPECT_EQ(view.image.width, image.width);
        EXPECT_EQ(view.image.height, image.height);
      }
    }
  }
  ASSERT_EQ(drawn.size(), 3u);
  for (const auto& [size, times] : drawn) {
    EXPECT_THAT(options.sizes, ::testing::Contains(size));
    EXPECT_GT(times, 8);  // of 20 expected; less than 8 of 60 at a third each has a chance of 1e-4
  }
}

TEST(TrainingLoader, ContinuesAtAnyStep) {
  const Sets sets = MakeSets("loader_resume");
  LoaderOptions options = Options(sets);
  options.input_counts = {2, 3};
  options.sizes = {{32, 32}, {48, 16}};
  options.threads = 2;
  TrainingLoader whole(options);
  std::vector<LoaderState> states = {whole.state()};
  std::vector<std::string> prints;
  for (int i = 0; i < 14; ++i) {
    prints.push_back(Fingerprint(whole.Next()));
    states.push_back(whole.state());
  }
  EXPECT_EQ(states[4], (LoaderState{77, 1, 0}));
  for (size_t at = 0; at < states.size(); ++at) {
    TrainingLoader resumed(options, states[at]);
    EXPECT_EQ(resumed.state(), states[at]);
    const auto rest = static_cast<int>(prints.size() - at);
    EXPECT_EQ(Take(resumed, rest),
              std::vector<std::string>(prints.begin() + static_cast<long>(at), prints.end()));
  }
  EXPECT_THROW(TrainingLoader(options, LoaderState{78, 0, 0}), UsageError);
  EXPECT_THROW(TrainingLoader(options, LoaderState{77, 0, 4}), UsageError);
}

TEST(TrainingLoader, RanksShareTheStepsOfOneProcess) {
  const Sets sets = MakeSets("loader_ranks");
  LoaderOptions options = Options(sets);
  options.batch_size = 4;
  TrainingLoader alone(options);
  options.batch_size = 2;
  options.world_size = 2;
  TrainingLoader first(options);
  options.rank = 1;
  TrainingLoader second(options);
  EXPECT_EQ(alone.steps_per_epoch(), first.steps_per_epoch());
  for (int step = 0; step < 6; ++step) {
    const Batch whole = alone.Next(), a = first.Next(), b = second.Next();
    EXPECT_EQ(whole.inputs, a.inputs);
    for (size_t i = 0; i < 4; ++i) {
      const Sample& part = i < 2 ? a.samples[i] : b.samples[i - 2];
      EXPECT_EQ(whole.samples[i].scene, part.scene);
      EXPECT_EQ(whole.samples[i].list, part.list);
    }
  }
}

TEST(TrainingLoader, ViewsAreFreshOnlyWhenTheRefreshEpochChanges) {
  const Sets sets = MakeSets("loader_refresh");
  LoaderOptions options = Options(sets);
  options.dynamic_ratio = 0;
  options.batch_size = 5;  // one pass a step
  options.refresh_steps = 3;
  TrainingLoader loader(options);
  std::map<std::string, std::map<int64_t, std::set<std::vector<int>>>> views;
  for (int pass = 0; pass < 9; ++pass) {
    for (const Sample& sample : loader.Next().samples) {
      EXPECT_EQ(sample.refresh_epoch, pass / 3);
      std::vector<int> all = sample.list.inputs;
      all.insert(all.end(), sample.list.targets.begin(), sample.list.targets.end());
      views[sample.scene][sample.refresh_epoch].insert(all);
    }
  }
  std::set<std::vector<int>> different;
  for (const auto& [scene, epochs] : views) {
    for (const auto& [epoch, lists] : epochs) {
      EXPECT_EQ(lists.size(), 1u) << scene;
      different.insert(lists.begin(), lists.end());
    }
  }
  EXPECT_GT(different.size(), 10u);  // 15 scene-epochs
  options.refresh_steps = 0;
  TrainingLoader fresh(options);
  std::set<std::vector<int>> inputs;
  for (int pass = 0; pass < 30; ++pass) {
    for (const Sample& sample : fresh.Next().samples) {
      EXPECT_EQ(sample.refresh_epoch, pass);
      if (sample.scene == "scene_03") inputs.insert(sample.list.inputs);
    }
  }
  EXPECT_GT(inputs.size(), 8u);  // 21 pairs of ends are possible
}

TEST(TrainingLoader, TheSpanFollowsItsSchedule) {
  const Sets sets = MakeSets("loader_schedule");
  LoaderOptions options = Options(sets);
  options.dynamic_ratio = 0;
  options.static_set.span = {{3, 3}, {11, 11}, 16};
  for (const int64_t refresh : {0, 8}) {
    options.refresh_steps = refresh;
    TrainingLoader loader(options);
    for (int step = 0; step < 20; ++step) {
      const int64_t counted = refresh == 0 ? step : step / refresh * refresh;
      const int expected =
          static_cast<int>(std::lround(3 + 8 * std::min(1.0, static_cast<double>(counted) / 16)));
      for (const Sample& sample : loader.Next().samples) {
        EXPECT_EQ(sample.list.inputs.back() - sample.list.inputs.front(), expected) << step;
      }
    }
  }
}

TEST(TrainingLoader, PastedSamplesKeepTheirCleanViews) {
  const Sets sets = MakeSets("loader_paste");
  LoaderOptions options = Options(sets);
  options.static_set.paste = true;
  EXPECT_THROW(TrainingLoader{options}, UsageError);  // no pool
  options.pool = std::make_shared<PastePool>(testing::WriteSmallCoco(sets.root / "coco") / "instances.json",
                                             sets.root / "coco/images", std::vector<std::string>{"dog"});
  TrainingLoader loader(options);
  int pasted = 0, plain = 0;
  for (int i = 0; i < 30; ++i) {
    for (const Sample& sample : loader.Next().samples) {
      if (sample.dynamic) {
        EXPECT_FALSE(sample.pasted);
      }
      (sample.pasted ? pasted : plain) += sample.dynamic ? 0 : 1;
      ASSERT_EQ(sample.overlays.size(), sample.pasted ? sample.views.size() : 0u);
      for (size_t v = 0; v < sample.overlays.size(); ++v) {
        const View& view = sample.views[v];
        EXPECT_EQ(view.clean,
                  testing::Plain(32, 32, SceneColor(sample.scene.back() - '0'), 100 + view.frame, 7));
        EXPECT_NE(view.image, view.clean);
        EXPECT_NE(sample.overlays[v], GrayImage(32, 32));
      }
    }
  }
  EXPECT_GT(pasted, 15);
  EXPECT_GT(plain, 0);
}

TEST(TrainingLoader, BrokenScenesAreSkippedCountedAndReplacedTheSameWayEveryTime) {
  const Sets sets = MakeSets("loader_broken");
  WriteFileAtomically(sets.root / "static/metadata/scene_01.json", "{\"scene_name\": ");
  for (int i = 0; i < 12; ++i) {
    WriteFileAtomically(sets.root / fmt::format("static/images/scene_02/{:05d}.png", i), "damaged");
  }
  fs::remove_all(sets.root / "static/images/scene_03");
  WriteFileAtomically(
      sets.root / "dynamic/metadata/scene_00.json",  // too short
      R"({"scene_name": "scene_00", "frames": [{"image_path": "../images/scene_00/00000.png"}]})");
  LoaderOptions options = Options(sets);
  std::vector<std::string> expected;
  for (const int threads : {0, 3}) {
    options.threads = threads;
    TrainingLoader loader(options);
    std::vector<std::string> prints;
    std::set<std::string> named;
    int64_t skipped = 0;
    for (int i = 0; i < 20; ++i) {
      const Batch batch = loader.Next();
      prints.push_back(Fingerprint(batch));
      for (const Sample& sample : batch.samples) {
        for (const std::string& problem : sample.skipped) named.insert(problem.substr(0, problem.find(':')));
        skipped += static_cast<int64_t>(sample.skipped.size());
        EXPECT_TRUE(sample.dynamic ? sample.scene != "scene_00"
                                   : sample.scene == "scene_00" || sample.scene == "scene_04");
      }
    }
    EXPECT_EQ(loader.skipped(), skipped);
    EXPECT_GT(skipped, 10);
    EXPECT_TRUE(named.contains((sets.root / "static/metadata/scene_01.json").string()));
    EXPECT_TRUE(named.contains((sets.root / "dynamic/metadata/scene_00.json").string()));
    if (expected.empty()) expected = prints;
    EXPECT_EQ(prints, expected);
  }
}

TEST(TrainingLoader, GivesUpWhenNothingCanBeRead) {
  const Sets sets = MakeSets("loader_hopeless");
  fs::remove_all(sets.root / "static/metadata");
  LoaderOptions options = Options(sets);
  options.dynamic_ratio = 0;
  TrainingLoader loader(options);
  EXPECT_THAT([&] { loader.Next(); },
              ThrowsMessage<Error>(AllOf(HasSubstr("20 scenes in a row"), HasSubstr(".json"))));
}

TEST(TrainingLoader, ImpossibleOptionsAreRefused) {
  const Sets sets = MakeSets("loader_options");
  for (const auto& change : std::vector<void (*)(LoaderOptions&)>{
           [](LoaderOptions& o) { o.batch_size = 0; }, [](LoaderOptions& o) { o.rank = 1; },
           [](LoaderOptions& o) { o.input_counts = {1}; }, [](LoaderOptions& o) { o.input_counts = {}; },
           [](LoaderOptions& o) { o.dynamic_ratio = 2; }, [](LoaderOptions& o) { o.queued_batches = 0; },
           [](LoaderOptions& o) { o.static_set.scenes = nullptr; }}) {
    LoaderOptions options = Options(sets);
    change(options);
    EXPECT_THROW(TrainingLoader{options}, UsageError);
  }
}

TEST(EvaluationLoader, RefusesBrokenScenesAndGoesOn) {
  const Sets sets = MakeSets("loader_eval");
  WriteFileAtomically(sets.root / "static/images/scene_01/00000.png", "damaged");
  EvaluationLoader::Options options;
  options.view.width = options.view.height = 32;
  EvaluationLoader unlisted(sets.still, {0}, options);
  EXPECT_THAT([&] { unlisted.Next(); }, ThrowsMessage<FileError>(HasSubstr("no evaluation views")));
  options.inputs = 2;
  options.targets = 3;
  EvaluationLoader loader(sets.still, {0, 1, 4}, options);
  EXPECT_EQ(loader.Next()->scene, "scene_00");
  EXPECT_THAT([&] { loader.Next(); }, ThrowsMessage<FileError>(HasSubstr("scene_01/00000.png")));
  const std::optional<Sample> last = loader.Next();
  EXPECT_EQ(last->scene, "scene_04");
  EXPECT_EQ(last->list, (ViewList{{0, 11}, {2, 6, 9}}));
  EXPECT_EQ(last->views[1].frame, 11);
  EXPECT_FALSE(loader.Next().has_value());
  options.targets = 11;
  EvaluationLoader greedy(sets.still, {0}, options);
  EXPECT_THAT([&] { greedy.Next(); },
              ThrowsMessage<FileError>(HasSubstr("has 12 frames; 2 inputs and 11 targets")));
}

// Masks and clean pictures that belong to the data take the place of pasted objects.
TEST(TrainingLoader, TakesTheTruthOfADynamicSetThatHasIt) {
  const fs::path root = FreshFolder("loader_truth");
  const fs::path list = WriteList(root, 2, 10, /*paired=*/true);
  for (int scene = 0; scene < 2; ++scene) {
    const fs::path masks = root / "masks" / fmt::format("scene_{:02d}", scene);
    fs::create_directories(masks);
    for (int frame = 0; frame < 10; ++frame) {
      std::vector<uint8_t> mask(96 * 64);
      for (size_t p = 0; p < mask.size(); ++p) mask[p] = p % 96 < 48;  // the left half moves
      WriteNpy(masks / fmt::format("{:05d}.npy", frame), DType::kU8, {64, 96},
               std::as_bytes(std::span(mask)));
    }
  }
  LoaderOptions options = Options(MakeSets("loader_truth_static"));
  ListedScenesOptions listed;
  listed.masks.roots["default"] = root / "masks";
  options.dynamic_set.scenes = OpenScenes(list, listed);
  options.dynamic_set.truth = true;
  options.dynamic_ratio = 1;
  TrainingLoader loader(options);
  const Batch batch = loader.Next();
  for (const Sample& sample : batch.samples) {
    EXPECT_TRUE(sample.pasted);
    EXPECT_FALSE(sample.dynamic);
    ASSERT_EQ(sample.overlays.size(), sample.views.size());
    for (size_t v = 0; v < sample.views.size(); ++v) {
      EXPECT_EQ(sample.views[v].image.Pixel(3, 3)[2], 7);
      EXPECT_EQ(sample.views[v].clean.Pixel(3, 3)[2], 200);
      EXPECT_EQ(sample.overlays[v].values[5 * 32 + 2], 255);
      EXPECT_EQ(sample.overlays[v].values[5 * 32 + 29], 0);
    }
  }
  // It is mirrored with the pictures.
  options.augment.flip = 1;
  TrainingLoader mirrored(options);
  for (const Sample& sample : mirrored.Next().samples) {
    for (const GrayImage& overlay : sample.overlays) {
      EXPECT_EQ(overlay.values[5 * 32 + 2], 0);
      EXPECT_EQ(overlay.values[5 * 32 + 29], 255);
    }
  }
  // Without clean pictures there is no truth to take.
  options.dynamic_set.scenes = OpenScenes(WriteList(root / "bare", 2, 10));
  TrainingLoader bare(options);
  EXPECT_THAT([&] { bare.Next(); }, ThrowsMessage<Error>(HasSubstr("has no clean picture (gt_image_path)")));
}

}  // namespace
}  // namespace wildrayzer

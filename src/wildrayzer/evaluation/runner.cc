#include "wildrayzer/evaluation/runner.h"

#include <fmt/format.h>

#include <Eigen/LU>
#include <algorithm>
#include <cctype>
#include <chrono>
#include <fstream>

#include "wildrayzer/data/view_lists.h"
#include "wildrayzer/data/views.h"
#include "wildrayzer/evaluation/results_json.h"
#include "wildrayzer/pipeline/photo_source.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/interrupt.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

ViewList ChooseViews(const SceneDataset& scenes, size_t index, const SceneRecord& record,
                     const SettingRequest& setting) {
  if (const auto listed = scenes.EvaluationViews(index)) {
    CheckViews(*listed, record);
    return *listed;
  }
  const size_t wanted = static_cast<size_t>(setting.num_inputs) + static_cast<size_t>(setting.num_targets);
  if (record.frames.size() < wanted) {
    throw FileError(record.source.string(),
                    fmt::format("has {} frames; {} inputs and {} targets were asked for",
                                record.frames.size(), setting.num_inputs, setting.num_targets));
  }
  // Evenly spread frames, of which the first and the last are inputs.
  const std::vector<size_t> frames = SpreadIndices(record.frames.size(), wanted);
  const ViewSplit split =
      SplitViews(wanted, static_cast<size_t>(setting.num_inputs), static_cast<size_t>(setting.num_targets));
  ViewList views;
  for (const size_t i : split.inputs) views.inputs.push_back(static_cast<int>(frames[i]));
  for (const size_t i : split.targets) views.targets.push_back(static_cast<int>(frames[i]));
  return views;
}

// True cameras when every view has a pose. Intrinsics are left at their defaults: accuracy is about poses.
std::vector<Camera> TrueCameras(const std::vector<View>& views) {
  std::vector<Camera> cameras;
  for (const View& view : views) {
    if (!view.w2c) return {};
    cameras.emplace_back().c2w = view.w2c->inverse();
  }
  return cameras;
}

fs::path MethodFolder(const RunOptions& options, const std::string& label, const std::string& method) {
  return options.folder / "runs" / FolderName(label) / FolderName(method);
}

// The stored result of a scene, unless there is none or it failed.
std::optional<SceneResult> Stored(const fs::path& path) {
  std::ifstream stream(path);
  if (!stream) return std::nullopt;
  const auto json = nlohmann::json::parse(stream, nullptr, /*allow_exceptions=*/false);
  SceneResult result = SceneFromJson(json, path.string());
  if (!result.failure.empty()) return std::nullopt;
  return result;
}

void SavePictures(const fs::path& folder, const MethodOutput& output) {
  fs::create_directories(folder);
  for (size_t t = 0; t < output.renders.size(); ++t) {
    WritePng(folder / fmt::format("target_{:02d}.png", t), ImageFrom(output.renders[t]));
  }
  for (size_t v = 0; v < output.masks.size(); ++v) {
    if (!output.masks[v].values.empty())
      WritePng(folder / fmt::format("mask_{:02d}.png", v), GrayFrom(output.masks[v]));
  }
}

// Runs and scores one method; an error becomes the scene's failure.
SceneResult Measure(const Method& method, const EvaluationScene& scene, const RunOptions& options,
                    const fs::path& folder) {
  const auto start = std::chrono::steady_clock::now();
  SceneResult result;
  try {
    const MethodOutput output = method.Run(scene);
    result = ScoreScene(scene, output, options.protocol, options.mask_threshold, options.lpips);
    SavePictures(folder / FolderName(scene.name), output);
  } catch (const Interrupted&) {
    throw;
  } catch (const UsageError&) {
    throw;  // would fail on every scene alike
  } catch (const std::exception& error) {
    result = {};
    const std::string message = error.what();
    result.failure = message.substr(0, message.find('\n'));
    LogWarning("{}: {} failed: {}", scene.name, method.title, result.failure);
  }
  result.scene = scene.name;
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

SceneResult Unreadable(const std::string& scene, const std::string& why) {
  SceneResult result;
  result.scene = scene;
  result.failure = why;
  return result;
}

void RunScene(const SettingRequest& setting, size_t index,
              const std::vector<std::unique_ptr<Method>>& methods, const RunOptions& options,
              SettingResult& result) {
  const std::string& name = setting.scenes->name(index);
  std::optional<EvaluationScene> scene;  // read only when a method still needs it
  std::string unreadable;
  for (size_t m = 0; m < methods.size(); ++m) {
    ThrowIfInterrupted();
    const fs::path folder = MethodFolder(options, setting.label, methods[m]->name);
    const fs::path file = folder / (FolderName(name) + ".json");
    std::optional<SceneResult> stored = Stored(file);
    if (!stored && !scene && unreadable.empty()) {
      try {
        scene = LoadScene(*setting.scenes, index, setting, options);
      } catch (const UsageError&) {
        throw;
      } catch (const std::exception& error) {
        unreadable = error.what();
        LogWarning("{}: cannot be read: {}", name, unreadable);
      }
    }
    if (!stored) {
      stored = scene ? Measure(*methods[m], *scene, options, folder) : Unreadable(name, unreadable);
      fs::create_directories(folder);
      WriteFileAtomically(
          file, SceneToJson(*stored).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    }
    result.methods[m].scenes.push_back(std::move(*stored));
    if (options.progress) options.progress("", 0);
  }
}

}  // namespace

std::string FolderName(const std::string& name) {
  std::string safe;
  for (const char c : name)
    safe += std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' ? c : '_';
  if (!safe.empty() && safe == name && safe.front() != '.' && safe.size() <= 128) return safe;
  return "_" + safe.substr(0, 100) + fmt::format("_{:016x}", Fnv1a64(name));
}

EvaluationScene LoadScene(const SceneDataset& scenes, size_t index, const SettingRequest& setting,
                          const RunOptions& options) {
  const SceneRecord record = scenes.Read(index);
  const ViewList views = ChooseViews(scenes, index, record, setting);
  EvaluationScene scene;
  scene.name = record.name;
  scene.num_inputs = static_cast<int>(views.inputs.size());
  scene.frames = views.inputs;
  scene.frames.insert(scene.frames.end(), views.targets.begin(), views.targets.end());
  ViewOptions view_options;
  view_options.width = options.width;
  view_options.height = options.height;
  view_options.clean = view_options.masks = true;
  const std::vector<View> loaded = LoadViews(record, scene.frames, view_options);
  scene.clean_truth = true;
  for (size_t v = views.inputs.size(); v < loaded.size(); ++v) scene.clean_truth &= !loaded[v].clean.empty();
  for (size_t v = 0; v < loaded.size(); ++v) {
    scene.observed.push_back(loaded[v].image);
    scene.masks.push_back(loaded[v].mask.empty() ? Planes() : PlanesFrom(loaded[v].mask));
    if (v >= views.inputs.size())
      scene.truth.push_back(PlanesFrom(scene.clean_truth ? loaded[v].clean : loaded[v].image));
  }
  scene.cameras = TrueCameras(loaded);
  return scene;
}

SettingResult RunSetting(const SettingRequest& setting, const std::vector<std::unique_ptr<Method>>& methods,
                         const RunOptions& options) {
  SettingResult result;
  result.label = setting.label;
  result.protocol = options.protocol.name;
  result.data = setting.data;
  result.num_inputs = setting.num_inputs;
  result.mask_threshold = options.mask_threshold;
  for (const auto& method : methods)
    result.methods.push_back({method->name, method->title, method->note, {}});
  const size_t count =
      options.max_scenes == 0 ? setting.scenes->size() : std::min(options.max_scenes, setting.scenes->size());
  for (size_t i = 0; i < count; ++i) {
    if (options.progress) options.progress(setting.scenes->name(i), static_cast<int>(methods.size()));
    RunScene(setting, i, methods, options, result);
  }
  return result;
}

}  // namespace wildrayzer

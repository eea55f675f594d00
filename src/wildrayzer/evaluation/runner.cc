#include "wildrayzer/evaluation/runner.h"

#include <fmt/format.h>

#include <Eigen/LU>
#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <fstream>
#include <span>
#include <utility>

#include "wildrayzer/data/view_selection.h"
#include "wildrayzer/data/views.h"
#include "wildrayzer/evaluation/results_json.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/interrupt.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/random.h"
#include "wildrayzer/util/sha256.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

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

// In the file of a result, beside SceneToJson's: what decided it.
constexpr char kDecidedBy[] = "decided_by";

std::string Digest(const std::string& text) {
  Sha256 digest;
  digest.Update(text.data(), text.size());
  return digest.Hex();
}

class StoredResult {
 public:
  StoredResult(fs::path path, std::string decided_by)
      : path_(std::move(path)), decided_by_(std::move(decided_by)) {
    std::ifstream stream(path_);
    if (!stream) return;
    const auto json = nlohmann::json::parse(stream, nullptr, /*allow_exceptions=*/false);
    SceneResult result = SceneFromJson(json, path_.string());
    if (!result.failure.empty()) return;
    const auto found = json.find(kDecidedBy);
    outdated_ = found == json.end() || *found != decided_by_;
    if (!outdated_) result_ = std::move(result);
  }

  // The complete result, when it still holds.
  const std::optional<SceneResult>& result() const { return result_; }
  bool outdated() const { return outdated_; }
  // Before new pictures are written beside it: a kill must not leave the old numbers with them.
  void Remove() const { fs::remove(path_); }
  void Write(const SceneResult& result) const {
    auto json = SceneToJson(result);
    json[kDecidedBy] = decided_by_;
    fs::create_directories(path_.parent_path());
    WriteFileAtomically(path_, json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }

 private:
  fs::path path_;
  std::string decided_by_;
  std::optional<SceneResult> result_;
  bool outdated_ = false;
};

// What SavePictures wrote; anything else is somebody's.
void RemovePictures(const fs::path& folder) {
  std::vector<fs::path> pictures;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if ((name.starts_with("target_") || name.starts_with("mask_")) && name.ends_with(".png"))
      pictures.push_back(entry.path());
  }
  for (const fs::path& picture : pictures) fs::remove(picture);
}

void SavePictures(const fs::path& folder, const MethodOutput& output) {
  fs::create_directories(folder);
  RemovePictures(folder);  // an earlier result may have had more of them
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
  std::optional<EvaluationScene> scene;
  std::string unreadable, pictures;
  try {
    scene = LoadScene(*setting.scenes, index, setting, options);
    pictures = SceneIdentity(*scene, options);
  } catch (const UsageError&) {
    throw;
  } catch (const std::exception& error) {
    unreadable = error.what();
    LogWarning("{}: cannot be read: {}", name, unreadable);
  }
  for (size_t m = 0; m < methods.size(); ++m) {
    ThrowIfInterrupted();
    if (scene) {
      const Method& method = *methods[m];
      const fs::path folder = MethodFolder(options, setting.label, method.name);
      const StoredResult stored(folder / (FolderName(name) + ".json"),
                                Digest(pictures + method.name + method.Identity(*scene)));
      result.outdated += stored.outdated() ? 1 : 0;
      if (!stored.result()) {
        stored.Remove();
        result.methods[m].scenes.push_back(Measure(method, *scene, options, folder));
        stored.Write(result.methods[m].scenes.back());
      } else {
        result.methods[m].scenes.push_back(*stored.result());
      }
    } else {
      result.methods[m].scenes.push_back(Unreadable(name, unreadable));
    }
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

std::string SceneIdentity(const EvaluationScene& scene, const RunOptions& options) {
  Sha256 digest;
  const auto add = [&digest](const auto& values) {
    const uint64_t size = values.size();
    digest.Update(&size, sizeof size);
    digest.Update(values.data(), values.size() * sizeof(values[0]));
  };
  const auto add_planes = [&](const Planes& planes) {
    add(std::array{planes.channels, planes.height, planes.width});
    add(planes.values);
  };
  add(fmt::format("{}, {}, threshold {}, {}, {} inputs, clean {}", scene.name, options.protocol.name,
                  options.mask_threshold, options.identity, scene.num_inputs, scene.clean_truth));
  add(scene.frames);
  for (const Image& image : scene.observed) {
    add(std::array{image.height, image.width});
    add(image.rgb);
  }
  for (const Planes& truth : scene.truth) add_planes(truth);
  for (const Planes& mask : scene.masks) add_planes(mask);
  for (const Camera& camera : scene.cameras) add(std::span(camera.c2w.data(), camera.c2w.size()));
  return digest.Hex();
}

EvaluationScene LoadScene(const SceneDataset& scenes, size_t index, const SettingRequest& setting,
                          const RunOptions& options) {
  const SceneRecord record = scenes.Read(index);
  const ViewList views = ViewsToJudge(scenes, index, record, setting.num_inputs, setting.num_targets);
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

// What SceneWorks makes of a scene that is encoded: clean photos, and the folder that `wildrayzer render`
// writes.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "wildrayzer/geometry/trajectory.h"
#include "wildrayzer/io/mapped_file.h"
#include "wildrayzer/io/zip_writer.h"
#include "wildrayzer/pipeline/clean_photos.h"
#include "wildrayzer/pipeline/make_result.h"
#include "wildrayzer/server/http.h"
#include "wildrayzer/server/scene_photos.h"
#include "wildrayzer/server/scene_works.h"
#include "wildrayzer/server/uploads.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/output_folder.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

// Of the path in a result, as `wildrayzer render` has it.
constexpr int kPathFrames = 24;

void ZipFolder(const fs::path& folder, const fs::path& to) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  ZipWriter zip(to);
  for (const fs::path& file : files) {
    const std::string name = file.lexically_relative(folder).generic_string();
    if (fs::file_size(file) == 0) {
      zip.Add(name, "");
      continue;
    }
    const auto content = MappedFile::Open(file);
    zip.Add(name, std::string_view(reinterpret_cast<const char*>(content->bytes().data()),
                                   content->bytes().size()));
  }
  zip.Commit();
}

std::vector<fs::path> ReadyRecordings(const ServedScene& scene) {
  const std::lock_guard<std::mutex> lock(scene.mutex);
  std::vector<fs::path> files;
  for (const Recording& recording : scene.recordings) {
    if (recording.state == WorkState::kReady) files.push_back(recording.file);
  }
  return files;
}

}  // namespace

CleanFiles SceneWorks::Clean(const std::shared_ptr<ServedScene>& scene,
                             const std::shared_ptr<Encoding>& encoded, size_t index,
                             const std::function<bool()>& gone) {
  if (index >= encoded->scene.cameras.size()) throw HttpError(404, "the scene has no such photo");
  std::shared_ptr<Job> job;
  for (bool ended = false;;) {
    {
      const std::lock_guard<std::mutex> lock(encoded->mutex);
      if (const auto found = encoded->clean.find(index); found != encoded->clean.end()) return found->second;
      if (!job && (!encoded->cleaning || worker_.Position(encoded->cleaning) < 0))
        encoded->cleaning = Submit(Urgency::kBrush, [this, scene, encoded] { MakeClean(scene, encoded); });
      if (!job) job = encoded->cleaning;
    }
    if (ended) worker_.Wait(job, gone);  // raises what it raised
    if (ended || gone() || scene->deleted) throw Cancelled();
    ended = worker_.Position(job) < 0;
    if (!ended) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void SceneWorks::MakeClean(const std::shared_ptr<ServedScene>& scene,
                           const std::shared_ptr<Encoding>& encoded) {
  const ProgressCallback pause = [&, others = Pause(scene)](const std::string& stage, int parts) {
    others(stage, parts);
    const std::lock_guard<std::mutex> lock(scene->mutex);
    if (scene->updating || scene->encoded != encoded) throw Cancelled();
  };
  const Scene& place = encoded->scene;
  std::vector<Image> photos;
  for (Photo& photo : ReadPhotos(*scene, pause)) photos.push_back(std::move(photo.image));
  const std::vector<Image> rendered = RenderAll(*encoded, place.cameras, pause);
  const auto keep = [&](size_t index, const CleanPhoto& clean) {
    CleanFiles files;
    files.image = encoded->folder.path() / fmt::format("clean{}.jpg", index);
    files.source = encoded->folder.path() / fmt::format("source{}.png", index);
    WriteJpeg(files.image, clean.image, 95);
    WritePng(files.source, clean.source);
    files.own = clean.own;
    files.photos = clean.photos;
    files.rendered = clean.rendered;
    {
      const std::lock_guard<std::mutex> lock(encoded->mutex);
      encoded->clean[index] = files;
    }
    const std::lock_guard<std::mutex> lock(scene->mutex);
    ++scene->revision;  // its shares are told
  };
  ForEachCleanPhoto(photos, place, rendered, reconstructor_.FindInInputs(place, place.cameras),
                    {.threshold = reconstructor_.motion_threshold(), .told_masks = encoded->painted}, pause,
                    keep);
}

std::vector<Image> SceneWorks::RenderAll(const Encoding& encoded, std::span<const Camera> cameras,
                                         const ProgressCallback& pause) const {
  std::vector<Image> views;
  for (const Camera& camera : cameras) {
    pause("", 0);
    views.push_back(std::move(reconstructor_.Render(encoded.scene, std::span(&camera, 1)).front()));
  }
  return views;
}

std::shared_ptr<const ScopedFile> SceneWorks::Result(const std::shared_ptr<ServedScene>& scene,
                                                     const std::function<bool()>& gone) {
  const std::shared_ptr<Encoding> encoded = EncodedOf(*scene);
  const auto archive = std::make_shared<std::shared_ptr<const ScopedFile>>();
  const auto job =
      Submit(Urgency::kOrdinary, [this, scene, encoded, archive] { *archive = MakeArchive(scene, encoded); });
  worker_.Wait(job, gone);
  // It lies in the encoding's folder, which another encoding may replace while it is sent.
  const auto held =
      std::make_shared<std::pair<std::shared_ptr<const Encoding>, std::shared_ptr<const ScopedFile>>>(
          encoded, *archive);
  return {held, archive->get()};
}

std::shared_ptr<const ScopedFile> SceneWorks::MakeArchive(const std::shared_ptr<ServedScene>& scene,
                                                          const std::shared_ptr<Encoding>& encoded) {
  const size_t recordings = ReadyRecordings(*scene).size();
  {
    const std::lock_guard<std::mutex> lock(encoded->mutex);
    if (encoded->archive && encoded->archived_recordings == recordings) return encoded->archive;
  }
  const ScopedFolder folder(encoded->folder.path() / scene->NewFile("result", "").filename());
  WriteResult(scene, encoded, folder.path());
  const fs::path file = encoded->folder.path() / scene->NewFile("result", ".zip").filename();
  ZipFolder(folder.path(), file);
  auto archive = std::make_shared<const ScopedFile>(file);
  const std::lock_guard<std::mutex> lock(encoded->mutex);
  encoded->archive = archive;
  encoded->archived_recordings = recordings;
  return archive;
}

void SceneWorks::WriteResult(const std::shared_ptr<ServedScene>& scene,
                             const std::shared_ptr<Encoding>& encoded, const fs::path& folder) {
  const ProgressCallback pause = Pause(scene);
  RenderResult result;
  result.photos = ReadPhotos(*scene, pause);
  result.scene = encoded->scene;
  const std::vector<Camera> inputs(result.scene.cameras.begin(),
                                   result.scene.cameras.begin() + result.scene.num_inputs);
  result.path = InterpolateCameras(inputs, kPathFrames);
  MakeResultOptions make{
      .told_masks = encoded->painted, .exports = {"nerfstudio", "colmap"}, .progress = pause};
  make.render = [&](std::span<const Camera> cameras, const std::string&) {
    return RenderAll(*encoded, cameras, pause);
  };
  make.facts = [&] {
    pause("", 0);
    nlohmann::ordered_json facts = metadata_();
    for (const auto& [stage, seconds] : encoded->seconds) facts["seconds"][stage] = seconds;
    facts["warnings"] = encoded->warnings;
    return facts;
  };
  MakeResult(folder, reconstructor_, result, make);
  size_t number = 0;
  for (const fs::path& recording : ReadyRecordings(*scene)) {
    fs::create_directories(folder / "recordings");
    fs::copy_file(recording, folder / "recordings" / fmt::format("path_{}.mp4", number++));
  }
}

void SceneWorks::KeepResult(const std::shared_ptr<ServedScene>& scene,
                            const std::shared_ptr<Encoding>& encoded) {
  const std::string name = SafeFileNames(std::span(&scene->name, 1)).front();
  const fs::path place = keep_ / (name + "_" + scene->id);
  try {
    StagedFolder folder(place, /*overwrite=*/true, {});
    WriteResult(scene, encoded, folder.staging());
    folder.Commit();
    LogInfo("{}: the result is kept", place.string());
  } catch (const Cancelled&) {
    throw;
  } catch (const std::exception& error) {
    LogWarning("{}: the result is not kept: {}", place.string(), error.what());
  }
}

}  // namespace wildrayzer

#include "wildrayzer/server/scene_works.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

#include "wildrayzer/io/video.h"
#include "wildrayzer/pipeline/photo_checks.h"
#include "wildrayzer/server/http.h"
#include "wildrayzer/server/pictures.h"
#include "wildrayzer/server/scene_photos.h"
#include "wildrayzer/util/collected_warnings.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/vision/resize.h"

namespace wildrayzer {
namespace {

// What was painted; empty for photos on which nothing was.
std::vector<MotionMask> PaintedMasks(const ServedScene& scene) {
  const std::lock_guard<std::mutex> lock(scene.mutex);
  std::vector<MotionMask> masks;
  for (const auto& [index, painted] : scene.painted) {
    masks.resize(index + 1);
    masks[index] = {painted.width, painted.height, {}, 0};
    for (const uint8_t value : painted.values)
      masks[index].probability.push_back(static_cast<float>(value) / 255);
  }
  return masks;
}

std::string LineOf(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

}  // namespace

std::shared_ptr<Encoding> EncodedOf(const ServedScene& scene) {
  const std::lock_guard<std::mutex> lock(scene.mutex);
  if (!scene.encoded) {
    throw HttpError(409, scene.state == WorkState::kFailed ? "the scene failed: " + scene.error
                                                           : "the scene is not ready yet");
  }
  return scene.encoded;
}

SceneWorks::SceneWorks(const Reconstructor& reconstructor, Worker& worker, const ServeLimits& limits,
                       MetadataFunction metadata, std::filesystem::path keep)
    : reconstructor_(reconstructor),
      worker_(worker),
      limits_(limits),
      metadata_(std::move(metadata)),
      keep_(std::move(keep)) {}

std::shared_ptr<Job> SceneWorks::Submit(Urgency urgency, std::function<void()> work,
                                        const std::string& client) {
  auto job = worker_.Submit(urgency, std::move(work), client);
  if (!job) throw HttpError(503, "too much waits to be computed; try again in a moment");
  return job;
}

ProgressCallback SceneWorks::Report(const std::shared_ptr<ServedScene>& scene, Progress& timings) const {
  return [this, scene, &timings, pause = Pause(scene)](const std::string& stage, int parts) {
    pause(stage, parts);
    stage.empty() ? timings.Step() : timings.Stage(stage, parts);
    const std::lock_guard<std::mutex> lock(scene->mutex);
    ++scene->revision;
    if (stage.empty()) {
      ++scene->stage_done;
      return;
    }
    scene->stage = stage;
    scene->stage_done = 0;
    scene->stage_parts = parts;
    scene->stage_began = SteadyMilliseconds();
  };
}

ProgressCallback SceneWorks::Pause(const std::shared_ptr<ServedScene>& scene) const {
  return [this, scene](const std::string&, int) {
    worker_.GiveWay();
    if (scene->deleted) throw Cancelled();
  };
}

void SceneWorks::Start(const std::shared_ptr<ServedScene>& scene, int inputs, const std::string& name) {
  const std::lock_guard<std::mutex> lock(scene->mutex);
  if (scene->state != WorkState::kCollecting) throw HttpError(409, "the scene has begun already");
  if (scene->uploads > 0) throw HttpError(409, "photos are still coming in; begin when they are there");
  CheckGiven(scene->files, inputs, limits_);
  scene->num_inputs = inputs;
  if (!name.empty()) scene->name = name;
  SubmitEncoding(scene, Urgency::kOrdinary);
  scene->state = WorkState::kQueued;
  ++scene->revision;
}

void SceneWorks::SubmitEncoding(const std::shared_ptr<ServedScene>& scene, Urgency urgency) {
  scene->job = Submit(urgency, [this, scene] { Encode(scene); });
}

void SceneWorks::Encode(const std::shared_ptr<ServedScene>& scene) {
  std::string problem;
  try {
    EncodeOrThrow(scene);
    return;
  } catch (const Cancelled&) {
    throw;
  } catch (const std::bad_alloc&) {
    problem = "out of memory; give fewer or smaller photos";
  } catch (const std::exception& error) {
    problem = LineOf(error);
  }
  const std::lock_guard<std::mutex> lock(scene->mutex);
  scene->error = problem;
  scene->updating = false;
  if (!scene->encoded) scene->state = WorkState::kFailed;
  ++scene->revision;
}

void SceneWorks::EncodeOrThrow(const std::shared_ptr<ServedScene>& scene) {
  CollectedWarnings warnings;
  Progress timings(/*enabled=*/false);
  const ProgressCallback report = Report(scene, timings);
  {
    const std::lock_guard<std::mutex> lock(scene->mutex);
    if (!scene->encoded) scene->state = WorkState::kWorking;
  }
  report("reading photos", 0);
  ChoosePhotos(*scene, limits_, report);
  std::vector<Photo> photos = ReadPhotos(*scene, report);
  WarnOfPoorPhotos(photos);
  std::vector<Image> images;
  for (Photo& photo : photos) images.push_back(std::move(photo.image));
  const auto inputs = static_cast<size_t>(scene->num_inputs);
  const std::vector<MotionMask> painted = PaintedMasks(*scene);

  auto encoded = std::make_shared<Encoding>(scene->NewFile("encoded", ""));
  encoded->scene = reconstructor_.Reconstruct(images, static_cast<int>(images.size() - inputs), report,
                                              painted, kMostDetail);
  WarnOfPoorViews(photos, encoded->scene);
  timings.Finish();
  encoded->seconds = timings.seconds();
  encoded->warnings = warnings.texts();

  const std::lock_guard<std::mutex> lock(scene->mutex);
  encoded->painted.resize(photos.size());
  for (const auto& [index, mask] : scene->painted) encoded->painted.at(index) = true;
  encoded->revision = ++scene->revision;
  scene->encoded = encoded;
  scene->state = WorkState::kReady;
  scene->updating = worker_.Position(scene->job) > 0;  // painted on meanwhile
  scene->error.clear();
  if (!keep_.empty() && !scene->updating)
    worker_.Submit(Urgency::kIdle, [this, scene, encoded] { KeepResult(scene, encoded); });
}

void SceneWorks::SetMask(const std::shared_ptr<ServedScene>& scene, size_t index,
                         const std::optional<GrayImage>& mask) {
  const std::shared_ptr<Encoding> encoded = EncodedOf(*scene);
  if (index >= encoded->painted.size()) throw HttpError(404, "the scene has no such photo");
  std::optional<GrayImage> painted;
  if (mask) {
    constexpr int kMostPixels = 1024;  // a side
    const SentSize size = SizeToSend(mask->width, mask->height, kMostPixels);
    painted = Resize(*mask, size.width, size.height, Filter::kBilinear);
  }
  const std::lock_guard<std::mutex> lock(scene->mutex);
  if (worker_.Position(scene->job) <= 0) SubmitEncoding(scene, Urgency::kBrush);
  if (painted) {
    scene->painted[index] = std::move(*painted);
  } else {
    scene->painted.erase(index);
  }
  scene->updating = true;
  ++scene->revision;
}

RenderedView SceneWorks::View(const std::shared_ptr<ServedScene>& scene, const Camera& camera, bool quick,
                              const std::string& client, const std::function<bool()>& gone) {
  const std::shared_ptr<Encoding> encoded = EncodedOf(*scene);
  if (gone()) throw Cancelled();  // takes no place in the queue
  const auto view = std::make_shared<RenderedView>();
  view->revision = encoded->revision;
  const auto job = Submit(
      Urgency::kView,
      [this, scene, encoded, camera, quick, view] {
        if (scene->deleted) throw Cancelled();
        const int64_t begin = SteadyMilliseconds();
        view->image =
            std::move(reconstructor_.Render(encoded->scene, std::span(&camera, 1), {}, quick).front());
        view->milliseconds = static_cast<double>(SteadyMilliseconds() - begin);
      },
      client.empty() ? client : scene->id + client);
  worker_.Wait(job, gone);
  return std::move(*view);
}

size_t SceneWorks::Record(const std::shared_ptr<ServedScene>& scene, std::vector<Camera> cameras,
                          double fps) {
  const std::shared_ptr<Encoding> encoded = EncodedOf(*scene);
  const std::lock_guard<std::mutex> lock(scene->mutex);
  const size_t number = scene->recordings.size();
  if (number >= static_cast<size_t>(limits_.recordings))
    throw HttpError(409, fmt::format("a scene has {} recordings, no more", number));
  Recording recording;
  recording.frames = static_cast<int>(cameras.size());
  Submit(Urgency::kOrdinary, [this, scene, encoded, number, path = std::move(cameras), fps] {
    MakeRecording(scene, encoded, number, path, fps);
  });
  scene->recordings.push_back(recording);
  ++scene->revision;
  return number;
}

void SceneWorks::MakeRecording(const std::shared_ptr<ServedScene>& scene,
                               const std::shared_ptr<Encoding>& encoded, size_t number,
                               const std::vector<Camera>& cameras, double fps) {
  const auto update = [&](const auto& change) {
    const std::lock_guard<std::mutex> lock(scene->mutex);
    change(scene->recordings.at(number));
    ++scene->revision;
  };
  const ProgressCallback pause = Pause(scene);
  try {
    update([](Recording& recording) { recording.state = WorkState::kWorking; });
    const std::filesystem::path file = scene->NewFile("recording", ".mp4");
    VideoWriter video(file, encoded->scene.width, encoded->scene.height, fps);
    for (const Camera& camera : cameras) {
      pause("", 0);
      video.Write(reconstructor_.Render(encoded->scene, std::span(&camera, 1)).front());
      update([](Recording& recording) { ++recording.done; });
    }
    video.Commit();
    update([&](Recording& recording) {
      recording.file = file;
      recording.state = WorkState::kReady;
    });
  } catch (const Cancelled&) {
    throw;
  } catch (const std::exception& error) {
    LogWarning("a recording failed: {}", error.what());
    update([&](Recording& recording) {
      recording.state = WorkState::kFailed;
      recording.error = "the video could not be written";
    });
  }
}

}  // namespace wildrayzer

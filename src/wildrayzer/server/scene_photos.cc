#include "wildrayzer/server/scene_photos.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "wildrayzer/server/http.h"
#include "wildrayzer/server/uploads.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

// More inputs than the method was made for.
constexpr size_t kTrainedInputs = 4;
// Frames of a video beside the inputs.
constexpr size_t kVideoTargets = 4;

ViewSplit Split(size_t size, size_t wanted_inputs, size_t most, bool video) {
  const size_t inputs = wanted_inputs > 0 ? wanted_inputs : std::min(size, kTrainedInputs);
  const size_t others = most - std::min(inputs, most);
  return SplitViews(size, inputs, video ? std::min(others, kVideoTargets) : others);
}

// Inputs first.
std::vector<size_t> InOrder(const ViewSplit& split) {
  std::vector<size_t> order = split.inputs;
  order.insert(order.end(), split.targets.begin(), split.targets.end());
  return order;
}

std::vector<ScenePhoto> PhotosOf(const std::vector<GivenFile>& files, const ViewSplit& split) {
  std::vector<ScenePhoto> photos;
  for (const size_t index : InOrder(split)) {
    const GivenFile& file = files[index];
    photos.push_back({file.name, "", file.path, file.width, file.height});
  }
  return photos;
}

std::vector<ScenePhoto> FramesOf(ServedScene& scene, PhotoSource& source, const ViewSplit& split,
                                 const ProgressCallback& progress) {
  progress("reading frames", 0);
  std::vector<ScenePhoto> photos;
  for (const Photo& frame : source.Read(InOrder(split))) {
    const std::filesystem::path file = scene.NewFile("frame", ".png");
    WritePng(file, frame.image);
    photos.push_back({frame.name, "", file, frame.image.width, frame.image.height});
    progress("", 0);
  }
  return photos;
}

}  // namespace

void CheckGiven(const std::vector<GivenFile>& files, int inputs, const ServeLimits& limits) {
  if (inputs != 0 && (inputs < 2 || inputs > limits.photos))
    throw HttpError(400, fmt::format("the number of inputs must be from 2 to {}", limits.photos));
  if (files.empty()) throw HttpError(400, "give photos, or one video, first");
  const bool video = files[0].is_video;
  if (!video && files.size() < 2) throw HttpError(400, "at least two photos of the place are needed");
  if (!video && static_cast<size_t>(inputs) > files.size())
    throw HttpError(400, fmt::format("{} inputs need as many photos, {} are given", inputs, files.size()));
  const auto most = static_cast<size_t>(limits.photos), wanted = static_cast<size_t>(inputs);
  int64_t pixels = 0;
  if (video) {
    const ViewSplit split = Split(most, wanted, most, true);
    pixels = int64_t{files[0].width} * files[0].height *
             static_cast<int64_t>(split.inputs.size() + split.targets.size());
  } else {
    for (const size_t index : InOrder(Split(files.size(), wanted, most, false)))
      pixels += int64_t{files[index].width} * files[index].height;
  }
  if (pixels > limits.used_pixels) {
    throw HttpError(413, fmt::format("the photos have {} megapixels together, {} are too many; give fewer or "
                                     "smaller ones",
                                     pixels / 1'000'000, limits.used_pixels / 1'000'000));
  }
}

void ChoosePhotos(ServedScene& scene, const ServeLimits& limits, const ProgressCallback& progress) {
  std::vector<GivenFile> files;
  size_t wanted = 0;
  {
    const std::lock_guard<std::mutex> lock(scene.mutex);
    if (!scene.photos.empty()) return;
    files = scene.files;
    wanted = static_cast<size_t>(scene.num_inputs);
  }
  const auto most = static_cast<size_t>(limits.photos);
  ViewSplit split;
  std::vector<ScenePhoto> photos;
  if (files[0].is_video) {
    progress("counting frames", 0);
    try {
      PhotoSource source({files[0].path.string()});
      if (source.size() < std::max<size_t>(2, wanted))
        throw Error(fmt::format("{}: has {} frames, too few", files[0].name, source.size()));
      split = Split(source.size(), wanted, most, true);
      photos = FramesOf(scene, source, split, progress);
    } catch (const FileError& error) {
      throw Error(files[0].name + ": " + error.problem());
    }
  } else {
    split = Split(files.size(), wanted, most, false);
    photos = PhotosOf(files, split);
    if (photos.size() < files.size())
      LogWarning("{} of the {} photos are used, spread over them", photos.size(), files.size());
  }
  if (split.inputs.size() > kTrainedInputs)
    LogWarning("{} inputs: the method was made for 2 to 4; more may look worse", split.inputs.size());
  std::vector<std::string> names;
  for (const ScenePhoto& photo : photos) names.push_back(photo.name);
  const std::vector<std::string> plain = SafeFileNames(names);
  for (size_t i = 0; i < photos.size(); ++i) photos[i].plain_name = plain[i];
  const std::lock_guard<std::mutex> lock(scene.mutex);
  scene.num_inputs = static_cast<int>(split.inputs.size());
  scene.photos = std::move(photos);
}

Image ReadScenePhoto(const ScenePhoto& photo) {
  try {
    return ReadImage(photo.path);
  } catch (const FileError& error) {
    throw Error(photo.name + ": " + error.problem());
  }
}

std::vector<Photo> ReadPhotos(const ServedScene& scene, const ProgressCallback& progress) {
  std::vector<ScenePhoto> wanted;
  {
    const std::lock_guard<std::mutex> lock(scene.mutex);
    wanted = scene.photos;
  }
  progress("reading photos", static_cast<int>(wanted.size()));
  std::vector<Photo> photos;
  for (const ScenePhoto& photo : wanted) {
    photos.push_back({photo.plain_name, photo.name, ReadScenePhoto(photo)});
    progress("", 0);
  }
  return photos;
}

}  // namespace wildrayzer

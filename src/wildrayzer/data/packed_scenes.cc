#include "wildrayzer/data/packed_scenes.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "wildrayzer/data/view_lists.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

class PackedScenes : public SceneDataset {
 public:
  PackedScenes(std::shared_ptr<const PackedFile> file, std::vector<PackedScene> scenes)
      : file_(std::move(file)), scenes_(std::move(scenes)) {}

  size_t size() const override { return scenes_.size(); }
  const std::string& name(size_t index) const override { return scenes_.at(index).name; }
  std::optional<ViewList> EvaluationViews(size_t index) const override { return scenes_.at(index).views; }
  SceneRecord Read(size_t index) const override;

 private:
  std::shared_ptr<const PackedFile> file_;
  std::vector<PackedScene> scenes_;
};

SceneRecord PackedScenes::Read(size_t index) const {
  const PackedScene& packed = scenes_.at(index);
  SceneRecord scene;
  scene.name = packed.name;
  scene.source = file_->path();
  scene.frames.resize(static_cast<size_t>(packed.frames));
  for (size_t i = 0; i < scene.frames.size(); ++i) {
    FrameRecord& frame = scene.frames[i];
    frame.pack = file_;
    frame.packed_frame = packed.first_frame + static_cast<int64_t>(i);
    if (const auto k = file_->Intrinsics(frame.packed_frame)) frame.intrinsics = StoredIntrinsics{*k, false};
    frame.w2c = file_->WorldToCamera(frame.packed_frame);
  }
  return scene;
}

// What the options ask for in the words of `wildrayzer pack`.
std::string Wanted(const ViewOptions& options) {
  return fmt::format("--size {}x{} --patch {}", options.width, options.height, options.patch);
}

void CheckPackedSize(const PackedFile& file, const Framing& stored, const ViewOptions& options) {
  const PackedLayout& layout = file.layout();
  if (ChooseFraming(stored.photo_width, stored.photo_height, options) == stored) return;
  if (!options.crop) {
    throw UsageError(
        fmt::format("{}: its frames are cropped to {} x {}, but whole ones of height {} are asked for "
                    "(training.square_crop: false); give the data that it was packed from",
                    file.path(), layout.width, layout.height, options.height));
  }
  throw UsageError(
      fmt::format("{}: its frames are {} x {} in patches of {}, but {} x {} in patches of {} are asked for; "
                  "pack the data again with {}",
                  file.path(), layout.width, layout.height, layout.patch, options.width, options.height,
                  options.patch, Wanted(options)));
}

}  // namespace

bool HasPackedExtension(const fs::path& path) { return path.extension() == ".safetensors"; }

std::unique_ptr<SceneDataset> OpenPackedScenes(const fs::path& path, const ListedScenesOptions& options) {
  std::shared_ptr<const PackedFile> file = PackedFile::Open(path);
  if (!options.masks.roots.empty() && !file->has_masks()) {
    throw FileError(path.string(), "holds no motion masks; pack the data again with --masks FOLDER");
  }
  std::vector<PackedScene> scenes = file->scenes();
  if (!options.view_index.empty()) {
    const std::map<std::string, ViewList> views = ReadViewIndex(options.view_index);
    std::erase_if(scenes, [&](const PackedScene& scene) { return !views.contains(scene.name); });
    if (scenes.empty())
      throw FileError(path.string(), "has no scene in common with " + options.view_index.string());
    for (PackedScene& scene : scenes) scene.views = views.at(scene.name);
  }
  return std::make_unique<PackedScenes>(std::move(file), std::move(scenes));
}

View PackedView(int index, const FrameRecord& frame, const ViewOptions& options) {
  const PackedFile& file = *frame.pack;
  View view;
  view.frame = index;
  view.framing = file.FramingOf(frame.packed_frame);
  CheckPackedSize(file, view.framing, options);
  view.image = file.Picture(frame.packed_frame);
  if (frame.intrinsics) view.intrinsics = frame.intrinsics->values;
  view.w2c = frame.w2c;
  if (options.clean) view.clean = file.CleanPicture(frame.packed_frame);
  if (options.masks) view.mask = file.Mask(frame.packed_frame);
  return view;
}

}  // namespace wildrayzer

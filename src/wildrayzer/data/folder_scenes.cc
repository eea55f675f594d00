#include "wildrayzer/data/folder_scenes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "wildrayzer/data/camera_lines.h"
#include "wildrayzer/data/packed_scenes.h"
#include "wildrayzer/data/scene_json.h"
#include "wildrayzer/data/view_lists.h"
#include "wildrayzer/io/images.h"
#include "wildrayzer/io/video.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

// Takes the run of digits at the front of `text`, without leading zeros.
std::string_view TakeDigits(std::string_view& text) {
  size_t end = 0;
  while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end]))) ++end;
  std::string_view digits = text.substr(0, end);
  text.remove_prefix(end);
  while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
  return digits;
}

// Orders "frame_2" before "frame_10"; otherwise by bytes.
bool NaturalLess(const std::string& left, const std::string& right) {
  std::string_view a = left, b = right;
  while (!a.empty() && !b.empty()) {
    const bool digits =
        std::isdigit(static_cast<unsigned char>(a[0])) && std::isdigit(static_cast<unsigned char>(b[0]));
    if (digits) {
      const std::string_view x = TakeDigits(a), y = TakeDigits(b);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else if (a[0] != b[0]) {
      return static_cast<unsigned char>(a[0]) < static_cast<unsigned char>(b[0]);
    } else {
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
  }
  if (a.empty() != b.empty()) return a.empty();
  return left < right;
}

// Entries of a folder in natural order; hidden ones are left out.
std::vector<fs::path> Entries(const fs::path& folder, bool folders) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().starts_with('.')) continue;
    std::error_code ignored;
    if (folders ? it->is_directory(ignored) : it->is_regular_file(ignored)) entries.push_back(it->path());
  }
  if (error) throw FileError(folder.string(), "cannot be listed: " + error.message());
  std::sort(entries.begin(), entries.end(), [](const fs::path& a, const fs::path& b) {
    return NaturalLess(a.filename().string(), b.filename().string());
  });
  return entries;
}

std::vector<fs::path> Pictures(const fs::path& folder) {
  std::vector<fs::path> pictures = Entries(folder, /*folders=*/false);
  std::erase_if(pictures, [](const fs::path& path) { return !IsPictureFile(path); });
  return pictures;
}

// `masks` may be missing; masks are matched by name without extension.
SceneRecord PictureScene(const std::string& name, const fs::path& folder, const fs::path& masks) {
  SceneRecord scene;
  scene.name = name;
  scene.source = folder;
  std::map<std::string, fs::path> mask_of;
  if (fs::is_directory(masks)) {
    for (const fs::path& mask : Pictures(masks)) mask_of[mask.stem().string()] = mask;
  }
  for (const fs::path& picture : Pictures(folder)) {
    FrameRecord frame;
    frame.image_path = picture;
    if (const auto mask = mask_of.find(picture.stem().string()); mask != mask_of.end())
      frame.mask_path = mask->second;
    scene.frames.push_back(std::move(frame));
  }
  if (scene.frames.empty())
    throw FileError(folder.string(), "holds no pictures (.jpg, .png, .webp, .bmp, .tif)");
  return scene;
}

void AddCameras(const fs::path& file, SceneRecord& scene) {
  const std::vector<CameraLine> cameras = ReadCameraLines(file);
  if (cameras.size() != scene.frames.size()) {
    throw FileError(file.string(), fmt::format("has {} cameras for the {} pictures in {}", cameras.size(),
                                               scene.frames.size(), scene.source.string()));
  }
  for (size_t i = 0; i < cameras.size(); ++i) {
    scene.frames[i].intrinsics = cameras[i].intrinsics;
    scene.frames[i].w2c = cameras[i].w2c;
  }
}

bool HasPictures(const fs::path& folder) { return fs::is_directory(folder) && !Pictures(folder).empty(); }

std::string FolderName(const fs::path& folder) {
  return fs::absolute(folder / "").lexically_normal().parent_path().filename().string();
}

// Scenes of which some may be at fault, as FixedScenes takes them.
struct FoundScenes {
  std::vector<SceneRecord> scenes;
  std::map<std::string, FileError> unreadable;
};

// Adds what `find` gives for a folder; a folder at fault is a scene that cannot be read.
template <typename Find>
void AddFound(const fs::path& folder, FoundScenes& found, Find find) {
  try {
    if (std::optional<SceneRecord> scene = find()) found.scenes.push_back(*std::move(scene));
  } catch (const FileError& fault) {
    SceneRecord scene;
    scene.name = FolderName(folder);
    scene.source = folder;
    found.unreadable.emplace(scene.name, fault);
    found.scenes.push_back(std::move(scene));
  }
}

// Nothing but faults is no data set.
void RequireReadable(const FoundScenes& found) {
  if (!found.scenes.empty() && found.unreadable.size() == found.scenes.size())
    throw found.unreadable.begin()->second;
}

FoundScenes FolderScenes(const fs::path& root) {
  if (IsFolderScene(root)) return {{FindFolderScene(root)}, {}};
  FoundScenes found;
  for (const fs::path& folder : Entries(root, /*folders=*/true)) {
    AddFound(folder, found, [&]() -> std::optional<SceneRecord> {
      if (!IsFolderScene(folder)) return std::nullopt;
      return FindFolderScene(folder);
    });
  }
  RequireReadable(found);
  if (found.scenes.empty()) {
    throw FileError(
        root.string(),
        "holds no data set: expected full_list.txt, JPEGImages/, pictures, images/, or folders of these");
  }
  return found;
}

// Scenes found in folders together with a view list.
class ViewedScenes : public FixedScenes {
 public:
  ViewedScenes(FoundScenes found, std::map<std::string, ViewList> views)
      : FixedScenes(std::move(found.scenes), std::move(found.unreadable)), views_(std::move(views)) {}
  std::optional<ViewList> EvaluationViews(size_t index) const override { return views_.at(name(index)); }

 private:
  std::map<std::string, ViewList> views_;
};

std::unique_ptr<SceneDataset> WithViews(FoundScenes found, const fs::path& view_index) {
  if (view_index.empty())
    return std::make_unique<FixedScenes>(std::move(found.scenes), std::move(found.unreadable));
  std::map<std::string, ViewList> views = ReadViewIndex(view_index);
  std::erase_if(found.scenes, [&](const SceneRecord& scene) { return !views.contains(scene.name); });
  if (found.scenes.empty()) throw FileError(view_index.string(), "lists none of the scenes that were found");
  return std::make_unique<ViewedScenes>(std::move(found), std::move(views));
}

FoundScenes DavisScenes(const fs::path& root, const std::string& resolution) {
  fs::path pictures = root / "JPEGImages";
  fs::path masks = root / "Annotations";
  if (!fs::is_directory(pictures))
    throw FileError(pictures.string(), "is missing; a DAVIS folder has JPEGImages/");
  std::vector<fs::path> folders = Entries(pictures, /*folders=*/true);
  std::string level = resolution;
  if (level.empty() && !folders.empty() && std::ranges::none_of(folders, HasPictures)) {
    level = fs::is_directory(pictures / "480p") ? "480p" : folders.front().filename().string();
  }
  if (!level.empty()) {
    pictures /= level;
    masks /= level;
    if (!fs::is_directory(pictures))
      throw FileError(pictures.string(), "is missing; choose another DAVIS resolution");
    folders = Entries(pictures, /*folders=*/true);
  }
  FoundScenes found;
  for (const fs::path& folder : folders) {
    AddFound(folder, found, [&]() -> std::optional<SceneRecord> {
      return PictureScene(folder.filename().string(), folder, masks / folder.filename());
    });
  }
  if (found.scenes.empty()) throw FileError(pictures.string(), "holds no scene folders");
  RequireReadable(found);
  return found;
}

}  // namespace

std::vector<SceneRecord> FindDavisScenes(const fs::path& root, const std::string& resolution) {
  FoundScenes found = DavisScenes(root, resolution);
  if (!found.unreadable.empty()) throw found.unreadable.begin()->second;
  return std::move(found.scenes);
}

bool IsFolderScene(const fs::path& folder) { return HasPictures(folder) || HasPictures(folder / "images"); }

SceneRecord FindFolderScene(const fs::path& folder) {
  const bool nested = !HasPictures(folder) && HasPictures(folder / "images");
  SceneRecord scene = PictureScene(FolderName(folder), nested ? folder / "images" : folder,
                                   nested ? folder / "masks" : fs::path());
  const fs::path cameras = folder / "cameras.txt";
  if (fs::exists(cameras)) AddCameras(cameras, scene);
  return scene;
}

SceneRecord FindVideoScene(const fs::path& video) {
  SceneRecord scene;
  scene.name = video.stem().string();
  scene.source = video;
  VideoReader reader(video);
  while (reader.Skip()) {
    FrameRecord frame;
    frame.image_path = video;
    frame.video_frame = static_cast<int64_t>(scene.frames.size());
    scene.frames.push_back(std::move(frame));
  }
  if (scene.frames.empty()) throw FileError(video.string(), "holds no frame that can be decoded");
  return scene;
}

std::unique_ptr<SceneDataset> OpenScenes(const fs::path& path, const ListedScenesOptions& options) {
  if (fs::is_directory(path)) {
    if (fs::exists(path / "full_list.txt")) return OpenListedScenes(path / "full_list.txt", options);
    if (fs::is_directory(path / "JPEGImages")) return WithViews(DavisScenes(path, ""), options.view_index);
    return WithViews(FolderScenes(path), options.view_index);
  }
  if (!fs::exists(path)) throw FileError(path.string(), "does not exist");
  if (HasPackedExtension(path)) return OpenPackedScenes(path, options);
  if (path.extension() == ".json") {
    SceneRecord scene = ReadSceneJson(path, path.parent_path());
    scene.name = path.stem().string();
    std::vector<SceneRecord> scenes;
    scenes.push_back(std::move(scene));
    return WithViews({std::move(scenes), {}}, options.view_index);
  }
  if (path.extension() == ".txt") return OpenListedScenes(path, options);
  if (IsVideoFile(path)) return WithViews({{FindVideoScene(path)}, {}}, options.view_index);
  throw FileError(
      path.string(),
      "is no data set: expected a list (.txt), a scene (.json), packed scenes (.safetensors), a video or "
      "a folder");
}

}  // namespace wildrayzer

#include "wildrayzer/data/listed_scenes.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "wildrayzer/data/scene_json.h"
#include "wildrayzer/data/view_lists.h"
#include "wildrayzer/io/mapped_file.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> Lines(const fs::path& path) {
  const auto file = MappedFile::Open(path);
  const auto bytes = file->bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
      line.remove_suffix(1);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    if (line.empty()) continue;
    if (line.find('\0') != std::string_view::npos || line.size() > 4096) {
      throw FileError(
          path.string(),
          fmt::format("line {} is not a path; a list of metadata files is expected", lines.size() + 1));
    }
    lines.emplace_back(line);
  }
  return lines;
}

fs::path ResolveMetadata(const fs::path& written, const fs::path& list) {
  std::error_code ignored;
  if (written.is_absolute() || fs::exists(written, ignored)) return written;
  fs::path folder = fs::absolute(list).parent_path();
  for (int level = 0; level < 4; ++level, folder = folder.parent_path()) {
    const fs::path candidate = folder / written;
    if (fs::exists(candidate, ignored)) return candidate;
  }
  return written;
}

fs::path MaskRoot(const MaskFolders& masks, const std::string& scene) {
  const char* const wanted = scene.find("wildrayzer") != std::string::npos ? "wildrayzer" : "dre10k";
  for (const char* const key : {wanted, "default"}) {
    if (const auto root = masks.roots.find(key); root != masks.roots.end()) return root->second;
  }
  throw UsageError(
      fmt::format("motion_mask_root has neither '{}' nor 'default', which scene '{}' needs", wanted, scene));
}

void FillMasks(const MaskFolders& masks, SceneRecord& scene) {
  std::string folder_name = scene.name;
  if (const size_t suffix = folder_name.find("_context_");
      suffix != std::string::npos && !masks.preserve_suffix) {
    folder_name.resize(suffix);
  }
  const fs::path folder = MaskRoot(masks, scene.name) / folder_name;
  if (!fs::is_directory(folder)) {
    throw FileError(folder.string(),
                    fmt::format("the folder with the motion masks of scene '{}' is missing", scene.name));
  }
  const size_t first = fs::exists(folder / "00001.npy") && !fs::exists(folder / "00000.npy") ? 1 : 0;
  for (size_t i = 0; i < scene.frames.size(); ++i) {
    scene.frames[i].mask_path = folder / fmt::format("{:05d}.npy", i + first);
    scene.frames[i].mask_frame = MaskFrame::kModel;
  }
}

class ListedScenes : public SceneDataset {
 public:
  ListedScenes(const fs::path& list, const ListedScenesOptions& options)
      : list_(list), masks_(options.masks) {
    if (!options.view_index.empty()) views_ = ReadViewIndex(options.view_index);
    std::set<std::string> seen;
    const std::vector<std::string> lines = Lines(list);
    for (const std::string& line : lines) {
      const fs::path written = line;
      std::string name = written.stem().string();
      if (!options.view_index.empty() && !views_.contains(name)) continue;
      if (!seen.insert(name).second)
        throw FileError(list.string(), fmt::format("names the scene '{}' twice", name));
      scenes_.emplace_back(std::move(name), written);
    }
    if (lines.empty()) throw FileError(list.string(), "lists no scene");
    if (scenes_.empty()) {
      throw FileError(list.string(), "has no scene in common with " + options.view_index.string());
    }
  }

  size_t size() const override { return scenes_.size(); }
  const std::string& name(size_t index) const override { return scenes_.at(index).first; }

  SceneRecord Read(size_t index) const override {
    const auto& [name, written] = scenes_.at(index);
    SceneRecord scene = ReadSceneJson(ResolveMetadata(written, list_), list_.parent_path());
    if (!masks_.roots.empty()) FillMasks(masks_, scene);
    scene.name = name;
    return scene;
  }

  std::optional<ViewList> EvaluationViews(size_t index) const override {
    const auto views = views_.find(name(index));
    if (views == views_.end()) return std::nullopt;
    return views->second;
  }

 private:
  fs::path list_;
  MaskFolders masks_;
  std::map<std::string, ViewList> views_;
  std::vector<std::pair<std::string, fs::path>> scenes_;  // name, path as written
};

}  // namespace

std::unique_ptr<SceneDataset> OpenListedScenes(const fs::path& list, const ListedScenesOptions& options) {
  return std::make_unique<ListedScenes>(list, options);
}

}  // namespace wildrayzer

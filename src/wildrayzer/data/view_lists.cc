#include "wildrayzer/data/view_lists.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "wildrayzer/data/json_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

using nlohmann::json;

std::vector<int> Indices(const json& entry, const char* key, const std::string& path,
                         const std::string& scene) {
  constexpr int64_t kMaxIndex = 100'000'000;
  const auto list = entry.is_object() ? entry.find(key) : entry.end();
  if (!entry.is_object() || list == entry.end() || !list->is_array()) {
    throw FileError(path, fmt::format("scene '{}' has no list '{}'", scene, key));
  }
  std::vector<int> indices;
  for (const json& item : *list) {
    const bool whole = item.is_number_integer();
    if (!whole || item.get<int64_t>() < 0 || item.get<int64_t>() > kMaxIndex) {
      throw FileError(path,
                      fmt::format("scene '{}': '{}' holds something that is no frame number", scene, key));
    }
    indices.push_back(item.get<int>());
  }
  return indices;
}

ViewList ReadViews(const json& entry, const std::string& path, const std::string& scene) {
  ViewList views{Indices(entry, "context", path, scene), Indices(entry, "target", path, scene)};
  if (views.inputs.empty() || views.targets.empty()) {
    throw FileError(path, fmt::format("scene '{}' has an empty list of views", scene));
  }
  if (std::set<int>(views.inputs.begin(), views.inputs.end()).size() != views.inputs.size()) {
    throw FileError(path, fmt::format("scene '{}' names an input view twice", scene));
  }
  return views;
}

}  // namespace

std::map<std::string, ViewList> ReadViewIndex(const std::filesystem::path& path) {
  const json root = ReadJsonFile(path);
  if (!root.is_object())
    throw FileError(path.string(), "is not a view list: it must map scene names to context and target");
  std::map<std::string, ViewList> result;
  std::optional<FileError> fault;
  bool any_good = false;
  for (const auto& [scene, entry] : root.items()) {
    if (entry.is_null()) continue;
    try {
      result.emplace(scene, ReadViews(entry, path.string(), scene));
      any_good = true;
    } catch (const FileError& error) {
      if (!fault) fault = error;
      LogWarning("{}", error.what());
      result.emplace(scene, ViewList{});
    }
  }
  if (fault && !any_good) throw *fault;
  if (result.empty()) throw FileError(path.string(), "lists the views of no scene");
  return result;
}

void CheckViews(const ViewList& views, const SceneRecord& scene) {
  if (views.inputs.empty())
    throw FileError(scene.source.string(),
                    fmt::format("the view list has no views of scene '{}' that can be used", scene.name));
  for (const std::vector<int>* list : {&views.inputs, &views.targets}) {
    for (const int index : *list) {
      if (index < 0 || static_cast<size_t>(index) >= scene.frames.size()) {
        throw FileError(scene.source.string(),
                        fmt::format("has {} frames, but view {} of scene '{}' is asked for",
                                    scene.frames.size(), index, scene.name));
      }
    }
  }
}

}  // namespace wildrayzer

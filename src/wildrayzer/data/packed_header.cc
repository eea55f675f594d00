#include "wildrayzer/data/packed_header.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "wildrayzer/io/utf8.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using nlohmann::json;

constexpr size_t kMaxScenesBytes = size_t{64} << 20;
constexpr int64_t kMaxPackedFrames = 100'000'000;  // of a scene

json ParseObject(std::string_view text, const std::string& path) {
  try {
    return json::parse(text.begin(), text.end());
  } catch (const json::exception&) {
    FailPacked(path, "its description is not valid JSON");
  }
}

// The member `key` of an object, within [low, high].
int64_t WholeMember(const json& object, const char* key, int64_t low, int64_t high, const std::string& path) {
  const auto member = object.find(key);
  if (member == object.end() || !member->is_number_integer() || member->get<int64_t>() < low ||
      member->get<int64_t>() > high) {
    FailPacked(path, fmt::format("'{}' is no number from {} to {}", key, low, high));
  }
  return member->get<int64_t>();
}

std::vector<int> FrameList(const json& list, const PackedScene& scene, const std::string& path) {
  std::vector<int> frames;
  for (const json& item : list) {
    if (!item.is_number_integer() || item.get<int64_t>() < 0 || item.get<int64_t>() >= scene.frames)
      FailPacked(path, fmt::format("scene '{}' is judged on frames that it does not have", scene.name));
    frames.push_back(item.get<int>());
  }
  return frames;
}

std::optional<ViewList> ParseViews(const json& entry, const PackedScene& scene, const std::string& path) {
  const auto inputs = entry.find("inputs"), targets = entry.find("targets");
  if (inputs == entry.end() && targets == entry.end()) return std::nullopt;
  if (inputs == entry.end() || targets == entry.end() || !inputs->is_array() || !targets->is_array() ||
      inputs->empty() || targets->empty()) {
    FailPacked(path, fmt::format("scene '{}' has an empty list of views", scene.name));
  }
  ViewList views{FrameList(*inputs, scene, path), FrameList(*targets, scene, path)};
  if (std::set<int>(views.inputs.begin(), views.inputs.end()).size() != views.inputs.size())
    FailPacked(path, fmt::format("scene '{}' names an input view twice", scene.name));
  return views;
}

}  // namespace

void FailPacked(const std::string& path, const std::string& damage) {
  throw FileError(path, "the packed scenes are damaged: " + Printable(damage) + "; pack the data again");
}

PackedLayout ParsePackedLayout(const std::string& text, const std::string& path) {
  const json root = ParseObject(text, path);
  if (!root.is_object()) FailPacked(path, "their description is no object");
  const int64_t version = WholeMember(root, "version", 1, INT32_MAX, path);
  if (version != kPackedVersion) {
    throw FileError(path, fmt::format("scenes packed in format {}, but this program reads format {}; pack "
                                      "the data again",
                                      version, kPackedVersion));
  }
  PackedLayout layout;
  layout.width = static_cast<int>(WholeMember(root, "width", 1, kMaxImageSide, path));
  layout.height = static_cast<int>(WholeMember(root, "height", 1, kMaxImageSide, path));
  layout.patch = static_cast<int>(WholeMember(root, "patch", 1, kMaxImageSide, path));
  if (layout.width % layout.patch != 0 || layout.height % layout.patch != 0 ||
      int64_t{layout.width} * layout.height > kMaxImagePixels) {
    FailPacked(path, fmt::format("frames of {} x {} pixels in patches of {}", layout.width, layout.height,
                                 layout.patch));
  }
  const auto pictures = root.find("pictures");
  if (pictures == root.end() || (*pictures != "raw" && *pictures != "jpeg"))
    FailPacked(path, "'pictures' is neither raw nor jpeg");
  layout.jpeg = *pictures == "jpeg";
  return layout;
}

std::string DescribePackedLayout(const PackedLayout& layout) {
  const nlohmann::ordered_json root = {{"version", kPackedVersion},
                                       {"width", layout.width},
                                       {"height", layout.height},
                                       {"patch", layout.patch},
                                       {"pictures", layout.jpeg ? "jpeg" : "raw"}};
  return root.dump();
}

std::vector<PackedScene> ParsePackedScenes(std::string_view text, const std::string& path) {
  if (text.size() > kMaxScenesBytes) FailPacked(path, "the list of scenes is larger than 64 MiB");
  const json root = ParseObject(text, path);
  if (!root.is_array() || root.empty()) FailPacked(path, "they have no list of scenes");
  std::vector<PackedScene> scenes;
  std::set<std::string> names;
  int64_t frames = 0;
  for (const json& entry : root) {
    const auto name = entry.is_object() ? entry.find("name") : entry.end();
    if (!entry.is_object() || name == entry.end() || !name->is_string() ||
        name->get_ref<const std::string&>().empty()) {
      FailPacked(path, fmt::format("scene {} has no name", scenes.size()));
    }
    PackedScene scene;
    scene.name = name->get<std::string>();
    if (!names.insert(scene.name).second)
      FailPacked(path, fmt::format("two scenes are named '{}'", scene.name));
    scene.first_frame = frames;
    scene.frames = WholeMember(entry, "frames", 1, kMaxPackedFrames, path);
    scene.views = ParseViews(entry, scene, path);
    frames += scene.frames;  // at most 64 Mi scenes: no overflow
    scenes.push_back(std::move(scene));
  }
  return scenes;
}

std::string DescribePackedScenes(const std::vector<PackedScene>& scenes) {
  nlohmann::ordered_json root = nlohmann::ordered_json::array();
  for (const PackedScene& scene : scenes) {
    nlohmann::ordered_json& entry = root.emplace_back();
    entry["name"] = scene.name;
    entry["frames"] = scene.frames;
    if (!scene.views) continue;
    entry["inputs"] = scene.views->inputs;
    entry["targets"] = scene.views->targets;
  }
  return root.dump();
}

}  // namespace wildrayzer

#include "wildrayzer/synth/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "wildrayzer/data/scene_writer.h"
#include "wildrayzer/io/images.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/spread.h"
#include "wildrayzer/vision/overlay.h"

namespace wildrayzer::synth {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kListedTargets = 6;
constexpr int kSheetRows = 12;
constexpr int kSheetCell = 144;

Json ReadJson(const fs::path& path) {
  std::ifstream file(path);
  Json json = Json::parse(file, nullptr, false);
  if (json.is_discarded()) throw FileError(path.string(), "is damaged; remove it and run the command again");
  return json;
}

int FrameCount(const fs::path& root, const std::string& scene) {
  const Json json = ReadJson(root / "metadata" / (scene + ".json"));
  if (!json.contains("frames") || json["frames"].size() < 2) {
    throw FileError((root / "metadata" / (scene + ".json")).string(),
                    "lists no frames; remove it and run the command again");
  }
  return static_cast<int>(json["frames"].size());
}

// Near is bright.
Image DepthPicture(const fs::path& path) {
  int height = 0, width = 0;
  const std::vector<float> depth = ReadNpyFloats(path, &height, &width);
  GrayImage gray(width, height);
  for (size_t i = 0; i < depth.size(); ++i) {
    const float near = depth[i] > 0 ? std::clamp(1.2F / (0.4F + depth[i]), 0.0F, 1.0F) : 0.0F;
    gray.values[i] = static_cast<uint8_t>(255 * near);
  }
  return HeatMap(gray);
}

// The mask (a file that WriteNpy made) over the picture.
Image MaskPicture(const fs::path& picture, const fs::path& mask) {
  const Image image = ReadImage(picture);
  std::ifstream file(mask, std::ios::binary);
  std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
  GrayImage gray(image.width, image.height);
  if (bytes.size() < gray.values.size())
    throw FileError(mask.string(), "is truncated; remove its metadata file to have it made again");
  const size_t header = bytes.size() - gray.values.size();
  for (size_t i = 0; i < gray.values.size(); ++i) gray.values[i] = bytes[header + i] != 0 ? 255 : 0;
  return OverlayMask(image, gray);
}

void AddRow(const fs::path& root, const Subset& subset, const std::string& scene,
            std::vector<SheetEntry>& entries) {
  const int frames = FrameCount(root, scene);
  const int shown = subset.movers ? 4 : 6;
  const auto file = [&](const char* kind, int f, const char* extension) {
    return root / kind / scene / fmt::format("{:05d}{}", f, extension);
  };
  for (int i = 0; i < shown; ++i) {
    const int f = i * (frames - 1) / (shown - 1);
    entries.push_back({ReadImage(file("images", f, ".png")), i == 0 ? scene : fmt::format("frame {}", f)});
  }
  const int last = frames - 1;
  if (subset.movers) {
    entries.push_back(
        {MaskPicture(file("images", last, ".png"), file("binary_masks", last, ".npy")), "moving"});
    entries.push_back({ReadImage(file("clean", last, ".png")), "without movers"});
  }
  const fs::path depth = file("depth", last, ".npy");
  entries.push_back(
      {fs::exists(depth) ? DepthPicture(depth) : ReadImage(file("images", last, ".png")), "depth"});
}

std::string ListName(const Subset& subset, int inputs) {
  const bool by_inputs = subset.pairs || (subset.split == Split::kTest && subset.movers);
  return by_inputs ? fmt::format("{}_{}", subset.list, inputs) : subset.list;
}

std::vector<ListedViews> JudgedViews(const Subset& subset, const fs::path& root, int inputs) {
  std::vector<ListedViews> all;
  for (int i = 0; i < subset.count; ++i) {
    const std::string scene = SceneName(subset, i);
    const int frames = FrameCount(root, scene);
    const SpreadFrames views = SpreadOverFrames(frames, inputs, std::min(kListedTargets, frames - inputs));
    all.push_back({scene, views.inputs, views.targets});
  }
  return all;
}

}  // namespace

std::string SceneName(const Subset& subset, int index) {
  return fmt::format("{}_{:06d}", subset.prefix, index);
}

void WriteLists(const fs::path& out, const Subset& subset) {
  const fs::path root = out / subset.folder;
  std::vector<std::string> scenes;
  for (int i = 0; i < subset.count; ++i) scenes.push_back(SceneName(subset, i));
  if (subset.split == Split::kTrain) {
    WriteSceneList(root / (subset.list + ".txt"), subset.folder, scenes);
    return;
  }
  for (const int inputs : {2, 3, 4}) {
    const std::string list = ListName(subset, inputs);
    WriteSceneList(root / (list + ".txt"), subset.folder, scenes);
    const std::string stem = list == subset.list ? fmt::format("{}_context_{}", list, inputs) : list;
    WriteViewIndex(root / (stem + "_view_idx.json"), JudgedViews(subset, root, inputs));
  }
}

void WriteSceneSheet(const fs::path& out, const Subset& subset) {
  const fs::path root = out / subset.folder;
  std::vector<SheetEntry> entries;
  const int rows = std::min(kSheetRows, subset.count);
  for (int r = 0; r < rows; ++r) AddRow(root, subset, SceneName(subset, r * subset.count / rows), entries);
  const int columns = static_cast<int>(entries.size()) / rows;
  WritePng(root / (subset.pairs ? "contact_sheet_paired.png" : "contact_sheet.png"),
           ContactSheet(entries, columns, kSheetCell, kSheetCell));
}

void WriteCutoutSheet(const fs::path& root, int count) {
  std::vector<SheetEntry> entries;
  const int shown = std::min(count, 48);
  for (int i = 0; i < shown; ++i) {
    const std::string name = fmt::format("{:06d}.png", i * count / shown);
    entries.push_back({ReadImage(root / "rgba" / name), name});  // transparent pixels become white
  }
  WritePng(root / "contact_sheet.png", ContactSheet(entries, 8, kSheetCell, kSheetCell));
}

void WriteAttribution(const fs::path& out, const Catalogue& catalogue) {
  std::set<std::string> used;
  for (const auto& entry : fs::recursive_directory_iterator(out)) {
    const std::string parent = entry.path().parent_path().filename().string();
    if (entry.path().extension() != ".json" || (parent != "metadata" && parent != "annotations")) continue;
    const Json json = ReadJson(entry.path());
    const Json& models = json.contains("synthetic") ? json["synthetic"]["models"]
                         : json.contains("models")  ? json["models"]
                                                    : Json::array();
    for (const Json& id : models) used.insert(id.get<std::string>());
  }
  std::string text =
      "# Models in these pictures\n\n"
      "Rooms, walls, floors, pictures and window views are generated; they may be used freely (CC0). The "
      "models below were\n"
      "placed, scaled to their catalogue size, tinted and rendered. Catalogues come from the Debian package\n"
      "`sweethome3d-furniture` (www.sweethome3d.com); its copyright file holds the full licence texts:\n"
      "CC BY 3.0 <https://creativecommons.org/licenses/by/3.0/>, CC0 "
      "<https://creativecommons.org/publicdomain/zero/1.0/>.\n\n"
      "| model | name | made by | licence | catalogue |\n|---|---|---|---|---|\n";
  for (const ModelInfo& m : catalogue.models()) {
    if (used.contains(m.id))
      text += fmt::format("| {} | {} | {} | {} | {} |\n", m.id, m.name, m.creator, m.license, m.source);
  }
  WriteFileAtomically(out / "ATTRIBUTION.md", text);
}

}  // namespace wildrayzer::synth

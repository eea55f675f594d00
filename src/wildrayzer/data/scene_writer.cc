#include "wildrayzer/data/scene_writer.h"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/output_folder.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

constexpr size_t kNpyHeader = 128;

std::string NpyHeader(const char* type, int height, int width) {
  std::string dict =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}, {}), }}", type, height, width);
  dict.resize(kNpyHeader - 11, ' ');  // 10 bytes before it, one line feed after it
  return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + dict + "\n";
}

// The bytes of one file inside a folder that itself appears atomically.
void WriteWholeFile(const fs::path& path, const void* data, size_t size) {
  std::ofstream file(path, std::ios::binary);
  file.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
  file.close();
  if (!file) throw FileError(path.string(), "cannot write (is the disk full?)");
}

void WriteArray(const fs::path& path, const char* type, int height, int width, const void* data,
                size_t bytes) {
  std::string file = NpyHeader(type, height, width);
  file.append(static_cast<const char*>(data), bytes);
  WriteWholeFile(path, file.data(), file.size());
}

// A number with 9 significant digits: enough for a float, short enough to read.
double Rounded(double value) { return std::stod(fmt::format("{:.9g}", value)); }

OrderedJson Describe(const std::string& name, const std::vector<FrameToWrite>& frames, bool pairs,
                     const OrderedJson& synthetic) {
  OrderedJson described;
  described["scene_name"] = name;
  described["frames"] = OrderedJson::array();
  for (size_t f = 0; f < frames.size(); ++f) {
    OrderedJson frame;
    frame["image_path"] = fmt::format("../images/{}/{:05d}.png", name, f);
    if (pairs) frame["gt_image_path"] = fmt::format("../clean/{}/{:05d}.png", name, f);
    frame["fxfycxcy"] = OrderedJson::array();
    for (const double value : frames[f].fxfycxcy) frame["fxfycxcy"].push_back(Rounded(value));
    frame["w2c"] = OrderedJson::array();
    for (int i = 0; i < 4; ++i) {
      OrderedJson row = OrderedJson::array();
      for (int j = 0; j < 4; ++j) row.push_back(Rounded(frames[f].w2c(i, j)));
      frame["w2c"].push_back(std::move(row));
    }
    described["frames"].push_back(std::move(frame));
  }
  described["synthetic"] = synthetic;
  return described;
}

// Writes one folder of frames through `write(path without extension, frame)`.
void WriteFrames(const fs::path& path, const std::vector<FrameToWrite>& frames,
                 const std::function<void(const fs::path& stem, const FrameToWrite& frame)>& write) {
  CompleteFolder(path, [&](const fs::path& staging) {
    for (size_t f = 0; f < frames.size(); ++f) write(staging / fmt::format("{:05d}", f), frames[f]);
  });
}

void WritePicture(const fs::path& stem, const Image& image) {
  const std::vector<std::byte> png = EncodePng(image);
  WriteWholeFile(stem.string() + ".png", png.data(), png.size());
}

template <typename T>
void WriteMap(const fs::path& stem, const Image& image, const std::vector<T>& values) {
  WriteNpy(stem.string() + ".npy", image.height, image.width, values);
}

}  // namespace

void WriteNpy(const fs::path& path, int height, int width, const std::vector<uint8_t>& values) {
  WriteArray(path, "|u1", height, width, values.data(), values.size());
}

void WriteNpy(const fs::path& path, int height, int width, const std::vector<float>& values) {
  WriteArray(path, "<f4", height, width, values.data(), values.size() * sizeof(float));
}

std::vector<float> ReadNpyFloats(const fs::path& path, int* height, int* width) {
  std::ifstream file(path, std::ios::binary);
  std::string header(kNpyHeader, '\0');
  if (!file.read(header.data(), kNpyHeader))
    throw FileError(path.string(), "is missing or too short for an array");
  const bool shaped =
      std::sscanf(header.c_str() + 10, "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d)", height,
                  width) == 2;
  if (!shaped || *height < 1 || *width < 1 || *height > 32768 || *width > 32768) {
    throw FileError(path.string(), "is not a depth map of this program");
  }
  std::vector<float> values(static_cast<size_t>(*height) * static_cast<size_t>(*width));
  if (!file.read(reinterpret_cast<char*>(values.data()),
                 static_cast<std::streamsize>(values.size() * sizeof(float)))) {
    throw FileError(path.string(), "is truncated; remove it and its metadata file to have it made again");
  }
  return values;
}

void WriteScene(const fs::path& root, const std::string& name, const std::vector<FrameToWrite>& frames,
                bool pairs, const OrderedJson& synthetic) {
  const FrameToWrite& first = frames.at(0);
  WriteFrames(root / "images" / name, frames,
              [](const fs::path& stem, const FrameToWrite& f) { WritePicture(stem, *f.rgb); });
  if (first.clean != nullptr) {
    WriteFrames(root / "clean" / name, frames,
                [](const fs::path& stem, const FrameToWrite& f) { WritePicture(stem, *f.clean); });
  }
  if (first.mask != nullptr) {
    WriteFrames(root / "binary_masks" / name, frames,
                [](const fs::path& stem, const FrameToWrite& f) { WriteMap(stem, *f.rgb, *f.mask); });
  }
  if (first.shadow != nullptr) {
    WriteFrames(root / "shadow_masks" / name, frames,
                [](const fs::path& stem, const FrameToWrite& f) { WriteMap(stem, *f.rgb, *f.shadow); });
  }
  if (first.depth != nullptr) {
    WriteFrames(root / "depth" / name, frames,
                [](const fs::path& stem, const FrameToWrite& f) { WriteMap(stem, *f.rgb, *f.depth); });
  }
  fs::create_directories(root / "metadata");
  WriteFileAtomically(root / "metadata" / (name + ".json"),
                      Describe(name, frames, pairs, synthetic).dump(1) + "\n");
}

bool SceneIsComplete(const fs::path& root, const std::string& name) {
  std::error_code error;
  return fs::is_regular_file(root / "metadata" / (name + ".json"), error) &&
         fs::is_directory(root / "images" / name, error);
}

void RemoveSceneLeftovers(const fs::path& root) {
  std::error_code error;
  for (const char* kind : {"images", "clean", "binary_masks", "shadow_masks", "depth", "metadata"}) {
    for (const auto& entry : fs::directory_iterator(root / kind, error)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(".") && name.find(".tmp-") != std::string::npos)
        fs::remove_all(entry.path(), error);
    }
  }
}

void WriteSceneList(const fs::path& list, const fs::path& folder, const std::vector<std::string>& scenes) {
  std::string lines;
  for (const std::string& scene : scenes)
    lines += (folder / "metadata" / (scene + ".json")).generic_string() + "\n";
  WriteFileAtomically(list, lines);
}

void WriteViewIndex(const fs::path& path, const std::vector<ListedViews>& views) {
  OrderedJson index = OrderedJson::object();
  for (const ListedViews& v : views) index[v.scene] = {{"context", v.inputs}, {"target", v.targets}};
  WriteFileAtomically(path, index.dump(1) + "\n");
}

void OpenMadeFolder(const fs::path& folder, const std::string& settings_file, const std::string& kind,
                    const OrderedJson& settings) {
  CheckOwnFolder(folder, settings_file, kind);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw FileError(folder.string(), "cannot create the folder: " + error.message());
  const fs::path path = folder / settings_file;
  if (!fs::exists(path)) {
    WriteFileAtomically(path, settings.dump(1) + "\n");
    return;
  }
  std::ifstream file(path);
  const OrderedJson before = OrderedJson::parse(file, nullptr, false);
  if (before.is_discarded() || !before.is_object())
    throw FileError(path.string(), "is damaged; choose another --out");
  for (const auto& [key, value] : settings.items()) {
    if (!before.contains(key) || before[key] != value) {
      throw UsageError(fmt::format(
          "{}: was made with another {} ({}, now {}); use the same settings or another --out",
          folder.string(), key, before.contains(key) ? before[key].dump() : "none", value.dump()));
    }
  }
}

}  // namespace wildrayzer

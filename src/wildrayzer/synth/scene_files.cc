#include "wildrayzer/synth/scene_files.h"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/output_folder.h"

namespace wildrayzer::synth {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr size_t kNpyHeader = 128;

std::string NpyHeader(const char* type, int height, int width) {
  std::string dict =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}, {}), }}", type, height, width);
  dict.resize(kNpyHeader - 11, ' ');  // 10 bytes before it, one line feed after it
  return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + dict + "\n";
}

void WriteArray(const fs::path& path, const char* type, int height, int width, const void* data,
                size_t bytes) {
  std::string file = NpyHeader(type, height, width);
  file.append(static_cast<const char*>(data), bytes);
  WriteBytes(path, file.data(), file.size());
}

// A number with 9 significant digits: enough for a float, short enough to read.
double Rounded(double value) { return std::stod(fmt::format("{:.9g}", value)); }

Json WorldToCamera(const View& view) {
  const Eigen::Matrix3d r = view.rotation.cast<double>().transpose();
  const Eigen::Vector3d t = -r * view.position.cast<double>();
  Json rows = Json::array();
  for (int i = 0; i < 3; ++i)
    rows.push_back({Rounded(r(i, 0)), Rounded(r(i, 1)), Rounded(r(i, 2)), Rounded(t(i))});
  rows.push_back({0.0, 0.0, 0.0, 1.0});
  return rows;
}

Json Describe(const std::string& name, const Scene& scene, const Catalogue& catalogue,
              const SceneOptions& made_with, const std::vector<Frame>& frames,
              const SceneFilesOptions& options) {
  Json json;
  json["scene_name"] = name;
  json["frames"] = Json::array();
  const double w = frames[0].rgb.width, h = frames[0].rgb.height;
  for (size_t f = 0; f < frames.size(); ++f) {
    const View& view = scene.views[f];
    Json frame;
    frame["image_path"] = fmt::format("../images/{}/{:05d}.png", name, f);
    if (options.pairs) frame["gt_image_path"] = fmt::format("../clean/{}/{:05d}.png", name, f);
    frame["fxfycxcy"] = {Rounded(view.fx * w), Rounded(view.fy * h), Rounded(view.cx * w),
                         Rounded(view.cy * h)};
    frame["w2c"] = WorldToCamera(view);
    json["frames"].push_back(std::move(frame));
  }
  const auto id = [&catalogue](size_t model) { return catalogue.models()[model].id; };
  Json synthetic;
  synthetic["seed"] = made_with.seed;
  synthetic["split"] = SplitName(made_with.split);
  synthetic["models"] = scene.models;
  synthetic["movers"] = Json::array();
  for (const Mover& mover : scene.movers) synthetic["movers"].push_back(id(mover.model));
  synthetic["still_people"] = Json::array();
  for (const size_t i : scene.furnishing.still_people)
    synthetic["still_people"].push_back(id(scene.furnishing.pieces[i].model));
  json["synthetic"] = std::move(synthetic);
  return json;
}

// Writes one folder of frames through `write(path without extension, frame)`.
template <typename Write>
void WriteFolder(const fs::path& path, const std::vector<Frame>& frames, const Write& write) {
  CompleteFolder(path, [&](const fs::path& staging) {
    for (size_t f = 0; f < frames.size(); ++f) write(staging / fmt::format("{:05d}", f), frames[f]);
  });
}

void WritePicture(const fs::path& stem, const Image& image) {
  const std::vector<std::byte> png = EncodePng(image);
  WriteBytes(stem.string() + ".png", png.data(), png.size());
}

}  // namespace

void WriteBytes(const fs::path& path, const void* data, size_t size) {
  std::ofstream file(path, std::ios::binary);
  file.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
  file.close();
  if (!file) throw FileError(path.string(), "cannot write (is the disk full?)");
}

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

void WriteSceneFiles(const fs::path& root, const std::string& name, const Scene& scene,
                     const Catalogue& catalogue, const SceneOptions& made_with,
                     const std::vector<Frame>& frames, const SceneFilesOptions& options) {
  const int w = frames[0].rgb.width, h = frames[0].rgb.height;
  const auto npy = [](const fs::path& stem) { return fs::path(stem.string() + ".npy"); };
  WriteFolder(root / "images" / name, frames,
              [](const fs::path& stem, const Frame& f) { WritePicture(stem, f.rgb); });
  if (options.masks) {
    WriteFolder(root / "clean" / name, frames,
                [](const fs::path& stem, const Frame& f) { WritePicture(stem, f.clean); });
    WriteFolder(root / "binary_masks" / name, frames,
                [&](const fs::path& stem, const Frame& f) { WriteNpy(npy(stem), h, w, f.mask); });
    WriteFolder(root / "shadow_masks" / name, frames,
                [&](const fs::path& stem, const Frame& f) { WriteNpy(npy(stem), h, w, f.shadow); });
  }
  if (options.depth) {
    WriteFolder(root / "depth" / name, frames,
                [&](const fs::path& stem, const Frame& f) { WriteNpy(npy(stem), h, w, f.depth); });
  }
  fs::create_directories(root / "metadata");
  WriteFileAtomically(root / "metadata" / (name + ".json"),
                      Describe(name, scene, catalogue, made_with, frames, options).dump(1) + "\n");
}

bool SceneIsComplete(const fs::path& root, const std::string& name) {
  std::error_code error;
  return fs::is_regular_file(root / "metadata" / (name + ".json"), error) &&
         fs::is_directory(root / "images" / name, error);
}

}  // namespace wildrayzer::synth

// Small data sets made in a test.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <string>

#include "wildrayzer/io/images.h"
#include "wildrayzer/testing/files.h"
#include "wildrayzer/util/atomic_file.h"

namespace wildrayzer::testing {

// One colour, which survives resizing exactly.
inline Image Plain(int width, int height, int red, int green, int blue) {
  Image image(width, height);
  for (size_t i = 0; i < image.rgb.size(); i += 3) {
    image.rgb[i] = static_cast<uint8_t>(red);
    image.rgb[i + 1] = static_cast<uint8_t>(green);
    image.rgb[i + 2] = static_cast<uint8_t>(blue);
  }
  return image;
}

inline void WritePicture(const std::filesystem::path& path, const Image& image) {
  std::filesystem::create_directories(path.parent_path());
  WritePng(path, image);
}

// The number that every picture of `scene` carries in its red channel.
inline int SceneColor(int scene) { return 20 + scene; }

// A scene in RealEstate10K layout below `root`: pictures of 96 x 64 whose colour is (SceneColor(scene), 100 +
// frame, 7), clean ones (if `paired`) with blue 200. fxfycxcy = (80, 90, 48, 32), w2c = translation (frame,
// 0, 1).
inline std::string WriteScene(const std::filesystem::path& root, int scene, int frames, bool paired = false) {
  const std::string name = fmt::format("scene_{:02d}", scene);
  std::string json;
  for (int i = 0; i < frames; ++i) {
    const std::string file = fmt::format("{:05d}.png", i);
    WritePicture(root / "images" / name / file, Plain(96, 64, SceneColor(scene), 100 + i, 7));
    std::string gt;
    if (paired) {
      WritePicture(root / "clean" / name / file, Plain(96, 64, SceneColor(scene), 100 + i, 200));
      gt = fmt::format(R"(, "gt_image_path": "../clean/{}/{}")", name, file);
    }
    json += fmt::format(R"({}{{"image_path": "../images/{}/{}", "fxfycxcy": [80, 90, 48, 32.0], )"
                        R"("w2c": [[1,0,0,{}],[0,1,0,0],[0,0,1,1],[0,0,0,1]]{}}})",
                        i == 0 ? "" : ", ", name, file, i, gt);
  }
  std::filesystem::create_directories(root / "metadata");
  WriteFileAtomically(root / "metadata" / (name + ".json"),
                      fmt::format(R"({{"scene_name": "{}", "frames": [{}]}})", name, json));
  return name;
}

// `count` scenes of `frames` frames and their full_list.txt.
inline std::filesystem::path WriteList(const std::filesystem::path& root, int count, int frames,
                                       bool paired = false) {
  std::string lines;
  for (int scene = 0; scene < count; ++scene) {
    lines += (root / "metadata" / (WriteScene(root, scene, frames, paired) + ".json")).string() + "\n\n";
  }
  WriteFileAtomically(root / "full_list.txt", lines);
  return root / "full_list.txt";
}

}  // namespace wildrayzer::testing

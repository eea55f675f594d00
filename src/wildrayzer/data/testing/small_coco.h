// A COCO data set of two pictures made in a test.
#pragma once

#include <fmt/format.h>

#include "wildrayzer/data/testing/small_scenes.h"

namespace wildrayzer::testing {

// ROOT/instances.json and ROOT/images: a.png (40 x 30, red) with a "dog" box [10, 5, 20, 10] and a "person"
// crowd, b.png (20 x 20, blue) with a "cat" box [2, 2, 10, 16]. The pixels outside the boxes are green.
inline std::filesystem::path WriteSmallCoco(const std::filesystem::path& root) {
  Image a = Plain(40, 30, 0, 255, 0), b = Plain(20, 20, 0, 255, 0);
  for (int y = 5; y < 15; ++y) {
    for (int x = 10; x < 30; ++x) a.Pixel(x, y)[0] = 250, a.Pixel(x, y)[1] = 0;
  }
  for (int y = 2; y < 18; ++y) {
    for (int x = 2; x < 12; ++x) b.Pixel(x, y)[2] = 250, b.Pixel(x, y)[1] = 0;
  }
  WritePicture(root / "images/a.png", a);
  WritePicture(root / "images/b.png", b);
  WriteFileAtomically(root / "instances.json", R"({
    "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30},
               {"id": 2, "file_name": "b.png", "width": 20, "height": 20}],
    "categories": [{"id": 1, "name": "person"}, {"id": 17, "name": "cat"}, {"id": 18, "name": "dog"}],
    "annotations": [
      {"id": 1, "image_id": 1, "category_id": 18, "segmentation": [[10,5,30,5,30,15,10,15]], "iscrowd": 0},
      {"id": 2, "image_id": 1, "category_id": 1, "segmentation": {"size": [30, 40], "counts": [0, 30]}, "iscrowd": 1},
      {"id": 3, "image_id": 2, "category_id": 17, "segmentation": [[2,2,12,2,12,18,2,18]], "iscrowd": 0}]})");
  return root;
}

}  // namespace wildrayzer::testing

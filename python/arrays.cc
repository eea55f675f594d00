#include "arrays.h"

#include <cstring>
#include <filesystem>
#include <string>

namespace wildrayzer::python {

py::array ToArray(Image image) {
  const std::vector<py::ssize_t> shape = {image.height, image.width, 3};
  return TakeArray(std::move(image.rgb), shape);
}

py::array ToArray(GrayImage image) {
  const std::vector<py::ssize_t> shape = {image.height, image.width};
  return TakeArray(std::move(image.values), shape);
}

py::array ToArray(const MotionMask& mask) { return TakeArray(mask.probability, {mask.height, mask.width}); }

py::array ToArray(const GrayImage& levels, float scale) {
  std::vector<float> values(levels.values.size());
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(levels.values[i]) * scale;
  return TakeArray(std::move(values), {levels.height, levels.width});
}

Image ToImage(const ByteArray& array) {
  Image image(static_cast<int>(array.shape(1)), static_cast<int>(array.shape(0)));
  std::memcpy(image.rgb.data(), array.data(), image.rgb.size());
  return image;
}

MotionMask ToMask(const FloatArray& array) {
  MotionMask mask;
  mask.height = static_cast<int>(array.shape(0));
  mask.width = static_cast<int>(array.shape(1));
  mask.probability.assign(array.data(), array.data() + array.size());
  return mask;
}

std::vector<Camera> ToCameras(const DoubleArray& c2w, const DoubleArray& lens) {
  std::vector<Camera> cameras(static_cast<size_t>(c2w.shape(0)));
  for (size_t i = 0; i < cameras.size(); ++i) {
    const auto index = static_cast<py::ssize_t>(i);
    using RowMajor = Eigen::Matrix<double, 4, 4, Eigen::RowMajor>;
    cameras[i].c2w = Eigen::Map<const RowMajor>(c2w.data(index, 0, 0));
    cameras[i].fx = lens.at(index, 0);
    cameras[i].fy = lens.at(index, 1);
    cameras[i].cx = lens.at(index, 2);
    cameras[i].cy = lens.at(index, 3);
  }
  return cameras;
}

py::tuple FromCameras(std::span<const Camera> cameras) {
  std::vector<double> c2w, lens;
  for (const Camera& camera : cameras) {
    for (int row = 0; row < 4; ++row) {
      for (int column = 0; column < 4; ++column) c2w.push_back(camera.c2w(row, column));
    }
    lens.insert(lens.end(), {camera.fx, camera.fy, camera.cx, camera.cy});
  }
  const auto count = static_cast<py::ssize_t>(cameras.size());
  return py::make_tuple(TakeArray(std::move(c2w), {count, 4, 4}), TakeArray(std::move(lens), {count, 4}));
}

std::vector<Photo> ToPhotos(const py::list& photos) {
  std::vector<Photo> given;
  for (const py::handle& photo : photos) {
    if (py::isinstance<py::str>(photo)) {
      const auto path = photo.cast<std::string>();
      given.push_back({std::filesystem::path(path).stem().string(), path, {}});
    } else {
      const std::string name = "photo " + std::to_string(given.size() + 1);
      given.push_back({name, name, ToImage(photo.cast<ByteArray>())});
    }
  }
  return given;
}

void ReadPhotos(std::vector<Photo>& photos, const ProgressCallback& progress) {
  progress("reading photos", static_cast<int>(photos.size()));
  for (Photo& photo : photos) {
    if (photo.image.empty()) photo.image = ReadImage(photo.source);
    progress("", 0);
  }
}

}  // namespace wildrayzer::python

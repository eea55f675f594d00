// Between NumPy's arrays and ours. What comes in is copied, what goes out owns its memory: no array looks
// into memory of the program. The package (wildrayzer/__init__.py) has checked kinds and shapes.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <span>
#include <vector>

#include "wildrayzer/geometry/camera.h"
#include "wildrayzer/io/images.h"
#include "wildrayzer/pipeline/photo_source.h"
#include "wildrayzer/pipeline/reconstructor.h"

namespace wildrayzer::python {

namespace py = pybind11;

using DoubleArray = py::array_t<double, py::array::c_style | py::array::forcecast>;
using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;
using ByteArray = py::array_t<uint8_t, py::array::c_style | py::array::forcecast>;

// Takes over the values; their number is the product of the shape.
template <typename T>
py::array_t<T> TakeArray(std::vector<T> values, const std::vector<py::ssize_t>& shape) {
  auto owned = std::make_unique<std::vector<T>>(std::move(values));
  const T* data = owned->data();
  const py::capsule owner(owned.get(), [](void* vector) { delete static_cast<std::vector<T>*>(vector); });
  owned.release();  // the capsule's now
  return py::array_t<T>(shape, data, owner);
}

py::array ToArray(Image image);                           // [height, width, 3] uint8
py::array ToArray(GrayImage image);                       // [height, width] uint8
py::array ToArray(const MotionMask& mask);                // [height, width] float32
py::array ToArray(const GrayImage& levels, float scale);  // [height, width] float32: level * scale

Image ToImage(const ByteArray& array);       // [height, width, 3]
MotionMask ToMask(const FloatArray& array);  // [height, width] in [0, 1]

// c2w: [n, 4, 4]; lens: [n, 4], fx fy cx cy in units of the picture's width and height.
std::vector<Camera> ToCameras(const DoubleArray& c2w, const DoubleArray& lens);
py::tuple FromCameras(std::span<const Camera> cameras);  // the same two arrays

// A str is a path that ReadPhotos reads, anything else an array; named after the file or "photo 1".
std::vector<Photo> ToPhotos(const py::list& photos);
// Reads those that are paths yet; needs no GIL. FileError.
void ReadPhotos(std::vector<Photo>& photos, const ProgressCallback& progress);

}  // namespace wildrayzer::python

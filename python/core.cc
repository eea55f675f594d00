// wildrayzer._core: the compiled half of the Python package, a thin layer over the public API. It is private;
// what users call, and what checks their arguments, is wildrayzer/__init__.py.

#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <utility>

#include "arrays.h"
#include "calls.h"
#include "wildrayzer/geometry/trajectory.h"
#include "wildrayzer/kernels/threads.h"
#include "wildrayzer/pipeline/clean_photos.h"
#include "wildrayzer/pipeline/default_model.h"
#include "wildrayzer/pipeline/photo_checks.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/system.h"
#include "wildrayzer/version.h"

namespace wildrayzer::python {
namespace {

// A scene with what it was made of: clean photos need the photos again.
struct PlacedScene {
  std::shared_ptr<SharedModel> model;
  std::vector<Image> photos;
  Scene scene;
  std::vector<bool> told_masks;  // CleanOptions::told_masks
};

// Texts as those of the command line. Empty paths mean "not given".
std::shared_ptr<SharedModel> Load(const std::string& weights, const std::string& config,
                                  const std::string& dino, const std::vector<std::string>& overrides,
                                  bool motion, const std::string& precision, const std::string& frame,
                                  const std::string& device, uint64_t seed, int threads,
                                  const py::object& progress) {
  ModelSource source;
  source.weights = weights;
  source.config = config;
  source.dino = dino;
  source.overrides = overrides;
  source.use_motion = motion;
  source.precision = PrecisionFromName(precision);
  source.frame = FrameFromName(frame);
  source.device = device;
  source.seed = seed;
  return Work(progress, [&](const ProgressCallback& report) {
    SetThreads(threads > 0 ? threads : AvailableCores());
    return std::make_shared<SharedModel>(Reconstructor(source, report));
  });
}

std::vector<Image> TakeImages(std::vector<Photo>& photos) {
  std::vector<Image> images;
  for (Photo& photo : photos) images.push_back(std::move(photo.image));
  return images;
}

// As for masks in files: another resolution is fine, another shape (beyond the rounding of a resize) belongs
// to another photo.
void CheckShape(const MotionMask& mask, const Image& photo, size_t index) {
  const int64_t across = int64_t{mask.width} * photo.height, down = int64_t{mask.height} * photo.width;
  if (std::abs(across - down) <= 2 * std::max(across, down) / std::min(mask.width, mask.height)) return;
  throw UsageError(
      fmt::format("masks[{}]: an array of height {} and width {} does not fit its photo of {} x {} "
                  "pixels (height x width); a mask covers the whole photo",
                  index, mask.height, mask.width, photo.height, photo.width));
}

// None: the model's own. Nothing but these is as if there were no list.
std::vector<MotionMask> ToMasks(const py::list& given) {
  std::vector<MotionMask> masks(given.size());
  bool any = false;
  for (size_t i = 0; i < masks.size(); ++i) {
    if (given[i].is_none()) continue;
    masks[i] = ToMask(given[i].cast<FloatArray>());
    any = true;
  }
  return any ? masks : std::vector<MotionMask>();
}

std::shared_ptr<PlacedScene> Reconstruct(const std::shared_ptr<SharedModel>& model, const py::list& given,
                                         int held_out, const py::list& given_masks, bool add_masks,
                                         int detail, const py::object& progress) {
  std::vector<Photo> photos = ToPhotos(given);
  const std::vector<MotionMask> masks = ToMasks(given_masks);
  return Work(*model, progress, [&](const ProgressCallback& report) {
    ReadPhotos(photos, report);
    for (size_t i = 0; i < masks.size(); ++i) {
      if (!masks[i].probability.empty()) CheckShape(masks[i], photos[i].image, i);
    }
    WarnOfPoorPhotos(photos);
    auto placed = std::make_shared<PlacedScene>();
    placed->model = model;
    placed->photos = TakeImages(photos);
    for (const MotionMask& mask : masks) placed->told_masks.push_back(!mask.probability.empty());
    if (!masks.empty()) placed->told_masks.resize(placed->photos.size());
    placed->scene = model->reconstructor.Reconstruct(placed->photos, held_out, report, masks, detail,
                                                     add_masks ? MaskMode::kAdd : MaskMode::kReplace);
    WarnOfPoorViews(photos, placed->scene);
    return placed;
  });
}

// Of the photo's size, as `wildrayzer render` writes them: 0 where the model did not look.
py::list PhotoMasks(const Scene& scene) {
  py::list masks;
  for (size_t i = 0; i < scene.masks.size(); ++i) {
    const MotionMask& mask = scene.masks[i];
    const GrayImage levels = FromProbabilities(mask.probability, mask.width, mask.height);
    masks.append(ToArray(UncropMask(levels, scene.framings[i]).mask, 1.0F / 255));
  }
  return masks;
}

py::list ModelMasks(const Scene& scene) {
  py::list masks;
  for (const MotionMask& mask : scene.masks) masks.append(ToArray(mask));
  return masks;
}

py::list EstimateMotion(SharedModel& model, const py::list& given, const py::object& progress) {
  std::vector<Photo> photos = ToPhotos(given);
  const Scene scene = Work(model, progress, [&](const ProgressCallback& report) {
    ReadPhotos(photos, report);
    WarnOfPoorPhotos(photos);
    Scene estimated = model.reconstructor.EstimateMotion(TakeImages(photos), report);
    WarnOfPoorViews(photos, estimated);
    return estimated;
  });
  return PhotoMasks(scene);
}

py::list ToList(std::vector<Image> images) {
  py::list arrays;
  for (Image& image : images) arrays.append(ToArray(std::move(image)));
  return arrays;
}

py::list Render(PlacedScene& placed, const DoubleArray& c2w, const DoubleArray& lens, bool quick,
                const py::object& progress) {
  const std::vector<Camera> cameras = ToCameras(c2w, lens);
  return ToList(Work(*placed.model, progress, [&](const ProgressCallback& report) {
    return placed.model->reconstructor.Render(placed.scene, cameras, report, quick);
  }));
}

// (image, source, own, photos, rendered) a photo.
py::list Clean(PlacedScene& placed, const py::object& progress) {
  std::vector<CleanPhoto> clean = Work(*placed.model, progress, [&](const ProgressCallback& report) {
    const Reconstructor& model = placed.model->reconstructor;
    const std::vector<Image> rendered = model.Render(placed.scene, placed.scene.cameras, report);
    return CleanPhotos(placed.photos, placed.scene, rendered,
                       model.FindInInputs(placed.scene, placed.scene.cameras),
                       {.threshold = model.motion_threshold(), .told_masks = placed.told_masks}, report);
  });
  py::list list;
  for (CleanPhoto& photo : clean) {
    list.append(py::make_tuple(ToArray(std::move(photo.image)), ToArray(std::move(photo.source)), photo.own,
                               photo.photos, photo.rendered));
  }
  return list;
}

// fx fy cx cy of each photo's camera in pixels of the photo: [n, 4].
py::array PhotoLenses(const PlacedScene& placed) {
  std::vector<double> values;
  for (size_t i = 0; i < placed.scene.cameras.size(); ++i) {
    const Camera& camera = placed.scene.cameras[i];
    const Framing& framing = placed.scene.framings[i];
    const PixelIntrinsics photo = framing.ToPhoto({camera.fx * framing.width, camera.fy * framing.height,
                                                   camera.cx * framing.width, camera.cy * framing.height});
    values.insert(values.end(), {photo.fx, photo.fy, photo.cx, photo.cy});
  }
  return TakeArray(std::move(values), {static_cast<py::ssize_t>(placed.scene.cameras.size()), 4});
}

py::array Points(const Scene& scene) {
  std::vector<float> values;
  for (const auto& point : scene.points) values.insert(values.end(), point.begin(), point.end());
  return TakeArray(std::move(values), {static_cast<py::ssize_t>(scene.points.size()), 3});
}

py::tuple Path(const PlacedScene& placed, const std::string& kind, int frames, bool loop, double degrees) {
  const auto inputs = std::span(placed.scene.cameras).first(static_cast<size_t>(placed.scene.num_inputs));
  if (kind == "orbit") return FromCameras(Orbit(inputs, {.frames = frames, .sweep_degrees = degrees}));
  if (kind == "dolly") return FromCameras(Dolly(inputs, {.frames = frames}));
  return FromCameras(InterpolateCameras(inputs, frames, loop));
}

std::optional<std::string> DefaultModel(const std::string& package_folder) {
  const auto found = FindDefaultModel(
      (std::filesystem::path(package_folder) / WILDRAYZER_PROGRAM_FROM_PACKAGE).lexically_normal());
  return found ? std::optional(found->string()) : std::nullopt;
}

}  // namespace

PYBIND11_MODULE(_core, core) {
  InitLogging(0);  // warnings become Python's, and information is what progress tells
  RegisterErrors();
  core.attr("version") = kVersion;
  core.def("default_model", &DefaultModel, py::arg("package_folder"));
  core.def(
      "read_image",
      [](const std::string& path) {
        return ToArray(Work(py::none(), [&](const ProgressCallback&) { return ReadImage(path); }));
      },
      py::arg("path"));
  core.def("load", &Load, py::arg("weights"), py::arg("config"), py::arg("dino"), py::arg("overrides"),
           py::arg("motion"), py::arg("precision"), py::arg("frame"), py::arg("device"), py::arg("seed"),
           py::arg("threads"), py::arg("progress"));

  py::class_<SharedModel, std::shared_ptr<SharedModel>>(core, "Model")
      .def("reconstruct", &Reconstruct, py::arg("photos"), py::arg("held_out"), py::arg("masks"),
           py::arg("add_masks"), py::arg("detail"), py::arg("progress"))
      .def("estimate_motion", &EstimateMotion, py::arg("photos"), py::arg("progress"))
      .def("weights_hash",
           [](SharedModel& model) {
             return Work(model, py::none(),
                         [&](const ProgressCallback&) { return model.reconstructor.weights_hash(); });
           })
      .def_property_readonly("frame_width",
                             [](const SharedModel& model) { return model.reconstructor.frame_width(); })
      .def_property_readonly("frame_height",
                             [](const SharedModel& model) { return model.reconstructor.frame_height(); })
      .def_property_readonly("has_motion",
                             [](const SharedModel& model) { return model.reconstructor.has_motion(); })
      .def_property_readonly("precision",
                             [](const SharedModel& model) { return model.reconstructor.precision(); })
      .def_property_readonly("device", [](const SharedModel& model) { return model.reconstructor.device(); })
      .def_property_readonly("num_parameters",
                             [](const SharedModel& model) { return model.reconstructor.num_parameters(); })
      .def_property_readonly("config_yaml",
                             [](const SharedModel& model) { return model.reconstructor.config_yaml(); })
      .def_property_readonly("dino_name",
                             [](const SharedModel& model) { return model.reconstructor.dino_name(); })
      .def_property_readonly("motion_threshold",
                             [](const SharedModel& model) { return model.reconstructor.motion_threshold(); });

  py::class_<PlacedScene, std::shared_ptr<PlacedScene>>(core, "Scene")
      .def("render", &Render, py::arg("c2w"), py::arg("lens"), py::arg("quick"), py::arg("progress"))
      .def("clean", &Clean, py::arg("progress"))
      .def("path", &Path, py::arg("kind"), py::arg("frames"), py::arg("loop"), py::arg("degrees"))
      .def("cameras", [](const PlacedScene& placed) { return FromCameras(placed.scene.cameras); })
      .def("photo_lenses", &PhotoLenses)
      .def("masks", [](const PlacedScene& placed) { return PhotoMasks(placed.scene); })
      .def("model_masks", [](const PlacedScene& placed) { return ModelMasks(placed.scene); })
      .def("points", [](const PlacedScene& placed) { return Points(placed.scene); })
      .def_property_readonly("num_inputs", [](const PlacedScene& placed) { return placed.scene.num_inputs; })
      .def_property_readonly("width", [](const PlacedScene& placed) { return placed.scene.width; })
      .def_property_readonly("height", [](const PlacedScene& placed) { return placed.scene.height; })
      .def_property_readonly("detail", [](const PlacedScene& placed) { return placed.scene.detail; });
}

}  // namespace wildrayzer::python

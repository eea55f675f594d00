#include "wildrayzer/pipeline/exports.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "wildrayzer/vision/framing.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

constexpr char kMasks[] = "image_masks";

// Pictures and their cameras; names are paths relative to the folder of the set.
struct PictureSet {
  std::vector<NamedCamera> cameras;
  std::vector<const Image*> images;  // of the result
};

PictureSet PhotoSet(const RenderResult& result, std::span<const NamedCamera> cameras,
                    std::span<const std::string> names) {
  PictureSet set;
  for (size_t i = 0; i < result.photos.size(); ++i) {
    set.cameras.push_back(cameras[i]);
    set.cameras.back().name = "images/" + names[i] + ".jpg";
    set.images.push_back(&result.photos[i].image);
  }
  return set;
}

// Renderings as they were made: not one pixel is invented or black, as in those brought to the photos' size.
PictureSet PlaceSet(const RenderResult& result, std::span<const NamedCamera> cameras,
                    std::span<const std::string> names) {
  PictureSet set;
  const auto add = [&](size_t name, CameraRole role, const Camera& camera, const Image& image) {
    set.cameras.push_back({"images/" + names[name] + ".png", role, image.width, image.height, camera});
    set.images.push_back(&image);
  };
  for (size_t i = 0; i < result.rendered.size(); ++i)
    add(i, cameras[i].role, result.scene.cameras[i], result.rendered[i]);
  for (size_t i = 0; i < result.path_views.size(); ++i)
    add(result.photos.size() + i, CameraRole::kTrajectory, result.path[i], result.path_views[i]);
  return set;
}

// White where the photo shows what stands still.
GrayImage StillPart(const MotionMask& motion, const Framing& framing, double threshold) {
  const UncroppedMask photo =
      UncropMask(FromProbabilities(motion.probability, motion.width, motion.height), framing);
  GrayImage still = photo.known;
  for (size_t i = 0; i < still.values.size(); ++i) {
    if (photo.mask.values[i] > 255 * threshold) still.values[i] = 0;
  }
  return still;
}

// Where the model tells no depths, what the inputs show at a distance at which they see much the same:
// OpenSplat does not begin without points.
std::vector<Eigen::Vector3d> GuessedPoints(std::span<const Camera> inputs) {
  constexpr int kSide = 32;
  const double depth = std::max(1.0, 2 * SceneScale(inputs));
  std::vector<Eigen::Vector3d> points;
  for (const Camera& camera : inputs) {
    for (int i = 0; i < kSide * kSide; ++i) {
      const double u = (i % kSide + 0.5) / kSide, v = (i / kSide + 0.5) / kSide;
      const Eigen::Vector3d ray((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, 1);
      points.push_back(camera.position() + camera.rotation() * (depth * ray));
    }
  }
  return points;
}

// Each in the colour that the first picture shows there; those that no picture shows are left out.
std::vector<ColoredPoint> ColoredPoints(const Scene& scene, const PictureSet& set) {
  std::vector<Eigen::Vector3d> positions;
  for (const auto& [x, y, z] : scene.points) positions.emplace_back(x, y, z);
  if (positions.empty())
    positions = GuessedPoints(std::span(scene.cameras).first(static_cast<size_t>(scene.num_inputs)));
  std::vector<Eigen::Matrix4d> w2c;
  for (const NamedCamera& named : set.cameras) w2c.push_back(InversePose(named.camera.c2w));
  std::vector<ColoredPoint> points;
  for (const Eigen::Vector3d& position : positions) {
    for (size_t i = 0; i < set.images.size(); ++i) {
      const Camera& camera = set.cameras[i].camera;
      const Image& image = *set.images[i];
      const Eigen::Vector3d there = (w2c[i] * position.homogeneous()).head<3>();
      const double x = (there[0] / there[2] * camera.fx + camera.cx) * image.width;
      const double y = (there[1] / there[2] * camera.fy + camera.cy) * image.height;
      if (!(there[2] > 0 && x >= 0 && x < image.width && y >= 0 && y < image.height)) continue;
      const uint8_t* pixel = image.Pixel(static_cast<int>(x), static_cast<int>(y));
      points.push_back({position, {pixel[0], pixel[1], pixel[2]}});
      break;
    }
  }
  return points;
}

void WriteModels(const fs::path& folder, const PictureSet& set, bool masks,
                 std::span<const ColoredPoint> points, const std::vector<std::string>& exports) {
  WritePly(folder / "points.ply", points);
  for (const std::string& format : exports) {
    if (format == "nerfstudio")
      WriteNerfstudio(folder / "transforms.json", set.cameras, {masks ? kMasks : "", "points.ply"});
    if (format == "colmap") {
      fs::create_directories(folder / "colmap");
      WriteColmap(folder / "colmap", set.cameras, points);
    }
  }
}

}  // namespace

std::vector<std::string> PlainFileNames(std::span<const std::string> names) {
  constexpr size_t kLongest = 90;  // leaves room for a number
  std::vector<std::string> plain;
  std::set<std::string> taken;
  for (const std::string& name : names) {
    std::string stem = name.substr(0, kLongest);
    std::string lower;
    for (char& c : stem) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte >= 0x80 || (!std::isalnum(byte) && c != '-' && c != '.')) c = '_';
      lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    std::string suffix;
    for (int i = 2; !taken.insert(lower + suffix).second; ++i) suffix = "_" + std::to_string(i);
    plain.push_back(stem + suffix);
  }
  return plain;
}

void WriteExports(const fs::path& folder, const RenderResult& result, std::span<const NamedCamera> cameras,
                  const std::vector<std::string>& exports) {
  if (exports.empty()) return;
  std::vector<std::string> names;
  for (const Photo& photo : result.photos) names.push_back(photo.name);
  for (size_t i = 0; i < result.path_views.size(); ++i) names.push_back(fmt::format("path_{:03d}", i));
  names = PlainFileNames(names);

  const PictureSet photos = PhotoSet(result, cameras, names);
  const PictureSet place = PlaceSet(result, cameras, names);
  const bool masks = !result.scene.masks.empty();
  fs::create_directories(folder / "images");
  if (masks) fs::create_directories(folder / kMasks / "images");
  for (size_t i = 0; i < photos.images.size(); ++i) {
    const std::string& name = photos.cameras[i].name;
    WriteJpeg(folder / name, *photos.images[i], 95);
    if (!masks) continue;
    WritePng(folder / kMasks / (name + ".png"),
             StillPart(result.scene.masks[i], result.scene.framings[i], result.motion_threshold));
  }
  const std::vector<ColoredPoint> points = ColoredPoints(result.scene, place.images.empty() ? photos : place);
  WriteModels(folder, photos, masks, points, exports);
  if (place.images.empty()) return;
  fs::create_directories(folder / "place" / "images");
  for (size_t i = 0; i < place.images.size(); ++i)
    WritePng(folder / "place" / place.cameras[i].name, *place.images[i]);
  WriteModels(folder / "place", place, /*masks=*/false, points, exports);
}

}  // namespace wildrayzer

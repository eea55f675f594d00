#include "wildrayzer/pipeline/result_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <vector>

#include "wildrayzer/geometry/camera_files.h"
#include "wildrayzer/io/video.h"
#include "wildrayzer/kernels/parallel.h"
#include "wildrayzer/pipeline/exports.h"
#include "wildrayzer/pipeline/result_page.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/node_build.h"
#include "wildrayzer/vision/overlay.h"
#include "wildrayzer/vision/resize.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

CameraRole Role(const Scene& scene, size_t photo) {
  return photo < static_cast<size_t>(scene.num_inputs) ? CameraRole::kInput : CameraRole::kTarget;
}

std::string FrameName(size_t index) { return fmt::format("frame_{:03d}", index); }

// Cameras of photos in the photos' own pixels, cameras of the path in the model's.
std::vector<NamedCamera> AllCameras(const RenderResult& result) {
  std::vector<NamedCamera> cameras;
  const Scene& scene = result.scene;
  for (size_t i = 0; i < scene.cameras.size(); ++i) {
    const Camera& camera = scene.cameras[i];
    const Framing& framing = scene.framings[i];
    const PixelIntrinsics pixels = framing.ToPhoto({camera.fx * framing.width, camera.fy * framing.height,
                                                    camera.cx * framing.width, camera.cy * framing.height});
    Camera photo_camera = camera;
    photo_camera.fx = pixels.fx / framing.photo_width;
    photo_camera.fy = pixels.fy / framing.photo_height;
    photo_camera.cx = pixels.cx / framing.photo_width;
    photo_camera.cy = pixels.cy / framing.photo_height;
    cameras.push_back(
        {result.photos[i].name, Role(scene, i), framing.photo_width, framing.photo_height, photo_camera});
  }
  for (size_t i = 0; i < result.path.size(); ++i) {
    cameras.push_back({FrameName(i), CameraRole::kTrajectory, scene.width, scene.height, result.path[i]});
  }
  return cameras;
}

UncroppedMask PhotoMask(const Scene& scene, size_t photo) {
  const MotionMask& mask = scene.masks[photo];
  return UncropMask(FromProbabilities(mask.probability, mask.width, mask.height), scene.framings[photo]);
}

// The photo with the part that the model did not see darkened.
Image SeenPart(const Image& photo, const Framing& framing) {
  const GrayImage nothing(framing.width, framing.height);
  return DimUnknown(photo, UncropMask(nothing, framing).known);
}

std::vector<std::string> InputNames(const RenderResult& result) {
  std::vector<std::string> names;
  for (int k = 0; k < result.scene.num_inputs; ++k)
    names.push_back(result.photos[static_cast<size_t>(k)].name);
  return names;
}

Json SharesOf(const CleanPhoto& clean) {
  return {{"own", clean.own}, {"other_photos", clean.photos}, {"rendered", clean.rendered}};
}

// There and back, so that the loop has no jump.
void WriteVideo(const fs::path& path, const std::vector<Image>& views, double fps) {
  VideoWriter video(path, views[0].width, views[0].height, fps);
  for (const Image& view : views) video.Write(view);
  for (size_t i = views.size() - 1; i-- > 1;) video.Write(views[i]);
  video.Commit();
}

Image Shrunk(const Image& image, int most_side) {
  const double scale = static_cast<double>(most_side) / std::max(image.width, image.height);
  if (scale >= 1) return image;
  return Resize(image, std::max(1, static_cast<int>(image.width * scale)),
                std::max(1, static_cast<int>(image.height * scale)), Filter::kLanczos);
}

std::string DataUrl(const Image& image, int most_side = 640, int quality = 88) {
  return "data:image/jpeg;base64," + Base64(EncodeJpeg(Shrunk(image, most_side), quality));
}

// Of the pictures that the page compares: 1600 for up to four photos, less for more, so that the page stays
// within some 10 MB.
int ComparedSide(size_t photos) {
  return static_cast<int>(1600 / std::sqrt(std::max(1.0, static_cast<double>(photos) / 4)));
}

// Every pixel is one of the source's: colours between two would mean a third.
std::string SourceDataUrl(const GrayImage& source, int most_side) {
  const double scale = std::min(1.0, static_cast<double>(most_side) / std::max(source.width, source.height));
  GrayImage small(std::max(1, static_cast<int>(source.width * scale)),
                  std::max(1, static_cast<int>(source.height * scale)));
  for (int y = 0; y < small.height; ++y) {
    for (int x = 0; x < small.width; ++x)
      small.At(x, y) = source.At(x * source.width / small.width, y * source.height / small.height);
  }
  return "data:image/png;base64," + Base64(EncodePng(ColourSources(small)));
}

// Where the page cuts between before and after at first: through what was replaced. In percent of the width.
double MiddleOfReplaced(const GrayImage& source) {
  double sum = 0, count = 0;
  for (int y = 0; y < source.height; ++y) {
    for (int x = 0; x < source.width; ++x) {
      if (source.At(x, y) == kOwnPixel) continue;
      sum += x + 0.5;
      ++count;
    }
  }
  return count > 0 ? 100 * sum / count / source.width : 50;
}

std::string VideoDataUrl(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return "data:video/mp4;base64," + Base64(std::as_bytes(std::span(bytes)));
}

}  // namespace

Json SourceLegend(std::span<const std::string> inputs) {
  Json legend = Json::array();
  const auto add = [&](uint8_t source, const std::string& meaning) {
    const Rgb c = SourceColour(source);
    legend.push_back(
        {{"colour", fmt::format("#{:02x}{:02x}{:02x}", c[0], c[1], c[2])}, {"meaning", meaning}});
  };
  add(kOwnPixel, "the photo's own pixel");
  for (size_t k = 0; k < inputs.size(); ++k) add(static_cast<uint8_t>(kFirstPhoto + k), "from " + inputs[k]);
  add(kRenderedPixel, "rendered by the model");
  return legend;
}

void WriteMaskFiles(const fs::path& folder, const std::vector<Photo>& photos, const Scene& scene,
                    size_t first) {
  if (scene.masks.empty()) return;
  fs::create_directories(folder / "masks");
  fs::create_directories(folder / "masks_overlay");
  ParallelFor(static_cast<int64_t>(photos.size() - first), [&](int64_t begin, int64_t end) {
    for (size_t i = first + static_cast<size_t>(begin); i < first + static_cast<size_t>(end); ++i) {
      const GrayImage mask = PhotoMask(scene, i).mask;
      WritePng(folder / "masks" / (photos[i].name + ".png"), mask);
      WritePng(folder / "masks_overlay" / (photos[i].name + ".png"), OverlayMask(photos[i].image, mask));
    }
  });
}

void WriteRenderFiles(const fs::path& folder, const RenderResult& result,
                      const std::vector<std::string>& exports) {
  WriteMaskFiles(folder, result.photos, result.scene);
  fs::create_directories(folder / "views");
  if (!result.clean.empty()) {
    fs::create_directories(folder / "clean");
    fs::create_directories(folder / "source");
  }
  std::vector<std::function<void()>> files;  // encoded side by side, what takes longest first
  if (result.path_views.size() > 1) {
    if (kNodeBuild) {
      LogWarning("video.mp4 is not written; it {}", kNoOpenCv);
    } else {
      files.emplace_back([&] { WriteVideo(folder / "video.mp4", result.path_views, result.fps); });
    }
  }
  for (size_t i = 0; i < result.clean.size(); ++i) {
    const std::string file = result.photos[i].name + ".png";
    files.emplace_back([&, i, file] { WritePng(folder / "clean" / file, result.clean[i].image); });
    files.emplace_back(
        [&, i, file] { WritePng(folder / "source" / file, ColourSources(result.clean[i].source)); });
  }
  for (size_t i = 0; i < result.path_views.size(); ++i) {
    files.emplace_back(
        [&, i] { WritePng(folder / "views" / (FrameName(i) + ".png"), result.path_views[i]); });
  }
  for (size_t i = static_cast<size_t>(result.scene.num_inputs); i < result.rendered.size(); ++i) {
    files.emplace_back([&, i] {
      WritePng(folder / "views" / ("target_" + result.photos[i].name + ".png"), result.rendered[i]);
    });
  }
  ParallelFor(static_cast<int64_t>(files.size()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) files[static_cast<size_t>(i)]();
  });

  const std::vector<NamedCamera> cameras = AllCameras(result);
  WriteCameras(folder / "cameras.json", cameras);
  WriteExports(folder, result, cameras, exports);
}

void DescribeResult(const RenderResult& result, Json& metadata) {
  const Scene& scene = result.scene;
  Json& photos = metadata["photos"];
  photos = Json::array();
  for (size_t i = 0; i < result.photos.size(); ++i) {
    const Rectangle seen = scene.framings[i].VisiblePhoto();
    Json photo = {{"name", result.photos[i].name},
                  {"source", result.photos[i].source},
                  {"role", CameraRoleName(Role(scene, i))},
                  {"width", result.photos[i].image.width},
                  {"height", result.photos[i].image.height},
                  {"seen_by_the_model", {seen.left, seen.top, seen.right, seen.bottom}}};
    if (!scene.masks.empty()) photo["masked_patches"] = scene.masks[i].masked_patches;
    if (!result.clean.empty()) photo["clean"] = SharesOf(result.clean[i]);
    if (!result.mask_origins.empty()) photo["mask"] = result.mask_origins[i];
    photos.push_back(photo);
  }
  metadata["output"] = {
      {"model_resolution", {scene.width / scene.detail, scene.height / scene.detail}},
      {"resolution", {scene.width, scene.height}},
      {"views", result.path_views.size()},
      {"views_extended_to_the_frame", result.extended_cameras},
      {"clean", result.clean.size()},
      {"note",
       "views/ has this resolution; what is copied from the photos has their detail, what is "
       "rendered the model's; clean/ has the photos' own pixels where nothing moved, elsewhere those of "
       "other "
       "photos, or the rendering enlarged: source/ says which"}};
  if (result.clean.empty()) return;
  metadata["output"]["source_colours"] = SourceLegend(InputNames(result));
}

void WriteRenderPage(const fs::path& folder, const RenderResult& result, const Json& metadata) {
  const Scene& scene = result.scene;
  Json page;
  page["facts"] =
      fmt::format("{} · {} inputs, {} held out, {} views of {} x {} · {} · DINOv3: {} · seed {}",
                  metadata["program"].get<std::string>(), scene.num_inputs,
                  result.photos.size() - static_cast<size_t>(scene.num_inputs), result.path_views.size(),
                  scene.width, scene.height, metadata["model"]["precision"].get<std::string>(),
                  scene.masks.empty() ? "not used" : metadata["model"]["dino"].get<std::string>(),
                  metadata["seed"].get<uint64_t>());
  page["warnings"] = metadata["warnings"];
  page["timings"] = Json::array();
  for (const auto& [stage, seconds] : metadata["seconds"].items())
    page["timings"].push_back({stage, seconds});
  page["photos"] = Json::array();
  for (size_t i = 0; i < result.photos.size(); ++i) {
    const Photo& photo = result.photos[i];
    const Image seen = SeenPart(photo.image, scene.framings[i]);
    const std::string overlay =
        scene.masks.empty() ? "" : DataUrl(OverlayMask(seen, PhotoMask(scene, i).mask));
    Json entry = {{"name", photo.name}, {"role", CameraRoleName(Role(scene, i))}, {"overlay", overlay}};
    if (!result.clean.empty()) {
      const int side = ComparedSide(result.photos.size());
      entry["width"] = photo.image.width;
      entry["height"] = photo.image.height;
      entry["photo"] = DataUrl(photo.image, side, 85);
      entry["clean"] = DataUrl(result.clean[i].image, side, 85);
      entry["source"] = SourceDataUrl(result.clean[i].source, side / 2);
      entry["shares"] = SharesOf(result.clean[i]);
      entry["cut"] = MiddleOfReplaced(result.clean[i].source);
    }
    page["photos"].push_back(entry);
  }
  if (!result.clean.empty()) page["legend"] = SourceLegend(InputNames(result));
  page["views"] = Json::array();
  std::vector<std::string> urls(result.path_views.size());
  ParallelFor(static_cast<int64_t>(urls.size()), [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      urls[i] = DataUrl(result.path_views[i]);
  });
  for (size_t i = 0; i < urls.size(); ++i)
    page["views"].push_back({{"name", FrameName(i)}, {"image", urls[i]}});
  page["video"] = fs::exists(folder / "video.mp4") ? VideoDataUrl(folder / "video.mp4") : "";
  page["cameras"] = Json::parse(FormatCameras(AllCameras(result)))["cameras"];
  WriteResultPage(folder / "index.html", page);
}

}  // namespace wildrayzer

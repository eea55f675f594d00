#include "wildrayzer/evaluation/method.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "wildrayzer/data/masks.h"
#include "wildrayzer/data/views.h"
#include "wildrayzer/evaluation/floors.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/node_build.h"
#include "wildrayzer/util/sha256.h"

namespace wildrayzer {
namespace {

std::vector<Planes> Inputs(const EvaluationScene& scene) {
  std::vector<Planes> inputs;
  for (int i = 0; i < scene.num_inputs; ++i) inputs.push_back(PlanesFrom(scene.observed[i]));
  return inputs;
}

size_t NearestInput(const EvaluationScene& scene, size_t target) {
  return NearestView(std::span(scene.frames).first(scene.num_inputs),
                     scene.frames[scene.num_inputs + target]);
}

// A floor as a function (scene, position of the target) -> picture.
class Floor : public Method {
 public:
  using Draw = std::function<Planes(const EvaluationScene& scene, size_t target)>;
  Floor(std::string method_name, std::string method_title, std::string method_note, Draw draw,
        std::string identity = "")
      : Method(std::move(method_name), std::move(method_title), std::move(method_note)),
        draw_(std::move(draw)),
        identity_(std::move(identity)) {}

  MethodOutput Run(const EvaluationScene& scene) const override {
    MethodOutput output;
    for (size_t t = 0; t < scene.num_targets(); ++t) output.renders.push_back(draw_(scene, t));
    return output;
  }
  std::string Identity(const EvaluationScene&) const override { return identity_; }

 private:
  Draw draw_;
  std::string identity_;
};

// What any estimate of cameras must beat: all stand where the first one stands.
class StillCameras : public Method {
 public:
  StillCameras() : Method("floor_still", "Cameras that stand still", "floor: nothing moved or turned") {}
  MethodOutput Run(const EvaluationScene& scene) const override {
    MethodOutput output;
    output.cameras.resize(scene.frames.size());
    return output;
  }
};

// The best guess that looks at no picture: all go straight ahead, at a steady pace, as most who film do.
class SteadyCameras : public Method {
 public:
  SteadyCameras() : Method("floor_ahead", "Cameras that go straight ahead", "floor: a constant guess") {}
  MethodOutput Run(const EvaluationScene& scene) const override {
    MethodOutput output;
    for (const int frame : scene.frames) output.cameras.emplace_back().c2w(2, 3) = frame;
    return output;
  }
};

class FolderRenderings : public Method {
 public:
  FolderRenderings(const std::string& method_name, std::filesystem::path folder)
      : Method(method_name, method_name, "renderings read from " + folder.string()),
        folder_(std::move(folder)) {}

  MethodOutput Run(const EvaluationScene& scene) const override {
    MethodOutput output;
    for (size_t t = 0; t < scene.num_targets(); ++t) {
      const std::string by_frame = fmt::format("{:05d}.png", scene.frames[scene.num_inputs + t]);
      const std::string by_position = fmt::format("rendered/target_view_{:02d}.png", t);
      std::filesystem::path path = folder_ / scene.name / by_frame;
      if (!std::filesystem::exists(path)) path = folder_ / scene.name / by_position;
      if (!std::filesystem::exists(path)) {
        throw FileError((folder_ / scene.name).string(), "holds neither " + by_frame + " nor " + by_position);
      }
      output.renders.push_back(PlanesFrom(ReadImage(path)));
    }
    return output;
  }
  std::string Identity(const EvaluationScene& scene) const override {
    return FileStamp(folder_ / scene.name);
  }

 private:
  std::filesystem::path folder_;
};

std::string StampOfFile(const std::filesystem::path& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  const auto changed = std::filesystem::last_write_time(path, error).time_since_epoch().count();
  return error ? "unreadable" : fmt::format("{} bytes, changed {}", size, changed);
}

}  // namespace

std::string FileStamp(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return "absent";
  std::vector<std::string> lines;
  if (!std::filesystem::is_directory(path, error)) lines.push_back(StampOfFile(path));
  for (std::filesystem::recursive_directory_iterator walk(path, error), end; !error && walk != end;
       walk.increment(error)) {
    if (walk->is_regular_file(error))
      lines.push_back(walk->path().lexically_relative(path).string() + ": " + StampOfFile(walk->path()));
  }
  std::sort(lines.begin(), lines.end());
  const std::string text = fmt::format("{}", fmt::join(lines, "; "));
  Sha256 digest;
  digest.Update(text.data(), text.size());
  return digest.Hex();
}

std::vector<std::unique_ptr<Method>> FloorMethods(uint64_t seed) {
  std::vector<std::unique_ptr<Method>> floors;
  floors.push_back(std::make_unique<Floor>("floor_nearest", "Nearest input",
                                           "floor: the input view nearest in time",
                                           [](const EvaluationScene& scene, size_t target) {
                                             return PlanesFrom(scene.observed[NearestInput(scene, target)]);
                                           }));
  floors.push_back(std::make_unique<Floor>(
      "floor_mean", "Mean of inputs", "floor: the inputs averaged pixel by pixel",
      [](const EvaluationScene& scene, size_t) { return MeanOfViews(Inputs(scene)); }));
  floors.push_back(std::make_unique<StillCameras>());
  floors.push_back(std::make_unique<SteadyCameras>());
  if (kNodeBuild) {
    LogWarning("the floor of homographies is left out; it {}", kNoOpenCv);
    return floors;
  }
  floors.push_back(std::make_unique<Floor>(
      "floor_homography", "Warped nearest input",
      "floor: the nearest input moved onto the target by a homography of matched features",
      [seed](const EvaluationScene& scene, size_t target) {
        return WarpOntoView(PlanesFrom(scene.observed[NearestInput(scene, target)]),
                            PlanesFrom(scene.observed[scene.num_inputs + target]), seed)
            .picture;
      },
      fmt::format("seed {}", seed)));
  return floors;
}

std::unique_ptr<Method> RenderingsFromFolder(const std::string& name, const std::filesystem::path& folder) {
  return std::make_unique<FolderRenderings>(name, folder);
}

std::vector<Planes> MasksFromFolder(const EvaluationScene& scene, const std::filesystem::path& folder) {
  std::vector<Planes> masks;
  for (size_t view = 0; view < scene.frames.size(); ++view) {
    const std::string stem = fmt::format("{:05d}", scene.frames[view]);
    std::filesystem::path path = folder / scene.name / (stem + ".png");
    if (!std::filesystem::exists(path)) path.replace_extension(".npy");
    if (!std::filesystem::exists(path))
      throw FileError((folder / scene.name).string(), "holds no mask " + stem + ".png or .npy");
    const Image& picture = scene.observed[view];
    masks.push_back(PlanesFrom(ResizeMask(ReadMask(path), picture.width, picture.height)));
  }
  return masks;
}

}  // namespace wildrayzer

#include "wildrayzer/synth/cutouts.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>

#include "wildrayzer/synth/render.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer::synth {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Category {
  int id;
  const char* name;
  const char* supercategory;
};
constexpr Category kCategories[] = {
    {1, "person", "person"}, {16, "bird", "animal"}, {17, "cat", "animal"}, {18, "dog", "animal"}};

int CategoryOf(const ModelInfo& model) {
  if (model.role == Role::kPerson) return 1;
  if (model.name.find("hicken") != std::string::npos) return 16;
  return model.name.find("at") != std::string::npos ? 17 : 18;
}

fs::path AnnotationPath(const fs::path& root, int index) {
  return root / "annotations" / fmt::format("{:06d}.json", index);
}

// One figure in the middle of an empty room, seen from the front or any other side.
Scene MakeFigure(const Catalogue& catalogue, const CutoutOptions& options, size_t* chosen) {
  Random random(options.seed, "cut-out");
  const auto& people = catalogue.Find(Role::kPerson, options.split);
  const auto& pets = catalogue.Find(Role::kPet, options.split);
  std::vector<size_t> pool;
  for (const size_t i : (pets.empty() || (!people.empty() && random.Uniform() < 0.75)) ? people : pets) {
    if (catalogue.Load(i)) pool.push_back(i);
  }
  if (pool.empty())
    throw Error(
        "no people or pets among the models of this split; install sweethome3d-furniture or use --built-in");
  *chosen = pool[random.Below(pool.size())];
  const Vec3& size = catalogue.models()[*chosen].size;
  const float high = std::max(size.y(), size.z());

  Scene scene;
  scene.room = MakeRoom(random);
  scene.world = std::make_unique<RayWorld>(catalogue.device());
  scene.world->Add({.model = std::make_shared<const RayModel>(catalogue.device(), scene.room.shell)});
  scene.world->Commit();
  const Vec3 place(scene.room.size.x() / 2, 0.002F, scene.room.size.z() / 2);
  scene.movers.push_back({*chosen,
                          RandomTint(random, 0.22F),
                          {{YawRotation(static_cast<float>(random.Uniform(0, 2 * kPi))), place}}});

  const float azimuth = static_cast<float>(random.Uniform(0, 2 * kPi)), distance = 0.9F + 0.4F * high;
  View view;
  view.position = place + Vec3(distance * std::sin(azimuth), std::min(1.5F, 0.8F * high + 0.2F),
                               distance * std::cos(azimuth));
  const Vec3 target = place + Vec3(0, size.y() / 2, 0);
  const Vec3 forward = (target - view.position).normalized(),
             right = forward.cross(Vec3::UnitY()).normalized();
  view.rotation << right, forward.cross(right), forward;
  view.fx = view.fy = 0.5F * (target - view.position).norm() / (0.58F * high);
  scene.views.push_back(view);
  return scene;
}

// Column-major run lengths, background first.
std::vector<uint32_t> RunLengths(const std::vector<uint8_t>& mask, int size) {
  std::vector<uint32_t> counts;
  uint8_t current = 0;
  uint32_t run = 0;
  for (int x = 0; x < size; ++x) {
    for (int y = 0; y < size; ++y) {
      const uint8_t value = mask[static_cast<size_t>(y) * static_cast<size_t>(size) + static_cast<size_t>(x)];
      if (value != current) {
        counts.push_back(run);
        run = 0;
        current = value;
      }
      ++run;
    }
  }
  counts.push_back(run);
  return counts;
}

Json Annotate(int index, const Frame& frame, int size, int category) {
  std::vector<uint8_t> mask(frame.cover.size());
  int x0 = size, y0 = size, x1 = -1, y1 = -1, area = 0;
  for (int p = 0; p < size * size; ++p) {
    if (frame.cover[static_cast<size_t>(p)] < 0.5F) continue;
    mask[static_cast<size_t>(p)] = 1;
    ++area;
    x0 = std::min(x0, p % size);
    x1 = std::max(x1, p % size);
    y0 = std::min(y0, p / size);
    y1 = std::max(y1, p / size);
  }
  Json json;
  json["image"] = {{"id", index + 1},
                   {"file_name", fmt::format("images/{:06d}.png", index)},
                   {"width", size},
                   {"height", size}};
  Json annotation = {
      {"id", index + 1}, {"image_id", index + 1}, {"category_id", category}, {"iscrowd", 0}, {"area", area}};
  annotation["bbox"] = area > 0 ? Json{x0, y0, x1 - x0 + 1, y1 - y0 + 1} : Json{0, 0, 0, 0};
  annotation["segmentation"] = {{"size", {size, size}}, {"counts", RunLengths(mask, size)}};
  json["annotation"] = std::move(annotation);
  return json;
}

std::vector<uint8_t> EncodeRgba(const Frame& frame, int size) {
  cv::Mat bgra(size, size, CV_8UC4);
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const uint8_t* rgb = frame.rgb.Pixel(x, y);
      const float cover =
          frame.cover[static_cast<size_t>(y) * static_cast<size_t>(size) + static_cast<size_t>(x)];
      bgra.at<cv::Vec4b>(y, x) =
          cv::Vec4b(rgb[2], rgb[1], rgb[0], static_cast<uint8_t>(std::lround(255 * cover)));
    }
  }
  std::vector<uint8_t> png;
  if (!cv::imencode(".png", bgra, png)) throw Error("OpenCV cannot encode PNG");
  return png;
}

}  // namespace

void WriteCutout(const fs::path& root, int index, const Catalogue& catalogue, const CutoutOptions& options) {
  size_t model = 0;
  const Scene scene = MakeFigure(catalogue, options, &model);
  RenderOptions render;
  render.width = render.height = options.size;
  render.samples = options.samples;
  const Frame frame = Renderer(scene, catalogue, render, options.seed).Render(0);
  for (const char* folder : {"rgba", "images", "annotations"}) fs::create_directories(root / folder);
  const std::string name = fmt::format("{:06d}.png", index);
  const std::vector<uint8_t> rgba = EncodeRgba(frame, options.size);
  WriteFileAtomically(root / "rgba" / name, {reinterpret_cast<const char*>(rgba.data()), rgba.size()});
  WritePng(root / "images" / name, frame.rgb);
  Json json = Annotate(index, frame, options.size, CategoryOf(catalogue.models()[model]));
  json["models"] = Json::array({catalogue.models()[model].id});
  WriteFileAtomically(AnnotationPath(root, index), json.dump() + "\n");
}

bool CutoutIsComplete(const fs::path& root, int index) {
  std::error_code error;
  return fs::is_regular_file(AnnotationPath(root, index), error);
}

void WriteInstances(const fs::path& root, int count) {
  Json images = Json::array(), annotations = Json::array(), categories = Json::array();
  for (int i = 0; i < count; ++i) {
    std::ifstream file(AnnotationPath(root, i));
    Json json = Json::parse(file, nullptr, false);
    if (json.is_discarded() || !json.contains("image") || !json.contains("annotation")) {
      throw FileError(AnnotationPath(root, i).string(), "is damaged; remove it and run the command again");
    }
    images.push_back(std::move(json["image"]));
    annotations.push_back(std::move(json["annotation"]));
  }
  for (const Category& c : kCategories)
    categories.push_back({{"id", c.id}, {"name", c.name}, {"supercategory", c.supercategory}});
  const Json all = {{"info", {{"description", "people and pets cut out of synthetic rooms"}}},
                    {"images", images},
                    {"annotations", annotations},
                    {"categories", categories}};
  WriteFileAtomically(root / "instances.json", all.dump() + "\n");
}

}  // namespace wildrayzer::synth

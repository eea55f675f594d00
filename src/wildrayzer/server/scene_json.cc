#include "wildrayzer/server/scene_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "wildrayzer/geometry/camera_files.h"
#include "wildrayzer/pipeline/result_writer.h"
#include "wildrayzer/server/scene_store.h"

namespace wildrayzer {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostPoints = 2000;

Json Pose16(const Eigen::Matrix4d& c2w) {
  Json numbers = Json::array();
  for (int row = 0; row < 4; ++row) {
    for (int column = 0; column < 4; ++column) numbers.push_back(c2w(row, column));
  }
  return numbers;
}

Json PhotoJson(Encoding& encoded, size_t index) {
  const Rectangle seen = encoded.scene.framings[index].VisiblePhoto();
  const Camera& camera = encoded.scene.cameras[index];
  Json json = {{"masked", encoded.scene.masks.empty() ? 0.0 : encoded.scene.masks[index].masked_patches},
               {"painted", static_cast<bool>(encoded.painted[index])},
               {"visible", {seen.left, seen.top, seen.right, seen.bottom}},
               {"camera",
                {{"c2w", Pose16(camera.c2w)},
                 {"fx", camera.fx},
                 {"fy", camera.fy},
                 {"cx", camera.cx},
                 {"cy", camera.cy}}}};
  const std::lock_guard<std::mutex> lock(encoded.mutex);
  if (const auto found = encoded.clean.find(index); found != encoded.clean.end()) {
    const CleanFiles& clean = found->second;
    json["shares"] = {{"own", clean.own}, {"photos", clean.photos}, {"rendered", clean.rendered}};
  }
  return json;
}

Json PhotosJson(const ServedScene& scene) {
  Json photos = Json::array();
  for (const GivenFile& file : scene.files) {
    if (!scene.photos.empty()) break;
    photos.push_back(
        {{"name", file.name}, {"width", file.width}, {"height", file.height}, {"file", file.number}});
  }
  for (size_t i = 0; i < scene.photos.size(); ++i) {
    const ScenePhoto& photo = scene.photos[i];
    const bool input = i < static_cast<size_t>(scene.num_inputs);
    photos.push_back({{"name", photo.name},
                      {"width", photo.width},
                      {"height", photo.height},
                      {"role", CameraRoleName(input ? CameraRole::kInput : CameraRole::kTarget)}});
    if (scene.encoded) photos.back().update(PhotoJson(*scene.encoded, i));
  }
  return photos;
}

Json PointsJson(const Scene& scene) {
  Json points = Json::array();
  const size_t step = std::max<size_t>(1, (scene.points.size() + kMostPoints - 1) / kMostPoints);
  for (size_t i = 0; i < scene.points.size(); i += step) {
    const auto& [x, y, z] = scene.points[i];
    if (std::isfinite(x) && std::isfinite(y) && std::isfinite(z)) points.push_back({x, y, z});
  }
  return points;
}

Json RecordingsJson(const ServedScene& scene) {
  Json paths = Json::array();
  for (const Recording& recording : scene.recordings) {
    paths.push_back({{"state", WorkStateName(recording.state)},
                     {"done", recording.done},
                     {"parts", recording.frames},
                     {"frames", recording.frames}});
    if (!recording.error.empty()) paths.back()["error"] = recording.error;
  }
  return paths;
}

Json SummaryUnlocked(const ServedScene& scene) {
  return {{"id", scene.id},
          {"name", scene.name},
          {"state", WorkStateName(scene.state)},
          {"revision", scene.revision},
          {"photos", scene.photos.empty() ? scene.files.size() : scene.photos.size()}};
}

[[noreturn]] void Refuse(const std::string& problem) { throw HttpError(400, problem); }

}  // namespace

Json SummaryJson(const ServedScene& scene) {
  const std::lock_guard<std::mutex> lock(scene.mutex);
  return SummaryUnlocked(scene);
}

Json SceneJson(const ServedScene& scene, const Worker& worker) {
  const std::lock_guard<std::mutex> lock(scene.mutex);
  Json json = SummaryUnlocked(scene);
  if (const int position = worker.Position(scene.job); position >= 0) json["queue_position"] = position;
  if (scene.state == WorkState::kWorking || scene.updating) {
    json["stage"] = scene.stage;
    json["done"] = scene.stage_done;
    json["parts"] = scene.stage_parts;
    json["seconds"] = static_cast<double>(SteadyMilliseconds() - scene.stage_began) / 1000;
  }
  json["updating"] = scene.updating;
  if (!scene.error.empty()) json["error"] = scene.error;
  json["warnings"] = scene.encoded ? scene.encoded->warnings : std::vector<std::string>();
  json["photos"] = PhotosJson(scene);
  if (scene.encoded) {
    const Scene& place = scene.encoded->scene;
    json["width"] = place.width;
    json["height"] = place.height;
    json["quick_width"] = place.width / place.detail;
    json["quick_height"] = place.height / place.detail;
    json["points"] = PointsJson(place);
    std::vector<std::string> inputs;
    for (int i = 0; i < scene.num_inputs; ++i) inputs.push_back(scene.photos[static_cast<size_t>(i)].name);
    json["source_legend"] = SourceLegend(inputs);
  }
  json["paths"] = RecordingsJson(scene);
  return json;
}

nlohmann::json ReadJson(HttpRequest& request, uint64_t most_bytes) {
  constexpr int kDeepest = 8;
  const std::string text = ReadBody(request, most_bytes);
  if (text.empty()) return nlohmann::json::object();
  bool deep = false;
  const auto shallow = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    deep = deep || depth > kDeepest;
    return depth <= kDeepest;
  };
  const nlohmann::json json = nlohmann::json::parse(text, shallow, /*allow_exceptions=*/false);
  if (json.is_discarded() || deep || !json.is_object()) Refuse("the body must be a JSON object");
  return json;
}

double NumberIn(const nlohmann::json& object, const char* member, double least, double most,
                double otherwise) {
  const auto found = object.find(member);
  if (found == object.end()) return otherwise;
  if (!found->is_number()) Refuse(std::string(member) + " must be a number");
  const double number = found->get<double>();
  if (!(number >= least && number <= most))
    Refuse(fmt::format("{} must be from {} to {}", member, least, most));
  return number;
}

Camera ToCamera(const nlohmann::json& object, const nlohmann::json& lens) {
  constexpr double kFarthest = 1e6, kLeastFocal = 0.05, kMostFocal = 100, kTolerance = 1e-3;
  const std::string problem = "c2w must be 16 numbers, a rigid camera-to-world motion row by row";
  if (!object.is_object() || !object.contains("c2w")) Refuse(problem);
  const nlohmann::json& numbers = object["c2w"];
  if (!numbers.is_array() || numbers.size() != 16) Refuse(problem);
  Camera camera;
  for (int i = 0; i < 16; ++i) {
    if (!numbers[i].is_number()) Refuse(problem);
    const double number = numbers[i].get<double>();
    if (!std::isfinite(number) || std::abs(number) > kFarthest) Refuse(problem);
    camera.c2w(i / 4, i % 4) = number;
  }
  if (OrthonormalityError(camera.rotation()) > kTolerance) Refuse(problem);
  camera.c2w = Pose(NearestRotation(camera.rotation()), camera.position());
  camera.fx = NumberIn(lens, "fx", kLeastFocal, kMostFocal, camera.fx);
  camera.fy = NumberIn(lens, "fy", kLeastFocal, kMostFocal, camera.fy);
  return camera;
}

}  // namespace wildrayzer

#include "wildrayzer/evaluation/results_json.h"

#include <cmath>
#include <limits>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using Json = nlohmann::ordered_json;

Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

double ReadNumber(const nlohmann::json& json) {
  return json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
}

Json ToJson(const Confusion& c) {
  return {c.true_positive, c.false_positive, c.false_negative, c.true_negative};
}

Confusion ReadConfusion(const nlohmann::json& json) {
  const Confusion c = {json.at(0).get<int64_t>(), json.at(1).get<int64_t>(), json.at(2).get<int64_t>(),
                       json.at(3).get<int64_t>()};
  for (const int64_t count : {c.true_positive, c.false_positive, c.false_negative, c.true_negative}) {
    if (count < 0 || count > (int64_t{1} << 40)) throw Error("pixel count out of range");
  }
  return c;
}

Json ToJson(const std::map<std::string, double>& scores) {
  Json json = Json::object();
  for (const auto& [key, value] : scores) json[key] = Number(value);
  return json;
}

std::map<std::string, double> ReadScores(const nlohmann::json& json) {
  std::map<std::string, double> scores;
  for (const auto& [key, value] : json.items()) scores[key] = ReadNumber(value);
  return scores;
}

Json ToJson(const Score& score) {
  const Estimate& e = score.over_scenes;
  return {{"mean", Number(e.mean)},
          {"low95", Number(e.low)},
          {"high95", Number(e.high)},
          {"scenes", e.counted},
          {"scenes_skipped", e.skipped},
          {"images", score.images},
          {"images_skipped", score.skipped_images}};
}

Json ToJson(const MaskSummary& masks) {
  return {{"iou", Number(masks.iou)},
          {"recall", Number(masks.recall)},
          {"precision", Number(masks.precision)},
          {"f1", Number(masks.f1)},
          {"frames_with_motion", masks.frames},
          {"frames_without_motion", masks.empty_frames},
          {"false_alarm_share_without_motion", Number(masks.empty_false_alarm)}};
}

Json SweepToJson(const std::vector<Confusion>& sweep) {
  Json json = Json::array();
  for (size_t i = 0; i < sweep.size(); ++i) {
    json.push_back({{"threshold", SweepThresholds().at(i)},
                    {"iou", Number(Iou(sweep[i]))},
                    {"recall", Number(Recall(sweep[i]))},
                    {"precision", Number(MaskPrecision(sweep[i]))},
                    {"f1", Number(F1(sweep[i]))}});
  }
  return json;
}

Json MethodToJson(const MethodResult& method, uint64_t seed) {
  const MethodSummary summary = Summarise(method, seed);
  Json json = {{"name", method.name}, {"title", method.title}, {"note", method.note}};
  json["scenes_measured"] = summary.scenes - summary.failed;
  Json failed = Json::array();
  for (const SceneResult& scene : method.scenes) {
    if (!scene.failure.empty()) failed.push_back({{"scene", scene.scene}, {"reason", scene.failure}});
  }
  json["scenes_failed"] = failed;
  json["seconds"] = summary.seconds;
  Json scores = Json::object();
  for (const MetricInfo& metric : AllMetrics()) {
    const auto found = summary.scores.find(metric.key);
    if (found != summary.scores.end()) scores[metric.key] = ToJson(found->second);
  }
  json["summary"] = scores;
  if (summary.scores.contains("mask_iou")) json["micro_masks"] = ToJson(summary.micro_masks);
  if (!summary.sweep.empty()) json["threshold_sweep"] = SweepToJson(summary.sweep);
  if (const auto best = BestThreshold(summary.sweep)) json["best_threshold"] = SweepThresholds()[*best];
  Json scenes = Json::array();
  for (const SceneResult& scene : method.scenes) {
    Json entry = SceneToJson(scene);
    Json means = Json::object();
    for (const auto& [key, estimate] : SceneScores(scene)) means[key] = Number(estimate.mean);
    entry["means"] = means;
    scenes.push_back(std::move(entry));
  }
  json["scenes"] = scenes;
  return json;
}

}  // namespace

Json SceneToJson(const SceneResult& scene) {
  Json json = {{"scene", scene.scene}, {"failure", scene.failure}, {"seconds", scene.seconds}};
  Json images = Json::array();
  for (const ImageResult& image : scene.images) {
    images.push_back({{"frame", image.frame}, {"scores", ToJson(image.scores)}});
  }
  json["images"] = images;
  Json masks = Json::array();
  for (const MaskResult& mask : scene.masks) {
    Json sweep = Json::array();
    for (const Confusion& counts : mask.sweep) sweep.push_back(ToJson(counts));
    masks.push_back(
        {{"frame", mask.frame}, {"input", mask.is_input}, {"counts", ToJson(mask.counts)}, {"sweep", sweep}});
  }
  json["masks"] = masks;
  json["cameras"] = ToJson(scene.cameras);
  return json;
}

SceneResult SceneFromJson(const nlohmann::json& json, const std::string& path) {
  try {
    SceneResult scene;
    scene.scene = json.at("scene").get<std::string>();
    scene.failure = json.at("failure").get<std::string>();
    scene.seconds = json.at("seconds").get<double>();
    for (const auto& image : json.at("images")) {
      scene.images.push_back({image.at("frame").get<int>(), ReadScores(image.at("scores"))});
    }
    for (const auto& mask : json.at("masks")) {
      MaskResult result;
      result.frame = mask.at("frame").get<int>();
      result.is_input = mask.at("input").get<bool>();
      result.counts = ReadConfusion(mask.at("counts"));
      for (const auto& counts : mask.at("sweep")) result.sweep.push_back(ReadConfusion(counts));
      if (!result.sweep.empty() && result.sweep.size() != SweepThresholds().size()) {
        throw Error("a threshold sweep of another length");
      }
      scene.masks.push_back(std::move(result));
    }
    scene.cameras = ReadScores(json.at("cameras"));
    return scene;
  } catch (const std::exception&) {
    throw FileError(path, "is not a scene result of this program; delete it to measure the scene again");
  }
}

Json EvaluationToJson(const EvaluationResult& evaluation) {
  Json json = {{"title", evaluation.title}, {"bootstrap_seed", evaluation.bootstrap_seed}};
  Json facts = Json::object();
  for (const auto& [name, value] : evaluation.facts) facts[name] = value;
  json["facts"] = facts;
  json["absent"] = evaluation.absent;
  Json settings = Json::array();
  for (const SettingResult& setting : evaluation.settings) {
    Json entry = {{"label", setting.label},
                  {"protocol", setting.protocol},
                  {"data", setting.data},
                  {"inputs", setting.num_inputs},
                  {"mask_threshold", setting.mask_threshold}};
    Json methods = Json::array();
    for (const MethodResult& method : setting.methods)
      methods.push_back(MethodToJson(method, evaluation.bootstrap_seed));
    entry["methods"] = methods;
    settings.push_back(std::move(entry));
  }
  json["settings"] = settings;
  return json;
}

}  // namespace wildrayzer

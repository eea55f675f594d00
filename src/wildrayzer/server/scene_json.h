// Scenes as the API tells of them, and what it is told (docs/serve.md).
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "wildrayzer/geometry/camera.h"
#include "wildrayzer/server/http.h"
#include "wildrayzer/server/served_scene.h"
#include "wildrayzer/server/worker.h"

namespace wildrayzer {

nlohmann::ordered_json SummaryJson(const ServedScene& scene);
nlohmann::ordered_json SceneJson(const ServedScene& scene, const Worker& worker);

// The body as a JSON object of at most `most_bytes`; empty: {}. HttpError 400, 413.
nlohmann::json ReadJson(HttpRequest& request, uint64_t most_bytes);

// `member` of an object as a number in [least, most]; HttpError 400. `otherwise` where it is missing.
double NumberIn(const nlohmann::json& object, const char* member, double least, double most,
                double otherwise);
// A camera of {"c2w": 16 numbers}, with the focal lengths of `lens` ({"fx", "fy"}); HttpError 400 for what is
// no rigid motion.
Camera ToCamera(const nlohmann::json& object, const nlohmann::json& lens);

}  // namespace wildrayzer

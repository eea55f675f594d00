// Results as JSON: every number that was measured. NaN is written as null and read back as NaN.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "wildrayzer/evaluation/results.h"

namespace wildrayzer {

// One scene of one method, complete: what an interrupted evaluation resumes from.
nlohmann::ordered_json SceneToJson(const SceneResult& scene);
// Raises FileError naming `path` for anything that SceneToJson does not write.
SceneResult SceneFromJson(const nlohmann::json& json, const std::string& path);

// The whole evaluation: facts, absent metrics, and for every setting and method the summary and all scenes.
nlohmann::ordered_json EvaluationToJson(const EvaluationResult& evaluation);

}  // namespace wildrayzer

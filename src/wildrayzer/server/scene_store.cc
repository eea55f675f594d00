#include "wildrayzer/server/scene_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "wildrayzer/server/access.h"
#include "wildrayzer/server/http.h"

namespace wildrayzer {

int64_t SteadyMilliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}
int64_t SteadySeconds() { return SteadyMilliseconds() / 1000; }

SceneStore::SceneStore(std::filesystem::path folder, const ServeLimits& limits)
    : folder_(std::move(folder)), limits_(limits) {}

std::shared_ptr<ServedScene> SceneStore::Add(const std::string& name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  RemoveForgotten();
  if (scenes_.size() >= static_cast<size_t>(limits_.scenes))
    throw HttpError(409, fmt::format("{} scenes are kept, no more; delete one first", scenes_.size()));
  auto scene = std::make_shared<ServedScene>(RandomId(), name, folder_);
  scene->touched = SteadySeconds();
  scenes_.push_back(scene);
  return scene;
}

std::shared_ptr<ServedScene> SceneStore::Find(const std::string& id) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& scene : scenes_) {
    if (scene->id == id) return scene;
  }
  throw HttpError(404, "there is no such scene (any more)");
}

void SceneStore::Remove(const std::string& id) {
  const std::shared_ptr<ServedScene> scene = Find(id);
  scene->deleted = true;
  const std::lock_guard<std::mutex> lock(mutex_);
  std::erase(scenes_, scene);
}

std::vector<std::shared_ptr<ServedScene>> SceneStore::All() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return scenes_;
}

void SceneStore::RemoveForgotten() {
  const int64_t now = SteadySeconds();
  std::erase_if(scenes_, [&](const auto& scene) {
    const std::lock_guard<std::mutex> lock(scene->mutex);
    const bool forgotten = scene->state == WorkState::kCollecting && scene->uploads == 0 &&
                           now - scene->touched > limits_.forgotten_after;
    if (forgotten) scene->deleted = true;
    return forgotten;
  });
}

}  // namespace wildrayzer

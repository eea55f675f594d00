// The scenes that the server holds.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "wildrayzer/server/serve_limits.h"
#include "wildrayzer/server/served_scene.h"

namespace wildrayzer {

class SceneStore {
 public:
  // Scenes get folders in `folder`, which is ours.
  SceneStore(std::filesystem::path folder, const ServeLimits& limits);

  // A new scene that collects photos. HttpError 409 when there are as many as may be; those that were begun
  // and forgotten make room.
  std::shared_ptr<ServedScene> Add(const std::string& name);
  // HttpError 404 when there is none of this id.
  std::shared_ptr<ServedScene> Find(const std::string& id) const;
  // It is not found any more; work on it ends, and its files go with the last who holds it.
  void Remove(const std::string& id);
  // In the order in which they were made.
  std::vector<std::shared_ptr<ServedScene>> All() const;

  const ServeLimits& limits() const { return limits_; }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  void RemoveForgotten();

  const std::filesystem::path folder_;
  const ServeLimits limits_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<ServedScene>> scenes_;
};

// Seconds and milliseconds of the steady clock.
int64_t SteadySeconds();
int64_t SteadyMilliseconds();

}  // namespace wildrayzer

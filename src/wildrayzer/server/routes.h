// The addresses of the server: who asks is checked, what is asked for is found, and the answer is made.
#pragma once

#include <memory>
#include <string>

#include "wildrayzer/server/access.h"
#include "wildrayzer/server/http.h"
#include "wildrayzer/server/pictures.h"
#include "wildrayzer/server/scene_store.h"
#include "wildrayzer/server/scene_works.h"
#include "wildrayzer/server/uploads.h"
#include "wildrayzer/server/worker.h"

namespace wildrayzer {

// What everything works on.
struct ServerParts {
  const Reconstructor& reconstructor;
  SceneStore& scenes;
  SceneWorks& works;
  Worker& worker;
  AccessRules& access;
  std::string model_name;  // for people
};

class Routes {
 public:
  explicit Routes(const ServerParts& parts) : parts_(parts), uploads_(parts.scenes.limits()) {}

  // Any request, hostile ones among them. HttpError for what is refused.
  HttpResponse Answer(HttpRequest& request);

 private:
  HttpResponse Route(HttpRequest& request);
  HttpResponse Login(const HttpRequest& request) const;
  static HttpResponse Page(const HttpRequest& request, const std::string& name);
  HttpResponse State() const;
  HttpResponse Add(HttpRequest& request);
  // Everything below /api/scenes/ID; parts of the path behind the ID.
  HttpResponse OfScene(HttpRequest& request, const std::shared_ptr<ServedScene>& scene,
                       const std::string& kind, const std::string& item);
  HttpResponse Upload(HttpRequest& request, const std::shared_ptr<ServedScene>& scene);
  static HttpResponse RemoveFile(const std::shared_ptr<ServedScene>& scene, size_t number);
  HttpResponse Start(HttpRequest& request, const std::shared_ptr<ServedScene>& scene);
  HttpResponse Photo(const HttpRequest& request, const std::shared_ptr<ServedScene>& scene, size_t index);
  HttpResponse Mask(const HttpRequest& request, const std::shared_ptr<ServedScene>& scene, size_t index);
  HttpResponse Paint(HttpRequest& request, const std::shared_ptr<ServedScene>& scene, size_t index);
  // The clean photo, or where its pixels came from.
  HttpResponse Clean(const HttpRequest& request, const std::shared_ptr<ServedScene>& scene, size_t index,
                     bool source);
  HttpResponse View(HttpRequest& request, const std::shared_ptr<ServedScene>& scene);
  HttpResponse Record(HttpRequest& request, const std::shared_ptr<ServedScene>& scene);
  HttpResponse Recorded(const HttpRequest& request, const std::shared_ptr<ServedScene>& scene, size_t number);
  HttpResponse Archive(const HttpRequest& request, const std::shared_ptr<ServedScene>& scene);

  const ServerParts parts_;
  Uploads uploads_;
  PictureCache pictures_;
};

}  // namespace wildrayzer

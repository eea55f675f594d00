#include "wildrayzer/server/routes.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "wildrayzer/pipeline/clean_photos.h"
#include "wildrayzer/server/page_files.h"
#include "wildrayzer/server/scene_json.h"
#include "wildrayzer/server/scene_photos.h"
#include "wildrayzer/version.h"
#include "wildrayzer/vision/resize.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kShownSize = 1280;

HttpResponse JsonResponse(const Json& json, int status = 200) {
  HttpResponse response;
  response.status = status;
  response.text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return response;
}

HttpResponse Bytes(std::string bytes, const std::string& content_type) {
  HttpResponse response;
  response.content_type = content_type;
  response.text = std::move(bytes);
  return response;
}

// A file whole or in part, to be saved under `name`.
HttpResponse Download(const HttpRequest& request, const fs::path& file, const std::string& content_type,
                      const std::string& name, std::shared_ptr<const void> keep) {
  HttpResponse response;
  const uint64_t size = fs::file_size(file);
  ByteRange range{0, size};
  const RangeKind kind = ParseRange(request.Header("range"), size, range);
  if (kind == RangeKind::kUnsatisfiable) {
    response = ErrorResponse(416, "the range begins behind the end");
    response.headers.emplace_back("Content-Range", fmt::format("bytes */{}", size));
    return response;
  }
  response.content_type = content_type;
  response.file = file;
  response.first = range.first;
  response.length = range.length;
  response.keep = std::move(keep);
  response.headers = {{"Accept-Ranges", "bytes"},
                      {"Content-Disposition", "attachment; filename=\"" + name + "\""}};
  if (kind == RangeKind::kPart) {
    response.status = 206;
    response.headers.emplace_back(
        "Content-Range", fmt::format("bytes {}-{}/{}", range.first, range.first + range.length - 1, size));
  }
  return response;
}

// "/a/b/" gives "a", "b" and "".
std::vector<std::string> PartsOf(const std::string& path) {
  std::vector<std::string> parts;
  for (size_t begin = 1; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    parts.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

HttpResponse NoContent() {
  HttpResponse response;
  response.status = 204;
  return response;
}

HttpError NotFound() { return {404, "there is nothing at this address"}; }

// An index of at most nine digits.
size_t IndexOf(const std::string& text) {
  size_t index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (text.empty() || text.size() > 9 || error != std::errc() || end != text.data() + text.size())
    throw NotFound();
  return index;
}

// ?size=N, or full (0).
int LongestSide(const HttpRequest& request) {
  constexpr int kLeast = 16, kMost = 32768;
  const std::string text = request.Query("size");
  if (text.empty()) return kShownSize;
  if (text == "full") return 0;
  int size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc() || end != text.data() + text.size() || size < kLeast || size > kMost)
    throw HttpError(400, fmt::format("size must be a number from {} to {}, or full", kLeast, kMost));
  return size;
}

Image Shrunk(const Image& image, SentSize size) {
  if (image.width == size.width && image.height == size.height) return image;
  return Resize(image, size.width, size.height, Filter::kLanczos);
}

ScenePhoto PhotoAt(const ServedScene& scene, size_t index) {
  const std::lock_guard<std::mutex> lock(scene.mutex);
  if (!scene.photos.empty() && index < scene.photos.size()) return scene.photos[index];
  if (!scene.photos.empty() || index >= scene.files.size() || scene.files[index].is_video)
    throw HttpError(404, "the scene has no such photo (yet)");
  const GivenFile& file = scene.files[index];
  return {file.name, "", file.path, file.width, file.height};
}

void AddSecurityHeaders(HttpResponse& response) {
  const auto add = [&](const char* name, const char* value) { response.headers.emplace_back(name, value); };
  add("Content-Security-Policy",
      "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; style-src 'self'; script-src "
      "'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors "
      "'none'");
  add("X-Content-Type-Options", "nosniff");
  add("Referrer-Policy", "no-referrer");
  add("Cross-Origin-Resource-Policy", "same-origin");
  add("Cross-Origin-Opener-Policy", "same-origin");
  for (const auto& [name, value] : response.headers) {
    if (name == "Cache-Control") return;
  }
  add("Cache-Control", "no-store");
}

// "name" of a request, "" where it has none.
std::string NameIn(const nlohmann::json& body) {
  return body.contains("name") && body["name"].is_string() ? body["name"].get<std::string>() : "";
}

}  // namespace

HttpResponse Routes::Answer(HttpRequest& request) {
  HttpResponse response;
  try {
    response = Route(request);
  } catch (const HttpError& error) {
    response = ErrorResponse(error.status(), error.what());
  } catch (const Cancelled&) {
    response = ErrorResponse(409, "not done: a newer request took its place, or the scene was deleted");
  }
  AddSecurityHeaders(response);
  return response;
}

HttpResponse Routes::Route(HttpRequest& request) {
  parts_.access.CheckHost(request);
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (reads && request.path == "/" && request.query.count("token") > 0) return Login(request);
  parts_.access.Check(request);
  if (reads && request.path == "/") return Page(request, "index.html");

  const std::vector<std::string> path = PartsOf(request.path);
  if (path.size() == 2 && path[0] == "page" && reads) return Page(request, path[1]);
  if (path.size() < 2 || path[0] != "api") throw NotFound();
  if (path.size() == 2 && path[1] == "state" && reads) return State();
  if (path[1] != "scenes") throw NotFound();
  if (path.size() == 2 && request.method == "POST") return Add(request);
  if (path.size() < 3 || path.size() > 5) throw NotFound();
  const std::shared_ptr<ServedScene> scene = parts_.scenes.Find(path[2]);
  return OfScene(request, scene, path.size() > 3 ? path[3] : "", path.size() > 4 ? path[4] : "");
}

HttpResponse Routes::OfScene(HttpRequest& request, const std::shared_ptr<ServedScene>& scene,
                             const std::string& kind, const std::string& item) {
  const std::string& method = request.method;
  const bool reads = method == "GET" || method == "HEAD";
  if (kind.empty() && item.empty()) {
    if (reads) return JsonResponse(SceneJson(*scene, parts_.worker));
    if (method == "DELETE") {
      parts_.scenes.Remove(scene->id);
      return NoContent();
    }
  } else if (item.empty()) {
    if (kind == "files" && method == "POST") return Upload(request, scene);
    if (kind == "start" && method == "POST") return Start(request, scene);
    if (kind == "view" && method == "POST") return View(request, scene);
    if (kind == "path" && method == "POST") return Record(request, scene);
    if (kind == "result.zip" && reads) return Archive(request, scene);
  } else {
    const size_t index = IndexOf(item);
    if (kind == "files" && method == "DELETE") return RemoveFile(scene, index);
    if (kind == "photos" && reads) return Photo(request, scene, index);
    if (kind == "masks" && reads) return Mask(request, scene, index);
    if (kind == "masks" && (method == "PUT" || method == "DELETE")) return Paint(request, scene, index);
    if ((kind == "clean" || kind == "source") && reads) return Clean(request, scene, index, kind == "source");
    if (kind == "paths" && reads) return Recorded(request, scene, index);
  }
  throw NotFound();
}

HttpResponse Routes::Login(const HttpRequest& request) const {
  if (!parts_.access.MayLogIn(request.Query("token")))
    throw HttpError(401, "the token is not this server's; open the address that it printed last");
  HttpResponse response;
  response.status = 303;
  response.headers = {{"Location", "/"}, {"Set-Cookie", parts_.access.CookieLine()}};
  return response;
}

HttpResponse Routes::Page(const HttpRequest& request, const std::string& name) {
  const PageFile* const file = FindPageFile(name);
  if (!file) throw NotFound();
  HttpResponse response;
  response.headers = {{"ETag", file->tag}, {"Cache-Control", "no-cache"}};
  response.content_type = std::string(file->content_type);
  if (request.Header("if-none-match") == file->tag) {
    response.status = 304;
  } else {
    response.text = std::string(file->text);
  }
  return response;
}

HttpResponse Routes::State() const {
  const Reconstructor& model = parts_.reconstructor;
  const ServeLimits& limits = parts_.scenes.limits();
  Json state;
  state["program"] = std::string("wildrayzer ") + kVersion;
  state["model"] = {{"name", parts_.model_name},
                    {"frame", {model.frame_width(), model.frame_height()}},
                    {"detail", SceneWorks::kMostDetail},
                    {"has_motion", model.has_motion()},
                    {"threshold", model.motion_threshold()},
                    {"device", model.device()}};
  state["limits"] = {{"files", limits.files},
                     {"file_bytes", limits.file_bytes},
                     {"scene_bytes", limits.scene_bytes},
                     {"pixels", limits.pixels},
                     {"scenes", limits.scenes},
                     {"photos", limits.photos},
                     {"path_cameras", limits.path_cameras}};
  state["queue"] = {{"length", parts_.worker.Length()}};
  state["scenes"] = Json::array();
  for (const auto& scene : parts_.scenes.All()) state["scenes"].push_back(SummaryJson(*scene));
  return JsonResponse(state);
}

HttpResponse Routes::Add(HttpRequest& request) {
  const nlohmann::json body = ReadJson(request, parts_.scenes.limits().json_bytes);
  return JsonResponse({{"id", parts_.scenes.Add(DisplayText(NameIn(body), "scene"))->id}}, 201);
}

HttpResponse Routes::Upload(HttpRequest& request, const std::shared_ptr<ServedScene>& scene) {
  const auto [index, file] = uploads_.Receive(request, scene);
  return JsonResponse({{"index", index},
                       {"file", file.number},
                       {"kind", file.is_video ? "video" : "photo"},
                       {"name", file.name},
                       {"width", file.width},
                       {"height", file.height}},
                      201);
}

HttpResponse Routes::RemoveFile(const std::shared_ptr<ServedScene>& scene, size_t number) {
  Uploads::Remove(scene, number);
  return NoContent();
}

HttpResponse Routes::Start(HttpRequest& request, const std::shared_ptr<ServedScene>& scene) {
  const nlohmann::json body = ReadJson(request, parts_.scenes.limits().json_bytes);
  parts_.works.Start(scene, static_cast<int>(NumberIn(body, "inputs", 0, 1000, 0)),
                     DisplayText(NameIn(body), ""));
  return JsonResponse(SummaryJson(*scene), 202);
}

HttpResponse Routes::Photo(const HttpRequest& request, const std::shared_ptr<ServedScene>& scene,
                           size_t index) {
  const ScenePhoto photo = PhotoAt(*scene, index);
  const SentSize size = SizeToSend(photo.width, photo.height, LongestSide(request));
  const std::string key =
      fmt::format("{} {} {} {}", scene->id, photo.path.filename().string(), size.width, size.height);
  return Bytes(pictures_.Get(key, [&] { return JpegText(Shrunk(ReadScenePhoto(photo), size), 90); }),
               "image/jpeg");
}

HttpResponse Routes::Mask(const HttpRequest& request, const std::shared_ptr<ServedScene>& scene,
                          size_t index) {
  const std::shared_ptr<Encoding> encoded = EncodedOf(*scene);
  if (index >= encoded->painted.size()) throw HttpError(404, "the scene has no such photo");
  const ScenePhoto photo = PhotoAt(*scene, index);
  const SentSize size = SizeToSend(photo.width, photo.height, LongestSide(request));
  {
    const std::lock_guard<std::mutex> lock(scene->mutex);  // what was painted counts at once
    if (const auto painted = scene->painted.find(index); painted != scene->painted.end())
      return Bytes(PngText(Resize(painted->second, size.width, size.height, Filter::kBilinear)), "image/png");
  }
  if (encoded->scene.masks.empty()) return Bytes(PngText(GrayImage(size.width, size.height)), "image/png");
  const MotionMask& mask = encoded->scene.masks[index];
  const GrayImage small = FromProbabilities(mask.probability, mask.width, mask.height);
  return Bytes(PngText(MaskToSend(small, encoded->scene.framings[index], size)), "image/png");
}

HttpResponse Routes::Paint(HttpRequest& request, const std::shared_ptr<ServedScene>& scene, size_t index) {
  std::optional<GrayImage> mask;
  if (request.method == "PUT") {
    EncodedOf(*scene);  // before the body is read
    mask = uploads_.ReceiveMask(request);
  }
  parts_.works.SetMask(scene, index, mask);
  return JsonResponse(SummaryJson(*scene), 202);
}

HttpResponse Routes::Clean(const HttpRequest& request, const std::shared_ptr<ServedScene>& scene,
                           size_t index, bool source) {
  const std::shared_ptr<Encoding> encoded = EncodedOf(*scene);
  const int longest = LongestSide(request);
  const ScenePhoto photo = PhotoAt(*scene, index);
  const CleanFiles files = parts_.works.Clean(scene, encoded, index, request.client_is_gone);
  const SentSize size = SizeToSend(photo.width, photo.height, longest);
  const std::string key = fmt::format("{} {} {} {} {} {}", scene->id, encoded->revision,
                                      source ? "source" : "clean", index, size.width, size.height);
  const std::string bytes = pictures_.Get(key, [&] {
    if (source) return PngText(ColourSources(ShrunkMap(ReadGray(files.source), size)));
    return JpegText(Shrunk(ReadImage(files.image), size), 90);
  });
  HttpResponse response = Bytes(bytes, source ? "image/png" : "image/jpeg");
  response.headers.emplace_back("X-Revision", std::to_string(encoded->revision));
  return response;
}

HttpResponse Routes::View(HttpRequest& request, const std::shared_ptr<ServedScene>& scene) {
  constexpr int kQuickQuality = 85, kFullQuality = 92;
  constexpr size_t kLongestName = 64;
  const nlohmann::json body = ReadJson(request, parts_.scenes.limits().json_bytes);
  const Camera camera = ToCamera(body, body);
  const bool quick = body.contains("quick") && body["quick"].is_boolean() && body["quick"].get<bool>();
  const std::string client =
      body.contains("client") && body["client"].is_string() ? body["client"].get<std::string>() : "";
  if (client.size() > kLongestName)
    throw HttpError(400, fmt::format("client has at most {} bytes", kLongestName));
  const RenderedView view = parts_.works.View(scene, camera, quick, client, request.client_is_gone);
  HttpResponse response = Bytes(JpegText(view.image, quick ? kQuickQuality : kFullQuality), "image/jpeg");
  response.headers = {{"X-Render-Ms", fmt::format("{:.0f}", view.milliseconds)},
                      {"X-Revision", std::to_string(view.revision)}};
  return response;
}

HttpResponse Routes::Record(HttpRequest& request, const std::shared_ptr<ServedScene>& scene) {
  const ServeLimits& limits = parts_.scenes.limits();
  const nlohmann::json body = ReadJson(request, limits.json_bytes);
  if (!body.contains("cameras") || !body["cameras"].is_array())
    throw HttpError(400, "cameras must be a list");
  const nlohmann::json& list = body["cameras"];
  if (list.size() < 2 || list.size() > static_cast<size_t>(limits.path_cameras))
    throw HttpError(400, fmt::format("a path has 2 to {} cameras, not {}", limits.path_cameras, list.size()));
  std::vector<Camera> cameras;
  for (const nlohmann::json& camera : list) cameras.push_back(ToCamera(camera, body));
  const size_t number = parts_.works.Record(scene, std::move(cameras), NumberIn(body, "fps", 1, 120, 12));
  return JsonResponse({{"path", number}}, 202);
}

HttpResponse Routes::Recorded(const HttpRequest& request, const std::shared_ptr<ServedScene>& scene,
                              size_t number) {
  fs::path file;
  {
    const std::lock_guard<std::mutex> lock(scene->mutex);
    if (number >= scene->recordings.size()) throw HttpError(404, "the scene has no such recording");
    if (scene->recordings[number].state != WorkState::kReady)
      throw HttpError(409, "the recording is not ready yet");
    file = scene->recordings[number].file;
  }
  return Download(request, file, "video/mp4", fmt::format("path_{}.mp4", number), scene);
}

HttpResponse Routes::Archive(const HttpRequest& request, const std::shared_ptr<ServedScene>& scene) {
  const std::shared_ptr<const ScopedFile> archive = parts_.works.Result(scene, request.client_is_gone);
  const std::string name = SafeFileNames(std::span(&scene->name, 1)).front();
  return Download(request, archive->path(), "application/zip", name + ".zip", archive);
}

}  // namespace wildrayzer

#include "wildrayzer/server/serve.h"

#include <chrono>
#include <thread>
#include <utility>

#include "wildrayzer/server/access.h"
#include "wildrayzer/server/http_server.h"
#include "wildrayzer/server/routes.h"
#include "wildrayzer/util/folder_marker.h"
#include "wildrayzer/util/interrupt.h"
#include "wildrayzer/util/output_folder.h"

namespace wildrayzer {
namespace {

// In an address; of an IPv6 address in brackets. What listens everywhere is opened here.
std::string HostInUrl(const std::string& host) {
  if (host == "0.0.0.0") return "127.0.0.1";
  if (host == "::") return "[::1]";
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

void Serve(const Reconstructor& reconstructor, const ServeOptions& options, MetadataFunction metadata,
           const std::function<void(const ServeAddress& address)>& ready) {
  const std::filesystem::path temp = std::filesystem::temp_directory_path();
  RemoveUnfinished(temp);  // what killed runs have left
  const TemporaryFolder folder(temp / kUnfinishedName, temp);
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_all);

  SceneStore scenes(folder.path(), options.limits);
  Worker worker;
  SceneWorks works(reconstructor, worker, options.limits, std::move(metadata), options.keep);
  AccessRules access(RandomToken(), options.host);
  Routes routes({reconstructor, scenes, works, worker, access, options.model_name});
  HttpServer server(options.host, options.port, [&](HttpRequest& request) { return routes.Answer(request); });
  access.set_port(server.port());
  const std::string login =
      "http://" + HostInUrl(options.host) + ":" + std::to_string(server.port()) + "/?token=";
  ready({login + access.token(), login + access.OneTimeKey(), server.port()});
  while (!InterruptRequested()) {
    if (!server.IsRunning()) throw Error("the server's socket was closed by the system");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  worker.Stop();  // before the threads that wait for it
  server.Stop();
}

}  // namespace wildrayzer

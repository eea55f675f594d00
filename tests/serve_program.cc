#include "serve_program.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{60};

std::string TextOf(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

ServeProgram::ServeProgram(const std::string& test, const std::vector<std::string>& arguments)
    : temp_(testing::ProcessFolder() / ("serve_" + test)) {
  fs::create_directories(temp_);
  std::vector<std::string> all = {"serve", "--port", "0", "--no-browser"};
  const std::vector<std::string> model = TinyModel();
  all.insert(all.end(), model.begin(), model.end());
  all.insert(all.end(), arguments.begin(), arguments.end());
  program_ =
      std::make_unique<RunningProgram>(all, ProgramSurroundings{.environment = {{"TMPDIR", temp_.string()}}});
  const std::string url = program_->WaitForOut(std::regex("(http://\\S+)\n"), kPatience.count());
  const size_t token = url.find("/?token="), colon = url.rfind(':', token);
  port_ = std::stoi(url.substr(colon + 1));
  token_ = url.substr(token + 8);
}

std::vector<std::string> ServeProgram::Files() const { return Tree(temp_); }

size_t ServeProgram::CountFiles(const std::string& prefix) const {
  size_t count = 0;
  for (const std::string& file : Files()) count += fs::path(file).filename().string().starts_with(prefix);
  return count;
}

httplib::Client ServeProgram::Client() const {
  httplib::Client client("127.0.0.1", port_);
  client.set_read_timeout(kPatience);
  client.set_write_timeout(kPatience);
  client.set_default_headers(Bearer());
  return client;
}

std::string ServeProgram::EmptyScene() const {
  const httplib::Result made = Client().Post("/api/scenes", "{\"name\": \"place\"}", "application/json");
  if (!made || made->status != 201)
    throw std::runtime_error("no scene: " + (made ? made->body : "no answer"));
  return nlohmann::json::parse(made->body)["id"];
}

httplib::Result ServeProgram::Send(const std::string& scene, const std::string& name,
                                   const std::string& bytes) const {
  return Client().Post("/api/scenes/" + scene + "/files?name=" + httplib::detail::encode_query_param(name),
                       bytes, "application/octet-stream");
}

std::string ServeProgram::NewScene(int photos, int width, int height) const {
  const std::string scene = EmptyScene();
  for (int i = 0; i < photos; ++i) {
    const httplib::Result sent =
        Send(scene, "photo" + std::to_string(i) + ".png", PictureBytes(width, height, i));
    if (!sent || sent->status != 201) throw std::runtime_error("a photo was not taken");
  }
  const httplib::Result begun = Client().Post("/api/scenes/" + scene + "/start", "{}", "application/json");
  if (!begun || begun->status != 202) throw std::runtime_error("the scene did not begin");
  return scene;
}

nlohmann::json ServeProgram::Scene(const std::string& scene) const {
  const httplib::Result result = Client().Get("/api/scenes/" + scene);
  return result ? nlohmann::json::parse(result->body) : nlohmann::json();
}

nlohmann::json ServeProgram::State() const {
  const httplib::Result result = Client().Get("/api/state");
  return result ? nlohmann::json::parse(result->body) : nlohmann::json();
}

nlohmann::json ServeProgram::WaitFor(const std::string& scene,
                                     const std::function<bool(const nlohmann::json&)>& is) const {
  const auto deadline = Clock::now() + kPatience;
  nlohmann::json json = Scene(scene);
  while (!is(json) && Clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    json = Scene(scene);
  }
  EXPECT_TRUE(is(json)) << json.dump().substr(0, 500);
  return json;
}

nlohmann::json ServeProgram::WaitUntilReady(const std::string& scene) const {
  return WaitFor(scene, [](const nlohmann::json& json) {
    return json.value("state", "") == "failed" ||
           (json.value("state", "") == "ready" && !json.value("updating", true));
  });
}

int ServeProgram::Connect() const {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port_));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  return descriptor;
}

std::string ServeProgram::Say(const std::string& bytes, double seconds) const {
  const int descriptor = Connect();
  std::string answer;
  size_t said = 0;
  const auto deadline = Clock::now() + std::chrono::milliseconds(static_cast<int64_t>(1000 * seconds));
  while (Clock::now() < deadline) {
    pollfd wanted{descriptor, static_cast<short>(POLLIN | (said < bytes.size() ? POLLOUT : 0)), 0};
    if (::poll(&wanted, 1, 50) <= 0) continue;
    if ((wanted.revents & POLLOUT) != 0) {
      const ssize_t sent =
          ::send(descriptor, bytes.data() + said, bytes.size() - said, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) said += static_cast<size_t>(sent);
      if (sent < 0 && (wanted.revents & POLLIN) == 0) break;
    }
    if ((wanted.revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
    char piece[4096];
    const ssize_t got = ::recv(descriptor, piece, sizeof(piece), MSG_DONTWAIT);
    if (got <= 0) break;
    answer.append(piece, static_cast<size_t>(got));
  }
  ::close(descriptor);
  return answer;
}

std::string PictureBytes(int width, int height, int seed) {
  return TextOf(EncodePng(TestPicture(width, height, seed)));
}

std::string ViewRequest(bool quick) {
  return nlohmann::json{
      {"c2w", {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}}, {"fx", 1.2}, {"fy", 1.2}, {"quick", quick}}
      .dump();
}

}  // namespace wildrayzer

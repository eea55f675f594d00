// `wildrayzer serve` under test, and those who talk to it.
#pragma once

#include <httplib.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "run_program.h"

namespace wildrayzer {

// A server with a tiny random model on a free port; its temporary files lie in a folder of the test.
class ServeProgram {
 public:
  explicit ServeProgram(const std::string& test, const std::vector<std::string>& arguments = {});

  int port() const { return port_; }
  const std::string& token() const { return token_; }
  const std::filesystem::path& temp() const { return temp_; }
  RunningProgram& program() { return *program_; }
  // What the server keeps for clients, as names below temp().
  std::vector<std::string> Files() const;
  // The number of files whose name begins so.
  size_t CountFiles(const std::string& prefix) const;

  // A client that brings the token.
  httplib::Client Client() const;
  httplib::Headers Bearer() const { return {{"Authorization", "Bearer " + token_}}; }

  // A scene of `photos` pictures, begun; its id.
  std::string NewScene(int photos, int width = 80, int height = 60) const;
  std::string EmptyScene() const;
  httplib::Result Send(const std::string& scene, const std::string& name, const std::string& bytes) const;
  nlohmann::json Scene(const std::string& scene) const;
  nlohmann::json State() const;
  // Waits until `is` holds for the scene; its JSON then. Fails the test after half a minute.
  nlohmann::json WaitFor(const std::string& scene,
                         const std::function<bool(const nlohmann::json&)>& is) const;
  nlohmann::json WaitUntilReady(const std::string& scene) const;

  // Says exactly `bytes` on a connection of its own and reads until the server closes or `seconds` have
  // passed.
  std::string Say(const std::string& bytes, double seconds = 10) const;
  // An open connection; the caller closes it.
  int Connect() const;

 private:
  std::filesystem::path temp_;
  std::unique_ptr<RunningProgram> program_;
  int port_ = 0;
  std::string token_;
};

// A picture as the bytes of a PNG file.
std::string PictureBytes(int width, int height, int seed);
// A request for a view from the first camera.
std::string ViewRequest(bool quick = true);

}  // namespace wildrayzer

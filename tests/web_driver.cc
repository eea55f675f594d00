#include "web_driver.h"

#include <httplib.h>

#include <chrono>
#include <regex>
#include <stdexcept>
#include <thread>

#include "run_program.h"

namespace wildrayzer {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr char kElementKey[] = "element-6066-11e4-a52e-4f735466cecf";  // of the W3C's recommendation

// The path of a program, or an empty one.
fs::path FindInPath(const std::string& program) {
  std::istringstream folders(std::getenv("PATH") ? std::getenv("PATH") : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((fs::path(folder) / program).c_str(), X_OK) == 0) return fs::path(folder) / program;
  }
  return {};
}

json Capabilities(const BrowserWindow& window, const fs::path& downloads) {
  json arguments = {"--headless=new", "--no-first-run", "--disable-dev-shm-usage", "--hide-scrollbars",
                    "--remote-debugging-pipe",  // which it does not outlive
                    "--window-size=" + std::to_string(window.width) + "," + std::to_string(window.height),
                    // Nothing outside of this machine, and nothing that the browser does on its own.
                    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync",
                    "--no-pings", "--enable-unsafe-swiftshader"};  // 3D without a graphics card
  if (::getuid() == 0) arguments.push_back("--no-sandbox");        // Chromium refuses root otherwise
  json options = {{"args", arguments}};
  if (window.phone) {
    options["mobileEmulation"]["deviceMetrics"] = {{"width", window.width},
                                                   {"height", window.height},
                                                   {"pixelRatio", 2},
                                                   {"touch", true},
                                                   {"mobile", true}};
  }
  if (!downloads.empty()) options["prefs"]["download.default_directory"] = downloads.string();
  return {{"browserName", "chrome"},
          {"goog:chromeOptions", options},
          {"goog:loggingPrefs", {{"performance", "ALL"}, {"browser", "ALL"}}}};
}

// The characters of UTF-8 text, one string each.
std::vector<std::string> Characters(const std::string& text) {
  std::vector<std::string> characters;
  for (const char c : text) {
    if ((c & 0xC0) != 0x80) characters.emplace_back();
    characters.back() += c;
  }
  return characters;
}

json Pointer(const std::string& id, bool touch, const std::vector<std::pair<int, int>>& points) {
  json actions = {{{"type", "pointerMove"}, {"x", points[0].first}, {"y", points[0].second}, {"duration", 0}},
                  {{"type", "pointerDown"}, {"button", 0}}};
  for (size_t i = 1; i < points.size(); ++i) {
    actions.push_back(
        {{"type", "pointerMove"}, {"x", points[i].first}, {"y", points[i].second}, {"duration", 150}});
  }
  actions.push_back({{"type", "pointerUp"}, {"button", 0}});
  return {{"type", "pointer"},
          {"id", id},
          {"parameters", {{"pointerType", touch ? "touch" : "mouse"}}},
          {"actions", actions}};
}

}  // namespace

struct Browser::State {
  State() : driver({"--port=0"}, {.program = FindInPath("chromedriver")}) {}

  RunningProgram driver;
  std::unique_ptr<httplib::Client> client;
  std::string session;  // "/session/ID", empty before there is one
  bool touch = false;
};

bool Browser::Installed() { return !FindInPath("chromedriver").empty() && !FindInPath("chromium").empty(); }

Browser::Browser(const BrowserWindow& window, const fs::path& downloads) : state_(std::make_unique<State>()) {
  const std::string port = state_->driver.WaitForOut(std::regex(R"(started successfully on port (\d+))"), 20);
  state_->client = std::make_unique<httplib::Client>("127.0.0.1", std::stoi(port));
  state_->client->set_read_timeout(90);
  state_->client->set_keep_alive(true);
  state_->touch = window.phone;
  const json session =
      Call("POST", "/session", {{"capabilities", {{"alwaysMatch", Capabilities(window, downloads)}}}});
  state_->session = "/session/" + session.at("sessionId").get<std::string>();
  Call("POST", "/timeouts", {{"script", 60000}, {"pageLoad", 60000}});
  if (window.dark) {
    DevTools("Emulation.setEmulatedMedia",
             {{"features", {{{"name", "prefers-color-scheme"}, {"value", "dark"}}}}});
  }
}

Browser::~Browser() {
  // The driver ends the browser with its session; killed alone it would leave it behind.
  if (!state_->session.empty()) state_->client->Delete(state_->session.c_str());
}

json Browser::Call(const std::string& method, const std::string& path, const json& body) {
  const std::string address = state_->session + path;
  const std::string text = body.is_null() ? "{}" : body.dump();
  const httplib::Result result = method == "GET"
                                     ? state_->client->Get(address.c_str())
                                     : state_->client->Post(address.c_str(), text, "application/json");
  if (!result) throw std::runtime_error(method + " " + path + ": the browser's driver does not answer");
  const json value = json::parse(result->body).at("value");
  if (result->status != 200) {
    throw std::runtime_error(method + " " + path + " " + text.substr(0, 200) + ": " +
                             value.value("message", "").substr(0, 600));
  }
  return value;
}

json Browser::DevTools(const std::string& command, const json& parameters) {
  return Call("POST", "/goog/cdp/execute", {{"cmd", command}, {"params", parameters}});
}

void Browser::Open(const std::string& url) { Call("POST", "/url", {{"url", url}}); }

json Browser::Run(const std::string& script, const json& arguments) {
  return Call("POST", "/execute/sync", {{"script", script}, {"args", arguments}});
}

void Browser::WaitFor(const std::string& expression, double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!Run("return Boolean(" + expression + ");").get<bool>()) {
    if (std::chrono::steady_clock::now() > end) {
      std::string shown = Run("return document.body.innerText").get<std::string>();
      for (const std::string& error : ConsoleErrors()) shown += "\n" + error;
      throw std::runtime_error("never came true: " + expression + "\nThe page shows:\n" + shown);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(40));
  }
}

std::string Browser::Find(const std::string& element) {
  return Call("POST", "/element", {{"using", "css selector"}, {"value", element}})
      .at(kElementKey)
      .get<std::string>();
}

void Browser::Click(const std::string& element) { Call("POST", "/element/" + Find(element) + "/click"); }

void Browser::Type(const std::string& element, const std::string& text) {
  Call("POST", "/element/" + Find(element) + "/value", {{"text", text}});
}

void Browser::Press(const std::string& keys) {
  json actions = json::array(), held = json::array();
  for (const std::string& character : Characters(keys)) {
    actions.push_back({{"type", "keyDown"}, {"value", character}});
    const json up = {{"type", "keyUp"}, {"value", character}};
    if (character == key::kShift || character == key::kControl) {
      held.push_back(up);
    } else {
      actions.push_back(up);
    }
  }
  actions.insert(actions.end(), held.begin(), held.end());
  Call("POST", "/actions", {{"actions", {{{"type", "key"}, {"id", "keyboard"}, {"actions", actions}}}}});
}

void Browser::Hold(const std::string& held, int milliseconds) {
  const json actions = {{{"type", "keyDown"}, {"value", held}},
                        {{"type", "pause"}, {"duration", milliseconds}},
                        {{"type", "keyUp"}, {"value", held}}};
  Call("POST", "/actions", {{"actions", {{{"type", "key"}, {"id", "keyboard"}, {"actions", actions}}}}});
}

std::pair<int, int> Browser::PointOf(const std::string& element, const Place& place) {
  const json point =
      Run("const e = document.querySelector(arguments[0]);"
          "const inside = (r) => r.top >= 0 && r.bottom <= innerHeight;"
          "if (!inside(e.getBoundingClientRect())) e.scrollIntoView({block: 'nearest'});"
          "const r = e.getBoundingClientRect();"
          "return [r.left + arguments[1] * r.width, r.top + arguments[2] * r.height].map(Math.round);",
          {element, place.first, place.second});
  return {point[0].get<int>(), point[1].get<int>()};
}

void Browser::Drag(const std::string& element, const std::vector<Place>& places) {
  std::vector<std::pair<int, int>> points;
  for (const Place& place : places) points.push_back(PointOf(element, place));
  Call("POST", "/actions", {{"actions", {Pointer("pointer", state_->touch, points)}}});
}

void Browser::Pinch(const std::string& element, const std::vector<Place>& first,
                    const std::vector<Place>& second) {
  json fingers = json::array();
  for (const auto* places : {&first, &second}) {
    std::vector<std::pair<int, int>> points;
    for (const Place& place : *places) points.push_back(PointOf(element, place));
    fingers.push_back(Pointer("finger" + std::to_string(fingers.size()), true, points));
  }
  Call("POST", "/actions", {{"actions", fingers}});
}

void Browser::Wheel(const std::string& element, int pixels) {
  const auto [x, y] = PointOf(element, {0.5, 0.5});
  const json scroll = {{"type", "scroll"}, {"x", x}, {"y", y}, {"deltaX", 0}, {"deltaY", pixels}};
  Call("POST", "/actions", {{"actions", {{{"type", "wheel"}, {"id", "wheel"}, {"actions", {scroll}}}}}});
}

void Browser::Drop(const std::string& element, const std::vector<fs::path>& files) {
  const auto [x, y] = PointOf(element, {0.5, 0.5});
  json paths = json::array();
  for (const fs::path& file : files) paths.push_back(fs::absolute(file).string());
  for (const char* type : {"dragEnter", "dragOver", "drop"}) {
    DevTools("Input.dispatchDragEvent",
             {{"type", type},
              {"x", x},
              {"y", y},
              {"data", {{"items", json::array()}, {"files", paths}, {"dragOperationsMask", 1}}}});
  }
}

void Browser::Screenshot(const fs::path& png) {
  const std::string text = Call("GET", "/screenshot").get<std::string>();
  static const std::string kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const size_t digit = kDigits.find(c);
    if (digit == std::string::npos) break;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes += static_cast<char>(bits >> held & 0xFF);
  }
  std::ofstream(png, std::ios::binary) << bytes;
}

json Browser::Log(const std::string& kind) { return Call("POST", "/se/log", {{"type", kind}}); }

std::vector<std::string> Browser::Requests() {
  std::vector<std::string> urls;
  for (const json& entry : Log("performance")) {
    const json message = json::parse(entry.at("message").get<std::string>()).at("message");
    if (message.at("method") != "Network.requestWillBeSent") continue;
    urls.push_back(message.at("params").at("request").at("url").get<std::string>());
  }
  return urls;
}

std::vector<std::string> Browser::ConsoleErrors() {
  std::vector<std::string> errors;
  for (const json& entry : Log("browser")) {
    if (entry.at("level") == "SEVERE") errors.push_back(entry.at("message").get<std::string>());
  }
  return errors;
}

}  // namespace wildrayzer

// A web browser that a test drives as a person would: Chromium through W3C WebDriver (Debian's
// chromium-driver), without a screen. It resolves no host name, so that nothing but this machine can be
// asked.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace wildrayzer {

struct BrowserWindow {
  int width = 1440;  // CSS pixels
  int height = 900;
  bool phone = false;  // a touch screen, and the page is laid out as phones do
  bool dark = false;   // the person prefers dark pages
};

// One browser with one page. Every call waits until the browser has done it; a failure raises
// std::runtime_error that names the call.
class Browser {
 public:
  // An element is named by a CSS selector, a place on the page by shares of an element's width and height.
  using Place = std::pair<double, double>;

  // Whether Chromium and its driver are installed; a test that needs them is skipped where they are not.
  static bool Installed();

  // downloads: folder of what the page gives to keep.
  explicit Browser(const BrowserWindow& window, const std::filesystem::path& downloads = {});
  ~Browser();
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

  void Open(const std::string& url);
  // What a script returns, run as the body of a function; `arguments` are its arguments[0], ...; promises are
  // waited for.
  nlohmann::json Run(const std::string& script, const nlohmann::json& arguments = nlohmann::json::array());
  // Waits until an expression is true; after `seconds` raises an error that tells what the page shows.
  void WaitFor(const std::string& expression, double seconds = 30);

  // Clicks with the mouse in the element's middle, which has to be visible.
  void Click(const std::string& element);
  // Types into the element; for a file input the text is paths, one a line.
  void Type(const std::string& element, const std::string& text);
  // Presses and releases keys one after the other, wherever the focus is; WebDriver's code points for keys
  // without a character (key below). Shift and Control stay down until the
  // last one.
  void Press(const std::string& keys);
  // Holds one key for a time.
  void Hold(const std::string& key, int milliseconds);
  // Presses the mouse button (or, on a phone, a finger) at the first place, moves along the others and lets
  // go.
  void Drag(const std::string& element, const std::vector<Place>& places);
  // Moves two fingers at once, each from its first place to its second.
  void Pinch(const std::string& element, const std::vector<Place>& first, const std::vector<Place>& second);
  // Turns the wheel over the element's middle, by CSS pixels; negative is away from the person.
  void Wheel(const std::string& element, int pixels);
  // Drops files on the element, as from a file manager.
  void Drop(const std::string& element, const std::vector<std::filesystem::path>& files);

  void Screenshot(const std::filesystem::path& png);
  // Addresses of everything that the browser has asked for since the last call.
  std::vector<std::string> Requests();
  // Errors in the page's console since the last call: scripts that failed, answers of 4xx and 5xx, policy
  // violations.
  std::vector<std::string> ConsoleErrors();

 private:
  struct State;
  nlohmann::json Call(const std::string& method, const std::string& path, const nlohmann::json& body = {});
  nlohmann::json DevTools(const std::string& command, const nlohmann::json& parameters);
  std::string Find(const std::string& element);
  std::pair<int, int> PointOf(const std::string& element, const Place& place);
  nlohmann::json Log(const std::string& kind);

  std::unique_ptr<State> state_;
};

// Keys without a character, as WebDriver writes them.
namespace key {
inline constexpr char kBackspace[] = "\uE003", kTab[] = "\uE004", kEnter[] = "\uE007", kShift[] = "\uE008",
                      kControl[] = "\uE009", kEscape[] = "\uE00C", kSpace[] = " ", kLeft[] = "\uE012",
                      kUp[] = "\uE013", kRight[] = "\uE014", kDown[] = "\uE015";
}  // namespace key

}  // namespace wildrayzer

// The page of `wildrayzer serve` in a browser, for tests: a server with the model that comes with the
// program, what a person does with the page, and what is on the screen. With WILDRAYZER_SCREENSHOTS=FOLDER
// pictures of each state are left there.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "run_program.h"
#include "web_driver.h"

namespace wildrayzer {

inline const std::filesystem::path kHall = "examples/photos/hall", kRoom = "examples/photos/room";

// `wildrayzer serve` on a port of its own, with the model that comes with the program.
class PageServer {
 public:
  explicit PageServer(const std::string& port = "0")
      : program_({"serve", "--port", port, "--no-browser"}),
        url_(program_.WaitForOut(std::regex(R"((http://127\.0\.0\.1:\d+/\?token=\S+))"), 60)) {}

  const std::string& url() const { return url_; }
  std::string origin() const { return url_.substr(0, url_.find("/?")); }
  std::string port() const { return origin().substr(origin().rfind(':') + 1); }
  void Kill() {
    program_.Kill();
    program_.Wait();
  }

 private:
  RunningProgram program_;
  std::string url_;
};

// What the canvas shows, as 16 x 16 gray values.
inline std::vector<int> Picture(Browser& browser) {
  return browser
      .Run(
          "const small = new OffscreenCanvas(16, 16).getContext('2d');"
          "small.drawImage(document.querySelector('[data-part=view]'), 0, 0, 16, 16);"
          "const {data} = small.getImageData(0, 0, 16, 16);"
          "return Array.from({length: 256}, (_, i) => data[4 * i] + data[4 * i + 1] + data[4 * i + 2]);")
      .get<std::vector<int>>();
}

// Position (3 numbers) and rotation (9) of the camera that is flown.
inline std::vector<double> CameraOf(Browser& browser) {
  const nlohmann::json c2w =
      browser.Run("return document.querySelector('[data-part=view]').dataset.camera.split(' ').map(Number)");
  std::vector<double> camera;
  for (const int i : {3, 7, 11, 0, 1, 2, 4, 5, 6, 8, 9, 10}) camera.push_back(c2w.at(static_cast<size_t>(i)));
  return camera;
}

inline double Difference(const std::vector<double>& a, const std::vector<double>& b, size_t begin,
                         size_t end) {
  double most = 0;
  for (size_t i = begin; i < end; ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}
inline double Moved(const std::vector<double>& a, const std::vector<double>& b) {
  return Difference(a, b, 0, 3);
}
inline double Turned(const std::vector<double>& a, const std::vector<double>& b) {
  return Difference(a, b, 3, 12);
}

inline constexpr char kRests[] = "document.querySelector('[data-part=view]').dataset.detail === 'full'";

inline constexpr char kMaskIsThere[] =
    "document.querySelector('[data-part=mask-canvas]').ariaBusy === 'false'";

class BrowserServe : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Browser::Installed()) GTEST_SKIP() << "no chromium and chromedriver: scripts/setup --with-tests";
    if (!std::filesystem::exists("models/small.safetensors")) GTEST_SKIP() << "no models/small.safetensors";
    if (!server_) server_ = new PageServer();
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }

  // The page, opened; downloads come into a folder of the test.
  Browser& Open(const BrowserWindow& window) {
    name_ = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    downloads_ = FreshFolder("downloads_" + name_);
    browser_ = std::make_unique<Browser>(window, downloads_);
    browser_->Open(server_->url());
    browser_->WaitFor("document.querySelector('.drop')");
    return *browser_;
  }

  void Shot(const std::string& state) {
    const char* folder = std::getenv("WILDRAYZER_SCREENSHOTS");
    if (!folder) return;
    browser_->Screenshot(std::filesystem::path(folder) / (name_ + "_" + state + ".png"));
    const auto elapsed = std::chrono::steady_clock::now() - began_;
    std::cout << state << " after " << std::chrono::duration<double>(elapsed).count() << " s\n";
  }

  nlohmann::json Scene() {
    return browser_->Run("return (await fetch('/api/scenes/' + location.hash.slice(7))).json()");
  }

  void WaitUntilReady() {
    browser_->WaitFor("document.querySelector('.scene[data-state=ready]')", 60);
    browser_->WaitFor(kRests);
  }

  // The mask in effect at a place of a photo, 0..255.
  int MaskAt(int photo, double x, double y) {
    return browser_->Run(
        "const [photo, x, y] = arguments;"
        "const answer = await fetch(`/api/scenes/${location.hash.slice(7)}/masks/${photo}?size=200`);"
        "const picture = await createImageBitmap(await answer.blob());"
        "const canvas = new OffscreenCanvas(picture.width, picture.height).getContext('2d');"
        "canvas.drawImage(picture, 0, 0);"
        "return canvas.getImageData(x * picture.width, y * picture.height, 1, 1).data[0];",
        {photo, x, y});
  }

  // Waits until the scene has been encoded again after what `action` does.
  template <typename Action>
  void WaitForRevision(const Action& action) {
    const int before = Scene().at("revision");
    action();
    browser_->WaitFor("(({revision, updating}) => revision > " + std::to_string(before) +
                          " && updating === 'false')(document.querySelector('.scene').dataset)",
                      60);
  }

  // The file that the browser has stored, once it is whole.
  std::filesystem::path Downloaded(const std::string& extension) {
    for (int i = 0; i < 1200; ++i) {
      for (const auto& entry : std::filesystem::directory_iterator(downloads_))
        if (entry.path().extension() == extension) return entry.path();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    throw std::runtime_error("nothing was downloaded with " + extension);
  }

  void ExpectFits() {
    EXPECT_LE(browser_->Run("return document.documentElement.scrollWidth - innerWidth"), 0);
  }

  // Everything that was asked for, since the page was opened, came from the server.
  void ExpectNothingFromElsewhere() {
    const std::vector<std::string> requests = browser_->Requests();
    EXPECT_GT(requests.size(), 10u);
    for (const std::string& url : requests) {
      EXPECT_TRUE(url.starts_with(server_->origin() + "/") || url.starts_with("data:") ||
                  url.starts_with("blob:" + server_->origin()))
          << url;
    }
    EXPECT_EQ(browser_->Run("return typeof window.pwned"), "undefined");
  }

  inline static PageServer* server_ = nullptr;
  std::unique_ptr<Browser> browser_;
  std::filesystem::path downloads_;
  std::string name_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};
}  // namespace wildrayzer

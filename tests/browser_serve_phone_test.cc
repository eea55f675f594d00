// The page of `wildrayzer serve` with fingers on a phone, and by keyboard alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve_page.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;

// ---- On a phone ----

TEST_F(BrowserServe, WithFingersOnAPhone) {
  Browser& browser = Open({.width = 390, .height = 844, .phone = true, .dark = true});
  ExpectFits();
  Shot("new");
  browser.Type("input[type=file]",
               fs::absolute(kRoom / "1.jpg").string() + "\n" + fs::absolute(kRoom / "2.jpg").string());
  browser.WaitFor("document.querySelectorAll('.files [data-state=sent]').length === 2");
  ExpectFits();
  Shot("files");
  browser.Click("[data-part=start]");
  WaitUntilReady();
  ExpectFits();
  Shot("fly");

  const std::vector<double> begin = CameraOf(browser);
  browser.Drag("[data-part=view]", {{0.5, 0.5}, {0.3, 0.5}});
  browser.WaitFor(kRests);
  const std::vector<double> looked = CameraOf(browser);
  EXPECT_LT(Moved(begin, looked), 1e-6);
  EXPECT_GT(Turned(begin, looked), 0.05);
  browser.Pinch("[data-part=view]", {{0.4, 0.5}, {0.2, 0.5}}, {{0.6, 0.5}, {0.8, 0.5}});
  browser.WaitFor(kRests);
  EXPECT_GT(Moved(looked, CameraOf(browser)), 0);
  EXPECT_LT(Turned(looked, CameraOf(browser)), 1e-6);

  browser.Click("[data-mode=compare]");
  browser.WaitFor("document.querySelector('[data-part=after]').naturalWidth");
  ExpectFits();
  Shot("compare");
  browser.Click("[data-mode=mask]");
  browser.WaitFor(kMaskIsThere);
  browser.WaitFor("document.querySelector('[data-part=mask-clean]').naturalWidth");
  WaitForRevision([&] { browser.Drag("[data-part=mask-canvas]", {{0.32, 0.2}, {0.38, 0.2}}); });
  EXPECT_GT(MaskAt(0, 0.35, 0.2), 200);
  ExpectFits();
  Shot("mask");
  // What fingers press is large enough for them.
  EXPECT_EQ(browser.Run("return [...document.querySelectorAll('button')].filter((b) => b.offsetParent && "
                        "b.offsetHeight < 32)"
                        ".map((b) => b.outerHTML)"),
            json::array());
  ExpectNothingFromElsewhere();
}

// ---- By keyboard alone ----

class KeyboardAlone : public BrowserServe {
 protected:
  // Presses Tab, or Shift and Tab, until the focus is on the element, which has to show it.
  void TabTo(const std::string& element, const std::string& tab = key::kTab) {
    for (int i = 0; i < 60; ++i) {
      browser_->Press(tab);
      if (!browser_->Run("return document.activeElement.matches(arguments[0])", {element}).get<bool>())
        continue;
      EXPECT_EQ(browser_->Run("return document.activeElement.matches(':focus-visible')"), true) << element;
      return;
    }
    throw std::runtime_error("Tab does not come to " + element);
  }
  void TabBackTo(const std::string& element) { TabTo(element, std::string(key::kShift) + key::kTab); }
};

TEST_F(KeyboardAlone, IsEnough) {
  Browser& browser = Open({});
  TabTo("input[type=file]");
  // The file dialog is the system's; from here on it is the page's again.
  browser.Type("input[type=file]", fs::absolute(kRoom / "1.jpg").string() + "\n" +
                                       fs::absolute(kHall / "1.jpg").string() + "\n" +
                                       fs::absolute(kRoom / "2.jpg").string());
  browser.WaitFor("document.querySelectorAll('.files [data-state=sent]').length === 3");
  TabTo(".files li:nth-child(2) button");  // dropped by mistake
  browser.Press(key::kEnter);
  browser.WaitFor("document.querySelectorAll('.files li').length === 2");
  EXPECT_EQ(browser.Run("return document.activeElement.matches('.files li:nth-child(2) button')"), true);
  TabTo("[data-part=start]");
  browser.Press(key::kEnter);
  WaitUntilReady();

  EXPECT_EQ(browser.Run("return document.activeElement.dataset.part"), "view");
  const std::vector<double> begin = CameraOf(browser);
  browser.Press("k");
  browser.Hold("d", 400);
  browser.WaitFor(kRests);
  EXPECT_GT(Moved(begin, CameraOf(browser)), 0);
  browser.Press("2");
  browser.WaitFor(kRests);
  browser.Press("k");
  for (const auto& [field, value] : {std::pair{"seconds", "1"}, {"fps", "8"}}) {
    TabTo("[data-part=" + std::string(field) + "]");  // which selects what is in it
    browser.Press(value);
  }
  TabTo("[data-part=film]");
  EXPECT_THAT(
      browser.Run("return document.querySelector('[data-part=path-hint]').innerText").get<std::string>(),
      HasSubstr("8 frames"));
  browser.Press(key::kEnter);

  TabTo("[data-mode=compare]");
  browser.Press(key::kEnter);
  browser.WaitFor("document.querySelector('[data-part=after]').naturalWidth");
  TabTo("[data-part=split]");
  browser.Press(key::kRight);
  EXPECT_GT(browser.Run("return Number(document.querySelector('[data-part=split]').value)"), 50);

  TabBackTo("[data-mode=mask]");
  browser.Press(key::kSpace);
  browser.WaitFor(kMaskIsThere);
  const int before = MaskAt(1, 0.5, 0.5);
  TabTo("[data-part=mask-canvas]");  // the brush is in the middle
  if (before >= 128) browser.Press("x");
  WaitForRevision([&] { browser.Press(key::kSpace); });
  EXPECT_NE(MaskAt(1, 0.5, 0.5) >= 128, before >= 128);

  browser.WaitFor("document.querySelector('.films a')", 60);
  TabTo(".films a");
  browser.Press(key::kEnter);
  EXPECT_GT(fs::file_size(Downloaded(".mp4")), 1000u);
  TabBackTo("[data-part=delete]");
  browser.Press(key::kEnter);
  browser.WaitFor("document.querySelector('dialog[open]')");
  TabTo("#question-yes");
  browser.Press(key::kEnter);
  browser.WaitFor(
      "!document.querySelector('.scene') || document.querySelector('.scene').dataset.state === 'ready'");
  ExpectNothingFromElsewhere();
}

}  // namespace
}  // namespace wildrayzer

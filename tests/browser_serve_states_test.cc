// The page of `wildrayzer serve` while a scene is not there yet: photos taken away again, the queue,
// failures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve_page.h"
#include "wildrayzer/io/video.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class SceneStates : public BrowserServe {
 protected:
  std::string TextOf(const std::string& part) {
    return browser_
        ->Run("return document.querySelector(arguments[0]).innerText", {"[data-part=" + part + "]"})
        .get<std::string>();
  }

  // A scene of two pictures that the page draws, sent as it sends photos; begun. Its id.
  std::string BegunScene() {
    return browser_
        ->Run(
            "const ask = async (path, body, type) =>"
            "  (await fetch('/api/scenes' + path, {method: 'POST', body, headers: {'Content-Type': "
            "type}})).json();"
            "const {id} = await ask('', '{\"name\": \"drawn\"}', 'application/json');"
            "const canvas = new OffscreenCanvas(640, 480);"
            "const context = canvas.getContext('2d');"
            "for (const i of [0, 1]) {"
            "  for (let k = 0; k < 200; ++k) {"
            "    context.fillStyle = `hsl(${k * 47} 60% 50%)`;"
            "    context.fillRect(k * 83 % 640 + 5 * i, k * 61 % 480, 60, 40);"
            "  }"
            "  await ask(`/${id}/files?name=${i}.png`, await canvas.convertToBlob(), "
            "'application/octet-stream');"
            "}"
            "await ask(`/${id}/start`, '{}', 'application/json');"
            "return id;")
        .get<std::string>();
  }

  void LookAt(const std::string& id) {
    browser_->Run("location.hash = 'scene=' + arguments[0]", {id});
    browser_->WaitFor("document.querySelector('.scene')?.dataset.state !== 'loading'");
  }
};

TEST_F(SceneStates, PhotosAreTakenAwayAfterTheScenesPageWasLeft) {
  Browser& browser = Open({});
  const fs::path folder = FreshFolder("taken_away");
  WritePhotos(folder, 3, 320, 240);
  browser.Drop(".drop", {folder / "photo0.png", folder / "photo1.png", folder / "photo2.png"});
  browser.WaitFor("document.querySelectorAll('.files [data-state=sent]').length === 3");
  const std::string id =
      browser.Run("return (await (await fetch('/api/state')).json()).scenes.find((s) => s.photos === 3).id");
  LookAt(id);
  browser.WaitFor("document.querySelectorAll('.photos button').length === 3");
  browser.WaitFor("[...document.querySelectorAll('.photos img')].every((image) => image.naturalWidth > 0)");
  Shot("collecting");
  // With the keyboard, which stays where it was.
  browser.Run("document.querySelector('.photos li:nth-child(2) button').focus()");
  browser.Press(key::kEnter);
  browser.WaitFor("document.querySelectorAll('.photos button').length === 2");
  EXPECT_EQ(browser.Run("return [...document.querySelectorAll('.photos img')].map((image) => image.alt)"),
            json({"photo0.png", "photo2.png"}));
  EXPECT_EQ(browser.Run("return document.activeElement.ariaLabel"), "Remove photo2.png");
  browser.Press(key::kEnter);
  browser.WaitFor("document.querySelectorAll('.photos button').length === 1");
  browser.Click("[data-part=work-actions] .primary");
  browser.WaitFor("!document.querySelector('[data-part=failure]').hidden");
  EXPECT_THAT(TextOf("failure"), HasSubstr("at least two photos"));
  browser.Click(".photos button");
  browser.WaitFor("document.querySelectorAll('.photos li').length === 0");
  EXPECT_EQ(Scene()["photos"], json::array());
}

TEST_F(SceneStates, AFailureSaysWhy) {
  Browser& browser = Open({});
  const fs::path folder = FreshFolder("short");
  VideoWriter video(folder / "walk.mp4", 320, 240, 10);
  video.Write(TestPicture(320, 240, 1));  // which is a video all the same, until its frames are counted
  video.Commit();
  browser.Drop(".drop", {folder / "walk.mp4"});
  browser.WaitFor("document.querySelector('[data-part=start]:not(:disabled)')");
  browser.Click("[data-part=start]");
  browser.WaitFor("document.querySelector('.scene[data-state=failed]')");
  EXPECT_EQ(TextOf("stage-name"), "This did not work");
  EXPECT_EQ(TextOf("failure"), "walk.mp4: has 1 frames, too few");
  browser.WaitFor("document.querySelector('#scenes a[aria-current]').innerText.includes('failed')");
  ExpectFits();
  Shot("failed");
  browser.Click("[data-part=work-actions] a");  // other photos
  browser.WaitFor("document.querySelector('.drop')");
}

TEST_F(SceneStates, ASceneThatWaitsSaysWhichOfTheQueueItIs) {
  Browser& browser = Open({});
  std::vector<std::string> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(BegunScene());
  LookAt(ids.back());
  browser.WaitFor("document.querySelector('[data-part=stage-name]').textContent === 'Waiting'");
  EXPECT_THAT(TextOf("stage-note"),
              MatchesRegex("Number [1-3] in the queue: one scene is computed at a time\\."));
  browser.WaitFor("/[1-4] in the queue/.test(document.querySelector('#about').innerText)");
  Shot("waiting");
  // Whoever is ahead goes, and it moves up; nobody waits for the computations.
  for (size_t i = 1; i < 3; ++i)
    browser.Run("await fetch('/api/scenes/' + arguments[0], {method: 'DELETE'})", {ids[i]});
  browser.WaitFor("!/Number [23]/.test(document.querySelector('[data-part=stage-note]').textContent)");
  for (const size_t i : {0, 3})
    browser.Run("await fetch('/api/scenes/' + arguments[0], {method: 'DELETE'})", {ids[i]});
  browser.WaitFor("!document.querySelector('.scene')");
}

}  // namespace
}  // namespace wildrayzer

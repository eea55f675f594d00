// The pages that commands leave behind, made from files with hostile names and opened in a browser: they show
// what they have to show, names are text, and nothing in a name is run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "eval_run.h"
#include "train_run.h"
#include "web_driver.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What would run a script if a page took it for markup, as far as a file's name can hold it.
const std::vector<std::string> kHostileNames = {"<!--<script>",
                                                "\"onerror=\"window.pwned=1",
                                                "'><img src=x onerror=window.pwned=1>",
                                                "two\nlines",
                                                "&lt;b&gt;",
                                                "<style>body{display:none}",
                                                "50% #1? %41"};

// Those that a list with one scene a line can hold.
std::vector<std::string> ScenesNames() {
  std::vector<std::string> names = kHostileNames;
  std::erase_if(names, [](const std::string& name) { return name.find('\n') != std::string::npos; });
  return names;
}

std::string FileUrl(const fs::path& path) {
  std::string url = "file://";
  for (const char c : fs::absolute(path).string()) {
    if (std::isalnum(static_cast<unsigned char>(c)) || std::string("/._-~").find(c) != std::string::npos) {
      url += c;
    } else {
      url += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return url;
}

// As a browser shows text: runs of white space are one space.
std::string Shown(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

class BrowserPages : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Browser::Installed()) GTEST_SKIP() << "no chromium and chromedriver: scripts/setup --with-tests";
  }

  // Opens a page, waits for its pictures and checks that it is whole and that nothing of a name was run.
  // Gives its text.
  static std::string TextOf(const fs::path& page, size_t most_scripts) {
    Browser browser({});
    browser.Open(FileUrl(page));
    browser.Run(
        "for (const image of document.images) image.loading = 'eager';"
        "for (const details of document.querySelectorAll('details')) details.open = true;");
    browser.WaitFor("[...document.images].every((image) => image.complete)");
    EXPECT_EQ(browser.Run("return typeof window.pwned"), "undefined");
    EXPECT_LE(browser.Run("return document.scripts.length").get<size_t>(), most_scripts);
    EXPECT_EQ(browser.Run("return document.querySelectorAll('[onerror], [onload]').length"), 0);
    EXPECT_EQ(browser.Run("return [...document.images].filter((image) => !image.naturalWidth)"
                          ".map((image) => image.outerHTML)"),
              nlohmann::json::array());
    EXPECT_THAT(browser.ConsoleErrors(), IsEmpty());
    for (const std::string& url : browser.Requests())
      EXPECT_TRUE(url.starts_with("file://") || url.starts_with("data:")) << url;
    return browser.Run("return document.body.innerText.replace(/\\s+/g, ' ')").get<std::string>();
  }
};

TEST_F(BrowserPages, ResultOfRender) {
  const fs::path root = FreshFolder("browser_render") / "<b>&'\"";
  std::vector<std::string> arguments = {"render"};
  for (const std::string& name : kHostileNames) arguments.push_back(root / (name + ".png"));
  fs::create_directories(root / "a<");  // a slash in the path closes the element
  arguments.push_back(root / "a<" / "script>x.png");
  for (size_t i = 1; i < arguments.size(); ++i)
    WritePng(arguments[i], TestPicture(80, 60, static_cast<int>(i)));
  const std::string inputs = std::to_string(arguments.size() - 1);
  const ProgramResult result = RunProgram(
      Join(Join(arguments, TinyModel()),
           {"--set", "model.motion.features=own", "--set", "model.motion.feature_layer=0", "--set",
            "model.motion.dino_width=64", "--inputs", inputs, "--out", root / "out", "--frames", "3"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;

  const std::string text = TextOf(root / "out" / "index.html", 1);
  for (size_t i = 1; i < arguments.size(); ++i)
    EXPECT_THAT(text, HasSubstr(Shown(fs::path(arguments[i]).stem())));
  const std::string version = RunProgram({"--version"}).out;            // "wildrayzer 1.2.3\n"
  EXPECT_THAT(text, HasSubstr(version.substr(0, version.find('\n'))));  // the script came to its end
}

TEST_F(BrowserPages, ReportOfEval) {
  const fs::path root = FreshFolder("browser_eval") / "<script>window.pwned=1<" / "script>";
  WritePairs(root);
  nlohmann::json scene = nlohmann::json::parse(ReadText(root / "metadata" / "scene_00.json"));
  nlohmann::json views = nlohmann::json::parse(ReadText(root / "views.json"));
  std::string list;
  for (const std::string& name : ScenesNames()) {
    scene["scene_name"] = name;
    WriteFileAtomically(root / "metadata" / (name + ".json"), scene.dump());
    fs::copy(root / "masks" / "scene_00", root / "masks" / name);
    views[name] = views["scene_00"];
    list += (root / "metadata" / (name + ".json")).string() + "\n";
  }
  WriteFileAtomically(root / "views.json", views.dump());
  WriteFileAtomically(root / "full_list.txt", list);
  const ProgramResult result = RunProgram(PairsArguments(root, "64", root / "out", {}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string text = TextOf(root / "out" / "report.html", 1);
  EXPECT_THAT(text, HasSubstr("PSNR"));
  for (const std::string& name : ScenesNames()) EXPECT_THAT(text, HasSubstr(name));
}

TEST_F(BrowserPages, ReportOfTrain) {
  const fs::path root = FreshFolder("browser_train") / "<script>window.pwned=1<" / "script>";
  fs::create_directories(root);
  fs::copy(Rooms(), root / "rooms", fs::copy_options::recursive);
  // The configuration, which the report shows, names the data.
  const fs::path config = WriteTrainConfig(root / "<b>.yaml");
  const std::string text =
      std::regex_replace(ReadText(config), std::regex(Rooms().string()), (root / "rooms").string());
  WriteFileAtomically(config, text);
  const ProgramResult result = RunProgram(TrainArguments(config, root / "out", {"training.train_steps=3"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string shown = TextOf(root / "out" / "report.html", 1);
  EXPECT_THAT(shown, HasSubstr("Training run"));
  EXPECT_THAT(shown, HasSubstr("static_re10k_path: " + (root / "rooms").string()));
}

}  // namespace
}  // namespace wildrayzer

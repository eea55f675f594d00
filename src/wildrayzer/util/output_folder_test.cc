#include "wildrayzer/util/output_folder.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "wildrayzer/testing/files.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/folder_marker.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::FreshFolder;
using ::testing::HasSubstr;
using testing::ReadText;

// Everything below the folder, hidden entries too.
std::vector<std::string> Tree(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    names.push_back(entry.path().lexically_relative(folder).string());
  std::sort(names.begin(), names.end());
  return names;
}

void Put(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  WriteFileAtomically(path, text);
}

// What a command does: writes "views/a.png" and `name`.
void Make(const fs::path& out, const std::string& name, bool overwrite = false,
          const std::vector<fs::path>& inputs = {}) {
  StagedFolder folder(out, overwrite, inputs);
  Put(folder.staging() / "views/a.png", name);
  Put(folder.staging() / name, name);
  folder.Commit();
}

// Refused with this message, and nothing is touched.
void ExpectRefused(const fs::path& root, const fs::path& out, bool overwrite,
                   const std::vector<fs::path>& inputs, const std::string& message) {
  const std::vector<std::string> before = Tree(root);
  try {
    StagedFolder folder(out, overwrite, inputs);
    ADD_FAILURE() << "not refused: " << message;
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), ::testing::StartsWith(out.string() + ": "));
    EXPECT_THAT(error.what(), HasSubstr(message));
  }
  EXPECT_EQ(Tree(root), before);
}

TEST(StagedFolder, AppearsOnlyOnCommit) {
  const fs::path root = FreshFolder("output_appears");
  {
    StagedFolder abandoned(root / "a/b/out", false, {});
    Put(abandoned.staging() / "new.txt", "new");
    EXPECT_FALSE(fs::exists(root / "a/b/out"));
  }
  EXPECT_THAT(Tree(root), ElementsAre());  // the folders above it are gone, too
  Make(root / "a/b/out/", "new.txt");
  EXPECT_THAT(Tree(root), ElementsAre("a", "a/b", "a/b/out", "a/b/out/made_by_wildrayzer.txt",
                                      "a/b/out/new.txt", "a/b/out/views", "a/b/out/views/a.png"));
  EXPECT_THAT(ReadText(root / "a/b/out" / kMarkerName), ::testing::EndsWith("\nnew.txt\nviews/a.png\n"));
}

TEST(StagedFolder, ReplacesItsOwnOnlyWhenTold) {
  const fs::path root = FreshFolder("output_own");
  Make(root / "out", "old.txt");
  ExpectRefused(root, root / "out", false, {}, "add --overwrite");
  {
    StagedFolder abandoned(root / "out", true, {});
    Put(abandoned.staging() / "new.txt", "new");
  }
  EXPECT_THAT(Tree(root / "out"), ElementsAre(kMarkerName, "old.txt", "views", "views/a.png"));
  Make(root / "out", "new.txt", true);
  EXPECT_THAT(Tree(root), ElementsAre("out", std::string("out/") + kMarkerName, "out/new.txt", "out/views",
                                      "out/views/a.png"));
  EXPECT_EQ(ReadText(root / "out/views/a.png"), "new.txt");
  Make(root / "out", "newer.txt", true);  // the marker has become the new one's
  EXPECT_FALSE(fs::exists(root / "out/new.txt"));
}

TEST(StagedFolder, TouchesNothingThatItDidNotMake) {
  const fs::path root = FreshFolder("output_foreign");
  Put(root / "home/thesis.tex", "years");
  for (const bool overwrite : {false, true})
    ExpectRefused(root, root / "home", overwrite, {}, "is not empty and has no made_by_wildrayzer.txt");
  // Somebody else's file of the marker's name.
  Put(root / "home" / kMarkerName, "thesis.tex\n");
  ExpectRefused(root, root / "home", true, {}, "is not empty and has no made_by_wildrayzer.txt");

  Make(root / "out", "old.txt");
  Put(root / "out/views/mine.png", "painted");
  for (const bool overwrite : {false, true})
    ExpectRefused(root, root / "out", overwrite, {}, "holds views/mine.png, which this program did not make");
  fs::remove(root / "out/views/mine.png");
  // A link in the place of a file of ours.
  fs::rename(root / "out/old.txt", root / "moved.txt");
  fs::create_symlink(root / "moved.txt", root / "out/old.txt");
  ExpectRefused(root, root / "out", true, {}, "holds old.txt, which");
  fs::remove(root / "out/old.txt");
  fs::create_directory_symlink(root / "home", root / "out/home");
  ExpectRefused(root, root / "out", true, {}, "holds home, which");
  fs::remove(root / "out/home");
  Make(root / "out", "new.txt", true);
  EXPECT_EQ(ReadText(root / "home/thesis.tex"), "years");
}

TEST(StagedFolder, FilesAsPlacesAndLinksToNothing) {
  const fs::path root = FreshFolder("output_places");
  Put(root / "file", "text");
  ExpectRefused(root, root / "file", true, {}, "is a file");
  fs::create_symlink(root / "nowhere", root / "link");
  ExpectRefused(root, root / "link", true, {}, "leads nowhere");
  EXPECT_THROW(StagedFolder("", true, {}), UsageError);
  EXPECT_THROW(StagedFolder(root / "file" / "out", true, {}), FileError);
  EXPECT_THAT(Tree(root), ElementsAre("file", "link"));
}

TEST(StagedFolder, RefusesToReplaceWhatIsRead) {
  const fs::path root = FreshFolder("output_inputs");
  Make(root / "out", "old.txt");
  const auto refused = [&](const fs::path& input) {
    ExpectRefused(root, root / "out", true, {root / "elsewhere.jpg", input},
                  "holds " + input.string() + ", which this run reads");
  };
  refused(root / "out/views/a.png");
  refused(root / "out/views");
  refused(root / "out");
  refused(root / "out/views/../../out/old.txt");
  fs::create_symlink(root / "out/old.txt", root / "link.txt");
  refused(root / "link.txt");
  fs::create_directory_symlink(root / "out/views", root / "photos");
  refused(root / "photos/a.png");
  // A folder of links, as downloads of models are.
  fs::create_directories(root / "model");
  fs::create_symlink(root / "out/old.txt", root / "model/weights");
  ExpectRefused(root, root / "out", true, {root / "model"},
                "holds " + (root / "model/weights").string() + ", which this run reads");
  // The output folder under another name.
  fs::create_directory_symlink(root / "out", root / "same");
  ExpectRefused(root, root / "same", true, {root / "out/old.txt"}, "which this run reads");
  // Photos that are not ours are named as what is read, not only as foreign.
  Put(root / "trip/1.jpg", "photo");
  ExpectRefused(root, root / "trip", true, {root / "trip/1.jpg"}, "which this run reads");
}

TEST(StagedFolder, MayLieAmongWhatIsRead) {
  const fs::path root = FreshFolder("output_among");
  Put(root / "trip/1.jpg", "photo");
  const std::vector<fs::path> inputs = {root / "trip/1.jpg", root / "trip", root / "missing"};
  Make(root / "trip/result", "old.txt", false, inputs);
  Make(root / "trip/result", "new.txt", true, inputs);
  EXPECT_TRUE(fs::exists(root / "trip/result/new.txt"));
  EXPECT_EQ(ReadText(root / "trip/1.jpg"), "photo");
}

TEST(StagedFolder, AnExistingFolderStaysWhatItIs) {
  const fs::path root = FreshFolder("output_stays");
  fs::create_directories(root / "disk");
  fs::create_directory_symlink(root / "disk", root / "out");
  fs::permissions(root / "disk", fs::perms::owner_all);
  const auto inner = [&] { return fs::status(root / "disk").permissions(); };
  Make(root / "out", "old.txt");
  Make(root / "out", "new.txt", true);
  EXPECT_TRUE(fs::is_symlink(root / "out"));
  EXPECT_EQ(inner(), fs::perms::owner_all);
  EXPECT_THAT(Tree(root / "disk"), ElementsAre(kMarkerName, "new.txt", "views", "views/a.png"));
  // The working folder, whose parent is not asked.
  const fs::path before = fs::current_path();
  fs::create_directories(root / "dot");
  fs::current_path(root / "dot");
  Make(".", "new.txt");
  EXPECT_TRUE(fs::exists("new.txt"));
  fs::current_path(before);
  EXPECT_TRUE(fs::exists(root / "dot/new.txt"));
}

TEST(StagedFolder, WhatCameMeanwhileSurvivesAndTheResultToo) {
  const fs::path root = FreshFolder("output_meanwhile");
  fs::create_directories(root / "empty");
  Make(root / "own", "old.txt");
  for (const std::string name : {"absent", "empty", "own"}) {
    StagedFolder folder(root / name, true, {});
    Put(folder.staging() / "new.txt", "new");
    Put(root / name / "letter.txt", "dear");
    try {
      folder.Commit();
      FAIL() << name;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("; the result is kept in " + folder.staging().string()));
    }
    EXPECT_EQ(ReadText(root / name / "letter.txt"), "dear");
    EXPECT_FALSE(fs::exists(root / name / "new.txt"));
    if (name == "own") {
      EXPECT_EQ(ReadText(root / name / "old.txt"), "old.txt");
    }
  }
  // Kept results are there after the next run, too.
  const size_t kept = Tree(root / "own").size();
  fs::remove(root / "own/letter.txt");
  Make(root / "own", "newer.txt", true);
  EXPECT_EQ(Tree(root / "own").size(), kept - 1);
}

// Root may do everything; tests of permissions are somebody else meanwhile.
class NotRoot {
 public:
  explicit NotRoot(const fs::path& root) : was_root_(::geteuid() == 0) {
    if (!was_root_) return;
    constexpr uid_t kNobody = 65534;
    if (::chown(root.c_str(), kNobody, kNobody) != 0 || ::seteuid(kNobody) != 0)
      throw std::runtime_error("cannot become another user");
  }
  ~NotRoot() {
    if (was_root_ && ::seteuid(0) != 0) std::abort();
  }

 private:
  bool was_root_;
};

TEST(StagedFolder, AForeignFolderNeedNotBeLookedThrough) {
  const fs::path root = FreshFolder("output_unreadable");
  const NotRoot user(root);
  fs::create_directories(root / "home/secret");
  fs::permissions(root / "home/secret", fs::perms(0));
  EXPECT_THROW(StagedFolder(root / "home", true, {}), UsageError);
  Make(root / "out", "old.txt");
  fs::permissions(root / "out/views", fs::perms(0));
  EXPECT_THROW(StagedFolder(root / "out", true, {}), FileError);  // it cannot be told what lies there
  for (const char* name : {"home/secret", "out/views"}) fs::permissions(root / name, fs::perms(0755));
}

TEST(StagedFolder, AFailedMoveLeavesTheOldResult) {
  const fs::path root = FreshFolder("output_failed_move");
  const NotRoot user(root);
  Make(root / "out", "old.txt");
  StagedFolder folder(root / "out", true, {});
  Put(folder.staging() / "new.txt", "new");
  // A folder that may not be written to cannot get another parent; it is met when the old files have moved.
  fs::create_directories(folder.staging() / "stuck");
  fs::permissions(folder.staging() / "stuck", fs::perms(0555));
  EXPECT_THROW(folder.Commit(), Error);
  EXPECT_EQ(ReadText(root / "out/old.txt"), "old.txt");
  EXPECT_TRUE(fs::exists(root / "out/views/a.png"));
  EXPECT_THAT(ReadText(root / "out" / kMarkerName), HasSubstr("\nold.txt\n"));
  EXPECT_TRUE(fs::exists(folder.staging() / "new.txt"));
}

TEST(StagedFolder, TheFolderAboveMayBeSomebodyElses) {
  const fs::path root = FreshFolder("output_foreign_parent");
  fs::create_directories(root / "theirs/mine");
  fs::permissions(root / "theirs", fs::perms(0555));
  {
    const NotRoot user(root / "theirs/mine");
    Make(root / "theirs/mine", "old.txt");
    Make(root / "theirs/mine", "new.txt", true);
    EXPECT_THROW(StagedFolder(root / "theirs/other", false, {}), FileError);
  }
  fs::permissions(root / "theirs", fs::perms(0755));
  EXPECT_THAT(Tree(root / "theirs/mine"), ElementsAre(kMarkerName, "new.txt", "views", "views/a.png"));
}

TEST(StagedFolder, ClearsUpAfterKilledRunsButNotAfterRunningOnes) {
  const fs::path root = FreshFolder("output_killed");
  Make(root / "out", "old.txt");
  Put(root / "out/.wildrayzer.tmp-1-0/new/views/a.png", "half");
  Put(root / "out/.wildrayzer.tmp-2-0/new/views/a.png", "half");
  const int running = ::open((root / "out/.wildrayzer.tmp-2-0").c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(::flock(running, LOCK_EX), 0);
  ExpectRefused(root, root / "out", false, {}, "add --overwrite");  // they count as nobody's files
  Make(root / "out", "new.txt", true);
  EXPECT_FALSE(fs::exists(root / "out/.wildrayzer.tmp-1-0"));
  EXPECT_TRUE(fs::exists(root / "out/.wildrayzer.tmp-2-0/new/views/a.png"));
  ::close(running);
}

// Many files, so that putting them in place is much of the work.
void MakeMany(const fs::path& out, int run) {
  StagedFolder folder(out, true, {});
  for (int i = 0; i < 300; ++i)
    std::ofstream(folder.staging() / (std::to_string(run) + "_" + std::to_string(i)));
  folder.Commit();
}

TEST(StagedFolder, KilledAtAnyMomentItCanBeReplaced) {
  const fs::path root = FreshFolder("output_kill");
  Random random(5);
  for (int round = 0; round < 8; ++round) {
    MakeMany(root / "out", 0);
    const pid_t child = ::fork();
    if (child == 0) {
      MakeMany(root / "out", 1);
      ::pause();
    }
    // Killed when one of the old files has just gone, or one of the new ones just come.
    const bool coming = round % 2 == 1;
    const fs::path awaited = root / "out" / ((coming ? "1_" : "0_") + std::to_string(random.Below(300)));
    while ((::access(awaited.c_str(), F_OK) == 0) != coming) {
      ASSERT_EQ(::waitpid(child, nullptr, WNOHANG), 0) << "it ended on its own";
    }
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    // Whatever is there is listed: nothing counts as somebody else's.
    ASSERT_NO_THROW(StagedFolder(root / "out", true, {})) << "round " << round;
  }
  Make(root / "out", "last", true);
  EXPECT_THAT(Tree(root / "out"), ElementsAre("last", kMarkerName, "views", "views/a.png"));
}

TEST(FolderMarker, NamesWithLineFeedsAreOneLine) {
  const fs::path root = FreshFolder("output_line_feeds");
  Put(root / "a\nthesis.tex", "x");
  Put(root / "a\\nb", "x");
  WriteMarker(root);
  const auto names = ReadMarker(root);
  ASSERT_TRUE(names);
  EXPECT_THAT(*names, ElementsAre("a\\\\nb", "a\\nthesis.tex"));
}

TEST(FolderMarker, RemovesOnlyWhatIsListed) {
  const fs::path root = FreshFolder("output_listed");
  Put(root / "precious.txt", "x");
  Put(root / "out/views/a.png", "x");
  Put(root / "out/b.txt", "x");
  Put(root / "out/views/mine.png", "x");
  // A list that leads out of its folder leads nowhere.
  EXPECT_FALSE(RemoveListed(root / "out", {"views/a.png", "b.txt", "../precious.txt"}));
  EXPECT_THAT(Tree(root), ElementsAre("out", "out/views", "out/views/mine.png", "precious.txt"));
  EXPECT_TRUE(RemoveListed(root / "out", {"views/mine.png"}));
  EXPECT_THAT(Tree(root), ElementsAre("precious.txt"));
}

TEST(CompleteFolder, ReplacesSameNamesAndKeepsOthers) {
  const fs::path root = FreshFolder("output_complete");
  const auto complete = [&](const std::string& text) {
    CompleteFolder(root / "scene", [&](const fs::path& staging) {
      for (const char* name : {"0.png", "1.png"}) WriteFileAtomically(staging / name, text);
    });
  };
  complete("first");
  EXPECT_THAT(Tree(root), ElementsAre("scene", "scene/0.png", "scene/1.png"));
  fs::remove(root / "scene/1.png");
  Put(root / "scene/note.txt", "mine");
  complete("second");
  EXPECT_THAT(Tree(root), ElementsAre("scene", "scene/0.png", "scene/1.png", "scene/note.txt"));
  EXPECT_EQ(ReadText(root / "scene/0.png"), "second");
}

TEST(CheckOwnFolder, KnowsItsOwn) {
  const fs::path root = FreshFolder("output_check");
  const auto check = [&](const char* name) { CheckOwnFolder(root / name, "scores.json", "evaluation"); };
  Put(root / "file", "x");
  Put(root / "foreign/letter.txt", "x");
  Put(root / "own/scores.json", "x");
  fs::create_directories(root / "empty");
  EXPECT_THROW(check("file"), UsageError);
  EXPECT_THROW(check("foreign"), UsageError);
  check("own");
  check("empty");
  check("absent");
  EXPECT_FALSE(fs::exists(root / "absent"));
}

}  // namespace
}  // namespace wildrayzer

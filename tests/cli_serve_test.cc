// `wildrayzer serve` as its page and scripts use it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "serve_program.h"
#include "wildrayzer/io/video.h"
#include "wildrayzer/io/zip.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

Image Decoded(const httplib::Result& result) {
  return DecodeImage(std::as_bytes(std::span(result->body)), "answer");
}

std::vector<std::string> NamesInZip(const std::string& bytes, const fs::path& folder) {
  std::ofstream(folder / "r.zip", std::ios::binary) << bytes;
  const ZipArchive zip(MappedFile::Open(folder / "r.zip"));
  std::vector<std::string> names;
  for (const ZipEntry& entry : zip.entries()) names.push_back(entry.name);
  return names;
}

TEST(Serve, FromPhotosToEverythingThatIsPromised) {
  ServeProgram server("flow");
  const json state = server.State();
  EXPECT_THAT(state["program"].get<std::string>(), HasSubstr("wildrayzer "));
  EXPECT_EQ(state["model"]["frame"], json({64, 64}));
  EXPECT_EQ(state["queue"]["length"], 0);
  EXPECT_TRUE(state["scenes"].empty());

  const std::string id = server.NewScene(3);
  const std::string scene = "/api/scenes/" + id;
  const json ready = server.WaitUntilReady(id);
  ASSERT_EQ(ready["state"], "ready") << ready.dump();
  ASSERT_EQ(ready["photos"].size(), 3u);
  EXPECT_EQ(ready["photos"][0]["name"], "photo0.png");
  EXPECT_EQ(ready["photos"][0]["role"], "input");
  EXPECT_EQ(ready["photos"][0]["camera"]["c2w"].size(), 16u);
  EXPECT_EQ(ready["quick_width"], 64);
  httplib::Client client = server.Client();

  // Pictures of every kind, in the size that is asked for.
  const Image photo = Decoded(client.Get(scene + "/photos/1?size=40"));
  EXPECT_EQ(std::pair(photo.width, photo.height), std::pair(40, 30));
  for (const char* kind : {"/photos/0", "/masks/0", "/clean/0", "/source/0"}) {
    const httplib::Result result = client.Get(scene + kind + "?size=full");
    ASSERT_EQ(result->status, 200) << kind << result->body;
    EXPECT_EQ(std::pair(Decoded(result).width, Decoded(result).height), std::pair(80, 60)) << kind;
  }
  // And of what the clean ones are made.
  const json shares = server.Scene(id)["photos"][0]["shares"];
  EXPECT_NEAR(shares["own"].get<double>() + shares["photos"].get<double>() + shares["rendered"].get<double>(),
              1, 1e-6);
  EXPECT_EQ(ready["source_legend"].size(), 5u);
  EXPECT_EQ(ready["source_legend"][1]["meaning"], "from photo0.png");
  EXPECT_EQ(client.Get(scene + "/photos/3")->status, 404);
  EXPECT_EQ(client.Get(scene + "/source/3")->status, 404);
  EXPECT_EQ(client.Get(scene + "/photos/0?size=3")->status, 400);

  // A view is what Render gives for the camera; the same again is the same.
  const httplib::Result view = client.Post(scene + "/view", ViewRequest(), "application/json");
  ASSERT_EQ(view->status, 200) << view->body;
  EXPECT_EQ(Decoded(view).width, 64);
  EXPECT_EQ(view->get_header_value("X-Revision"), std::to_string(ready["revision"].get<int>()));
  EXPECT_FALSE(view->get_header_value("X-Render-Ms").empty());
  EXPECT_EQ(client.Post(scene + "/view", ViewRequest(), "application/json")->body, view->body);

  // A path becomes a video, whole or in parts.
  json path = {{"cameras", json::array()}, {"fps", 10}, {"fx", 1.2}, {"fy", 1.2}};
  for (int i = 0; i < 3; ++i) path["cameras"].push_back({{"c2w", ready["photos"][i]["camera"]["c2w"]}});
  const httplib::Result begun = client.Post(scene + "/path", path.dump(), "application/json");
  ASSERT_EQ(begun->status, 202) << begun->body;
  server.WaitFor(id, [](const json& now) { return now["paths"][0]["state"] == "ready"; });
  const httplib::Result video = client.Get(scene + "/paths/0");
  ASSERT_EQ(video->status, 200);
  std::ofstream(server.temp() / "v.mp4", std::ios::binary) << video->body;
  EXPECT_EQ(SampleVideo(server.temp() / "v.mp4", 3).images.size(), 3u);
  const httplib::Result part = client.Get(scene + "/paths/0", {{"Range", "bytes=5-14"}});
  EXPECT_EQ(part->status, 206);
  EXPECT_EQ(part->body, video->body.substr(5, 10));
  EXPECT_EQ(client.Get(scene + "/paths/0", {{"Range", "bytes=99999999-"}})->status, 416);
  EXPECT_EQ(client.Get(scene + "/paths/1")->status, 404);

  const httplib::Result zip = client.Get(scene + "/result.zip");
  ASSERT_EQ(zip->status, 200);
  EXPECT_THAT(NamesInZip(zip->body, server.temp()),
              IsSupersetOf({"index.html", "metadata.json", "cameras.json", "clean/photo0.png",
                            "source/photo1.png", "masks/photo2.png", "views/frame_000.png", "transforms.json",
                            "colmap/images.txt", "recordings/path_0.mp4"}));

  EXPECT_EQ(client.Delete(scene)->status, 204);
  EXPECT_EQ(client.Get(scene)->status, 404);
  EXPECT_EQ(server.CountFiles("given"), 0u);

  server.program().Signal(SIGINT);
  const ProgramResult ended = server.program().Wait();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("ssh -L"));
  EXPECT_THAT(Tree(server.temp()), ::testing::Not(Contains(HasSubstr(".tmp-"))));
}

TEST(Serve, APaintedMaskTakesThePlaceOfTheModels) {
  ServeProgram server("paint");
  const std::string id = server.NewScene(2);
  const std::string scene = "/api/scenes/" + id;
  const json before = server.WaitUntilReady(id);
  httplib::Client client = server.Client();
  const std::string view = client.Post(scene + "/view", ViewRequest(), "application/json")->body;

  GrayImage painted(40, 30);  // of another size than the photo
  for (int y = 0; y < 30; ++y) {
    for (int x = 20; x < 40; ++x) painted.At(x, y) = 255;
  }
  const std::vector<std::byte> png = EncodePng(painted);
  const std::string bytes(reinterpret_cast<const char*>(png.data()), png.size());
  ASSERT_EQ(client.Put(scene + "/masks/0", bytes, "image/png")->status, 202);
  const json after = server.WaitUntilReady(id);
  EXPECT_EQ(after["photos"][0]["painted"], true);
  EXPECT_EQ(after["photos"][1]["painted"], false);
  EXPECT_NEAR(after["photos"][0]["masked"].get<double>(), 0.5, 0.02);
  EXPECT_GT(after["revision"], before["revision"]);
  const Image mask = Decoded(client.Get(scene + "/masks/0?size=full"));
  EXPECT_EQ(mask.Pixel(60, 30)[0], 255);
  EXPECT_EQ(mask.Pixel(20, 30)[0], 0);
  EXPECT_NE(client.Post(scene + "/view", ViewRequest(), "application/json")->body, view);

  ASSERT_EQ(client.Delete(scene + "/masks/0")->status, 202);
  EXPECT_EQ(server.WaitUntilReady(id)["photos"][0]["painted"], false);
  EXPECT_EQ(client.Post(scene + "/view", ViewRequest(), "application/json")->body, view);  // as it was
  EXPECT_EQ(client.Put(scene + "/masks/7", bytes, "image/png")->status, 404);
  EXPECT_EQ(client.Put(scene + "/masks/0", "no picture", "image/png")->status, 415);
}

// What is being downloaded stays until it is sent, whatever becomes of the scene.
TEST(Serve, AResultMayBeFetchedWhileMasksArePainted) {
  ServeProgram server("fetched");
  const std::string id = server.NewScene(2);
  const std::string scene = "/api/scenes/" + id;
  server.WaitUntilReady(id);
  const std::string mask = server.Client().Get(scene + "/masks/1")->body;
  for (int i = 0; i < 8; ++i) {
    int status = 0;
    std::thread fetch([&] { status = server.Client().Get(scene + "/result.zip")->status; });
    for (int k = 0; k < 4; ++k) {
      EXPECT_EQ(server.Client().Put(scene + "/masks/0", mask, "image/png")->status, 202);
      std::this_thread::sleep_for(std::chrono::milliseconds(20 * i));
    }
    fetch.join();
    EXPECT_EQ(status, 200);
  }
}

TEST(Serve, AVideoIsASceneToo) {
  ServeProgram server("video");
  VideoWriter video(server.temp() / "in.mp4", 80, 60, 10);
  for (int i = 0; i < 12; ++i) video.Write(TestPicture(80, 60, i));
  video.Commit();
  const std::string id = server.EmptyScene();
  const httplib::Result sent = server.Send(id, "walk.mp4", ReadText(server.temp() / "in.mp4"));
  ASSERT_EQ(sent->status, 201) << sent->body;
  EXPECT_EQ(json::parse(sent->body)["kind"], "video");
  ASSERT_EQ(
      server.Client().Post("/api/scenes/" + id + "/start", "{\"inputs\": 3}", "application/json")->status,
      202);
  const json ready = server.WaitUntilReady(id);
  ASSERT_EQ(ready["state"], "ready") << ready.dump();
  ASSERT_EQ(ready["photos"].size(), 7u);
  EXPECT_EQ(ready["photos"][2]["name"], "frame_000011");
  EXPECT_EQ(ready["photos"][2]["role"], "input");
  EXPECT_EQ(ready["photos"][3]["role"], "target");
}

TEST(Serve, AFileMayBeTakenAwayBeforeTheStart) {
  ServeProgram server("taken_away");
  const std::string id = server.EmptyScene();
  const std::string scene = "/api/scenes/" + id;
  std::vector<std::string> files;
  for (int i = 0; i < 3; ++i) {
    const httplib::Result sent = server.Send(id, "p" + std::to_string(i) + ".png", PictureBytes(80, 60, i));
    ASSERT_EQ(sent->status, 201) << sent->body;
    files.push_back(scene + "/files/" + json::parse(sent->body)["file"].dump());
  }
  httplib::Client client = server.Client();
  // As guarded as all that changes something.
  httplib::Client stranger("127.0.0.1", server.port());
  EXPECT_EQ(stranger.Delete(files[1])->status, 401);
  EXPECT_EQ(client.Delete(files[1], {{"Origin", "http://evil.example"}})->status, 403);
  EXPECT_EQ(client.Get(files[1])->status, 404);  // nothing to read there
  EXPECT_EQ(server.Scene(id)["photos"].size(), 3u);

  EXPECT_EQ(client.Delete(files[1])->status, 204);
  EXPECT_EQ(client.Delete(files[1])->status, 404);
  for (const char* none :
       {"/files/77", "/files/999999999", "/files/9999999999", "/files/-1", "/files/a", "/files/"})
    EXPECT_EQ(client.Delete(scene + none)->status, 404) << none;
  EXPECT_EQ(server.CountFiles("given"), 2u);
  const json photos = server.Scene(id)["photos"];
  ASSERT_EQ(photos.size(), 2u);
  EXPECT_EQ(photos[1]["name"], "p2.png");
  EXPECT_EQ(scene + "/files/" + photos[1]["file"].dump(), files[2]);

  ASSERT_EQ(client.Post(scene + "/start", "{}", "application/json")->status, 202);
  EXPECT_EQ(client.Delete(files[0])->status, 409);
  EXPECT_EQ(server.WaitUntilReady(id)["photos"][1]["name"], "p2.png");
  EXPECT_EQ(client.Delete(files[0])->status, 409);
  EXPECT_EQ(server.CountFiles("given"), 2u);
}

// Scenes wait for each other, and say how long the queue is; what cannot become a scene says why.
TEST(Serve, ScenesWaitForEachOther) {
  ServeProgram server("queue");
  std::vector<std::string> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(server.NewScene(4, 300, 200));
  for (const std::string& id : ids) EXPECT_EQ(server.WaitUntilReady(id)["state"], "ready");
  EXPECT_EQ(server.State()["queue"]["length"], 0);
  EXPECT_EQ(server.State()["scenes"].size(), 4u);

  httplib::Client client = server.Client();
  const std::string empty = server.EmptyScene();
  const httplib::Result refused = client.Post("/api/scenes/" + empty + "/start", "{}", "application/json");
  EXPECT_EQ(refused->status, 400);
  EXPECT_THAT(refused->body, HasSubstr("photos"));
  server.Send(empty, "a.png", PictureBytes(40, 30, 0));
  EXPECT_EQ(client.Post("/api/scenes/" + empty + "/start", "{}", "application/json")->status, 400);
  server.Send(empty, "b.png", PictureBytes(40, 30, 1));
  EXPECT_EQ(client.Post("/api/scenes/" + empty + "/start", "{\"inputs\": 3}", "application/json")->status,
            400);
  for (const char* early : {"/masks/0", "/clean/0", "/result.zip"})
    EXPECT_EQ(client.Get("/api/scenes/" + empty + early)->status, 409) << early;
  EXPECT_EQ(client.Get("/api/scenes/" + empty + "/photos/0")->status, 200);
  EXPECT_EQ(client.Post("/api/scenes/" + empty + "/view", ViewRequest(), "application/json")->status, 409);
  EXPECT_EQ(client.Post("/api/scenes/" + ids[0] + "/start", "{}", "application/json")->status, 409);
  for (int i = 0; i < 3; ++i) server.EmptyScene();
  EXPECT_EQ(client.Post("/api/scenes", "{}", "application/json")->status, 409);  // nine
  EXPECT_EQ(client.Delete("/api/scenes/" + empty)->status, 204);
  server.EmptyScene();
}

TEST(Serve, AnsweredTwiceAlikePhotosAreWarnedOf) {
  ServeProgram server("warn");
  const std::string id = server.EmptyScene();
  for (const char* name : {"a.png", "b.png"}) server.Send(id, name, PictureBytes(80, 60, 1));
  server.Client().Post("/api/scenes/" + id + "/start", "{}", "application/json");
  EXPECT_THAT(server.WaitUntilReady(id)["warnings"].dump(), HasSubstr("b.png: is the same picture as a.png"));
}

TEST(Serve, ResultsAreKeptWhereThatIsAskedFor) {
  const fs::path keep = FreshFolder("serve_kept");
  ServeProgram server("keep", {"--keep", keep.string()});
  const std::string id = server.NewScene(2);
  server.WaitUntilReady(id);
  const fs::path result = keep / ("place_" + id);
  for (int i = 0; i < 500 && !fs::exists(result / "index.html"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  server.program().Signal(SIGTERM);
  EXPECT_EQ(server.program().Wait().exit_code, 0);
  EXPECT_TRUE(fs::exists(result / "clean/photo0.png"));
  EXPECT_TRUE(fs::exists(result / "metadata.json"));
}

TEST(Serve, WhatAKilledServerLeftIsRemovedByTheNext) {
  fs::path temp;
  {
    ServeProgram server("killed");
    server.NewScene(2);
    temp = server.temp();
    server.program().Kill();
    server.program().Wait();
    EXPECT_GT(server.CountFiles("given"), 0u);
  }
  ServeProgram next("killed");
  EXPECT_EQ(next.temp(), temp);
  EXPECT_EQ(next.CountFiles("given"), 0u);
  // A folder of a server that runs stays.
  ServeProgram third("killed");
  EXPECT_EQ(next.NewScene(2).size(), 12u);
  EXPECT_EQ(next.CountFiles("given"), 2u);
}

TEST(Serve, APortThatIsTakenIsOneLine) {
  ServeProgram server("port");
  std::vector<std::string> arguments = {"serve", "--no-browser", "--port", std::to_string(server.port())};
  for (const std::string& argument : TinyModel()) arguments.push_back(argument);
  const ProgramResult second = RunProgram(arguments);
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr("choose another --port"));
}

TEST(Serve, OtherMachinesAreWarnedOf) {
  ServeProgram server("open", {"--host", "0.0.0.0"});
  EXPECT_THAT(server.program().Errors(), HasSubstr("other machines can reach this server"));
  EXPECT_EQ(server.State()["queue"]["length"], 0);
}

}  // namespace
}  // namespace wildrayzer

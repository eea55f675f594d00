#include "wildrayzer/cli/rooms_command.h"

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "wildrayzer/synth/rooms.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/vision/frame_shape.h"

namespace wildrayzer {
namespace {

struct Settings {
  synth::RoomsOptions rooms;
  std::vector<std::string> aspects;
  bool no_shadows = false, no_depth = false, json = false;
};

void AddCounts(CLI::App& command, const std::string& name, synth::SplitCounts& counts,
               const std::string& what) {
  command.add_option("--" + name + "-train", counts.train, what + " for training")->capture_default_str();
  command.add_option("--" + name + "-val", counts.val, what + " for validation")->capture_default_str();
  command.add_option("--" + name + "-test", counts.test, what + " for testing")->capture_default_str();
}

void Run(Settings settings) {
  settings.rooms.mover_shadows = !settings.no_shadows;
  settings.rooms.depth = !settings.no_depth;
  if (!settings.aspects.empty()) settings.rooms.aspects.clear();
  for (const std::string& aspect : settings.aspects) settings.rooms.aspects.push_back(ParseAspect(aspect));
  Progress progress;
  const synth::RoomsReport report = synth::MakeRooms(settings.rooms, progress);
  if (settings.json) {
    const nlohmann::ordered_json json = {{"out", settings.rooms.out.string()},
                                         {"made", report.made},
                                         {"found", report.found},
                                         {"seconds", report.seconds},
                                         {"frame_seconds", report.frame_seconds},
                                         {"models", report.models},
                                         {"built_in", report.built_in}};
    std::printf("%s\n", json.dump(1).c_str());
    return;
  }
  LogInfo("{}: {} made, {} complete before, {:.1f} s; {:.0f} ms a frame", settings.rooms.out.string(),
          report.made, report.found, report.seconds, 1e3 * report.frame_seconds);
}

}  // namespace

void AddRoomsCommand(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "rooms", "Make synthetic indoor scenes with exact cameras, motion masks, depth and clean pairs");
  auto settings = std::make_shared<Settings>();
  synth::RoomsOptions& rooms = settings->rooms;
  command
      ->add_option("--out,-o", rooms.out,
                   "Folder for the data sets; a run that was stopped goes on where it was")
      ->required();
  command->add_option("--seed", rooms.seed, "Everything follows from it")->capture_default_str();
  command->add_option("--size", rooms.size, "Side in pixels of a square of as many")->capture_default_str();
  command
      ->add_option("--aspect", settings->aspects,
                   "Shapes of the frames as WIDTH:HEIGHT, which scenes have in turn (default: 1:1)")
      ->delimiter(',');
  command->add_option("--frames", rooms.frames, "Frames a scene")->capture_default_str();
  command->add_option("--samples", rooms.samples, "Rays a pixel")->capture_default_str();
  AddCounts(*command, "static", rooms.still, "Scenes in which nothing moves (RealEstate10K layout)");
  AddCounts(*command, "dynamic", rooms.dynamic, "Scenes with people and pets that move (D-RE10K layout)");
  command->add_option("--paired", rooms.paired, "Test scenes with clean pairs (D-RE10K-iPhone layout)")
      ->capture_default_str();
  command
      ->add_option("--paired-val", rooms.paired_val,
                   "The same for choosing: other furniture and people than in training and testing")
      ->capture_default_str();
  AddCounts(*command, "cutouts", rooms.cutouts, "People and pets cut out (COCO instances)");
  command->add_option("--models", rooms.models, "Folder of Sweet Home 3D catalogues (*.sh3f)")
      ->capture_default_str();
  command->add_flag("--built-in", rooms.built_in, "Use the built-in models of boxes and capsules");
  command->add_flag("--no-mover-shadows", settings->no_shadows, "What moves throws no shadow on the room");
  command->add_flag("--no-depth", settings->no_depth, "Write no depth maps");
  command->add_option("--threads", rooms.threads, "Scenes made at the same time (default: all cores)")
      ->capture_default_str();
  command->add_flag("--json", settings->json, "Print the summary as JSON on standard output");
  command->footer(
      "Example:\n  wildrayzer rooms --out rooms --static-train 200 --dynamic-train 200 "
      "--paired-val 40 --paired 40");
  command->callback([settings] { Run(*settings); });
}

}  // namespace wildrayzer

// wildrayzer render: the main job.

#include <cstdio>

#include "wildrayzer/cli/default_model_option.h"
#include "wildrayzer/cli/render_each.h"
#include "wildrayzer/cli/render_place.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/system.h"

namespace wildrayzer {
namespace {

void AddOptions(CLI::App& command, RenderOptions& options) {
  command.add_option("photos", options.paths, "Image files, a folder of them, or a video")
      ->required()
      ->type_name("IMAGES|FOLDER|VIDEO");
  command.add_option("--out,-o", options.out, "Folder for the result (must not exist, or be empty)")
      ->required();
  command.add_flag("--overwrite", options.overwrite,
                   "Replace an output folder that this program made (never one with other files in it)");
  command
      .add_option("--inputs", options.inputs,
                  "Photos that the scene is made from, spread over those given (default: all, at most 4)")
      ->check(CLI::Range(2, 64));
  command
      .add_option("--targets", options.targets,
                  "Further photos, kept out of the scene, whose views are rendered for comparison")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  command
      .add_option("--trajectory", options.trajectory,
                  "interpolate, orbit, dolly, or a cameras.json / transforms.json")
      ->type_name("NAME|FILE")
      ->capture_default_str();
  command.add_option("--frames", options.frames, "Views along the trajectory (0: none)")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
  command.add_option("--fps", options.fps, "Frames a second of the video")
      ->check(CLI::Range(1.0, 120.0))
      ->capture_default_str();
  command.add_option("--orbit-degrees", options.orbit_degrees, "Whole angle of an orbit")
      ->check(CLI::Range(0.1, 360.0))
      ->capture_default_str();
  command.add_flag("--loop", options.loop, "Return to the first camera");
  command.add_flag("--no-clean", options.no_clean,
                   "Leave out the photos without what moves (clean/, source/)");
  command
      .add_option("--detail", options.detail,
                  "Views have up to so many times the model's pixels a side, where photos have them and the "
                  "model copies from photos")
      ->check(CLI::Range(1, 8))
      ->capture_default_str();
  command
      .add_option("--threshold", options.threshold,
                  "Patches that move with more than this probability are left out (default: the model's)")
      ->check(CLI::Range(0.0, 1.0));
  command
      .add_option("--masks", options.masks,
                  "Folder of masks of your own, named as the photos: what is white in them moves")
      ->type_name("FOLDER");
  command.add_flag("--invert-masks", options.invert_masks, "What is black in them moves (COLMAP's masks)");
  command
      .add_option("--masks-mode", options.masks_mode,
                  "Whether they take the place of the model's masks or are added to them")
      ->check(CLI::IsMember({"replace", "add"}))
      ->capture_default_str();
  command
      .add_option("--export", options.exports,
                  "Photos, their masks and cameras, and the place without what moves, as nerfstudio (and "
                  "OpenSplat) or colmap read them, repeatable")
      ->check(CLI::IsMember({"nerfstudio", "colmap"}));
  command.add_flag(
      "--each", options.each,
      "FOLDER holds one folder of photos (or video) a place: a result each, one after the other; "
      "started again, it goes on where it was");
  command.add_flag("--json", options.json,
                   "Print the metadata as JSON on standard output; with --each a line a place");
  options.model.AddTo(command);
  command.footer(
      "Without --model the small model that comes with the program is used.\n"
      "Example:\n  wildrayzer render holiday/*.jpg --model wildrayzer_2view.pt --dino dinov3-vit7b16/ --out "
      "result\n"
      "  wildrayzer render walk.mp4 --inputs 4 --trajectory orbit --init random --out trial");
}

}  // namespace

void AddRenderCommand(CLI::App& app) {
  auto options = std::make_shared<RenderOptions>();
  CLI::App* command =
      app.add_subcommand("render", "Clean novel views, masks, cameras and a video from photos");
  AddOptions(*command, *options);
  command->callback([options] {
    KeepFreedMemory();
    UseDefaultModel(options->model);
    if (options->each) {
      RenderEach(*options);
      return;
    }
    PlaceRenderer renderer(*options);
    const PlaceResult result = renderer.Render(options->paths, options->out);
    if (options->json) std::printf("%s\n", result.metadata.dump(2).c_str());
    if (!result.left_out.empty()) throw Error(result.left_out);
  });
}

}  // namespace wildrayzer

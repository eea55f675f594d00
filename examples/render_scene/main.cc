// A complete program on top of the library: photos in, six clean views along a path between the cameras out.
// Usage: render_scene OUTPUT-FOLDER PHOTO PHOTO [PHOTO...]     (a small random model; set source.weights for
// a real one)
#include <wildrayzer/geometry/trajectory.h>
#include <wildrayzer/io/images.h>
#include <wildrayzer/pipeline/reconstructor.h>

#include <cstdio>
#include <exception>

int main(int argc, char** argv) try {
  std::vector<wildrayzer::Image> photos;
  for (int i = 2; i < argc; ++i) photos.push_back(wildrayzer::ReadImage(argv[i]));

  wildrayzer::ModelSource source;
  source.overrides = {"model.transformer.d=192", "model.transformer.encoder_n_layer=2",
                      "model.transformer.encoder_geom_n_layer=2", "model.transformer.decoder_n_layer=2"};
  const wildrayzer::Reconstructor reconstructor(source);
  const wildrayzer::Scene scene = reconstructor.Reconstruct(photos);

  const auto cameras = wildrayzer::InterpolateCameras(scene.cameras, 6);
  const std::vector<wildrayzer::Image> views = reconstructor.Render(scene, cameras);
  std::filesystem::create_directories(argv[1]);
  for (size_t i = 0; i < views.size(); ++i) {
    wildrayzer::WritePng(std::filesystem::path(argv[1]) / (std::to_string(i) + ".png"), views[i]);
  }
  std::printf("%zu views of %d x %d pixels in %s\n", views.size(), scene.width, scene.height, argv[1]);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}

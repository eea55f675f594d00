#include "wildrayzer/pipeline/make_result.h"

#include "wildrayzer/util/atomic_file.h"

namespace wildrayzer {
namespace {

std::vector<CleanPhoto> CleanOf(const Reconstructor& model, const RenderResult& result,
                                const MakeResultOptions& options) {
  std::vector<Image> images;
  for (const Photo& photo : result.photos) images.push_back(photo.image);
  return CleanPhotos(
      images, result.scene, result.rendered, model.FindInInputs(result.scene, result.scene.cameras),
      {.threshold = model.motion_threshold(), .told_masks = options.told_masks}, options.progress);
}

}  // namespace

nlohmann::ordered_json MakeResult(const std::filesystem::path& folder, const Reconstructor& model,
                                  RenderResult& result, const MakeResultOptions& options) {
  if (options.clean) {
    result.rendered = options.render(result.scene.cameras, "rendering the photos' views");
    result.clean = CleanOf(model, result, options);
  }
  result.path_views = options.render(result.path, "rendering the path");
  result.motion_threshold = model.motion_threshold();

  options.progress("writing the result", 0);
  WriteRenderFiles(folder, result, options.exports);
  nlohmann::ordered_json metadata = options.facts();
  DescribeResult(result, metadata);
  WriteFileAtomically(folder / "metadata.json", metadata.dump(2) + "\n");
  WriteRenderPage(folder, result, metadata);
  return metadata;
}

}  // namespace wildrayzer

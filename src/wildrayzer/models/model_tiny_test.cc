// The small static model against its golden vectors: every intermediate tensor, gradients, and the camera
// heads. Runs on the vectors in tests/data and on every further case in the golden folder.
#include <gtest/gtest.h>

#include "wildrayzer/geometry/camera_tensors.h"
#include "wildrayzer/geometry/trajectory.h"
#include "wildrayzer/models/testing/golden_model.h"
#include "wildrayzer/models/weights.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer::testing {
namespace {

namespace fs = std::filesystem;

// Folders with golden vectors: ours, and the golden folder if there is one.
std::vector<fs::path> Folders() {
  std::vector<fs::path> folders{"tests/data"};
  if (HaveGolden()) folders.push_back(GoldenDir());
  return folders;
}

std::vector<fs::path> FilesIn(const fs::path& folder, const std::string& prefix, bool gradients) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const bool is_gradients = name.find("_grads") != std::string::npos;
    if (name.starts_with(prefix) && name.ends_with(".safetensors") && is_gradients == gradients) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(TinyModel, EveryTensorMatches) {
  const torch::NoGradGuard no_grad;
  int cases = 0;
  for (const fs::path& folder : Folders()) {
    for (const fs::path& path : FilesIn(folder, "rayzer_tiny", /*gradients=*/false)) {
      SCOPED_TRACE(path.string());
      const ModelCase test_case(path);
      WildRayZer model = GoldenModel(test_case.config, test_case.manifest);
      const torch::Tensor images = test_case.Images();
      const double worst = RunCase(test_case, model, images).Compare(test_case.file, {"video/"});
      std::cout << path << ": worst relative error " << worst << "\n";
      ++cases;
    }
  }
  EXPECT_GE(cases, 1);
}

TEST(TinyModel, GradientsMatch) {
  int cases = 0;
  for (const fs::path& folder : Folders()) {
    for (const fs::path& path : FilesIn(folder, "rayzer_tiny", /*gradients=*/true)) {
      SCOPED_TRACE(path.string());
      std::string stem = path.stem().string();
      stem.erase(stem.find("_grads"), 6);
      const ModelCase test_case(folder / (stem + ".safetensors"));
      WildRayZer model = GoldenModel(test_case.config, test_case.manifest);
      const torch::Tensor images = test_case.Images();
      const Prediction result = Predict(model, images, test_case.inputs);
      const torch::Tensor loss = torch::mse_loss(result.images, images.slice(1, test_case.inputs));
      loss.backward();

      const GoldenFile golden(path);
      EXPECT_NEAR(loss.item<double>(), golden.Get("loss").item<double>(), 1e-5 * loss.item<double>());
      int compared = 0;
      for (const auto& parameter : model->named_parameters()) {
        const torch::Tensor gradient = parameter.value().grad();
        ASSERT_TRUE(gradient.defined()) << parameter.key();
        const double norm = golden.Get("norm/" + parameter.key()).item<double>();
        if (norm < 1e-9) {
          EXPECT_LT(gradient.norm().item<double>(), 2e-9) << parameter.key();
          continue;
        }
        EXPECT_NEAR(gradient.norm().item<double>() / norm, 1.0, 1e-4) << parameter.key();
        if (golden.Has("grad/" + parameter.key())) {
          EXPECT_LE(RelativeError(gradient, golden.Get("grad/" + parameter.key())), 1e-4) << parameter.key();
          ++compared;
        }
      }
      EXPECT_EQ(compared, static_cast<int>(golden.NamesWithPrefix("grad/").size()));
      ++cases;
    }
  }
  EXPECT_GE(cases, 1);
}

TEST(TinyModel, VideoFramesMatch) {
  const torch::NoGradGuard no_grad;
  int cases = 0;
  for (const fs::path& folder : Folders()) {
    for (const fs::path& path : FilesIn(folder, "rayzer_tiny", /*gradients=*/false)) {
      SCOPED_TRACE(path.string());
      const ModelCase test_case(path);
      if (!test_case.file.Has("video/frames")) continue;
      const torch::Tensor index = test_case.file.Get("video/frame_index");
      WildRayZer model = GoldenModel(test_case.config, test_case.manifest);
      const Prediction result = Predict(model, test_case.Images(), test_case.inputs);
      const Cameras targets = result.cameras.Views(test_case.inputs, test_case.views - test_case.inputs);
      const std::vector<Camera> keys = CamerasFromTensors(targets.c2w[0], targets.fxfycxcy[0]);
      const int64_t frames = test_case.file.Get("video/num_frames").item<int64_t>();
      const auto steps = static_cast<int>(frames / static_cast<int64_t>(keys.size() - 1));
      const CameraTensors path_cameras = CamerasToTensors(InterpolatePairs(keys, steps));
      ASSERT_EQ(path_cameras.c2w.size(0), frames);
      const Cameras shown = Cameras::Given(path_cameras.c2w.index_select(0, index).unsqueeze(0),
                                           path_cameras.fxfycxcy.index_select(0, index).unsqueeze(0));
      const torch::Tensor images =
          model->Render(result.scene.memory, shown, test_case.height, test_case.width);
      EXPECT_LE(RelativeError(images[0], test_case.file.Get("video/frames")), 1e-4);
      ++cases;
    }
  }
  EXPECT_GE(cases, 1);
}

TEST(TinyModel, TrainingCheckpointMatches) {
  WRZ_NEED_GOLDEN();
  const torch::NoGradGuard no_grad;
  for (const fs::path& path : GoldenFiles("tiny_checkpoint")) {
    SCOPED_TRACE(path.string());
    const GoldenFile golden(path);
    std::string name = path.filename().string();
    name.erase(name.find('.'));
    const Checkpoint checkpoint = Checkpoint::Open(path.parent_path() / (name + ".pt"));
    // Its input, and the option that its shapes cannot tell, are those of the small model's own vectors.
    const std::vector<fs::path> siblings = FilesIn(path.parent_path(), "rayzer_tiny", false);
    ASSERT_FALSE(siblings.empty());
    const ModelCase sibling(siblings.front());
    ModelConfig config = ConfigOfCheckpoint(checkpoint);
    config.canonical = sibling.config.canonical;
    WildRayZer model(config);
    const LoadReport report = LoadWeights(*model, checkpoint);
    EXPECT_TRUE(report.missing.empty());
    EXPECT_TRUE(report.unexpected.empty());

    const torch::Tensor images = sibling.Images();
    const int64_t targets = golden.Shape("forward/render")[0];
    const Prediction result = Predict(model, images, images.size(1) - targets);
    EXPECT_LE(RelativeError(result.cameras.camera_info[0], golden.Get("forward/cam_info")), 1e-4);
    EXPECT_LE(RelativeError(result.images[0], golden.Get("forward/render")), 1e-4);
  }
}

TEST(CameraHead, EveryRepresentationAndCanonicalViewMatches) {
  const torch::NoGradGuard no_grad;
  int cases = 0;
  for (const fs::path& folder : Folders()) {
    for (const char* prefix : {"pose_head", "geometry"}) {
      for (const fs::path& path : FilesIn(folder, prefix, false)) {
        const GoldenFile file(path);
        if (!file.Has("pose_head/in")) continue;
        SCOPED_TRACE(path.string());
        const std::vector<ManifestEntry> manifest = ReadManifest(folder / "pose_head.weights.json");
        const torch::Tensor tokens = file.Get("pose_head/in");
        for (const std::string& name : file.NamesWithPrefix("pose_head/")) {
          if (!name.ends_with("/cam_info")) continue;
          const bool quaternion = name.find("quat") != std::string::npos;
          const bool middle = name.find("middle") != std::string::npos;
          CameraHead head(tokens.size(1),
                          quaternion ? PoseRepresentation::kQuaternion : PoseRepresentation::kRotation6d,
                          middle ? CanonicalView::kMiddle : CanonicalView::kFirst, FocalLength::kPublished);
          std::vector<ManifestEntry> weights;
          const std::string key = quaternion ? "pose_quat/" : "pose_6d/";
          for (ManifestEntry entry : manifest) {
            if (!entry.name.starts_with(key)) continue;
            entry.name.erase(0, key.size());
            weights.push_back(entry);
          }
          FillFromManifest(*head, weights);
          const torch::Tensor golden = file.Get(name);
          // Two samples; the number of views follows.
          const torch::Tensor info = head->forward(tokens.view({2, -1, tokens.size(1)}), 256, 256);
          EXPECT_LE((info.flatten(0, 1) - golden).abs().max().item<double>(), 1e-5) << name;
          ++cases;
        }
      }
    }
  }
  EXPECT_GE(cases, 4);
}

}  // namespace
}  // namespace wildrayzer::testing

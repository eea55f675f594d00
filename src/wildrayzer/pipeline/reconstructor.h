// The public API: photos in; cameras, motion masks, a scene and clean novel views out.
//
//   wildrayzer::Reconstructor reconstructor(source);
//   wildrayzer::Scene scene = reconstructor.Reconstruct(photos);
//   std::vector<wildrayzer::Image> views = reconstructor.Render(scene, cameras);
//
// No LibTorch header is needed to use it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/geometry/camera.h"
#include "wildrayzer/io/images.h"
#include "wildrayzer/vision/framing.h"

namespace wildrayzer {

// Arithmetic of the transformer's matrix products. Norms, softmax and all geometry are always fp32.
// kAuto: bf16 where the device multiplies it natively (GPUs since Ampere; AVX512-BF16 or AMX), fp32
// elsewhere; matrices that a file has in int8 stay so on a processor. kInt8: 8-bit integers in the blocks of
// transformers, for processors (docs/quantization.md).
enum class PrecisionChoice { kAuto, kFp32, kBf16, kInt8 };
// Of "auto", "fp32", "bf16" and "int8"; UsageError for any other name.
PrecisionChoice PrecisionFromName(const std::string& name);

// What part of a photo the model sees: kCrop, the middle in the shape that the model was made for; kWhole,
// all of it (but for up to 4 % where whole patches do not fit), in a frame of the photos' shape and of about
// as many patches. kByModel: kWhole if training showed the model frames of any shape (model.any_shape).
enum class FrameChoice { kByModel, kCrop, kWhole };
// Of "auto" (kByModel), "crop" and "whole"; UsageError for any other name.
FrameChoice FrameFromName(const std::string& name);

// Which model to run. Empty paths mean "not given".
struct ModelSource {
  // Checkpoint (.pt, .pth, .safetensors or a folder of safetensors). Empty: random weights from `seed`.
  std::filesystem::path weights;
  // The release's YAML. Empty: sizes are read off the checkpoint, or the released full size for random
  // weights.
  std::filesystem::path config;
  std::vector<std::string>
      overrides;  // "model.motion.threshold=0.2", applied to whichever configuration is used
  // DINOv3: a Hugging Face folder or Meta's .pth. Empty with random weights: a random ViT-S/16.
  std::filesystem::path dino;
  // False: plain RayZer. Nothing is masked, DINOv3 is not needed.
  bool use_motion = true;
  // Without motion: load DINOv3 all the same when it is given, for Reconstructor::Features.
  bool dino_features = false;
  PrecisionChoice precision = PrecisionChoice::kAuto;
  FrameChoice frame = FrameChoice::kByModel;
  // "auto" (a GPU where the build and the machine have one), "cpu", "cuda" or "cuda:N".
  std::string device = "auto";
  uint64_t seed = 0;
};

// Motion of one photo.
struct MotionMask {
  // Probability that a pixel moves, in [0, 1], row-major, height x width of the model's frame.
  int width = 0;
  int height = 0;
  std::vector<float> probability;
  // Share of patches that were left out of the scene, in [0, 1].
  double masked_patches = 0;
};

// Whether given masks take the place of the model's, or what either says moves does.
enum class MaskMode { kReplace, kAdd };

// A place, encoded once; any number of cameras may be rendered from it. Cheap to copy; immutable.
struct Scene {
  // One per photo, inputs first and held-out photos after them. Camera-to-world, OpenCV axes; the first
  // input's camera is the model's canonical one; lengths are in the model's own unit (no metric scale).
  std::vector<Camera> cameras;
  // One per photo, as they were used; empty when the model has no motion estimator (or it was switched off)
  // and none was given.
  std::vector<MotionMask> masks;
  // How each photo was resized and cropped to the model's frame.
  std::vector<Framing> framings;
  int num_inputs = 0;
  // Points of what the inputs show, in the world, where the model tells depths (model.copy_inputs); about
  // what moves they are guessed from those about it.
  std::vector<std::array<float, 3>> points;
  // Size in pixels of what Render returns: `detail` times that of the model's frame.
  int width = 0;
  int height = 0;
  int detail = 1;
  int frame_width() const { return width / detail; }
  int frame_height() const { return height / detail; }

  struct State;  // the scene tokens
  std::shared_ptr<const State> state;
};

// Where what a camera sees appears in the inputs of a scene, for every pixel of the model's frame.
struct InputPlaces {
  int width = 0;  // of the model's frame
  int height = 0;
  int inputs = 0;
  // [inputs, height, width], row-major: the place in the input's frame, in units of its width and height; in
  // (0, 1) where the input shows it. Smooth, and no more exact than the model's matches.
  std::vector<float> x, y;
  // [height, width] in [0, 1]: whether points of known depth are near; elsewhere places are guessed.
  std::vector<float> support;
};

// Semantic features of photos, one vector a patch, patches row-major.
struct PatchFeatures {
  int views = 0;
  int rows = 0;  // of the patch grid
  int columns = 0;
  int64_t channels = 0;
  std::vector<float> values;  // [views, rows * columns, channels]

  std::span<const float> View(size_t view) const {
    const size_t size = static_cast<size_t>(rows) * columns * channels;
    return std::span(values).subspan(view * size, size);
  }
};

// Called with the name of a stage when it begins and the number of its parts (0: unknown), then with an empty
// name for every part that is done. Exceptions thrown from it abort the work and pass through.
using ProgressCallback = std::function<void(const std::string& stage, int parts)>;

class Reconstructor {
 public:
  // Loads the model and, when motion is used, DINOv3. Raises FileError or UsageError with the remedy.
  explicit Reconstructor(const ModelSource& source, const ProgressCallback& progress = {});
  ~Reconstructor();
  Reconstructor(Reconstructor&&) noexcept;
  Reconstructor& operator=(Reconstructor&&) noexcept;

  // Estimates cameras and motion of all photos together and encodes the static place seen by the inputs: all
  // photos but the last `num_held_out`, whose cameras and masks are estimated too but whose pixels the scene
  // never sees. Needs at least two inputs (UsageError); photos may differ in size.
  // given_masks: of the photos in order, for as many as there are; each covers the whole photo, in any size
  // (UsageError for more masks than photos or another number of values), or is empty, which means the model's
  // own. They are used as `mode` says; also works without a motion estimator.
  // most_detail: how many times as many pixels a side views may have as the model's frame, where inputs have
  // as many and the model copies from them (model.copy_inputs); at least 1 (UsageError).
  Scene Reconstruct(std::span<const Image> photos, int num_held_out = 0,
                    const ProgressCallback& progress = {}, std::span<const MotionMask> given_masks = {},
                    int most_detail = 1, MaskMode mode = MaskMode::kReplace) const;

  // Motion masks (and cameras) alone: nothing is encoded, Render must not be called on the result.
  Scene EstimateMotion(std::span<const Image> photos, const ProgressCallback& progress = {}) const;

  // One image of scene.width x scene.height per camera: one renderer pass each, nothing of the scene is
  // recomputed.
  // quick: of the model's own size, without the detail that the photos have beyond it.
  std::vector<Image> Render(const Scene& scene, std::span<const Camera> cameras,
                            const ProgressCallback& progress = {}, bool quick = false) const;

  // Where what these cameras see appears in the inputs, one result a camera; none at all when the model tells
  // no depths (scene.points is empty then).
  std::vector<InputPlaces> FindInInputs(const Scene& scene, std::span<const Camera> cameras) const;

  // Features of photos that are looked at together: DINOv3's when it is loaded (each photo on its own), else
  // the camera estimator's own image tokens after model.motion.feature_layer of its blocks.
  PatchFeatures Features(std::span<const Image> photos, const ProgressCallback& progress = {}) const;

  // The model's frame in pixels.
  int frame_width() const;
  int frame_height() const;
  // True when masks are estimated.
  bool has_motion() const;
  // Facts for metadata: "fp32" or "bf16"; parameters of the model without DINOv3; SHA-256 over names, shapes
  // and values of the weights in use, the same for every container format (computed on demand: reads every
  // weight once).
  std::string precision() const;
  // "cpu" or "cuda:0", and what the processor or card calls itself.
  std::string device() const;
  std::string device_name() const;
  // The most GPU memory that was in use; 0 on the CPU.
  uint64_t peak_device_bytes() const;
  int64_t num_parameters() const;
  std::string weights_hash() const;
  // The complete configuration in effect, as YAML.
  std::string config_yaml() const;
  // For instance "vits16, random weights" or "vit7b16 from FOLDER"; empty when DINOv3 is not loaded.
  std::string dino_name() const;
  double motion_threshold() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace wildrayzer

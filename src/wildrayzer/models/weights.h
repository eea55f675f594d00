// Weights into a model: from a checkpoint under the release's names, or random.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wildrayzer/io/checkpoint.h"
#include "wildrayzer/models/model_config.h"
#include "wildrayzer/models/wildrayzer.h"
#include "wildrayzer/nn/module.h"

namespace wildrayzer {

// Precision of the matrix products. kBf16 stores the matrices of linear layers in bfloat16, apart from those
// of the camera head; norms, biases, learned codes, convolutions, cameras and rays stay float32. kInt8 stores
// the matrices of transformer blocks (models/int8_weights.h) in 8 bits, everything else in float32; it is the
// processor's.
enum class Precision { kFp32, kBf16, kInt8 };
// "fp32", "bf16", "int8".
const char* PrecisionName(Precision precision);

struct LoadOptions {
  Precision precision = Precision::kFp32;
  // Matrices that the file has in int8 stay so, whatever `precision`.
  bool keep_int8 = false;
  torch::Device device = torch::kCPU;
  // Copies every tensor, so that it can be trained; otherwise tensors that already have the right type stay
  // in the read-only mapping of the file.
  bool writable = false;
  // False: parameters that the file lacks keep their values (initialise them first), with one warning.
  bool require_all = true;
};

// What LoadWeights met; names are the model's.
struct LoadReport {
  std::vector<std::string> missing;     // the model has them, the file has not
  std::vector<std::string> unexpected;  // the file has them, the model has not
};

// Fills the parameters and buffers of `model` by name. What training tools put around the names is dropped
// ("module.", "_orig_mod.", see WithoutToolNames), and so is whatever stands in front of all names of a model
// that was part of a larger one ("model.", "ema_model."; of several models one with no prefix is used, else
// one whose prefix says that its weights are averaged, with a warning); `loss_computer.*`,
// `dinov3_pseudolabel_maker.*` and (in our own training checkpoints) `training.*` are training aids and
// skipped; so are the tensors of the motion estimator when the model has none. noise_token missing (as in the
// released file): the same truncated normal values every time, with a warning.
// motion_mask_predictor.head.2.bias missing (stage 2): zero. Raises FileError naming the tensor when one is
// missing (see require_all), has another shape (both are given), is no floating-point tensor, or holds a NaN
// or an infinity. Unexpected tensors are one warning.
LoadReport LoadWeights(torch::nn::Module& model, const Checkpoint& checkpoint,
                       const LoadOptions& options = {});

// What LoadWeights would meet, without reading any data.
LoadReport CompareNames(const torch::nn::Module& model, const Checkpoint& checkpoint);

// Shapes of the checkpoint's model tensors under the model's names.
TensorShapes ModelTensorShapes(const Checkpoint& checkpoint);

// The names under which the checkpoint itself has them.
std::vector<std::string> StoredModelNames(const Checkpoint& checkpoint);

// The configuration that belongs to a checkpoint: the one written into it by us (metadata
// `wildrayzer.config`), else GuessFromCheckpoint.
ModelConfig ConfigOfCheckpoint(const Checkpoint& checkpoint);
inline constexpr char kConfigMetadataKey[] = "wildrayzer.config";

// Casts the parameters of a model in memory to the types that `precision` asks for. Matrices in int8 leave it
// unless they are to be in int8 or to stay (`keep_int8`).
void CastWeights(torch::nn::Module& model, Precision precision, bool keep_int8 = false);

// Whether a matrix of the model is in int8.
bool HoldsInt8(const torch::nn::Module& model);

// Random weights of method.md section 2: matrices N(0, 0.02^2), in block i of a stack with std 0.02 / sqrt(2
// (i + 1)) (see ModelConfig::special_init), biases 0, norm weights 1, learned codes truncated normal with std
// 0.02. Convolutions, of which the method says nothing: variance 1 / (3 fan_in), which is LibTorch's default.
// The values depend on (seed, name, shape) only.
void RandomInit(WildRayZer& model, uint64_t seed);

}  // namespace wildrayzer

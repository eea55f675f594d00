#include "wildrayzer/models/dinov3_weights.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <vector>

#include "wildrayzer/models/int8_weights.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

// Files larger than this are not searched for NaN at loading, which would read all of them; PatchFeatures
// still checks its result.
constexpr int64_t kMaxCheckedBytes = int64_t{4} << 30;

std::vector<int64_t> SourceShape(const Checkpoint& checkpoint, const Dinov3Source& source) {
  std::vector<int64_t> shape = checkpoint.Entry(source.name).shape;
  if (source.parts > 1) {
    if (shape.empty() || shape[0] % source.parts != 0) {
      throw FileError(checkpoint.path(),
                      "tensor '" + source.name + "' is not made of three equal parts (q, k, v)");
    }
    shape[0] /= source.parts;
  }
  return shape;
}

// Reads sizes off shapes; every failure is one line naming the file.
class ShapeReader {
 public:
  ShapeReader(const Checkpoint& checkpoint, const Dinov3Names& names)
      : checkpoint_(checkpoint), names_(names) {}

  bool Has(const std::string& name) const { return names_.sources.contains(name); }

  int64_t Size(const std::string& name, size_t rank, size_t dimension) const {
    const auto found = names_.sources.find(name);
    if (found == names_.sources.end()) {
      throw FileError(checkpoint_.path(), "is not a DINOv3 ViT: the tensor '" + name + "' is missing");
    }
    const std::vector<int64_t> shape = SourceShape(checkpoint_, found->second);
    if (shape.size() != rank) {
      throw FileError(checkpoint_.path(), "tensor '" + found->second.name + "' has " +
                                              std::to_string(shape.size()) + " dimensions instead of " +
                                              std::to_string(rank));
    }
    return shape[dimension];
  }

  // One more than the largest block index.
  int64_t Layers() const {
    int64_t layers = 0;
    for (const auto& [name, source] : names_.sources) {
      if (name.rfind("layer.", 0) != 0) continue;
      char* end = nullptr;
      const long index = std::strtol(name.c_str() + 6, &end, 10);
      if (*end == '.' && index >= 0 && index < 100000) layers = std::max<int64_t>(layers, index + 1);
    }
    return layers;
  }

 private:
  const Checkpoint& checkpoint_;
  const Dinov3Names& names_;
};

int64_t GuessHeadSize(const Checkpoint& checkpoint, const Dinov3Names& names, int64_t width) {
  if (names.meta && checkpoint.Has("rope_embed.periods")) {
    const auto& shape = checkpoint.Entry("rope_embed.periods").shape;
    if (shape.size() == 1 && shape[0] >= 1 && shape[0] <= width) return 4 * shape[0];
  }
  for (const std::string& variant : Dinov3Config::VariantNames()) {
    const Dinov3Config known = Dinov3Config::Variant(variant);
    if (known.width == width) return known.head_size();
  }
  return 64;
}

// Tells the kernel that these pages of the file will not be needed soon. Harmless for memory that is not a
// file's.
void ReleasePages(const torch::Tensor& tensor) {
#if defined(MADV_PAGEOUT)
  const uintptr_t page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(tensor.data_ptr()) + page - 1) / page * page;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(tensor.data_ptr()) + tensor.nbytes()) / page * page;
  if (end > begin) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_PAGEOUT);
#endif
}

// The parameter's values, of the wanted type and on the wanted device, without a copy where the file has them
// so.
torch::Tensor Fetch(const Checkpoint& checkpoint, const Dinov3Source& source, torch::IntArrayRef shape,
                    const torch::TensorOptions& wanted) {
  torch::Tensor stored = checkpoint.Get(source.name);
  if (!stored.is_floating_point()) {
    throw FileError(checkpoint.path(), "tensor '" + source.name + "' does not hold floating-point numbers");
  }
  const std::vector<int64_t> found = SourceShape(checkpoint, source);
  torch::Tensor values = stored;
  if (source.parts > 1) values = stored.narrow(0, source.part * found[0], found[0]);
  const int64_t wanted_numel = c10::multiply_integers(shape);
  // The original release lacks a leading axis of the mask token.
  const bool lacks_axis = found.size() + 1 == shape.size() && shape[0] == 1 &&
                          values.numel() == wanted_numel &&
                          std::equal(found.begin(), found.end(), shape.begin() + 1);
  if (torch::IntArrayRef(found) != shape && !lacks_axis) {
    throw FileError(checkpoint.path(), "tensor '" + source.name + "' gives shape " + ShapeText(found) +
                                           " instead of " + ShapeText(shape));
  }
  values = values.view(shape);
  const torch::Tensor converted = values.to(wanted);
  if (converted.is_same(values)) return values;
  ReleasePages(values);
  return converted;
}

void CheckNames(const Checkpoint& checkpoint, const Dinov3Names& names,
                const torch::OrderedDict<std::string, torch::Tensor>& parameters) {
  for (const auto& parameter : parameters) {
    if (!names.sources.contains(parameter.key())) {
      throw FileError(checkpoint.path(), "the tensor '" + parameter.key() + "' of DINOv3 is missing");
    }
  }
  for (const auto& [name, source] : names.sources) {
    if (!parameters.contains(name)) {
      throw FileError(checkpoint.path(),
                      "has an unexpected tensor '" + source.name + "' for this size of DINOv3");
    }
  }
}

void CheckFinite(const Checkpoint& checkpoint, const Dinov3Names& names) {
  std::vector<std::string> used;
  int64_t bytes = 0;
  for (const auto& [name, source] : names.sources) {
    if (source.part != 0) continue;
    const TensorEntry& entry = checkpoint.Entry(source.name);
    bytes += entry.numel() * static_cast<int64_t>(DTypeSize(entry.dtype));
    used.push_back(source.name);
  }
  if (bytes <= kMaxCheckedBytes) checkpoint.CheckFinite(used);
}

// The config.json that belongs to the weights at `path`, if there is one.
std::optional<fs::path> FindConfig(const fs::path& path) {
  const fs::path folder = fs::is_directory(path) ? path : path.parent_path();
  if (!fs::is_directory(path) && path.filename() != "model.safetensors") return std::nullopt;
  const fs::path config = folder / "config.json";
  return fs::exists(config) ? std::optional(config) : std::nullopt;
}

torch::TensorOptions Wanted(const torch::Tensor& parameter, const Dinov3LoadOptions& options) {
  const bool matrix = parameter.dim() == 2 || parameter.dim() == 4;
  const bool rounded = matrix && options.dtype != torch::kInt8;  // to int8 later, in its layer
  return torch::TensorOptions(options.device).dtype(rounded ? options.dtype : torch::kFloat32);
}

// The layer's matrix as the file has it in int8.
void FetchInt8(const Checkpoint& checkpoint, const Dinov3Source& source, LinearImpl* linear,
               torch::IntArrayRef shape) {
  const std::vector<int64_t> found = SourceShape(checkpoint, source);
  if (linear == nullptr || torch::IntArrayRef(found) != shape) {
    throw FileError(checkpoint.path(), "tensor '" + source.name + "' in int8 gives shape " +
                                           ShapeText(found) + " instead of " + ShapeText(shape) +
                                           ", or is no matrix of a block");
  }
  linear->UseInt8(Int8MatrixOf(checkpoint, source.name, source.part, source.parts));
}

}  // namespace

Dinov3 RandomDinov3(const Dinov3Config& config, uint64_t seed, const Dinov3LoadOptions& options) {
  Dinov3Config chosen = config;
  chosen.bf16_periods = options.bf16_periods;
  Dinov3 model(chosen);
  model->InitializeRandom(seed);
  for (torch::Tensor parameter : model->parameters()) {
    parameter.set_data(parameter.to(Wanted(parameter, options)));
  }
  if (options.dtype == torch::kInt8) {
    for (const auto& [name, linear] : BlockLinears(*model)) linear->RoundToInt8();
  }
  return model;
}

bool IsDinov3(const Checkpoint& checkpoint) {
  const auto has = [&](const std::string& name) {
    return checkpoint.Has(name) || checkpoint.Has("dinov3_vit." + name);
  };
  return has("embeddings.register_tokens") || has("storage_tokens");
}

Dinov3Config GuessDinov3Config(const Checkpoint& checkpoint, const Dinov3Names& names) {
  const ShapeReader shapes(checkpoint, names);
  Dinov3Config config;
  config.width = shapes.Size("embeddings.patch_embeddings.weight", 4, 0);
  config.patch = shapes.Size("embeddings.patch_embeddings.weight", 4, 2);
  config.registers = shapes.Size("embeddings.register_tokens", 3, 1);
  config.layers = shapes.Layers();
  for (int64_t i = 0; i < config.layers; ++i)
    shapes.Size("layer." + std::to_string(i) + ".norm1.weight", 1, 0);
  config.hidden = shapes.Size("layer.0.mlp.up_proj.weight", 2, 0);
  config.gated = config.silu = shapes.Has("layer.0.mlp.gate_proj.weight");
  config.query_bias = shapes.Has("layer.0.attention.q_proj.bias");
  config.key_bias = shapes.Has("layer.0.attention.k_proj.bias");
  config.value_bias = shapes.Has("layer.0.attention.v_proj.bias");
  config.output_bias = shapes.Has("layer.0.attention.o_proj.bias");
  config.mlp_bias = shapes.Has("layer.0.mlp.up_proj.bias");
  config.heads = config.width / GuessHeadSize(checkpoint, names, config.width);
  config.Validate(checkpoint.path());
  return config;
}

Dinov3 LoadDinov3(const Checkpoint& checkpoint, const Dinov3Config& config,
                  const Dinov3LoadOptions& options) {
  const Dinov3Names names = MapDinov3Names(checkpoint.path(), checkpoint.names());
  Dinov3Config chosen = config;
  chosen.bf16_periods = options.bf16_periods;
  // The shapes in the file bound the sizes, so that a hostile config.json cannot make the constructor
  // allocate without limit.
  const Dinov3Config guess = GuessDinov3Config(checkpoint, names);
  if (guess.width != chosen.width || guess.layers != chosen.layers || guess.hidden != chosen.hidden ||
      guess.registers != chosen.registers || guess.patch != chosen.patch) {
    throw FileError(checkpoint.path(), "does not have the sizes of its configuration (" +
                                           std::to_string(chosen.layers) + " layers of width " +
                                           std::to_string(chosen.width) + ")");
  }
  CheckFinite(checkpoint, names);
  Dinov3 model(chosen);
  const auto parameters = model->named_parameters();
  CheckNames(checkpoint, names, parameters);
  const std::map<std::string, LinearImpl*> linears = BlockLinears(*model);
  for (const auto& item : parameters) {
    torch::Tensor parameter = item.value();
    const Dinov3Source& source = names.sources.at(item.key());
    const auto found = linears.find(item.key());
    LinearImpl* linear = found == linears.end() ? nullptr : found->second;
    const torch::TensorOptions wanted = Wanted(parameter, options);
    if (checkpoint.Entry(source.name).dtype == DType::kI8) {
      FetchInt8(checkpoint, source, linear, parameter.sizes());
      if (options.dtype == torch::kInt8 || options.keep_int8) continue;
      linear->LeaveInt8();
      parameter.set_data(parameter.to(wanted));
      continue;
    }
    parameter.set_data(Fetch(checkpoint, source, parameter.sizes(), wanted));
    if (options.dtype != torch::kInt8 || linear == nullptr) continue;
    const torch::Tensor exact = parameter.detach();
    linear->RoundToInt8();
    ReleasePages(exact);
  }
  return model;
}

Dinov3 LoadDinov3(const fs::path& path, const Dinov3LoadOptions& options) {
  if (!fs::exists(path)) {
    throw FileError(
        path.string(),
        "DINOv3 weights are not here: download facebook/dinov3-vit7b16-pretrain-lvd1689m (or the size that "
        "your checkpoint was trained with) from huggingface.co into this folder, or name the Meta .pth file");
  }
  const Checkpoint checkpoint = Checkpoint::Open(path);
  if (const std::optional<fs::path> config = FindConfig(path)) {
    return LoadDinov3(checkpoint, Dinov3Config::FromJsonFile(config->string()), options);
  }
  const Dinov3Names names = MapDinov3Names(checkpoint.path(), checkpoint.names());
  return LoadDinov3(checkpoint, GuessDinov3Config(checkpoint, names), options);
}

}  // namespace wildrayzer

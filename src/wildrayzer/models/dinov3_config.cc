#include "wildrayzer/models/dinov3_config.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using nlohmann::json;

// Larger numbers than any vision transformer has; they keep products of sizes far from overflow.
constexpr int64_t kMaxWidth = 1 << 16;
constexpr int64_t kMaxLayers = 1024;
constexpr uintmax_t kMaxJsonBytes = 1 << 20;

Dinov3Config Plain(int64_t width, int64_t layers, int64_t heads) {
  Dinov3Config config;
  config.width = width;
  config.layers = layers;
  config.heads = heads;
  config.hidden = 4 * width;
  return config;
}

Dinov3Config Gated(int64_t width, int64_t layers, int64_t heads, int64_t hidden) {
  Dinov3Config config = Plain(width, layers, heads);
  config.hidden = hidden;
  config.gated = true;
  config.silu = true;
  return config;
}

template <typename T>
T Field(const json& object, const std::string& path, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) throw FileError(path, std::string("the field \"") + name + "\" is missing");
  try {
    if constexpr (std::is_same_v<T, int64_t>) {
      if (!found->is_number_integer())
        throw FileError(path, std::string("\"") + name + "\" is not an integer");
    }
    return found->get<T>();
  } catch (const json::exception&) {
    throw FileError(path, std::string("the field \"") + name + "\" has the wrong type");
  }
}

template <typename T>
T FieldOr(const json& object, const std::string& path, const char* name, T fallback) {
  return object.contains(name) ? Field<T>(object, path, name) : fallback;
}

json ReadJsonObject(const std::string& path) {
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(path, error);
  if (error) throw FileError(path, "cannot be read: " + error.message());
  if (size > kMaxJsonBytes) throw FileError(path, "is too large for a model configuration");
  std::ifstream file(path, std::ios::binary);
  const json object = json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) throw FileError(path, "is not a JSON object");
  return object;
}

}  // namespace

std::string Dinov3Config::Name() const {
  for (const std::string& name : VariantNames()) {
    const Dinov3Config known = Variant(name);
    if (known.width == width && known.layers == layers && known.hidden == hidden && known.gated == gated)
      return name;
  }
  return "width " + std::to_string(width) + ", " + std::to_string(layers) + " layers";
}

const std::vector<std::string>& Dinov3Config::VariantNames() {
  static const std::vector<std::string> names = {"vits16",     "vits16plus", "vitb16", "vitl16",
                                                 "vitl16plus", "vith16plus", "vit7b16"};
  return names;
}

Dinov3Config Dinov3Config::Variant(const std::string& name) {
  if (name == "vits16") return Plain(384, 12, 6);
  if (name == "vits16plus") return Gated(384, 12, 6, 1536);
  if (name == "vitb16") return Plain(768, 12, 12);
  if (name == "vitl16") return Plain(1024, 24, 16);
  if (name == "vitl16plus") return Gated(1024, 24, 16, 4096);
  if (name == "vith16plus") return Gated(1280, 32, 20, 5120);
  if (name == "vit7b16") {
    Dinov3Config config = Gated(4096, 40, 32, 8192);
    config.query_bias = config.value_bias = false;
    return config;
  }
  std::string known;
  for (const std::string& variant : VariantNames()) known += (known.empty() ? "" : ", ") + variant;
  throw UsageError("unknown DINOv3 variant \"" + name + "\": use one of " + known);
}

Dinov3Config Dinov3Config::FromJsonFile(const std::string& path) {
  const json object = ReadJsonObject(path);
  const std::string type = FieldOr<std::string>(object, path, "model_type", "dinov3_vit");
  if (type != "dinov3_vit")
    throw FileError(path, "describes a \"" + type + "\", not a DINOv3 ViT (\"dinov3_vit\")");
  Dinov3Config config;
  config.width = Field<int64_t>(object, path, "hidden_size");
  config.layers = Field<int64_t>(object, path, "num_hidden_layers");
  config.heads = Field<int64_t>(object, path, "num_attention_heads");
  config.hidden = Field<int64_t>(object, path, "intermediate_size");
  // Where a field may be absent, the value is the published architecture's, common to all released sizes.
  config.registers = FieldOr<int64_t>(object, path, "num_register_tokens", 0);
  config.patch = FieldOr<int64_t>(object, path, "patch_size", config.patch);
  config.gated = FieldOr(object, path, "use_gated_mlp", config.gated);
  config.query_bias = FieldOr(object, path, "query_bias", config.query_bias);
  config.key_bias = FieldOr(object, path, "key_bias", config.key_bias);
  config.value_bias = FieldOr(object, path, "value_bias", config.value_bias);
  config.output_bias = FieldOr(object, path, "proj_bias", config.output_bias);
  config.mlp_bias = FieldOr(object, path, "mlp_bias", config.mlp_bias);
  config.norm_eps = FieldOr(object, path, "layer_norm_eps", config.norm_eps);
  config.rope_theta = FieldOr(object, path, "rope_theta", config.rope_theta);
  const std::string act = FieldOr<std::string>(object, path, "hidden_act", config.gated ? "silu" : "gelu");
  if (act != "gelu" && act != "silu")
    throw FileError(path, "hidden_act \"" + act + "\" is neither gelu nor silu");
  config.silu = act == "silu";
  if (FieldOr<int64_t>(object, path, "num_channels", 3) != 3) throw FileError(path, "num_channels is not 3");
  config.Validate(path);
  return config;
}

void Dinov3Config::Validate(const std::string& origin) const {
  const auto require = [&](bool good, const std::string& problem) {
    if (!good) throw Error(origin + ": not a DINOv3 configuration: " + problem);
  };
  require(width >= 1 && width <= kMaxWidth, "width " + std::to_string(width));
  require(hidden >= 1 && hidden <= 16 * kMaxWidth, "MLP width " + std::to_string(hidden));
  require(layers >= 1 && layers <= kMaxLayers, std::to_string(layers) + " layers");
  require(heads >= 1 && width % heads == 0 && head_size() % 4 == 0,
          std::to_string(heads) + " heads do not divide the width " + std::to_string(width) +
              " into multiples of 4");
  require(registers >= 0 && registers <= kMaxLayers, std::to_string(registers) + " register tokens");
  require(patch >= 1 && patch <= 1024, "patch size " + std::to_string(patch));
  require(norm_eps > 0 && norm_eps < 1, "norm epsilon " + std::to_string(norm_eps));
  require(std::isfinite(rope_theta) && rope_theta > 0, "RoPE base " + std::to_string(rope_theta));
}

}  // namespace wildrayzer

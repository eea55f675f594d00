#include "wildrayzer/models/dinov3_names.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "wildrayzer/io/dtype_conversion.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

constexpr std::array<Pair, 5> kMetaTop = {{{"cls_token", "embeddings.cls_token"},
                                           {"mask_token", "embeddings.mask_token"},
                                           {"storage_tokens", "embeddings.register_tokens"},
                                           {"patch_embed.proj.weight", "embeddings.patch_embeddings.weight"},
                                           {"patch_embed.proj.bias", "embeddings.patch_embeddings.bias"}}};
constexpr std::array<Pair, 18> kMetaBlock = {{{"attn.proj.weight", "attention.o_proj.weight"},
                                              {"attn.proj.bias", "attention.o_proj.bias"},
                                              {"ls1.gamma", "layer_scale1.lambda1"},
                                              {"ls2.gamma", "layer_scale2.lambda1"},
                                              {"norm1.weight", "norm1.weight"},
                                              {"norm1.bias", "norm1.bias"},
                                              {"norm2.weight", "norm2.weight"},
                                              {"norm2.bias", "norm2.bias"},
                                              {"mlp.fc1.weight", "mlp.up_proj.weight"},
                                              {"mlp.fc1.bias", "mlp.up_proj.bias"},
                                              {"mlp.fc2.weight", "mlp.down_proj.weight"},
                                              {"mlp.fc2.bias", "mlp.down_proj.bias"},
                                              {"mlp.w1.weight", "mlp.gate_proj.weight"},
                                              {"mlp.w1.bias", "mlp.gate_proj.bias"},
                                              {"mlp.w2.weight", "mlp.up_proj.weight"},
                                              {"mlp.w2.bias", "mlp.up_proj.bias"},
                                              {"mlp.w3.weight", "mlp.down_proj.weight"},
                                              {"mlp.w3.bias", "mlp.down_proj.bias"}}};
// Dropped wherever they are: recomputed (RoPE), only for training (norm of local crops), or a mask of ones
// and zeros that must not be applied (weights.md section 2.2).
constexpr std::array<std::string_view, 4> kMetaDropped = {"rope_embed.periods", "local_cls_norm.weight",
                                                          "local_cls_norm.bias", "attn.qkv.bias_mask"};

bool TakePrefix(std::string_view& text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

template <size_t n>
std::string_view Look(const std::array<Pair, n>& table, std::string_view name) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const Pair& p) { return p.first == name; });
  return found == table.end() ? std::string_view() : found->second;
}

class Mapper {
 public:
  explicit Mapper(std::string path) : path_(std::move(path)) {}

  void Add(const std::string& target, const Dinov3Source& source) {
    const auto [at, fresh] = result.sources.emplace(target, source);
    if (!fresh) {
      throw FileError(path_, "the tensors '" + at->second.name + "' and '" + source.name + "' are both '" +
                                 target + "' of DINOv3; keep one of them");
    }
  }

  void HuggingFace(const std::string& name) {
    std::string_view rest = name;
    TakePrefix(rest, "dinov3_vit.");
    if (rest.substr(0, 12) == "model.layer.") rest.remove_prefix(6);
    Add(std::string(rest), {name});
  }

  void Meta(const std::string& name) {
    if (name.rfind("cls_norm.", 0) == 0) {
      throw FileError(path_, "has a separate norm for the class token ('" + name +
                                 "'), which no released DINOv3 has and which is not supported");
    }
    std::string_view rest = name;
    std::string layer;
    if (TakePrefix(rest, "blocks.")) {
      const size_t dot = std::min(rest.find('.'), rest.size());
      layer = "layer." + std::string(rest.substr(0, dot)) + ".";
      rest.remove_prefix(std::min(dot + 1, rest.size()));
    }
    if (std::find(kMetaDropped.begin(), kMetaDropped.end(), rest) != kMetaDropped.end()) {
      result.dropped.push_back(name);
      return;
    }
    if (!layer.empty() && (rest == "attn.qkv.weight" || rest == "attn.qkv.bias")) {
      const std::string kind(rest.substr(9));
      Add(layer + "attention.q_proj." + kind, {name, 0, 3});
      if (kind == "weight")
        Add(layer + "attention.k_proj.weight", {name, 1, 3});  // the key bias has no effect
      Add(layer + "attention.v_proj." + kind, {name, 2, 3});
      return;
    }
    const std::string_view target = layer.empty() ? Look(kMetaTop, rest) : Look(kMetaBlock, rest);
    Add(target.empty() ? name : layer + std::string(target), {name});
  }

  Dinov3Names result;

 private:
  std::string path_;
};

}  // namespace

Dinov3Names MapDinov3Names(const std::string& path, const std::vector<std::string>& names) {
  Mapper mapper(path);
  mapper.result.meta = std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return name == "cls_token" || name.rfind("blocks.", 0) == 0 || name.rfind("patch_embed.", 0) == 0;
  });
  for (const std::string& name : names) {
    if (name.ends_with(std::string(".weight") + std::string(kScaleSuffix))) continue;  // part of a matrix
    if (mapper.result.meta) {
      mapper.Meta(name);
    } else {
      mapper.HuggingFace(name);
    }
  }
  return mapper.result;
}

}  // namespace wildrayzer

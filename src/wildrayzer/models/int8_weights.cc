#include "wildrayzer/models/int8_weights.h"

#include <algorithm>
#include <array>

#include "wildrayzer/io/dtype_conversion.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {

bool IsBlockMatrix(std::string_view name, std::span<const int64_t> shape) {
  constexpr std::array<std::string_view, 4> kPlaces = {".attn.", ".cross_attn.", ".attention.", ".mlp."};
  return shape.size() == 2 && name.ends_with(".weight") &&
         std::any_of(kPlaces.begin(), kPlaces.end(),
                     [&](std::string_view place) { return name.find(place) != std::string_view::npos; });
}

std::map<std::string, LinearImpl*> BlockLinears(const torch::nn::Module& module) {
  std::map<std::string, LinearImpl*> linears;
  for (const auto& item : module.named_modules("", /*include_self=*/false)) {
    auto* linear = dynamic_cast<LinearImpl*>(item.value().get());
    const std::string name = item.key() + ".weight";
    if (linear != nullptr && IsBlockMatrix(name, std::array<int64_t, 2>{})) linears.emplace(name, linear);
  }
  return linears;
}

bool IsInt8Scale(const Checkpoint& checkpoint, const std::string& name) {
  if (!name.ends_with(kScaleSuffix)) return false;
  const std::string matrix = name.substr(0, name.size() - kScaleSuffix.size());
  return checkpoint.Has(matrix) && checkpoint.Entry(matrix).dtype == DType::kI8;
}

Int8Matrix Int8MatrixOf(const Checkpoint& checkpoint, const std::string& name, int64_t part, int64_t parts) {
  const std::string scales = name + std::string(kScaleSuffix);
  const TensorEntry& matrix = checkpoint.Entry(name);
  if (!checkpoint.Has(scales) || checkpoint.Entry(scales).dtype != DType::kF32 || matrix.shape.size() != 2 ||
      checkpoint.Entry(scales).shape != std::vector<int64_t>{matrix.shape[0]}) {
    throw FileError(checkpoint.path(), "tensor '" + name + "' is in int8 and needs its scales '" + scales +
                                           "', F32 [" +
                                           std::to_string(matrix.shape.empty() ? 0 : matrix.shape[0]) +
                                           "]: convert the weights again");
  }
  checkpoint.CheckFinite({scales});
  const int64_t rows = matrix.shape[0] / parts;
  return {checkpoint.Get(name).narrow(0, part * rows, rows),
          checkpoint.Get(scales).narrow(0, part * rows, rows)};
}

}  // namespace wildrayzer

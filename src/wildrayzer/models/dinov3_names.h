// Names of DINOv3 parameters in the two published layouts (weights.md sections 1.2 and 2.3).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace wildrayzer {

// Where a parameter comes from: a whole tensor, or one of `parts` equal pieces along its first dimension.
struct Dinov3Source {
  std::string name;
  int64_t part = 0;
  int64_t parts = 1;
};

struct Dinov3Names {
  bool meta = false;  // the original release's names; else Hugging Face's
  std::map<std::string, Dinov3Source>
      sources;                       // our name (Hugging Face's, without prefix) -> tensor of the file
  std::vector<std::string> dropped;  // tensors that inference does not need
};

// Recognises the layout and maps all names. Hugging Face: an optional "dinov3_vit." in front, and "model." in
// front of the blocks, are taken off. FileError(path, ...) when two tensors map to one name, or for
// parameters that change the computation in a way that is not implemented (cls_norm). Names that belong to
// neither layout map to themselves, so that the caller reports them as unexpected. The scales of matrices in
// int8 (NAME.weight_scale) are part of these and have no entry.
Dinov3Names MapDinov3Names(const std::string& path, const std::vector<std::string>& names);

}  // namespace wildrayzer

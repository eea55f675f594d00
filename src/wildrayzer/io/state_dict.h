// Where the weights are in what people save: wrappers around the dict, prefixes in front of its names
// (internal to io/ but for WithoutToolNames).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wildrayzer/io/pickle.h"

namespace wildrayzer {

struct FoundStateDict {
  PickleValue dict;
  std::vector<std::string> path;  // keys from the root to the dict; empty when the root is the dict
};

// The dict of tensors in a saved object. Known wrappers ("model", "ema", "state_dict", ..., also one in
// another) come first, averaged weights before others; then a dict that holds tensors itself; then the only
// other dict that leads to tensors, apart from optimizers and their like. Nothing when there is none. Looks
// at every dict at most once. FileError when several would do.
std::optional<FoundStateDict> FindStateDict(const PickleTree& tree);

// Why there is none, for a message: names the class where an object of one stands in the place of the
// weights.
std::string DescribeLackOfStateDict(const PickleTree& tree);

// The name without what training tools put around modules: "_orig_mod." (torch.compile), "_forward_module."
// (Lightning), "_fsdp_wrapped_module.", "_checkpoint_wrapped_module." anywhere, "module." (DataParallel) in
// front.
std::string WithoutToolNames(std::string_view name);

// The same, but "module." is kept.
std::string WithoutInnerToolNames(std::string_view name);

}  // namespace wildrayzer

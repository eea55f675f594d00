#include "wildrayzer/io/state_dict.h"

#include <algorithm>
#include <array>
#include <set>

#include "wildrayzer/io/torch_archive.h"
#include "wildrayzer/io/utf8.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using namespace std::string_view_literals;

// Wrappers in the order in which they are tried.
constexpr std::array kWrappers = {"model_ema"sv,
                                  "ema_model"sv,
                                  "state_dict_ema"sv,
                                  "model_ema_state_dict"sv,
                                  "ema_state_dict"sv,
                                  "ema"sv,
                                  "params_ema"sv,
                                  "model"sv,
                                  "model_state_dict"sv,
                                  "model_state"sv,
                                  "module"sv,
                                  "state_dict"sv,
                                  "net"sv,
                                  "network"sv,
                                  "params"sv,
                                  "weights"sv,
                                  "state"sv,
                                  "teacher"sv,
                                  "student"sv};

// What training keeps beside the model; their tensors are moments and seeds.
constexpr std::array kTrainingState = {
    "opt"sv,  "sched"sv,     "lr_"sv,    "scaler"sv, "callback"sv, "loop"sv,  "rng"sv,     "random"sv,
    "loss"sv, "criterion"sv, "metric"sv, "args"sv,   "config"sv,   "hyper"sv, "sampler"sv, "dataloader"sv};

constexpr std::array kToolNames = {"_orig_mod."sv, "_forward_module."sv, "_fsdp_wrapped_module."sv,
                                   "_checkpoint_wrapped_module."sv};

constexpr int kDeepestWrapper = 4;

class StateDictFinder {
 public:
  explicit StateDictFinder(const PickleTree& tree) : tree_(tree) {}

  // NOLINTNEXTLINE(misc-no-recursion): kDeepestWrapper bounds it.
  std::optional<FoundStateDict> Find(const PickleValue& dict, int depth) {
    if (!dict.is_dict() || depth > kDeepestWrapper || !seen_.insert(dict.index).second) return std::nullopt;
    const std::vector<PickleValue>& items = tree_.items(dict);
    std::array<size_t, kWrappers.size()> wrapped{};  // one more than the position of the value
    std::vector<size_t> others;
    bool holds_tensors = false;
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      holds_tensors = holds_tensors || IsTensor(items[i + 1]);
      if (items[i].kind != PickleKind::kString || !items[i + 1].is_dict()) continue;
      const auto* known = std::find(kWrappers.begin(), kWrappers.end(), items[i].text());
      if (known != kWrappers.end()) {
        wrapped[static_cast<size_t>(known - kWrappers.begin())] =
            i + 1;  // of equal keys the last, as in Python
      } else if (!IsTrainingState(items[i].text())) {
        others.push_back(i + 1);
      }
    }
    for (const size_t at : wrapped) {
      if (at == 0) continue;
      if (auto found = Below(items, at, depth)) return found;
    }
    if (holds_tensors) return FoundStateDict{dict, {}};
    return TheOnly(items, others, depth);
  }

 private:
  bool IsTensor(const PickleValue& value) const {
    return value.kind == PickleKind::kTensor ||
           (value.kind == PickleKind::kObject && tree_.object(value).tensor);
  }

  static bool IsTrainingState(std::string_view key) {
    return std::any_of(kTrainingState.begin(), kTrainingState.end(),
                       [&](std::string_view begin) { return key.starts_with(begin); });
  }

  // NOLINTNEXTLINE(misc-no-recursion)
  std::optional<FoundStateDict> Below(const std::vector<PickleValue>& items, size_t at, int depth) {
    std::optional<FoundStateDict> found = Find(items[at], depth + 1);
    if (found) found->path.insert(found->path.begin(), std::string(items[at - 1].text()));
    return found;
  }

  // NOLINTNEXTLINE(misc-no-recursion)
  std::optional<FoundStateDict> TheOnly(const std::vector<PickleValue>& items,
                                        const std::vector<size_t>& others, int depth) {
    std::optional<FoundStateDict> only;
    for (const size_t at : others) {
      std::optional<FoundStateDict> found = Below(items, at, depth);
      if (found && only) {
        throw FileError(tree_.file->path(), "holds several dicts of tensors, for instance '" +
                                                Printable(only->path.front()) + "' and '" +
                                                Printable(found->path.front()) +
                                                "'; save the one that is the model alone");
      }
      if (found) only = std::move(found);
    }
    return only;
  }

  const PickleTree& tree_;
  std::set<uint32_t> seen_;
};

// The foreign name that a value stands for, if it does.
const PickleGlobal* ForeignName(const PickleTree& tree, const PickleValue& value) {
  if (value.kind == PickleKind::kObject) return tree.object(value).type;
  const bool foreign = value.kind == PickleKind::kGlobal && value.global->kind == PickleGlobalKind::kForeign;
  return foreign ? value.global : nullptr;
}

std::string ObjectProblem(const std::string& where, const PickleGlobal& name) {
  return where + " of the foreign global " + QuotedName(name) +
         " where a dict of tensors is needed; nothing of it was executed. Save model.state_dict() instead";
}

}  // namespace

std::optional<FoundStateDict> FindStateDict(const PickleTree& tree) {
  return StateDictFinder(tree).Find(tree.root, 0);
}

std::string DescribeLackOfStateDict(const PickleTree& tree) {
  if (const PickleGlobal* name = ForeignName(tree, tree.root)) return ObjectProblem("holds an object", *name);
  if (tree.root.is_dict()) {
    const std::vector<PickleValue>& items = tree.items(tree.root);
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      const bool wrapper = items[i].kind == PickleKind::kString &&
                           std::find(kWrappers.begin(), kWrappers.end(), items[i].text()) != kWrappers.end();
      const PickleGlobal* name = wrapper ? ForeignName(tree, items[i + 1]) : nullptr;
      if (name != nullptr)
        return ObjectProblem("holds under '" + std::string(items[i].text()) + "' an object", *name);
    }
  }
  return "holds no state dict (a dict of tensors, or one under 'model' or 'state_dict'); it holds ";
}

std::string WithoutInnerToolNames(std::string_view name) {
  std::string result;
  for (size_t at = 0; at < name.size();) {
    const auto tool = std::find_if(kToolNames.begin(), kToolNames.end(),
                                   [&](std::string_view word) { return name.substr(at).starts_with(word); });
    if (tool != kToolNames.end()) {
      at += tool->size();
      continue;
    }
    const size_t dot = std::min(name.find('.', at), name.size() - 1);
    result += name.substr(at, dot + 1 - at);
    at = dot + 1;
  }
  return result;
}

std::string WithoutToolNames(std::string_view name) {
  std::string result = WithoutInnerToolNames(name);
  size_t begin = 0;
  while (std::string_view(result).substr(begin).starts_with("module.")) begin += 7;
  return result.substr(begin);
}

}  // namespace wildrayzer

#include "wildrayzer/synth/catalogue.h"

#include <algorithm>

#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/random.h"

namespace wildrayzer::synth {

const char* SplitName(Split split) {
  switch (split) {
    case Split::kTrain:
      return "train";
    case Split::kValidation:
      return "val";
    case Split::kTest:
      break;
  }
  return "test";
}

void Catalogue::Add(ModelInfo info, MeshMaker make) {
  for (const ModelInfo& other : models_) {
    if (other.id == info.id) throw Error("two models are called " + info.id);
  }
  models_.push_back(std::move(info));
  slots_.push_back(std::make_unique<Slot>());
  slots_.back()->make = std::move(make);
}

void Catalogue::AssignSplits() {
  splits_.assign(models_.size(), Split::kTrain);
  for (int role = 0; role < kRoles; ++role) {
    std::vector<size_t> members;
    for (size_t i = 0; i < models_.size(); ++i) {
      if (static_cast<int>(models_[i].role) == role) members.push_back(i);
    }
    const auto order = [this](size_t a, size_t b) {
      const uint64_t ha = Fnv1a64(models_[a].id), hb = Fnv1a64(models_[b].id);
      return ha != hb ? ha < hb : models_[a].id < models_[b].id;
    };
    std::sort(members.begin(), members.end(), order);
    // Places 1 and 2 of every ten go to validation and test so that small groups are served too.
    for (size_t rank = 0; rank < members.size(); ++rank) {
      const size_t place = rank % 10;
      splits_[members[rank]] = place == 1                 ? Split::kValidation
                               : place == 2 || place == 6 ? Split::kTest
                                                          : Split::kTrain;
    }
    for (auto& list : by_role_[role]) list.clear();
    std::sort(members.begin(), members.end(),
              [this](size_t a, size_t b) { return models_[a].id < models_[b].id; });
    for (const size_t i : members) by_role_[role][static_cast<int>(splits_[i])].push_back(i);
  }
}

const std::vector<size_t>& Catalogue::Find(Role role, Split split) const {
  return by_role_[static_cast<int>(role)][static_cast<int>(split)];
}

RayModelPtr Catalogue::Load(size_t index) const {
  Slot& slot = *slots_[index];
  std::call_once(slot.once, [&] {
    try {
      slot.model = std::make_shared<const RayModel>(device_, slot.make());
    } catch (const Error& error) {
      LogWarning("{}; the model is left out", error.what());
    }
  });
  return slot.model;
}

}  // namespace wildrayzer::synth

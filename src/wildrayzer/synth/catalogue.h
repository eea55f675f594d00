// The models that rooms are furnished with: what each is for, how large it is, who made it, and which split
// may use it.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "wildrayzer/synth/ray_world.h"

namespace wildrayzer::synth {

enum class Role {
  kWallPiece,  // stands with its back to a wall: wardrobe, sofa, bed, desk
  kFreePiece,  // stands anywhere: table, armchair, plant
  kSeat,       // chair or stool
  kTabletop,   // lies on other furniture: vase, laptop, lamp
  kFloorLamp,
  kPendant,  // hangs from the ceiling
  kPerson,   // standing person, front towards +z
  kPet,
  kCargo,  // carried or pushed: box, suitcase, pram
};
inline constexpr int kRoles = 9;

enum class Split { kTrain, kValidation, kTest };
const char* SplitName(Split split);  // "train", "val", "test"

// Which kind of room a model belongs to, from the catalogue's category.
enum class RoomKind { kLiving, kBedroom, kKitchen, kOffice, kBathroom, kAny };

struct ModelInfo {
  std::string id;  // unique, for instance "scopia/cat/cat.obj" or "built-in/person/3"
  std::string name;
  std::string creator;
  std::string license;
  std::string source;  // catalogue file name, or "built-in"
  Role role = Role::kFreePiece;
  RoomKind room = RoomKind::kAny;
  Vec3 size;  // width (x), height (y), depth (z) in metres; the front faces +z
};

// Makes the mesh of a model: x and z centred, lowest point y = 0, scaled to ModelInfo::size.
using MeshMaker = std::function<MeshPtr()>;

// All models that a run may use. Loading is lazy; loaded models are kept and shared by all threads.
class Catalogue {
 public:
  explicit Catalogue(RayDevicePtr device) : device_(std::move(device)) {}

  // Raises Error when the id is taken.
  void Add(ModelInfo info, MeshMaker make);
  // Assigns every model to one split, about 70 % train, 10 % validation, 20 % test within each role, by the
  // hash of its id; every role with at least three models has one in each split. Called once, after the last
  // Add().
  void AssignSplits();

  const std::vector<ModelInfo>& models() const { return models_; }
  Split split(size_t index) const { return splits_[index]; }
  // Indices of the models of a role in a split, in order of id.
  const std::vector<size_t>& Find(Role role, Split split) const;

  // The model, loaded on first use; null when its file is damaged (said once in the log).
  RayModelPtr Load(size_t index) const;
  const RayDevicePtr& device() const { return device_; }

 private:
  struct Slot {
    MeshMaker make;
    std::once_flag once;
    RayModelPtr model;
  };
  RayDevicePtr device_;
  std::vector<ModelInfo> models_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Split> splits_;
  std::vector<size_t> by_role_[kRoles][3];
};

// Models made of boxes, cylinders and capsules with procedural textures; needs no files. CC0.
void AddBuiltInModels(Catalogue& catalogue);

// Every Sweet Home 3D catalogue (*.sh3f) in `folder`, in order of name; models that do not belong into a room
// (vehicles, garden, whole interiors) are left out. Returns the number of models added. A damaged catalogue
// raises FileError.
int AddSweetHomeModels(Catalogue& catalogue, const std::filesystem::path& folder);

}  // namespace wildrayzer::synth

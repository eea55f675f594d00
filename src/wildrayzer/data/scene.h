// A scene: the pictures that one camera took of one place, with whatever is known about each of them.
#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wildrayzer/util/error.h"
#include "wildrayzer/vision/framing.h"

namespace wildrayzer {

// Which picture the pixels of a mask belong to.
enum class MaskFrame {
  kPhoto,  // the stored picture (any resolution): the mask is resized and cropped like the picture
  kModel,  // the cropped picture that the model sees, as in D-RE10K: the mask is only resized
};

// Intrinsics as stored: in pixels of the stored picture, or as fractions of its width (fx, cx) and height
// (fy, cy).
struct StoredIntrinsics {
  PixelIntrinsics values;
  bool fractions = false;
};

class PackedFile;

// One frame as found on disk; nothing has been opened yet. Empty paths: there is none.
struct FrameRecord {
  std::filesystem::path image_path;  // a picture, or a video if video_frame >= 0
  int64_t video_frame = -1;
  // Not null: picture, clean picture and mask are those of frame `packed_frame` of this file, cropped
  // already; the paths are empty.
  std::shared_ptr<const PackedFile> pack;
  int64_t packed_frame = -1;
  std::filesystem::path clean_path;  // the same view without anything that moves
  std::filesystem::path mask_path;   // what moves: .npy (non-zero) or a picture (any value above 0)
  MaskFrame mask_frame = MaskFrame::kPhoto;
  std::optional<StoredIntrinsics> intrinsics;
  std::optional<Eigen::Matrix4d> w2c;  // world to camera, OpenCV axes (x right, y down, z forward)
};

struct SceneRecord {
  std::string name;
  std::filesystem::path source;  // the file or folder that describes it, for error messages
  std::vector<FrameRecord> frames;
};

// Indices into SceneRecord::frames: what the model is given and what it must render.
struct ViewList {
  std::vector<int> inputs;
  std::vector<int> targets;
  bool operator==(const ViewList&) const = default;
};

// An ordered list of scenes. All functions are const and may be called from several threads.
class SceneDataset {
 public:
  virtual ~SceneDataset() = default;

  virtual size_t size() const = 0;
  // Unique name of scene `index` < size(), the key of view lists and of cached labels; reads nothing.
  virtual const std::string& name(size_t index) const = 0;
  // Reads the description of a scene. Raises FileError naming the file at fault.
  virtual SceneRecord Read(size_t index) const = 0;
  // The views on which the scene is judged, when the data set comes with such a list.
  virtual std::optional<ViewList> EvaluationViews(size_t index) const { return std::nullopt; }
};

// Scenes that were described when the data set was opened (folders of pictures, videos). Those of which the
// description was at fault, `unreadable` by name, say so when they are read: the others are not worse for it.
class FixedScenes : public SceneDataset {
 public:
  explicit FixedScenes(std::vector<SceneRecord> scenes, std::map<std::string, FileError> unreadable = {})
      : scenes_(std::move(scenes)), unreadable_(std::move(unreadable)) {}
  size_t size() const override { return scenes_.size(); }
  const std::string& name(size_t index) const override { return scenes_.at(index).name; }
  SceneRecord Read(size_t index) const override {
    const SceneRecord& scene = scenes_.at(index);
    if (const auto fault = unreadable_.find(scene.name); fault != unreadable_.end()) throw fault->second;
    return scene;
  }

 private:
  std::vector<SceneRecord> scenes_;
  std::map<std::string, FileError> unreadable_;
};

}  // namespace wildrayzer

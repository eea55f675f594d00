// What is scored side by side: a method turns the inputs of a scene into renderings, masks or cameras.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "wildrayzer/evaluation/planes.h"
#include "wildrayzer/geometry/camera.h"
#include "wildrayzer/io/images.h"

namespace wildrayzer {

// A scene as it is judged. All pictures have one size; views are the inputs followed by the targets.
struct EvaluationScene {
  std::string name;
  int num_inputs = 0;
  std::vector<int> frames;      // of every view
  std::vector<Image> observed;  // of every view, with whatever moves in it
  std::vector<Planes> truth;    // of every target: the clean picture if there is one, else the observed one
  bool clean_truth = false;     // whether `truth` is without the moving content
  std::vector<Planes> masks;    // of every view, 1 = moves; a Planes() where there is none
  std::vector<Camera> cameras;  // of every view, true poses; empty when unknown

  size_t num_targets() const { return frames.size() - static_cast<size_t>(num_inputs); }
};

struct MethodOutput {
  std::vector<Planes> renders;  // one a target, or none at all
  std::vector<Planes>
      masks;  // motion probabilities of every view (Planes() where there is none), or none at all
  bool soft_masks = false;      // probabilities, for which a threshold sweep has a meaning
  std::vector<Camera> cameras;  // of every view, or none at all
};

class Method {
 public:
  Method(std::string method_name, std::string method_title, std::string method_note)
      : name(std::move(method_name)), title(std::move(method_title)), note(std::move(method_note)) {}
  virtual ~Method() = default;
  // May raise anything; the scene then counts as failed for this method.
  virtual MethodOutput Run(const EvaluationScene& scene) const = 0;
  // All that decides the output for this scene beside the scene and this program, as text: a stored result is
  // reused only under the same one.
  virtual std::string Identity(const EvaluationScene&) const { return ""; }

  const std::string name, title, note;
};

// Tells two states of a file, or of all files in a folder, apart without reading them: a digest of names,
// sizes and times of the last change. "absent" when there is nothing.
std::string FileStamp(const std::filesystem::path& path);

// The floors of floors.h, and that of cameras.
std::vector<std::unique_ptr<Method>> FloorMethods(uint64_t seed);

// Renderings of another program: FOLDER/{scene}/{frame as %05d}.png, or in the release's layout
// FOLDER/{scene}/rendered/target_view_{position as %02d}.png. A missing file raises FileError with both
// names.
std::unique_ptr<Method> RenderingsFromFolder(const std::string& name, const std::filesystem::path& folder);

// One mask a view, FOLDER/{scene}/{frame as %05d}.png or .npy (what moves is not 0), at any resolution of the
// framed picture. A missing file raises FileError.
std::vector<Planes> MasksFromFolder(const EvaluationScene& scene, const std::filesystem::path& folder);

}  // namespace wildrayzer

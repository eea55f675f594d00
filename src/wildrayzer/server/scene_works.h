// What is computed for scenes: each call hands a job to the worker.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/pipeline/reconstructor.h"
#include "wildrayzer/server/scene_store.h"
#include "wildrayzer/server/worker.h"
#include "wildrayzer/util/progress.h"

namespace wildrayzer {

// The facts of the program, the model and the machine for metadata.json.
using MetadataFunction = std::function<nlohmann::ordered_json()>;

// A rendered view.
struct RenderedView {
  Image image;
  double milliseconds = 0;
  uint64_t revision = 0;
};

class SceneWorks {
 public:
  // How many times the model's pixels a side views have at most, as `wildrayzer render` has it.
  static constexpr int kMostDetail = 4;

  // keep: folder for results, or empty.
  SceneWorks(const Reconstructor& reconstructor, Worker& worker, const ServeLimits& limits,
             MetadataFunction metadata, std::filesystem::path keep);

  // All of these raise HttpError: 409 when the scene is not (yet) in a state for it, 503 when too much waits.
  // `gone` is asked while a call waits for its job: when nobody waits any more, what has not begun is dropped
  // and Cancelled raised.

  // Begins the work on the photos that were collected; inputs: 0 for the default; name: "" for the one that
  // it has.
  void Start(const std::shared_ptr<ServedScene>& scene, int inputs, const std::string& name);
  // Takes `mask` (any size, 255: moves) in the place of the model's for photo `index`, or takes the model's
  // again; the scene is encoded anew.
  void SetMask(const std::shared_ptr<ServedScene>& scene, size_t index, const std::optional<GrayImage>& mask);
  // client: see Worker::Submit.
  RenderedView View(const std::shared_ptr<ServedScene>& scene, const Camera& camera, bool quick,
                    const std::string& client, const std::function<bool()>& gone);
  // The number of the recording.
  size_t Record(const std::shared_ptr<ServedScene>& scene, std::vector<Camera> cameras, double fps);
  // The clean photo of the encoding. When one is first asked for all are made, one after the other; that ends
  // (Cancelled) when somebody paints on the scene's masks.
  CleanFiles Clean(const std::shared_ptr<ServedScene>& scene, const std::shared_ptr<Encoding>& encoded,
                   size_t index, const std::function<bool()>& gone);
  // Everything as `wildrayzer render` writes it, with the recordings, as a zip file.
  std::shared_ptr<const ScopedFile> Result(const std::shared_ptr<ServedScene>& scene,
                                           const std::function<bool()>& gone);

 private:
  std::shared_ptr<Job> Submit(Urgency urgency, std::function<void()> work, const std::string& client = "");
  // For the stages of an encoding, shown as the scene's. It lets views through, and ends the work on a scene
  // that was deleted.
  ProgressCallback Report(const std::shared_ptr<ServedScene>& scene, Progress& timings) const;
  // The same for other work, which is not shown.
  ProgressCallback Pause(const std::shared_ptr<ServedScene>& scene) const;
  void SubmitEncoding(const std::shared_ptr<ServedScene>& scene, Urgency urgency);  // under the scene's mutex
  void Encode(const std::shared_ptr<ServedScene>& scene);
  void EncodeOrThrow(const std::shared_ptr<ServedScene>& scene);
  void MakeRecording(const std::shared_ptr<ServedScene>& scene, const std::shared_ptr<Encoding>& encoded,
                     size_t number, const std::vector<Camera>& cameras, double fps);
  void MakeClean(const std::shared_ptr<ServedScene>& scene, const std::shared_ptr<Encoding>& encoded);
  // One view a camera, letting others through.
  std::vector<Image> RenderAll(const Encoding& encoded, std::span<const Camera> cameras,
                               const ProgressCallback& pause) const;
  std::shared_ptr<const ScopedFile> MakeArchive(const std::shared_ptr<ServedScene>& scene,
                                                const std::shared_ptr<Encoding>& encoded);
  // Into an empty folder.
  void WriteResult(const std::shared_ptr<ServedScene>& scene, const std::shared_ptr<Encoding>& encoded,
                   const std::filesystem::path& folder);
  // In a folder of its own in the one of --keep.
  void KeepResult(const std::shared_ptr<ServedScene>& scene, const std::shared_ptr<Encoding>& encoded);

  const Reconstructor& reconstructor_;
  Worker& worker_;
  const ServeLimits limits_;
  const MetadataFunction metadata_;
  const std::filesystem::path keep_;
};

// The encoded scene; HttpError 409 when it is not ready.
std::shared_ptr<Encoding> EncodedOf(const ServedScene& scene);

}  // namespace wildrayzer

// From a method's output on one scene to numbers.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "wildrayzer/evaluation/lpips_maps.h"
#include "wildrayzer/evaluation/method.h"
#include "wildrayzer/evaluation/results.h"

namespace wildrayzer {

// The distance network as a function; empty: LPIPS is not measured.
using LpipsFunction = std::function<LpipsMaps(const Planes& picture, const Planes& truth)>;

// What a benchmark asks for (method.md section 7).
struct Protocol {
  std::string name;    // "re10k", "dre10k", "iphone", "masks", "davis"
  bool frame = false;  // scores of the whole frame: meaningful only where the targets show nothing that moves
  bool clean =
      false;  // needs clean targets beside the observed ones (frames of static scenes are clean as they are)
  bool regions = false;  // static region; with clean targets also the transient one

  // Of static scenes: there are no true masks.
  bool NothingMoves() const { return frame && !regions; }
};
// Raises UsageError listing the names.
Protocol FindProtocol(const std::string& name);

// Scores of `output`. Raises Error when a rendering has another size than the truth, holds values that are
// not finite, or when the protocol asks for clean targets that the scene does not have: nothing of the scene
// is then to be averaged.
SceneResult ScoreScene(const EvaluationScene& scene, const MethodOutput& output, const Protocol& protocol,
                       double mask_threshold, const LpipsFunction& lpips);

}  // namespace wildrayzer

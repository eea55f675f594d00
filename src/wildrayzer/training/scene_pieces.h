// The gradient of a batch, its scenes spread over the cores.
//
// One operation on the few scenes of a batch is too small to keep several cores busy, a whole pass on a few
// scenes is not: where a batch has a scene for every thread, every thread takes a piece of it forward and
// backward on its own, and the gradients are added in the order of the pieces. So the bits depend on the
// number of threads, which was so before, and on nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "wildrayzer/training/objective.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

// Scenes [first, first + count) of a batch.
struct ScenePiece {
  int64_t first = 0;
  int64_t count = 0;
};

// Pieces of nearly equal size that cover [0, scenes): one for each thread, or a single one when there are
// fewer scenes than threads.
std::vector<ScenePiece> SplitScenes(int64_t scenes, int64_t threads);

// Runs `pass` on every piece and adds the gradient of
//   weight * sum over pieces of (piece.count / scenes) * loss(piece)
// to the .grad of `parameters`, those of lower precision through `collect` (called after every piece).
// A loss that is a mean over scenes (stages 1 and 3) thus gives the gradient of the whole batch; terms that
// are means over something else (static pixels, views that pass the gate, visible patches of virtual worlds)
// are means within each piece, as they are in each process of data parallel training. `pass` is called on
// several threads at once; an undefined loss teaches nothing. Returns the first piece's outcome with numbers
// and loss (without gradient) averaged over scenes.
Outcome LearnFromPieces(const std::vector<ScenePiece>& pieces, double weight,
                        const std::vector<torch::Tensor>& parameters,
                        const std::function<Outcome(const ScenePiece&)>& pass,
                        const std::function<void()>& collect);

}  // namespace wildrayzer

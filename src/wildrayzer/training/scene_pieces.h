// The gradient of a batch, its scenes spread over the cores.
//
// One operation on the few scenes of a batch is too small to keep several cores busy, a whole pass on a few
// scenes is not: where a batch has a scene for every thread, every thread takes a piece of it forward and
// backward on its own, and the gradients are added in the order of the pieces. Means over views, pixels and
// patches are of the whole batch (piece_sums.h), so the number of threads changes the bits and nothing else.
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

// Runs `pass` on every piece and adds the gradient of `weight` times the sum of the pieces' losses to the
// .grad of `parameters`, those of lower precision through `collect` (called after every piece). `pass` is
// called on several threads at once; its loss is a piece's part of the batch's loss, made with `sum`. An
// undefined loss teaches nothing. Returns the first piece's outcome with the sum of the losses (without
// gradient): its numbers are those of the whole batch.
Outcome LearnFromPieces(const std::vector<ScenePiece>& pieces, double weight,
                        const std::vector<torch::Tensor>& parameters,
                        const std::function<Outcome(const ScenePiece&, const SumOverPieces& sum)>& pass,
                        const std::function<void()>& collect);

}  // namespace wildrayzer

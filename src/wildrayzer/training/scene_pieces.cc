#include "wildrayzer/training/scene_pieces.h"

#include <torch/csrc/autograd/autograd.h>

#include <utility>

#include "wildrayzer/kernels/threads.h"

namespace wildrayzer {
namespace {

void AddGradient(torch::Tensor parameter, const torch::Tensor& gradient) {
  if (!gradient.defined()) return;
  if (parameter.grad().defined()) {
    parameter.mutable_grad().add_(gradient);
  } else {
    // A copy: what autograd returns may share memory, and the next piece is added in place.
    parameter.mutable_grad() = gradient.clone();
  }
}

// The first piece's outcome, which has the numbers of the batch, and the loss of all.
Outcome Merge(std::vector<Outcome>&& outcomes) {
  torch::Tensor loss;
  for (const Outcome& outcome : outcomes) {
    if (outcome.loss.defined()) loss = loss.defined() ? loss + outcome.loss : outcome.loss;
  }
  Outcome all = std::move(outcomes[0]);
  all.loss = loss;
  return all;
}

}  // namespace

std::vector<ScenePiece> SplitScenes(int64_t scenes, int64_t threads) {
  const int64_t count = scenes >= threads ? threads : 1;
  std::vector<ScenePiece> pieces;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t first = scenes * i / count;
    pieces.push_back({first, scenes * (i + 1) / count - first});
  }
  return pieces;
}

Outcome LearnFromPieces(const std::vector<ScenePiece>& pieces, double weight,
                        const std::vector<torch::Tensor>& parameters,
                        const std::function<Outcome(const ScenePiece&, const SumOverPieces&)>& pass,
                        const std::function<void()>& collect) {
  std::vector<Outcome> outcomes(pieces.size());
  std::vector<std::vector<torch::Tensor>> gradients(pieces.size());
  PieceSums sums(static_cast<int64_t>(pieces.size()));
  RunTogether(static_cast<int64_t>(pieces.size()), [&](int64_t index) {
    const auto i = static_cast<size_t>(index);
    const torch::AutoGradMode enabled(true);  // a thread's own setting, and not that of its caller
    try {
      outcomes[i] = pass(pieces[i], sums.Of(index));
    } catch (const PieceSums::Abandoned&) {
      return;  // another piece says what is wrong
    } catch (...) {
      sums.Abandon();
      throw;
    }
    torch::Tensor& loss = outcomes[i].loss;
    if (!loss.defined()) return;
    gradients[i] = torch::autograd::grad({loss * weight}, parameters, {}, /*retain_graph=*/{},
                                         /*create_graph=*/false, /*allow_unused=*/true);
    loss = loss.detach();
  });
  for (const auto& of_piece : gradients) {
    for (size_t p = 0; p < of_piece.size(); ++p) AddGradient(parameters[p], of_piece[p]);
    collect();
  }
  return Merge(std::move(outcomes));
}

}  // namespace wildrayzer

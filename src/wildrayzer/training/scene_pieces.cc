#include "wildrayzer/training/scene_pieces.h"

#include <torch/csrc/autograd/autograd.h>

#include <map>
#include <string>
#include <utility>

#include "wildrayzer/kernels/threads.h"

namespace wildrayzer {
namespace {

int64_t ScenesOf(const std::vector<ScenePiece>& pieces) {
  int64_t scenes = 0;
  for (const ScenePiece& piece : pieces) scenes += piece.count;
  return scenes;
}

void AddGradient(torch::Tensor parameter, const torch::Tensor& gradient) {
  if (!gradient.defined()) return;
  if (parameter.grad().defined()) {
    parameter.mutable_grad().add_(gradient);
  } else {
    // A copy: what autograd returns may share memory, and the next piece is added in place.
    parameter.mutable_grad() = gradient.clone();
  }
}

// Numbers that only some pieces have are means over those.
Outcome Average(const std::vector<ScenePiece>& pieces, std::vector<Outcome>&& outcomes) {
  std::map<std::string, std::pair<double, double>> sums;  // value, scenes
  torch::Tensor loss;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const auto count = static_cast<double>(pieces[i].count);
    for (const auto& [name, value] : outcomes[i].numbers) {
      sums[name].first += count * value;
      sums[name].second += count;
    }
    if (!outcomes[i].loss.defined()) continue;
    const torch::Tensor part = outcomes[i].loss * (count / static_cast<double>(ScenesOf(pieces)));
    loss = loss.defined() ? loss + part : part;
  }
  Outcome all = std::move(outcomes[0]);
  all.loss = loss;
  for (const auto& [name, sum] : sums) all.numbers[name] = sum.first / sum.second;
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
                        const std::function<Outcome(const ScenePiece&)>& pass,
                        const std::function<void()>& collect) {
  const auto scenes = static_cast<double>(ScenesOf(pieces));
  std::vector<Outcome> outcomes(pieces.size());
  std::vector<std::vector<torch::Tensor>> gradients(pieces.size());
  RunTogether(static_cast<int64_t>(pieces.size()), [&](int64_t index) {
    const auto i = static_cast<size_t>(index);
    const torch::AutoGradMode enabled(true);  // a thread's own setting, and not that of its caller
    outcomes[i] = pass(pieces[i]);
    torch::Tensor& loss = outcomes[i].loss;
    if (!loss.defined()) return;
    const double share = weight * static_cast<double>(pieces[i].count) / scenes;
    gradients[i] = torch::autograd::grad({loss * share}, parameters, {}, /*retain_graph=*/{},
                                         /*create_graph=*/false, /*allow_unused=*/true);
    loss = loss.detach();
  });
  for (const auto& of_piece : gradients) {
    for (size_t p = 0; p < of_piece.size(); ++p) AddGradient(parameters[p], of_piece[p]);
    collect();
  }
  return Average(pieces, std::move(outcomes));
}

}  // namespace wildrayzer

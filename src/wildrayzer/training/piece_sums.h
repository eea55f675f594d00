// Sums over the pieces in which a batch is worked on (scene_pieces.h), so that a mean over a whole batch need
// not be a mean of its pieces' means.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "wildrayzer/training/number.h"

namespace wildrayzer {

// Gives the sums of `values` over all pieces. Every piece must ask for the same sums in the same order; it
// waits for the others. Empty: there is one piece, whose values are the sums.
using SumOverPieces = std::function<std::vector<Number>(const std::vector<Number>& values)>;

inline std::vector<Number> Total(const SumOverPieces& sum, const std::vector<Number>& values) {
  return sum ? sum(values) : values;
}

class PieceSums {
 public:
  explicit PieceSums(int64_t pieces) : given_(static_cast<size_t>(pieces)) {}

  // What piece `index` is handed, to call from its own thread. Raises Abandoned when another piece has given
  // up.
  SumOverPieces Of(int64_t index) {
    return [this, index](const std::vector<Number>& values) { return Add(index, values); };
  }
  struct Abandoned {};
  // A piece will ask no more: those who wait for it are told.
  void Abandon();

 private:
  std::vector<Number> Add(int64_t index, const std::vector<Number>& values);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::vector<Number>> given_;  // by piece
  std::vector<Number> sums_;                // of the last round that was complete
  size_t arrived_ = 0;
  int64_t round_ = 0;
  bool abandoned_ = false;
};

}  // namespace wildrayzer

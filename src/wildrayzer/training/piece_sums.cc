#include "wildrayzer/training/piece_sums.h"

namespace wildrayzer {

std::vector<Number> PieceSums::Add(int64_t index, const std::vector<Number>& values) {
  std::unique_lock lock(mutex_);
  if (abandoned_) throw Abandoned{};
  given_[static_cast<size_t>(index)] = values;
  const int64_t round = round_;
  if (++arrived_ < given_.size()) {
    changed_.wait(lock, [&] { return round_ != round || abandoned_; });
    if (round_ == round) throw Abandoned{};
    return sums_;  // the next round cannot end without this piece
  }
  // In the order of the pieces, whoever came last: the same bits every time.
  sums_ = given_[0];
  for (size_t piece = 1; piece < given_.size(); ++piece) {
    for (size_t i = 0; i < sums_.size(); ++i) sums_[i] = sums_[i] + given_[piece].at(i);
  }
  arrived_ = 0;
  ++round_;
  changed_.notify_all();
  return sums_;
}

void PieceSums::Abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  changed_.notify_all();
}

}  // namespace wildrayzer

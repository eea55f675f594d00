// Which frames of a sequence become inputs and targets where no list says so.
#pragma once

#include <algorithm>
#include <vector>

namespace wildrayzer {

// Indices of frames, ascending.
struct SpreadFrames {
  std::vector<int> inputs;
  std::vector<int> targets;
};

// Of frames 0 .. F - 1: K inputs at i (F - 1) / (K - 1), rounded to the nearest frame, so both ends are among
// them (one input: frame F / 2). T targets are the middles of T equal parts of the F - K frames that are
// left: number (2 i + 1) (F - K) / (2 T) of them, rounded down. Middles, not ends: a target that touches an
// input is nearly that input, and flatters whatever copies it. Needs 1 <= K, 0 <= T and K + T <= F.
inline SpreadFrames SpreadOverFrames(int frames, int inputs, int targets) {
  SpreadFrames spread;
  for (int i = 0; i < inputs; ++i) {
    spread.inputs.push_back(inputs == 1 ? frames / 2
                                        : (2 * i * (frames - 1) + inputs - 1) / (2 * (inputs - 1)));
  }
  std::vector<int> rest;
  for (int frame = 0; frame < frames; ++frame) {
    if (!std::binary_search(spread.inputs.begin(), spread.inputs.end(), frame)) rest.push_back(frame);
  }
  for (int i = 0; i < targets; ++i) {
    const auto place = (2 * i + 1) * static_cast<long long>(rest.size()) / (2 * targets);
    spread.targets.push_back(rest[static_cast<size_t>(place)]);
  }
  return spread;
}

}  // namespace wildrayzer

// Random order that is the same on every platform.
#pragma once

#include <utility>
#include <vector>

#include "wildrayzer/util/random.h"

namespace wildrayzer {

// Fisher-Yates; every order is equally likely.
template <typename T>
void Shuffle(std::vector<T>& items, Random& random) {
  for (size_t left = items.size(); left > 1; --left) std::swap(items[left - 1], items[random.Below(left)]);
}

}  // namespace wildrayzer

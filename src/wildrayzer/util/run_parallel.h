// Jobs spread over threads.
#pragma once

#include <functional>

namespace wildrayzer {

// Runs job(0) ... job(count - 1) on `threads` threads (at least this one) and raises the first error after
// all have stopped.
void RunParallel(int count, int threads, const std::function<void(int)>& job);

}  // namespace wildrayzer

#include "wildrayzer/kernels/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>

namespace wildrayzer {

void SetThreadsOfThisThread(int threads) { omp_set_num_threads(threads); }

void ParallelFor(int64_t count, const std::function<void(int64_t begin, int64_t end)>& body) {
  const int64_t threads = omp_in_parallel() ? 1 : std::min<int64_t>(omp_get_max_threads(), count);
  if (threads <= 1) {
    if (count > 0) body(0, count);
    return;
  }
  // A few pieces for each thread, so that a thread that was held up does not keep the others waiting.
  const int64_t pieces = std::min(count, 8 * threads);
  std::exception_ptr error;
  std::atomic_flag failed = ATOMIC_FLAG_INIT;
#pragma omp parallel for schedule(dynamic) num_threads(static_cast <int>(threads))
  for (int64_t piece = 0; piece < pieces; ++piece) {
    try {
      // Sizes that differ by one at most, without overflow of count * piece.
      const auto start = [&](int64_t i) { return count / pieces * i + std::min(i, count % pieces); };
      body(start(piece), start(piece + 1));
    } catch (...) {
      if (!failed.test_and_set()) error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace wildrayzer

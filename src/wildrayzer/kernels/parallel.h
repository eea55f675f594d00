// Loops over all cores.
#pragma once

#include <cstdint>
#include <functional>

namespace wildrayzer {

// Calls body(begin, end) for pieces that cover [0, count), on as many threads as ATen and OpenBLAS use (see
// threads.h); which thread gets which piece, and where pieces end, may differ from run to run, so no piece
// may depend on another. Inside another parallel loop it runs serially. The first exception is rethrown when
// all threads are done.
//
// at::parallel_for is not used because it is a header template that silently runs on one thread in files
// compiled without OpenMP.
void ParallelFor(int64_t count, const std::function<void(int64_t begin, int64_t end)>& body);

// The calling thread's parallel loops, ours and those of every library on OpenMP, use this many threads from
// now on.
void SetThreadsOfThisThread(int threads);

}  // namespace wildrayzer

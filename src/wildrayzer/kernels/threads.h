// How many threads the numerics use.
#pragma once

#include <cstdint>
#include <functional>

namespace wildrayzer {

// Sets ATen's (and with it OpenMP's and OpenBLAS's) number of threads to the cores this process may use, and
// warns when the BLAS that was loaded is the unoptimised reference one. Call once, before the first tensor
// operation.
void SetThreadsFromMachine();

// The same with a given number of threads (>= 1), and the number in force.
void SetThreads(int threads);
int NumThreads();

// Calls task(0) ... task(count - 1) at the same time, each on a thread of its own on which tensor operations
// run serially: for work whose single operations are too small to be shared among cores. With one task it
// runs in the calling thread, on all its threads. The first exception (by task) is rethrown when all are
// done.
//
// A parallel loop of OpenMP will not do for this: inside one, oneDNN's convolutions plan for all threads, get
// one, and wait for the others for ever.
void RunTogether(int64_t count, const std::function<void(int64_t)>& task);

}  // namespace wildrayzer

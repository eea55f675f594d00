// How many threads the numerics use.
#pragma once

namespace wildrayzer {

// Sets ATen's (and with it OpenMP's and OpenBLAS's) number of threads to the cores this process may use, and
// warns when the BLAS that was loaded is the unoptimised reference one. Call once, before the first tensor
// operation.
void SetThreadsFromMachine();

// The same with a given number of threads (>= 1), and the number in force.
void SetThreads(int threads);
int NumThreads();

}  // namespace wildrayzer

#include "wildrayzer/kernels/threads.h"

#include <torch/torch.h>

#include "wildrayzer/util/log.h"
#include "wildrayzer/util/system.h"

namespace wildrayzer {

void SetThreadsFromMachine() { SetThreads(AvailableCores()); }

int NumThreads() { return torch::get_num_threads(); }

void SetThreads(int threads) {
  torch::set_num_threads(threads);
  if (BlasIsSlow()) {
    LogWarning(
        "matrix products run in the unoptimised reference BLAS ({}): expect them to be up to 80 times "
        "slower; "
        "install libopenblas0-openmp and select it with update-alternatives",
        BlasName());
  }
}

}  // namespace wildrayzer

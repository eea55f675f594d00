#include "wildrayzer/kernels/threads.h"

#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "wildrayzer/kernels/parallel.h"
#include "wildrayzer/util/log.h"
#include "wildrayzer/util/system.h"
#include "wildrayzer/util/tensor.h"

namespace wildrayzer {

void SetThreadsFromMachine() { SetThreads(AvailableCores()); }

void RunTogether(int64_t count, const std::function<void(int64_t)>& task) {
  if (count == 1) return task(0);
  std::vector<std::exception_ptr> errors(static_cast<size_t>(count));
  std::vector<std::thread> threads;
  for (int64_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      torch::get_num_threads();  // ATen sets a thread's number at its first use; ours must come after
      SetThreadsOfThisThread(1);
      try {
        task(i);
      } catch (...) {
        errors[static_cast<size_t>(i)] = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

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
  if (const std::string better = BetterBlasKernels(BlasName(), CpuFeatures()); !better.empty()) {
    LogWarning(
        "OpenBLAS does not know this processor and multiplies with kernels of 2004 ({}); set "
        "OPENBLAS_CORETYPE={}",
        BlasName(), better);
  }
}

}  // namespace wildrayzer

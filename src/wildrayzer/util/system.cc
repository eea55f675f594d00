#include "wildrayzer/util/system.h"

#include <dlfcn.h>
#include <malloc.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>

#include "wildrayzer/util/cpu_quota.h"

namespace wildrayzer {
namespace {

// Value of the first "key : value" line of /proc/cpuinfo.
std::string CpuInfo(const std::string& key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key, 0) != 0) continue;
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const size_t start = line.find_first_not_of(" \t", colon + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return "";
}

}  // namespace

int AvailableCores() {
  if (const char* wanted = std::getenv("OMP_NUM_THREADS")) {
    const int count = std::atoi(wanted);
    if (count > 0) return count;
  }
  cpu_set_t set;
  const int cores = ::sched_getaffinity(0, sizeof(set), &set) == 0
                        ? CPU_COUNT(&set)
                        : static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  // More threads than the quota pays for take turns at being stopped, and wait for each other.
  const std::optional<double> quota = CpuQuota();
  return std::max(1, quota ? std::min(cores, CoresOfQuota(*quota)) : cores);
}

std::string BlasName() {
  // Looked up by name so that the question can be asked of whatever library the loader chose.
  using Config = char* (*)();
  if (auto config = reinterpret_cast<Config>(::dlsym(RTLD_DEFAULT, "openblas_get_config"))) return config();
  if (::dlsym(RTLD_DEFAULT, "MKL_Get_Version_String") != nullptr) return "Intel MKL";
  if (::dlsym(RTLD_DEFAULT, "bli_info_get_version_str") != nullptr) return "BLIS";
  return "reference BLAS";
}

bool BlasIsSlow() {
  // OpenBLAS can be linked and still not be the library that serves LibTorch's sgemm_.
  void* symbol = ::dlsym(RTLD_DEFAULT, "sgemm_");
  Dl_info info;
  if (symbol == nullptr || ::dladdr(symbol, &info) == 0 || info.dli_fname == nullptr)
    return BlasName() == "reference BLAS";
  char* real = ::realpath(info.dli_fname, nullptr);
  const std::string path = real != nullptr ? real : info.dli_fname;
  std::free(real);
  return path.find("openblas") == std::string::npos && path.find("mkl") == std::string::npos &&
         path.find("blis") == std::string::npos && path.find("/blas/") != std::string::npos;
}

std::string BetterBlasKernels(const std::string& blas, const std::string& features) {
  const auto has = [](const std::string& text, const char* word) {
    return text.find(word) != std::string::npos;
  };
  bool old = false;
  for (const char* name : {"Prescott", "Core2", "Penryn", "Nehalem", "Katmai", "Northwood"})
    old = old || has(blas, name);
  if (!old || !has(blas, "OpenBLAS")) return "";
  if (has(features, "avx512f")) return "SKYLAKEX";
  return has(features, "avx2") && has(features, "fma") ? "HASWELL" : "";
}

void RestartWithBetterBlasKernels(char** argv) {
  constexpr char kChoice[] = "OPENBLAS_CORETYPE";
  if (std::getenv(kChoice) != nullptr) return;
  const std::string better = BetterBlasKernels(BlasName(), CpuFeatures());
  if (better.empty()) return;
  ::setenv(kChoice, better.c_str(), 1);
  ::execv("/proc/self/exe", argv);  // returns only when it failed
  ::unsetenv(kChoice);
}

void KeepFreedMemory() {
#if defined(M_MMAP_THRESHOLD) && defined(M_TRIM_THRESHOLD)
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most that it takes
  ::mallopt(M_TRIM_THRESHOLD, 512 << 20);
#endif
}

uint64_t PeakResidentBytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

uint64_t TotalMemoryBytes() {
  return static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string CpuName() { return CpuInfo("model name"); }

std::string CpuFeatures() {
  std::istringstream flags(CpuInfo("flags"));
  std::string found;
  for (std::string flag; flags >> flag;) {
    if (flag == "avx2" || flag == "fma" || flag == "avx512f" || flag == "avx512_vnni" ||
        flag == "avx512_bf16" || flag == "amx_bf16" || flag == "amx_int8") {
      found += (found.empty() ? "" : " ") + flag;
    }
  }
  return found;
}

}  // namespace wildrayzer

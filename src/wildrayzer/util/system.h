// Facts about the machine that decide speed, and that reports record.
#pragma once

#include <cstdint>
#include <string>

namespace wildrayzer {

// Number of cores that this process may use, at least 1: OMP_NUM_THREADS, or else what the affinity mask and
// a container's quota of processor time leave. The one place that numbers of threads come from.
int AvailableCores();

// Name of the BLAS that is loaded, for instance "OpenBLAS 0.3.21 ...", or "reference BLAS" when it is the
// slow default.
std::string BlasName();
// True when matrix products in fp32 would run in the unoptimised reference BLAS (80 times slower).
bool BlasIsSlow();

// The OpenBLAS kernels (values of OPENBLAS_CORETYPE) that fit a processor with these CpuFeatures() where the
// library of this BlasName() has chosen ones from before AVX; empty: they are good enough. OpenBLAS knows the
// processors of its time: Debian 12's takes those since 2023 for a Pentium 4, which makes fp32 products seven
// times slower.
std::string BetterBlasKernels(const std::string& blas, const std::string& features);

// Where there are such, starts the program anew with OPENBLAS_CORETYPE set, since OpenBLAS asks but once,
// when it is loaded. A choice of the user's stands. To be called before all else; returns when there is
// nothing to be gained.
void RestartWithBetterBlasKernels(char** argv);

// Has the C library keep freed memory for what is allocated next, where it can. Tensors of the same sizes
// come and go in every layer; each that goes back to the system has to be cleared by it when it comes again.
// For programs that end: one that runs for days (`serve`) would grow by what lies between.
void KeepFreedMemory();

// Largest resident set of this process so far, in bytes.
uint64_t PeakResidentBytes();
// Bytes of memory that the machine has.
uint64_t TotalMemoryBytes();

// Model name of the processor, and the vector extensions that matter here ("avx2 avx512f avx512_vnni
// avx512_bf16").
std::string CpuName();
std::string CpuFeatures();

}  // namespace wildrayzer

// The processor time that a container may use, where it is less than its cores: Docker's --cpus, Kubernetes'
// limits.
#pragma once

#include <filesystem>
#include <optional>

namespace wildrayzer {

// Cores' worth of time that this process's control groups grant, the least of its own and of all above it;
// nothing where there is no limit. Version 1 (cpu.cfs_quota_us), 2 (cpu.max) and both at once. `root` stands
// in for "/" in tests.
std::optional<double> CpuQuota(const std::filesystem::path& root = "/");

// Threads that make use of a quota: rounded up, at least 1.
int CoresOfQuota(double quota);

}  // namespace wildrayzer

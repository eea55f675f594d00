#include "wildrayzer/util/cpu_quota.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "wildrayzer/util/system.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

// A machine's files: what the process is told of its groups, and the folders of these.
class Quotas : public testing::Test {
 protected:
  void TearDown() override { fs::remove_all(root_); }

  void Put(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void Unified(const std::string& group, const std::string& shown = "/") {
    Put("proc/self/cgroup", "0::" + group + "\n");
    Put("proc/self/mountinfo",
        "22 1 254:1 / / rw - ext4 /dev/vda rw\n"
        "29 23 0:26 " +
            shown + " /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
  }
  void First(const std::string& group, const std::string& shown = "/") {
    Put("proc/self/cgroup", "5:memory:/elsewhere\n3:cpu,cpuacct:" + group + "\n0::/\n");
    Put("proc/self/mountinfo",
        "30 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "31 23 0:28 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
        "32 23 0:29 " +
            shown + " /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n");
  }

  fs::path root_ = fs::temp_directory_path() / ("wrz_quota_" + std::to_string(::getpid()));
};

TEST_F(Quotas, NoneWhereNothingIsSaid) {
  EXPECT_FALSE(CpuQuota(root_).has_value());
  Unified("/a");
  Put("sys/fs/cgroup/a/cpu.max", "max 100000\n");
  EXPECT_FALSE(CpuQuota(root_).has_value());
  First("/a");
  Put("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
  Put("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
  EXPECT_FALSE(CpuQuota(root_).has_value());
}

TEST_F(Quotas, SecondVersion) {
  Unified("/a/b");
  Put("sys/fs/cgroup/a/b/cpu.max", "250000 100000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root_).value(), 2.5);
  // The group above grants less.
  Put("sys/fs/cgroup/a/cpu.max", "75000 50000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root_).value(), 1.5);
  Put("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root_).value(), 1.5);
}

TEST_F(Quotas, FirstVersion) {
  First("/docker/123");
  Put("sys/fs/cgroup/cpu,cpuacct/docker/123/cpu.cfs_quota_us", "300000\n");
  Put("sys/fs/cgroup/cpu,cpuacct/docker/123/cpu.cfs_period_us", "200000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root_).value(), 1.5);
  Put("sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us", "100000\n");
  Put("sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root_).value(), 1);
}

// Inside, the group is mounted as the top, but named as outside, or not at all.
TEST_F(Quotas, InContainers) {
  First("/docker/123/inner", "/docker/123");
  Put("sys/fs/cgroup/cpu,cpuacct/inner/cpu.cfs_quota_us", "400000\n");
  Put("sys/fs/cgroup/cpu,cpuacct/inner/cpu.cfs_period_us", "100000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root_).value(), 4);
  Put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "350000\n");
  Put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root_).value(), 3.5);
  Unified("/");
  Put("sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root_).value(), 0.5);
  for (const char* named : {"/../sibling", "/kubepods/pod1/abc"}) {
    Unified(named);
    EXPECT_DOUBLE_EQ(CpuQuota(root_).value(), 0.5) << named;
  }
}

TEST_F(Quotas, NonsenseIsNoLimit) {
  Unified("/a");
  for (const char* text : {"", "\n", "-5 100000", "100000 0", "100000", "x y"}) {
    Put("sys/fs/cgroup/a/cpu.max", text);
    EXPECT_FALSE(CpuQuota(root_).has_value()) << text;
  }
  Put("proc/self/mountinfo", "nothing - \n - cgroup2\n");
  Put("proc/self/cgroup", "::::\n0\n\n");
  EXPECT_FALSE(CpuQuota(root_).has_value());
}

TEST(CoresOfQuota, RoundsUpAndIsAtLeastOne) {
  EXPECT_EQ(CoresOfQuota(0.1), 1);
  EXPECT_EQ(CoresOfQuota(1), 1);
  EXPECT_EQ(CoresOfQuota(1.2), 2);
  EXPECT_EQ(CoresOfQuota(1.5), 2);
  EXPECT_EQ(CoresOfQuota(2.5), 3);
  EXPECT_EQ(CoresOfQuota(64), 64);
}

TEST(AvailableCores, IsWithinTheMachine) {
  const char* before = std::getenv("OMP_NUM_THREADS");
  const std::string kept = before != nullptr ? before : "";
  ::setenv("OMP_NUM_THREADS", "3", 1);
  EXPECT_EQ(AvailableCores(), 3);
  ::unsetenv("OMP_NUM_THREADS");
  cpu_set_t set;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(set), &set), 0);
  EXPECT_GE(AvailableCores(), 1);
  EXPECT_LE(AvailableCores(), CPU_COUNT(&set));
  if (before != nullptr) ::setenv("OMP_NUM_THREADS", kept.c_str(), 1);
}

}  // namespace
}  // namespace wildrayzer

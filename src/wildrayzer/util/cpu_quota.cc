#include "wildrayzer/util/cpu_quota.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

// A hierarchy of control groups that limits processor time.
struct QuotaTree {
  bool unified = false;  // version 2
  fs::path mount;        // where it is to be seen
  std::string shown;     // the group that is seen there: "/", or the container's own
};

bool HasWord(const std::string& comma_separated, const std::string& word) {
  return ("," + comma_separated + ",").find("," + word + ",") != std::string::npos;
}

// Lines of mountinfo: "ID PARENT MAJOR:MINOR SHOWN MOUNT OPTIONS [FIELDS ...] - TYPE SOURCE SUPER-OPTIONS".
std::vector<QuotaTree> QuotaTrees(const fs::path& root) {
  std::vector<QuotaTree> trees;
  std::ifstream file(root / "proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::string skipped, shown, mount, type, super_options;
    std::istringstream(line) >> skipped >> skipped >> skipped >> shown >> mount;
    std::istringstream(line.substr(dash + 3)) >> type >> skipped >> super_options;
    if (type == "cgroup2" || (type == "cgroup" && HasWord(super_options, "cpu")))
      trees.push_back({type == "cgroup2", root / fs::path(mount).relative_path(), shown});
  }
  return trees;
}

// The group of this process in the tree. Lines of /proc/self/cgroup: "0::GROUP" (version 2) and
// "NUMBER:CONTROLLERS:GROUP".
std::string OwnGroup(const fs::path& root, bool unified) {
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (unified ? controllers.empty() : HasWord(controllers, "cpu")) return line.substr(second + 1);
  }
  return "/";
}

// Nothing where the folder sets no limit, as that of the topmost group.
std::optional<double> QuotaOf(const fs::path& folder, bool unified) {
  double quota = 0, period = 0;
  if (unified) {
    std::ifstream(folder / "cpu.max") >> quota >> period;  // "max 100000": nothing is read
  } else {
    std::ifstream(folder / "cpu.cfs_quota_us") >> quota;  // -1: none
    std::ifstream(folder / "cpu.cfs_period_us") >> period;
  }
  if (!(quota > 0 && period > 0)) return std::nullopt;
  return quota / period;
}

}  // namespace

std::optional<double> CpuQuota(const fs::path& root) {
  std::optional<double> least;
  for (const QuotaTree& tree : QuotaTrees(root)) {
    std::string group = OwnGroup(root, tree.unified);
    // A container sees its own group at the mount, and is told its name as the machine knows it.
    if (tree.shown != "/" && group.starts_with(tree.shown)) group.erase(0, tree.shown.size());
    fs::path folder = tree.mount / fs::path(group).relative_path();
    // Named from outside of what is seen ("/../other", or another's path): what is mounted is what there is.
    if (group.find("/..") != std::string::npos || !fs::is_directory(folder)) folder = tree.mount;
    for (folder = folder.lexically_normal();; folder = folder.parent_path()) {
      if (const std::optional<double> quota = QuotaOf(folder, tree.unified))
        least = std::min(least.value_or(*quota), *quota);
      if (folder == tree.mount.lexically_normal() || folder == folder.parent_path()) break;
    }
  }
  return least;
}

int CoresOfQuota(double quota) {
  // A hair above a whole number is rounding in somebody's arithmetic, and no core.
  return static_cast<int>(std::clamp(std::ceil(quota - 1e-3), 1.0, 1e6));
}

}  // namespace wildrayzer

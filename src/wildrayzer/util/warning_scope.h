// The warnings of one item among many.
#pragma once

#include <string>
#include <vector>

namespace wildrayzer {

// While it lives, Warnings() tells those logged since it began, and what was said before is said again. Not
// to be nested, nor used while other threads log.
class WarningScope {
 public:
  WarningScope();
  ~WarningScope();
  WarningScope(const WarningScope&) = delete;
  WarningScope& operator=(const WarningScope&) = delete;

 private:
  std::vector<std::string> before_;
};

}  // namespace wildrayzer

// Warnings of one piece of work, in a program that does many.
#pragma once

#include <string>
#include <vector>

namespace wildrayzer {

// While it lives, LogWarning on its thread adds to it, once per distinct text, instead of printing and
// remembering: a server would print and remember without end. The innermost one counts.
class CollectedWarnings {
 public:
  CollectedWarnings();
  ~CollectedWarnings();
  CollectedWarnings(const CollectedWarnings&) = delete;
  CollectedWarnings& operator=(const CollectedWarnings&) = delete;

  void Add(const std::string& message);
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  CollectedWarnings* const outer_;
  std::vector<std::string> texts_;
};

}  // namespace wildrayzer

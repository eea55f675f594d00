// Warnings of one piece of work, in a program that does many.
#pragma once

#include <string>
#include <vector>

namespace wildrayzer {

// While it lives, LogWarning on its thread adds to it, once per distinct text, and Warnings() tells what is
// in it; nothing is remembered beyond (a server would remember without end). The innermost one counts.
class CollectedWarnings {
 public:
  // printed: they are also printed.
  explicit CollectedWarnings(bool printed = false);
  ~CollectedWarnings();
  CollectedWarnings(const CollectedWarnings&) = delete;
  CollectedWarnings& operator=(const CollectedWarnings&) = delete;

  void Add(const std::string& message);
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  CollectedWarnings* const outer_;
  const bool printed_;
  std::vector<std::string> texts_;
};

}  // namespace wildrayzer

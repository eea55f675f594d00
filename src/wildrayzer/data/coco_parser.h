// Streaming reader of COCO instances files: keeps the fields that CocoInstances needs and never builds a JSON
// tree.
#pragma once

#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "wildrayzer/data/coco.h"

namespace wildrayzer {

struct CocoRecords {
  std::vector<CocoImage> images;
  std::vector<CocoCategory> categories;
  std::vector<CocoAnnotation> annotations;  // with a well-formed outline
  int64_t skipped = 0;                      // annotations left out for their outline
  std::string first_problem;                // what was wrong with the first of them
};

// Parses `text`. `keep` (category ids) limits the annotations kept; empty keeps all. Raises Error with one
// line that says what is wrong and in which record; the caller adds the file.
CocoRecords ParseCoco(std::span<const std::byte> text, const std::set<int>& keep);

}  // namespace wildrayzer

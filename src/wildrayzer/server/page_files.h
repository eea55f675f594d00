// The files of the page, compiled in.
#pragma once

#include <string>
#include <string_view>

namespace wildrayzer {

struct PageFile {
  std::string_view name;
  std::string_view text;
  std::string_view content_type;
  std::string tag;  // of the content, as in an ETag header
};

// Null when the page has no file of this name.
const PageFile* FindPageFile(std::string_view name);

}  // namespace wildrayzer

#include "wildrayzer/server/page_files.h"

#include <vector>

#include "wildrayzer/server/page_contents.h"
#include "wildrayzer/util/sha256.h"

namespace wildrayzer {
namespace {

std::string_view ContentType(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "text/plain; charset=utf-8";
}

std::vector<PageFile> AllFiles() {
  std::vector<PageFile> files;
  for (const PageContent& content : kPageContents) {
    Sha256 hash;
    hash.Update(content.text.data(), content.text.size());
    files.push_back(
        {content.name, content.text, ContentType(content.name), "\"" + hash.Hex().substr(0, 32) + "\""});
  }
  return files;
}

}  // namespace

const PageFile* FindPageFile(std::string_view name) {
  static const std::vector<PageFile> files = AllFiles();
  for (const PageFile& file : files) {
    if (file.name == name) return &file;
  }
  return nullptr;
}

}  // namespace wildrayzer

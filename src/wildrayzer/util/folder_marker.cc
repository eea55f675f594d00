#include "wildrayzer/util/folder_marker.h"

#include <unistd.h>

#include <fstream>

#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

// The marker's first line, by which it is known: a file of that name that begins otherwise is somebody
// else's.
constexpr char kFirstLine[] =
    "This folder was made by wildrayzer. --overwrite replaces the files listed here and touches no others.";

// A name may hold line feeds, but a line of the list may not.
std::string Escaped(const std::string& name) {
  std::string escaped;
  for (const char c : name) {
    if (c == '\\') escaped += "\\\\";
    if (c == '\n') escaped += "\\n";
    if (c != '\\' && c != '\n') escaped += c;
  }
  return escaped;
}

}  // namespace

bool IsUnfinished(const fs::path& path) {
  std::error_code error;
  return path.filename().string().starts_with(std::string(".") + kUnfinishedName + ".tmp-") &&
         fs::symlink_status(path, error).type() == fs::file_type::directory;
}

FolderContent ContentOf(const fs::path& folder) {
  FolderContent content;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  while (!error && entry != fs::recursive_directory_iterator()) {
    const fs::path& path = entry->path();
    if (entry.depth() == 0 && IsUnfinished(path)) {
      entry.disable_recursion_pending();
      entry.increment(error);
      continue;
    }
    const fs::file_type type = entry->symlink_status(error).type();
    if (type == fs::file_type::directory) {
      content.folders.push_back(path);
    } else if (path != folder / kMarkerName) {
      content.files.push_back(
          {path, Escaped(path.lexically_relative(folder).string()), type == fs::file_type::regular});
    }
    if (!error) entry.increment(error);
  }
  if (error) throw FileError(folder.string(), "cannot look through the folder: " + error.message());
  return content;
}

void WriteMarker(const fs::path& folder) {
  std::set<std::string> sorted;
  for (const auto& file : ContentOf(folder).files) sorted.insert(file.name);
  std::string text = std::string(kFirstLine) + "\n";
  for (const std::string& name : sorted) text += name + "\n";
  WriteFileAtomically(folder / kMarkerName, text);
}

std::optional<std::set<std::string>> ReadMarker(const fs::path& folder) {
  std::ifstream file(folder / kMarkerName, std::ios::binary);
  std::string line;
  if (!std::getline(file, line) || line != kFirstLine) return std::nullopt;
  std::set<std::string> names;
  while (std::getline(file, line)) names.insert(line);
  return names;
}

bool RemoveListed(const fs::path& folder, const std::set<std::string>& names) {
  const FolderContent content = ContentOf(folder);
  for (const auto& file : content.files) {
    if (file.regular && names.contains(file.name)) ::unlink(file.path.c_str());
  }
  ::unlink((folder / kMarkerName).c_str());
  for (auto inner = content.folders.rbegin(); inner != content.folders.rend(); ++inner)
    ::rmdir(inner->c_str());
  return ::rmdir(folder.c_str()) == 0;
}

}  // namespace wildrayzer

// How an output folder tells which of its files this program made.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace wildrayzer {

// In every finished folder: a sentence for people, then the files that the program wrote, one a line.
inline constexpr char kMarkerName[] = "made_by_wildrayzer.txt";

// Folders whose hidden name TemporarySibling made from this one, directly in an output folder, hold results
// that are not complete yet.
inline constexpr char kUnfinishedName[] = "wildrayzer";
bool IsUnfinished(const std::filesystem::path& path);

// What lies below a folder, unfinished results aside.
struct FolderContent {
  struct File {
    std::filesystem::path path;
    std::string name;  // relative to the folder, as the marker lists it
    bool regular;      // no link, pipe or device
  };
  std::vector<File> files;                     // the marker aside
  std::vector<std::filesystem::path> folders;  // an outer one before those in it
};

// FileError when a part of the folder may not be looked at.
FolderContent ContentOf(const std::filesystem::path& folder);

// Lists the folder's files in its marker.
void WriteMarker(const std::filesystem::path& folder);

// The names in the folder's marker; nothing when there is none of ours.
std::optional<std::set<std::string>> ReadMarker(const std::filesystem::path& folder);

// Deletes the marker, the files of these names and the folders that are empty then; whatever else is there
// stays, and so does `folder` with it. False when something stays.
bool RemoveListed(const std::filesystem::path& folder, const std::set<std::string>& names);

}  // namespace wildrayzer

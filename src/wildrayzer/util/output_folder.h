// Folders that commands write: nothing is lost in them that this program did not make.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace wildrayzer {

// A hidden folder that its destructor removes with all it holds, unless Keep() was called.
class TemporaryFolder {
 public:
  // Makes one beside `place`, and the folders above it that are missing; these go again if they are empty in
  // the end. FileError naming `wanted`, the folder that the user asked for.
  TemporaryFolder(const std::filesystem::path& place, const std::filesystem::path& wanted);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void Keep() { kept_ = true; }

 private:
  void RemoveMadeParents();

  std::filesystem::path path_;
  std::vector<std::filesystem::path> made_parents_;  // the innermost first
  int lock_ = -1;  // held as long as we live: what is not locked was left by a run that was killed
  bool kept_ = false;
};

// Removes the temporary folders of TemporaryFolder(folder / kUnfinishedName, ...) that killed runs have left
// in `folder`. What holds a result that was kept for the user stays.
void RemoveUnfinished(const std::filesystem::path& folder);

// An output folder whose files appear only when Commit() succeeds; until then everything is written to a
// hidden folder, which the destructor removes.
//
// A folder that does not exist yet is staged beside its place. One that exists stays what and where it is (it
// may be a mount point, somebody's working folder, or stand where we may not write): it is staged inside.
//
// Existing folders may be used when they are empty and, with `overwrite`, when their marker
// (folder_marker.h) lists every file in them and none of `inputs`, the files and folders that the run reads,
// lies in them. Anything else raises UsageError.
class StagedFolder {
 public:
  StagedFolder(std::filesystem::path path, bool overwrite, std::vector<std::filesystem::path> inputs);

  // Where to write now.
  const std::filesystem::path& staging() const { return staging_; }

  // Looks once more at what the folder holds. When the result cannot be put there (somebody has filled the
  // folder meanwhile) it is kept where it was written, and the Error says where.
  void Commit();

 private:
  std::set<std::string> CheckExisting() const;
  std::set<std::string> MoveIn();
  void RemoveOld(const std::set<std::string>& names);
  void KeepResult();

  std::filesystem::path path_;
  bool overwrite_;
  std::vector<std::filesystem::path> inputs_;
  bool existed_ = false;
  std::unique_ptr<TemporaryFolder> temporary_;
  std::filesystem::path staging_;
};

// Has `write` write flat files to a folder. Where a stopped run has left one, files of the same names are
// replaced and all others stay.
void CompleteFolder(const std::filesystem::path& path,
                    const std::function<void(const std::filesystem::path& staging)>& write);

// For commands that write their folder bit by bit and go on where they were stopped: raises UsageError when
// `path` is a file, or holds files but not `own_file` ("evaluation.json"), by which the command knows what it
// began itself; `kind` names that ("evaluation"). Makes nothing.
void CheckOwnFolder(const std::filesystem::path& path, const std::string& own_file, const std::string& kind);

}  // namespace wildrayzer

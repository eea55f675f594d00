#include "wildrayzer/util/output_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <optional>

#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/folder_marker.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

// "out/" and "out/." mean "out".
fs::path WithoutTrailingSlash(fs::path path) {
  while (path.has_parent_path() && path != path.parent_path() &&
         (path.filename().empty() || path.filename() == "."))
    path = path.parent_path();
  return path;
}

int Lock(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0 && ::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
  if (descriptor >= 0) ::close(descriptor);
  return -1;
}

// In the temporary folder of an existing one: what is being written, and what it replaces.
constexpr char kNew[] = "new", kOld[] = "old";
// Where a result that could not be put in place is kept in its temporary folder.
constexpr char kKept[] = "result";

// Unfinished results aside.
bool IsEmpty(const fs::path& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (!IsUnfinished(entry.path())) return false;
  }
  if (error) throw FileError(folder.string(), "cannot look into the folder: " + error.message());
  return true;
}

// Whether `place` is the folder or lies in it, whatever links and mounts lead there.
bool LiesIn(const fs::path& place, const fs::path& folder) {
  std::error_code error;
  fs::path at = fs::canonical(place, error);
  if (error) return false;  // it is not there; whoever reads it will say so
  while (!fs::equivalent(at, folder, error)) {
    const fs::path parent = at.parent_path();
    if (parent == at) return false;
    at = parent;
  }
  return true;
}

// The first of the inputs, and of the files directly in those that are folders, that lies in `folder`.
std::optional<fs::path> InputIn(const fs::path& folder, const std::vector<fs::path>& inputs) {
  for (const fs::path& input : inputs) {
    if (LiesIn(input, folder)) return input;
    std::error_code error;
    if (!fs::is_directory(input, error)) continue;
    for (const auto& entry : fs::directory_iterator(input, error)) {
      // Links may lead anywhere; all else lies where its folder lies.
      if (entry.is_symlink(error) && LiesIn(entry.path(), folder)) return entry.path();
    }
  }
  return std::nullopt;
}

void Rename(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) throw FileError(to.string(), "cannot be put in place: " + error.message());
}

}  // namespace

void RemoveUnfinished(const fs::path& folder) {
  std::vector<fs::path> leftovers;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (IsUnfinished(entry.path()) && !fs::exists(entry.path() / kKept, error))
      leftovers.push_back(entry.path());
  }
  for (const fs::path& leftover : leftovers) {
    const int lock = Lock(leftover);
    if (lock < 0) continue;  // of a run that is at work now
    fs::remove_all(leftover, error);
    ::close(lock);
  }
}

TemporaryFolder::TemporaryFolder(const fs::path& place, const fs::path& wanted) {
  std::error_code error;
  for (fs::path p = place.parent_path(); !p.empty() && !fs::exists(p, error); p = p.parent_path())
    made_parents_.push_back(p);
  if (!made_parents_.empty()) fs::create_directories(made_parents_.front(), error);
  bool made = false;
  while (!made && !error) {  // a killed run may have left a folder of our name
    path_ = TemporarySibling(place);
    made = fs::create_directory(path_, error);
  }
  if (error) {
    RemoveMadeParents();
    throw FileError(wanted.string(), "cannot create the output folder: " + error.message());
  }
  lock_ = Lock(path_);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!kept_) fs::remove_all(path_, ignored);
  if (lock_ >= 0) ::close(lock_);
  RemoveMadeParents();
}

void TemporaryFolder::RemoveMadeParents() {
  for (const fs::path& parent : made_parents_) ::rmdir(parent.c_str());  // only if it is empty
}

StagedFolder::StagedFolder(fs::path path, bool overwrite, std::vector<fs::path> inputs)
    : path_(WithoutTrailingSlash(std::move(path))), overwrite_(overwrite), inputs_(std::move(inputs)) {
  if (path_.empty()) throw UsageError("--out must name a folder");
  std::error_code error;
  existed_ = fs::exists(path_, error);
  if (!existed_ && (fs::is_symlink(path_, error) || path_.filename() == ".."))
    throw UsageError(path_.string() + ": leads nowhere; choose another output folder");
  if (!existed_) {
    temporary_ = std::make_unique<TemporaryFolder>(path_, path_);
    staging_ = temporary_->path();
    return;
  }
  if (!fs::is_directory(path_, error))
    throw UsageError(path_.string() + ": is a file; choose another output folder");
  CheckExisting();
  RemoveUnfinished(path_);
  temporary_ = std::make_unique<TemporaryFolder>(path_ / kUnfinishedName, path_);
  staging_ = temporary_->path() / kNew;
  fs::create_directory(staging_);
}

// Raises UsageError unless the folder may be used; returns the names of the files that may be replaced.
std::set<std::string> StagedFolder::CheckExisting() const {
  const std::string folder = path_.string();
  if (IsEmpty(path_)) return {};
  if (const auto input = InputIn(path_, inputs_)) {
    throw UsageError(folder + ": holds " + input->string() +
                     ", which this run reads; choose another output folder");
  }
  const auto own = ReadMarker(path_);
  if (!own) {
    throw UsageError(folder + ": is not empty and has no " + kMarkerName +
                     ", so it is not replaced; choose another folder, or delete it yourself if an earlier "
                     "version made it");
  }
  for (const auto& file : ContentOf(path_).files) {
    if (file.regular && own->contains(file.name)) continue;
    throw UsageError(folder + ": holds " + file.name +
                     ", which this program did not make; move it away or choose another output folder");
  }
  if (!overwrite_) {
    throw UsageError(folder +
                     ": exists and is not empty; add --overwrite to replace it or choose another folder");
  }
  return *own;
}

void StagedFolder::Commit() {
  std::set<std::string> replaced;
  try {
    WriteMarker(staging_);
    if (existed_) {
      replaced = MoveIn();
    } else {
      Rename(staging_, path_);  // fails where a folder with anything in it has appeared
    }
  } catch (const std::exception& error) {
    KeepResult();
    throw Error(std::string(error.what()) + "; the result is kept in " + staging_.string());
  }
  SyncFolder(existed_ ? path_ : path_.parent_path());
  if (existed_) RemoveOld(replaced);
}

void StagedFolder::KeepResult() {
  temporary_->Keep();
  if (!existed_) return;
  std::error_code error;
  fs::rename(staging_, temporary_->path() / kKept, error);
  if (!error) staging_ = temporary_->path() / kKept;
}

// Replaces the old files by the new ones, or fails and leaves everything as it was. Killed at any moment it
// leaves a folder whose marker lists every file in it. Returns the names of the old files.
std::set<std::string> StagedFolder::MoveIn() {
  std::set<std::string> old_names = CheckExisting();
  const fs::path old = temporary_->path() / kOld;
  fs::create_directory(old);
  std::vector<std::pair<fs::path, fs::path>> moves;
  const auto add = [&moves](const fs::path& from, const fs::path& to) {
    for (const auto& entry : fs::directory_iterator(from)) {
      if (!IsUnfinished(entry.path()) && entry.path().filename() != kMarkerName)
        moves.emplace_back(entry.path(), to / entry.path().filename());
    }
  };
  add(path_, old);
  if (fs::exists(path_ / kMarkerName)) moves.emplace_back(path_ / kMarkerName, old / kMarkerName);
  moves.emplace_back(staging_ / kMarkerName, path_ / kMarkerName);
  add(staging_, path_);
  size_t done = 0;
  try {
    for (; done < moves.size(); ++done) Rename(moves[done].first, moves[done].second);
  } catch (const FileError&) {
    std::error_code ignored;
    while (done-- > 0) fs::rename(moves[done].second, moves[done].first, ignored);
    throw;
  }
  return old_names;
}

void StagedFolder::RemoveOld(const std::set<std::string>& names) {
  const fs::path old = temporary_->path() / kOld;
  if (RemoveListed(old, names)) return;
  const fs::path kept = path_ / "not_made_by_wildrayzer";
  std::error_code error;
  fs::rename(old, kept, error);
  if (error) temporary_->Keep();
  LogWarning("{}: holds files that came into the folder while it was replaced",
             (error ? old : kept).string());
}

void CompleteFolder(const fs::path& path, const std::function<void(const fs::path&)>& write) {
  const TemporaryFolder temporary(path, path);
  write(temporary.path());
  std::error_code error;
  fs::rename(temporary.path(), path, error);
  if (!error) return;
  for (const auto& entry : fs::directory_iterator(temporary.path()))
    Rename(entry.path(), path / entry.path().filename());
}

void CheckOwnFolder(const fs::path& path, const std::string& own_file, const std::string& kind) {
  std::error_code error;
  if (!fs::exists(path, error)) return;
  if (!fs::is_directory(path, error)) throw UsageError(path.string() + ": is a file; give another --out");
  if (!fs::exists(path / own_file, error) && !fs::is_empty(path, error))
    throw UsageError(path.string() + ": is not empty and holds no " + kind + "; give another --out");
}

}  // namespace wildrayzer

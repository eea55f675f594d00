#include "wildrayzer/training/run_folder.h"

#include <algorithm>

#include "wildrayzer/training/run_log.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;

bool IsCheckpointName(const std::string& name) {
  constexpr std::string_view kBegin = "step_", kEnd = ".safetensors";
  constexpr size_t kDigits = 10;
  return name.size() >= kBegin.size() + kDigits + kEnd.size() && name.starts_with(kBegin) &&
         name.ends_with(kEnd) &&
         std::all_of(name.begin() + kBegin.size(), name.end() - kEnd.size(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

bool HoldsCheckpoints(const fs::path& run) { return !CheckpointsIn(run / "checkpoints").empty(); }

// What appears at the end of a run.
void RefuseResults(const fs::path& folder) {
  for (const char* name : {"model.safetensors", "model.pt", "report.html", "summary.md"}) {
    std::error_code error;
    if (!fs::exists(folder / name, error)) continue;
    throw UsageError(
        (folder / name).string() +
        ": training would write over it, and no checkpoint is there to go on from; move it away or "
        "give another --out");
  }
}

void RefuseFile(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_directory(folder, error))
    throw UsageError(folder.string() + ": is a file; give another --out");
}

}  // namespace

std::vector<fs::path> CheckpointsIn(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (IsCheckpointName(entry.path().filename().string())) files.push_back(entry.path());
  }
  // Steps are written with leading zeros, so names sort as steps do.
  std::sort(files.begin(), files.end());
  return files;
}

void CheckRunFolder(const fs::path& folder, bool resume) {
  RefuseFile(folder);
  if (HoldsCheckpoints(folder)) {
    if (resume) return;
    throw UsageError(folder.string() +
                     ": holds a training run; add --resume to continue it, or choose another folder");
  }
  RefuseResults(folder);
  // A run that was killed before its first checkpoint has left a log, which begins anew.
  if (!MayStartRunLog(folder)) {
    throw UsageError(
        (folder / kRunLogName).string() +
        ": training would write over it, and no run made it; move it away or give another --out");
  }
}

void CheckRecipeFolder(const fs::path& folder, const std::vector<std::string>& parts) {
  RefuseFile(folder);
  const bool ours = std::any_of(parts.begin(), parts.end(), [&](const std::string& part) {
    std::error_code error;
    return HoldsCheckpoints(folder / part) || fs::exists(folder / part / "model.safetensors", error);
  });
  if (!ours) RefuseResults(folder);
}

}  // namespace wildrayzer

// A finished (or running) training told on one page.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace wildrayzer {

// The folders with a log.jsonl: `folder` itself and those at most two levels below it, ordered by path, so
// that "stage1", "stage2", ... follow one another.
std::vector<std::filesystem::path> FindRunLogs(const std::filesystem::path& folder);

// The page for all logs of FindRunLogs(folder): timings, last values, a chart for every name of a scalar
// (tags "train/psnr" and "validation/psnr" share the chart "psnr", stages follow one another along its x
// axis), the first, middle and last picture of every image tag, and every text (configuration, seeds,
// counters). It needs no network and no other file. FileError when there is no log.
std::string RunReportHtml(const std::filesystem::path& folder, const std::string& title = "Training run");

// Writes it to `folder`/report.html, atomically.
void WriteRunReport(const std::filesystem::path& folder, const std::string& title = "Training run");

}  // namespace wildrayzer

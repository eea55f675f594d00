// A finished (or running) training told on one page.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace wildrayzer {

// The folders with a log.jsonl: `folder` itself and those at most two levels below it, ordered by path, so
// that "stage1", "stage2", ... follow one another.
std::vector<std::filesystem::path> FindRunLogs(const std::filesystem::path& folder);

// One Markdown table for all logs of FindRunLogs(folder), a row a stage in the order in which they began:
// steps, seconds (as the page counts them), sessions (1: unbroken), scenes, and the first and last values of
// what matters. FileError when there is no log.
std::string RunSummary(const std::filesystem::path& folder);

// The page for all logs of FindRunLogs(folder): timings, last values, a chart for every name of a scalar
// (tags "train/psnr" and "validation/psnr" share the chart "psnr", stages follow one another in time along
// its x axis), the first, middle and last picture of every image tag, and every text (configuration, seeds,
// counters). It needs no network and no other file. FileError when there is no log.
std::string RunReportHtml(const std::filesystem::path& folder, const std::string& title = "Training run");

// Writes `folder`/report.html and `folder`/summary.md, each atomically.
void WriteRunReport(const std::filesystem::path& folder, const std::string& title = "Training run");

}  // namespace wildrayzer

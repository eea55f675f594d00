#include "wildrayzer/util/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <mutex>

#include "wildrayzer/util/collected_warnings.h"

namespace wildrayzer {
namespace {

std::shared_ptr<spdlog::logger> Logger() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto created =
        std::make_shared<spdlog::logger>("wildrayzer", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    created->set_pattern("%l: %v");
    created->set_level(spdlog::level::info);
    return created;
  }();
  return logger;
}

struct WarningList {
  std::mutex mutex;
  std::vector<std::string> texts;
};

WarningList& Remembered() {
  static WarningList list;
  return list;
}

thread_local CollectedWarnings* collecting = nullptr;

}  // namespace

CollectedWarnings::CollectedWarnings(bool printed) : outer_(collecting), printed_(printed) {
  collecting = this;
}
CollectedWarnings::~CollectedWarnings() { collecting = outer_; }

void CollectedWarnings::Add(const std::string& message) {
  if (std::find(texts_.begin(), texts_.end(), message) != texts_.end()) return;
  texts_.push_back(message);
  if (printed_) Logger()->warn("{}", message);
}

void InitLogging(int verbosity) {
  Logger()->set_level(verbosity <= 0   ? spdlog::level::warn
                      : verbosity == 1 ? spdlog::level::info
                                       : spdlog::level::debug);
}

bool IsVerbose() { return Logger()->should_log(spdlog::level::info); }

void LogInfo(const std::string& message) { Logger()->info("{}", message); }

void LogDebug(const std::string& message) { Logger()->debug("{}", message); }

void LogWarning(const std::string& message) {
  if (collecting) {
    collecting->Add(message);
    return;
  }
  WarningList& list = Remembered();
  {
    const std::lock_guard<std::mutex> lock(list.mutex);
    if (std::find(list.texts.begin(), list.texts.end(), message) != list.texts.end()) return;
    list.texts.push_back(message);
  }
  Logger()->warn("{}", message);
}

std::vector<std::string> Warnings() {
  if (collecting) return collecting->texts();
  WarningList& list = Remembered();
  const std::lock_guard<std::mutex> lock(list.mutex);
  return list.texts;
}

}  // namespace wildrayzer

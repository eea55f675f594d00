#include "wildrayzer/training/process_environment.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr int kMaxProcesses = 65536;

using Getter = std::function<const char*(const char*)>;

std::string Text(const Getter& get, const char* name) {
  const char* value = get(name);
  return value == nullptr ? "" : value;
}

// An integer variable within [low, high].
int IntegerOf(const Getter& get, const char* name, int low, int high) {
  const std::string text = Text(get, name);
  if (text.empty())
    throw UsageError(std::string("the environment variable ") + name +
                     " is missing; torchrun sets it, or see docs/training_cluster.md");
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high)
    throw UsageError(std::string("the environment variable ") + name + " is '" + text +
                     "'; it must be a number from " + std::to_string(low) + " to " + std::to_string(high));
  return value;
}

}  // namespace

ProcessEnvironment ReadProcessEnvironment(const Getter& get) {
  ProcessEnvironment result;
  if (Text(get, "RANK").empty() && Text(get, "WORLD_SIZE").empty()) return result;
  result.world_size = IntegerOf(get, "WORLD_SIZE", 1, kMaxProcesses);
  result.rank = IntegerOf(get, "RANK", 0, result.world_size - 1);
  result.local_rank =
      Text(get, "LOCAL_RANK").empty() ? result.rank : IntegerOf(get, "LOCAL_RANK", 0, result.world_size - 1);
  if (result.world_size == 1) return result;
  result.master_address = Text(get, "MASTER_ADDR");
  if (result.master_address.empty())
    throw UsageError(
        "the environment variable MASTER_ADDR is missing: the address of the machine with rank 0");
  result.master_port = IntegerOf(get, "MASTER_PORT", 1, 65535);
  result.launcher_listens = Text(get, "TORCHELASTIC_USE_AGENT_STORE") == "True";
  if (!Text(get, "TORCHELASTIC_RESTART_COUNT").empty())
    result.attempt = Text(get, "TORCHELASTIC_RESTART_COUNT");
  result.interface = Text(get, "GLOO_SOCKET_IFNAME");
  return result;
}

ProcessEnvironment ReadProcessEnvironment() {
  return ReadProcessEnvironment([](const char* name) { return std::getenv(name); });
}

}  // namespace wildrayzer

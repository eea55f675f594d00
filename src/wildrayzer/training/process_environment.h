// Which process of a run this one is, told by torchrun's environment variables.
#pragma once

#include <functional>
#include <string>

namespace wildrayzer {

struct ProcessEnvironment {
  int rank = 0;        // 0 .. world_size - 1
  int local_rank = 0;  // among the processes of this machine
  int world_size = 1;
  std::string master_address;  // where rank 0 listens; empty with one process
  int master_port = 0;
  // torchrun keeps the meeting point open itself, and counts how often it started the processes anew.
  bool launcher_listens = false;
  std::string attempt = "0";
  // Network interface for the exchange of data (GLOO_SOCKET_IFNAME); empty: that of the host's own name.
  std::string interface;
};

// Reads RANK, WORLD_SIZE, LOCAL_RANK (default: RANK), MASTER_ADDR and MASTER_PORT. With neither RANK nor
// WORLD_SIZE, or with a world of one, this is a process on its own and the others are not read. UsageError
// naming the variable that is missing, no number or out of range. get: std::getenv, or a test's.
ProcessEnvironment ReadProcessEnvironment(const std::function<const char*(const char* name)>& get);
ProcessEnvironment ReadProcessEnvironment();

}  // namespace wildrayzer

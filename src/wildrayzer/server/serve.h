// `wildrayzer serve`: the parts of the server put together.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "wildrayzer/pipeline/reconstructor.h"
#include "wildrayzer/server/scene_works.h"

namespace wildrayzer {

struct ServeOptions {
  std::string host = "127.0.0.1";
  int port = 8484;             // 0: any that is free
  std::filesystem::path keep;  // for results; empty: they go when the server ends
  std::string model_name;      // for people
  ServeLimits limits;
};

// What to open: an address with the token, and one with a key that opens once, to be handed to another
// program.
struct ServeAddress {
  std::string url;
  std::string once;
  int port = 0;
};

// Serves until the user interrupts it (util/interrupt.h), then removes all that clients brought. `ready` is
// called once. Raises Error when the port cannot be had.
void Serve(const Reconstructor& reconstructor, const ServeOptions& options, MetadataFunction metadata,
           const std::function<void(const ServeAddress& address)>& ready);

}  // namespace wildrayzer

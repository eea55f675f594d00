// SHA-256, to name checkpoints and inputs in metadata.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace wildrayzer {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void Update(const void* data, size_t size);
  // Lower-case hexadecimal digest; the object must not be used afterwards.
  std::string Hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wildrayzer

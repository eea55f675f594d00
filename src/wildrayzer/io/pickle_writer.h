// Protocol-2 pickles of checkpoints (internal to io/).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "wildrayzer/io/torch_writer.h"

namespace wildrayzer {

// Serialises a value; its tensors become references to storages "0", "1", ... in order of appearance.
class PickleWriter {
 public:
  // The whole pickle of `root`.
  std::string Write(const TorchValue& root);
  // The tensors in the order of their storages; they look into `root`.
  const std::vector<const TensorSource*>& tensors() const { return tensors_; }

 private:
  void Opcode(int code) { out_ += static_cast<char>(code); }
  template <typename T>
  void Operand(T value);
  void Value(const TorchValue& value);
  void Int(int64_t value);
  void Text(std::string_view text);
  void Global(std::string_view module, std::string_view name);
  void Sequence(const TorchValue& value);
  void Dict(const TorchValue& value);
  void IntTuple(const std::vector<int64_t>& values);
  void Tensor(const TensorSource& tensor);

  std::string out_;
  std::vector<const TensorSource*> tensors_;
  std::map<std::string, uint32_t, std::less<>> memo_;  // texts and globals that repeat
};

}  // namespace wildrayzer

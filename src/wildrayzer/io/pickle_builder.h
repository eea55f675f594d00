// What the pickle interpreter may build: containers without cycles, storages, tensor views, and objects of
// which only the name is understood (internal to io/).
#pragma once

#include <string>

#include "wildrayzer/io/pickle.h"

namespace wildrayzer {

class PickleBuilder {
 public:
  PickleBuilder(PickleDialect dialect, const PickleLimits& limits, PickleTree* tree)
      : dialect_(dialect), limits_(limits), tree_(tree) {}

  [[noreturn]] void Fail(const std::string& problem) const;

  PickleValue NewContainer(PickleKind kind);
  // Appends values to a container (for dicts: keys and values in turn), bounding depth and size.
  void Append(const PickleValue& container, std::span<const PickleValue> values);
  // A name, known or not.
  PickleValue Global(std::string_view module, std::string_view name);
  // A call of a name with a tuple of arguments: what a known one makes of them; for a foreign one, or what
  // such a one has returned, an object that keeps them.
  PickleValue Reduce(const PickleValue& function, const PickleValue& arguments);
  // An object of a foreign class that keeps what is given.
  PickleValue NewObject(const PickleValue& type, std::span<const PickleValue> given);
  // Hands more to an object: items, a state.
  void Give(const PickleValue& object, std::span<const PickleValue> values);
  // Sets the state of an object. The attributes that state_dict() attaches to its ordered map are accepted
  // and forgotten.
  void Build(const PickleValue& target, const PickleValue& state);
  // A reference to a storage.
  PickleValue Persistent(const PickleValue& id);

 private:
  using Items = std::vector<PickleValue>;

  const Items& TupleItems(const PickleValue& value, const char* what) const;
  int64_t NonNegative(const PickleValue& value, const char* what) const;
  std::vector<int64_t> Sizes(const PickleValue& value, const char* what) const;
  void RequireEmpty(const PickleValue& value, const char* what) const;

  // Bounds what all containers and objects hold together: one opcode may copy a long list.
  void Count(size_t values);
  PickleValue OrderedDict(const Items& arguments);
  PickleValue DefaultDict(const Items& arguments);
  PickleValue Tensor(PickleGlobalKind kind, const PickleValue& tuple);
  PickleValue Parameter(const Items& arguments) const;
  PickleValue FromType(const PickleValue& tuple);
  PickleValue UnreadTensor(const PickleValue& type, const PickleValue& arguments);
  PickleValue Call(const PickleValue& function, const PickleValue& arguments);
  PickleValue Storage(const Items& items);
  void CheckExtent(const PickleTensor& tensor) const;

  PickleDialect dialect_;
  const PickleLimits& limits_;
  PickleTree* tree_;
  uint64_t held_ = 0;
};

}  // namespace wildrayzer

// What the pickle interpreter may build: containers without cycles, storages and tensor views (internal to
// io/).
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
  // A call of an accepted global with a tuple of arguments.
  PickleValue Reduce(const PickleValue& function, const PickleValue& arguments);
  // The attributes that state_dict() attaches to its ordered map are accepted and forgotten.
  void Build(const PickleValue& target, const PickleValue& state) const;
  // A reference to a storage.
  PickleValue Persistent(const PickleValue& id);

 private:
  using Items = std::vector<PickleValue>;

  const Items& TupleItems(const PickleValue& value, const char* what) const;
  int64_t NonNegative(const PickleValue& value, const char* what) const;
  std::vector<int64_t> Sizes(const PickleValue& value, const char* what) const;
  void RequireEmpty(const PickleValue& value, const char* what) const;

  PickleValue OrderedDict(const Items& arguments);
  PickleValue Tensor(PickleGlobalKind kind, const Items& arguments);
  PickleValue Parameter(const Items& arguments) const;
  void CheckExtent(const PickleTensor& tensor) const;

  PickleDialect dialect_;
  const PickleLimits& limits_;
  PickleTree* tree_;
};

}  // namespace wildrayzer

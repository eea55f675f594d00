// The data that PyTorch pickles, without pickle: a small interpreter of the opcodes that picklers of protocol
// 2 to 5 write. It builds an inert tree; no object is ever constructed from a name, no code can run. Names
// that plain state dicts need have a meaning (pickle_globals.h); any other (numpy.float64,
// argparse.Namespace, a user's class) becomes an object of which nothing but its name and what it was given
// is known.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "wildrayzer/io/mapped_file.h"
#include "wildrayzer/io/pickle_globals.h"
#include "wildrayzer/io/tensor_file.h"

namespace wildrayzer {

// Bounds on what a file may ask for; each refusal names the bound.
struct PickleLimits {
  uint64_t bytes = uint64_t{256} << 20;
  uint64_t opcodes = 10'000'000;
  uint64_t memo = 1'000'000;
  uint64_t tensors = 1'000'000;
  uint64_t objects = 1'000'000;  // of foreign classes, and the names of such classes
  uint64_t values = 10'000'000;  // in the tree as a reader walks it, shared parts counted each time
  uint32_t nesting = 64;
  uint32_t rank = 16;
  int64_t expanded_bytes = int64_t{256} << 20;  // of a tensor that repeats elements of its storage (stride 0)
};

enum class PickleKind : uint8_t {
  kNone,
  kBool,
  kInt,
  kBigInt,  // an integer beyond 64 bits; text() are its little-endian bytes
  kFloat,
  kString,
  kBytes,  // also texts that are not valid UTF-8; text() are they
  kList,
  kTuple,
  kSet,
  kDict,
  kOrderedDict,
  kTensor,
  kStorage,
  kGlobal,
  kObject,  // of a foreign class, or what a foreign function would return
};

// One value. Strings look into the mapped file, containers and tensors are positions in the tree.
struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  uint32_t length = 0;  // of a string or bytes
  union {
    int64_t integer = 0;  // also bool
    double number;
    const char* characters;
    uint32_t index;  // container, object, tensor, storage
    const PickleGlobal* global;
  };

  std::string_view text() const { return {characters, length}; }
  bool is_dict() const { return kind == PickleKind::kDict || kind == PickleKind::kOrderedDict; }
  bool is_sequence() const { return kind == PickleKind::kList || kind == PickleKind::kTuple; }
  bool is_container() const { return is_sequence() || is_dict() || kind == PickleKind::kSet; }
};

struct PickleContainer {
  std::vector<PickleValue> items;  // dicts: key, value, key, value, ...
  bool shared = false;  // part of another value: may not change any more, so that no cycle can arise
  uint32_t depth = 1;
  uint64_t values = 1;
};

// An object of a foreign class. It is a leaf of the tree: objects may hold one another (a configuration's
// node its parent), so that whoever looks into them must bound how deep.
struct PickleObject {
  const PickleGlobal* type = nullptr;
  bool tensor = false;             // weights in a form that is not read
  std::vector<PickleValue> given;  // arguments, then state and items in the order of the pickle
};

// A raw block of elements of the archive, named by a persistent id.
struct PickleStorage {
  std::string_view key;
  const PickleGlobal* type =
      nullptr;  // class; its dtype is void for UntypedStorage, whose numel counts bytes
  int64_t numel = 0;
  int64_t bytes = 0;
};

struct PickleTensor {
  uint32_t storage = 0;
  DType dtype = DType::kF32;
  int64_t offset = 0;  // in elements
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
};

// Everything that the pickles of one file describe.
struct PickleTree {
  std::shared_ptr<const MappedFile> file;  // the strings' home
  std::deque<PickleContainer> containers;
  std::deque<PickleObject> objects;
  std::map<std::pair<std::string_view, std::string_view>, PickleGlobal> foreign;  // module and name
  std::vector<PickleTensor> tensors;
  std::vector<PickleStorage> storages;
  std::unordered_map<std::string_view, uint32_t> storage_index;
  PickleValue root;

  const std::vector<PickleValue>& items(const PickleValue& container) const {
    return containers[container.index].items;
  }
  const PickleObject& object(const PickleValue& value) const { return objects[value.index]; }
};

// Whether persistent ids have five items (zip) or six (legacy stream).
enum class PickleDialect { kZip, kLegacy };

// Runs the pickle that starts at bytes[0] and puts its result into tree->root; returns the number of bytes
// that it takes. `bytes` must lie in tree->file. FileError says what is damaged, refused or beyond the
// limits.
uint64_t RunPickle(PickleDialect dialect, const PickleLimits& limits, std::span<const std::byte> bytes,
                   PickleTree* tree);

}  // namespace wildrayzer

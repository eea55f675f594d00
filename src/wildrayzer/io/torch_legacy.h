// The stream of torch.save before PyTorch 1.6: pickles, then raw storages (internal to io/).
#pragma once

#include <map>
#include <span>
#include <string_view>

#include "wildrayzer/io/pickle.h"

namespace wildrayzer {

// The pickled magic number with which every legacy stream starts.
inline constexpr std::string_view kLegacyMagic{"\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19\x2E",
                                               15};

using LegacyStorages = std::map<std::string_view, std::span<const std::byte>>;

// Reads the stream in tree->file: sets tree->root to the saved object and returns the bytes of every storage.
// FileError for damage, big-endian files and bytes behind the last storage.
LegacyStorages ReadLegacyStream(const PickleLimits& limits, PickleTree* tree);

}  // namespace wildrayzer

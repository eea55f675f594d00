// Any bytes as a furniture catalogue: an archive, or its parts (properties, model, materials, texture,
// separated by the byte 0x1E). Meshes within their limits, or a FileError.
#include <sys/mman.h>
#include <unistd.h>

#include "wildrayzer/synth/archive.h"
#include "wildrayzer/synth/sweet_home.h"
#include "wildrayzer/util/error.h"

namespace {

using wildrayzer::synth::SweetHomeEntry;
using wildrayzer::synth::Vec3;

void ReadArchive(const std::string& bytes) {
  const int file = ::memfd_create("fuzz", 0);
  if (file < 0 || ::write(file, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    __builtin_trap();
  try {
    const wildrayzer::synth::ZipArchive archive("/proc/self/fd/" + std::to_string(file));
    const auto text = archive.Read("PluginFurnitureCatalog.properties", 1 << 20);
    if (text) wildrayzer::synth::ParseFurnitureProperties(*text, "fuzz.sh3f");
  } catch (const wildrayzer::FileError&) {
  }
  ::close(file);
}

void CheckMesh(const wildrayzer::synth::Mesh& mesh, const Vec3& size) {
  if (mesh.triangles.empty() || mesh.triangles.size() != mesh.material_of.size()) __builtin_trap();
  for (const auto& triangle : mesh.triangles) {
    for (const auto vertex : triangle) {
      if (vertex >= mesh.positions.size()) __builtin_trap();
    }
  }
  for (const Vec3& p : mesh.positions) {
    // The scaled model fills its box; single precision of large coordinates may leave it by a little.
    if (!p.allFinite() || p.cwiseAbs().maxCoeff() > 2 * size.maxCoeff()) __builtin_trap();
  }
}

void ReadParts(const std::string& bytes) {
  std::vector<std::string> parts(1);
  for (const char c : bytes) {
    if (c == '\x1E' && parts.size() < 4) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  parts.resize(4);
  auto entries = wildrayzer::synth::ParseFurnitureProperties(parts[0], "fuzz.sh3f");
  for (const SweetHomeEntry& entry : entries) {
    if (!(entry.info.size.minCoeff() >= 0.02F && entry.info.size.maxCoeff() <= 3.0F)) __builtin_trap();
  }
  if (entries.empty()) {
    entries.emplace_back();
    entries[0].info.size = Vec3(1, 2, 1);
    entries[0].rotation = wildrayzer::synth::Mat3::Identity();
  }
  const auto read = [&](const std::string& name) -> std::optional<std::string> {
    return name.ends_with(".mtl") ? parts[2] : parts[3];
  };
  try {
    CheckMesh(MakeFurnitureMesh(parts[1], read, entries[0], "fuzz"), entries[0].info.size);
  } catch (const wildrayzer::FileError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  bytes.starts_with("PK") ? ReadArchive(bytes) : ReadParts(bytes);
  return 0;
}

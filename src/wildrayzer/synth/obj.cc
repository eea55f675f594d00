#include "wildrayzer/synth/obj.h"

#include <tiny_obj_loader.h>

#include <map>
#include <set>
#include <span>
#include <sstream>
#include <string_view>

#include "wildrayzer/io/images.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer::synth {
namespace {

constexpr size_t kMaxTriangles = 2'000'000;
constexpr size_t kMaxCorners = 1024;  // of one polygon; published models have up to 272
constexpr uint64_t kMaxCornerWork = 400'000'000;
constexpr size_t kMaxMaterialText = 1u << 20, kMaxMaterialFiles = 64;
constexpr size_t kMaxTextures = 256;  // published models have up to 17
constexpr int kMaxTextureSide = 512;
constexpr float kMaxAlbedo = 0.92F;  // nothing reflects everything

// All `mtllib` files, joined, each once.
std::string ReadMaterials(const std::string& text, const FileReader& read, const std::string& name) {
  std::string materials;
  std::set<std::string> seen;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("mtllib ")) continue;
    std::string file = line.substr(7);
    while (!file.empty() && (file.back() == '\r' || file.back() == ' ')) file.pop_back();
    if (!seen.insert(file).second) continue;
    materials += read(file).value_or("") + "\n";
    if (materials.size() > kMaxMaterialText || seen.size() > kMaxMaterialFiles)
      throw FileError(name, "has too many materials");
  }
  return materials;
}

// Polygons are cut into triangles ear by ear, in a time quadratic in their corners.
void CheckPolygons(const std::string& text, const std::string& name) {
  constexpr std::string_view kBlank = " \t\r";
  uint64_t work = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line(text.data() + at, end - at);
    at = end + 1;
    line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
    if (line.size() < 2 || line[0] != 'f' || kBlank.find(line[1]) == std::string_view::npos) continue;
    uint64_t corners = 0;
    for (size_t i = 1; i < line.size(); ++i) {
      if (kBlank.find(line[i - 1]) != std::string_view::npos &&
          kBlank.find(line[i]) == std::string_view::npos)
        ++corners;
    }
    work += corners * corners;
    if (corners > kMaxCorners || work > kMaxCornerWork) throw FileError(name, "has too large polygons");
  }
}

TexturePtr Load(const std::string& bytes, const std::string& name) {
  Image image = DecodeImage(std::as_bytes(std::span(bytes)), name);
  while (std::max(image.width, image.height) > kMaxTextureSide) {
    Image half(std::max(1, image.width / 2), std::max(1, image.height / 2));
    for (int y = 0; y < half.height; ++y) {
      for (int x = 0; x < half.width; ++x) {
        const int x1 = std::min(2 * x + 1, image.width - 1), y1 = std::min(2 * y + 1, image.height - 1);
        const int x0 = std::min(2 * x, x1), y0 = std::min(2 * y, y1);
        for (int c = 0; c < 3; ++c) {
          const int sum = image.Pixel(x0, y0)[c] + image.Pixel(x1, y0)[c] + image.Pixel(x0, y1)[c] +
                          image.Pixel(x1, y1)[c];
          half.Pixel(x, y)[c] = static_cast<uint8_t>((sum + 2) / 4);
        }
      }
    }
    image = std::move(half);
  }
  return std::make_shared<const Texture>(image.width, image.height, std::move(image.rgb));
}

class Converter {
 public:
  Converter(const tinyobj::ObjReader& reader, const FileReader& read, const std::string& name)
      : attributes_(reader.GetAttrib()), name_(name) {
    for (const tinyobj::material_t& m : reader.GetMaterials()) mesh_.materials.push_back(Convert(m, read));
    plain_ = static_cast<int>(mesh_.materials.size());
    mesh_.materials.emplace_back();  // for faces without a material
    if (mesh_.materials.size() > 60000) throw FileError(name_, "has too many materials");
    for (const tinyobj::shape_t& shape : reader.GetShapes()) Add(shape.mesh);
    if (mesh_.triangles.empty()) throw FileError(name_, "holds no triangles");
  }
  Mesh Take() { return std::move(mesh_); }

 private:
  Material Convert(const tinyobj::material_t& m, const FileReader& read) {
    Material material;
    for (int c = 0; c < 3; ++c) {
      material.albedo[c] =
          std::min(SrgbToLinear(std::clamp(static_cast<float>(m.diffuse[c]), 0.0F, 1.0F)), kMaxAlbedo);
    }
    material.alpha = std::clamp(static_cast<float>(m.dissolve), 0.0F, 1.0F);
    if (m.diffuse_texname.empty()) return material;
    TexturePtr& texture = textures_[m.diffuse_texname];
    if (textures_.size() > kMaxTextures) throw FileError(name_, "has more than 256 textures");
    if (!texture) {
      try {
        const std::optional<std::string> bytes = read(m.diffuse_texname);
        if (bytes) texture = Load(*bytes, name_ + ": " + m.diffuse_texname);
      } catch (const Error& error) {
        LogWarning("{}; the plain colour is used instead", error.what());
      }
    }
    if (texture) {
      material.texture = texture;
      // Many exporters write black or arbitrary greys beside a texture.
      material.albedo = Vec3::Constant(kMaxAlbedo);
    }
    return material;
  }

  uint32_t Vertex(const tinyobj::index_t& index) {
    const auto key = std::make_tuple(index.vertex_index, index.normal_index, index.texcoord_index);
    const auto [at, added] = vertices_.emplace(key, static_cast<uint32_t>(mesh_.positions.size()));
    if (!added) return at->second;
    const auto fetch = [this](const std::vector<tinyobj::real_t>& from, int i,
                              size_t width) -> const tinyobj::real_t* {
      if (i < 0) return nullptr;
      if ((static_cast<size_t>(i) + 1) * width > from.size())
        throw FileError(name_, "refers to a vertex that it does not have");
      return &from[static_cast<size_t>(i) * width];
    };
    const auto* p = fetch(attributes_.vertices, index.vertex_index, 3);
    if (p == nullptr || !std::isfinite(p[0]) || !std::isfinite(p[1]) || !std::isfinite(p[2])) {
      throw FileError(name_, "has a face without usable vertices");
    }
    const auto* n = fetch(attributes_.normals, index.normal_index, 3);
    const auto* t = fetch(attributes_.texcoords, index.texcoord_index, 2);
    mesh_.positions.emplace_back(p[0], p[1], p[2]);
    mesh_.normals.push_back(n != nullptr && std::isfinite(n[0] + n[1] + n[2]) ? Vec3(n[0], n[1], n[2])
                                                                              : Vec3::Zero());
    mesh_.uvs.push_back(t != nullptr && std::isfinite(t[0] + t[1]) ? Vec2(t[0], t[1]) : Vec2::Zero());
    return at->second;
  }

  void Add(const tinyobj::mesh_t& from) {
    if (mesh_.triangles.size() + from.indices.size() / 3 > kMaxTriangles)
      throw FileError(name_, "has more than 2 million triangles");
    for (size_t t = 0; 3 * t + 2 < from.indices.size(); ++t) {
      mesh_.triangles.push_back(
          {Vertex(from.indices[3 * t]), Vertex(from.indices[3 * t + 1]), Vertex(from.indices[3 * t + 2])});
      const int material = t < from.material_ids.size() ? from.material_ids[t] : -1;
      mesh_.material_of.push_back(
          static_cast<uint16_t>(material >= 0 && material < plain_ ? material : plain_));
    }
  }

  const tinyobj::attrib_t& attributes_;
  const std::string& name_;
  Mesh mesh_;
  int plain_ = 0;
  std::map<std::string, TexturePtr> textures_;
  std::map<std::tuple<int, int, int>, uint32_t> vertices_;
};

}  // namespace

Mesh ParseObj(const std::string& text, const FileReader& read, const std::string& name) {
  tinyobj::ObjReaderConfig config;
  config.triangulate = true;
  config.vertex_color = false;
  tinyobj::ObjReader reader;
  CheckPolygons(text, name);
  if (!reader.ParseFromString(text, ReadMaterials(text, read, name), config)) {
    const std::string& error = reader.Error();
    throw FileError(name, "is no readable OBJ model: " + error.substr(0, error.find('\n')));
  }
  return Converter(reader, read, name).Take();
}

}  // namespace wildrayzer::synth

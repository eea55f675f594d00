// Sweet Home 3D catalogues (*.sh3f): zip archives of OBJ models with a Java properties file that gives names,
// sizes, categories and licences (format: www.sweethome3d.com, "Furniture Library Editor").
#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <optional>
#include <sstream>

#include "wildrayzer/synth/archive.h"
#include "wildrayzer/synth/catalogue.h"
#include "wildrayzer/synth/obj.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer::synth {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxProperties = 8u << 20;
constexpr size_t kMaxModel = 32u << 20;
constexpr size_t kMaxTexture = 32u << 20;

using Properties = std::map<std::string, std::string>;

void AppendUtf8(std::string& text, uint32_t code) {
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xC0 | (code >> 6));
    text += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    text += static_cast<char>(0xE0 | (code >> 12));
    text += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    text += static_cast<char>(0x80 | (code & 0x3F));
  }
}

// ISO 8859-1 with \uXXXX escapes, as Java writes it.
std::string Decode(const std::string& raw) {
  std::string text;
  for (size_t i = 0; i < raw.size(); ++i) {
    const bool escape = raw[i] == '\\' && i + 5 < raw.size() && raw[i + 1] == 'u';
    if (escape) {
      AppendUtf8(text, static_cast<uint32_t>(std::strtoul(raw.substr(i + 2, 4).c_str(), nullptr, 16)));
      i += 5;
    } else if (raw[i] != '\\' && raw[i] != '\r') {
      AppendUtf8(text, static_cast<unsigned char>(raw[i]));
    }
  }
  return text;
}

// key#N=value by N; keys without a number under 0.
std::map<int, Properties> ParseProperties(const std::string& text) {
  std::map<int, Properties> all;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t equals = line.find('=');
    if (line.starts_with("#") || equals == std::string::npos) continue;
    const size_t hash = line.find('#');
    const bool numbered = hash != std::string::npos && hash < equals;
    const int number = numbered ? std::atoi(line.c_str() + hash + 1) : 0;
    all[number][line.substr(0, numbered ? hash : equals)] = Decode(line.substr(equals + 1));
  }
  return all;
}

std::string Get(const Properties& p, const std::string& key) {
  const auto at = p.find(key);
  return at == p.end() ? "" : at->second;
}

// Centimetres to metres; 0 when absent or not a number.
float Metres(const Properties& p, const std::string& key) {
  const float value = std::strtof(Get(p, key).c_str(), nullptr) / 100.0F;
  return std::isfinite(value) ? value : 0.0F;
}

bool Has(const std::string& text, std::initializer_list<const char*> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](const char* w) { return text.find(w) != std::string::npos; });
}

std::optional<Role> LampRole(const std::string& name, const Vec3& size, float elevation) {
  if (Has(name, {"Street", "lamppost", "Outdoor", "Park", "Porch", "Flashlight", "Fluorescent", "Track",
                 "spot", "Wall", "artwork"})) {
    return std::nullopt;
  }
  if (elevation > 1.0F)
    return size.x() < 0.9F && size.z() < 0.9F ? std::optional(Role::kPendant) : std::nullopt;
  return size.y() > 0.9F ? Role::kFloorLamp : Role::kTabletop;
}

std::optional<Role> CharacterRole(const std::string& name, const Vec3& size) {
  if (Has(name, {"Horse", "Lying", "Sitting", "Mannequin", "Deer"})) return std::nullopt;
  if (Has(name, {"Cat", "cat", "Dog", "dog", "Rabbit", "Chicken"})) return Role::kPet;
  return size.y() > 1.2F && size.y() < 2.1F ? std::optional(Role::kPerson) : std::nullopt;
}

// What a model is good for in a room, or nothing.
std::optional<Role> RoleOf(const Properties& p, const Vec3& size) {
  const std::string category = Get(p, "category"), name = Get(p, "name");
  const float elevation = Metres(p, "elevation"), wide = std::max(size.x(), size.z());
  if (Get(p, "doorOrWindow") == "true" || Has(category, {"Exterior", "Vehicles", "Staircases", "Doors"}))
    return std::nullopt;
  if (size.minCoeff() < 0.02F || wide > 3.0F || size.y() > 2.5F) return std::nullopt;
  if (category == "Lights") return LampRole(name, size, elevation);
  if (category == "Characters") return CharacterRole(name, size);
  if (elevation > 0.3F ||
      Has(name, {"plug",       "witch",      "ocket",    "Fence",     "railing", "Elevator",     "Escalator",
                 "Pedestrian", "tree under", "Parking",  "Rails",     "Arrow",   "goal",         "pool",
                 "tent",       "Tatami",     "crossing", "container", "Bill ",   "curtain",      "Shower",
                 "carpet",     "rug",        "mat",      "Hanging",   "Wall",    "Contemporary", "Mower"})) {
    return std::nullopt;
  }
  const bool cargo = Has(name, {"uitcase", "ardboard", "Box", "troller", "asket", "Backpack", "ball", "Gift",
                                "Briefcase", "Handbag", "Crate", "Barrel"});
  if (cargo && size.maxCoeff() < 1.15F && size.maxCoeff() > 0.18F && !Has(name, {"Football", "net"}))
    return Role::kCargo;
  if (wide <= 0.5F && size.y() <= 0.6F)
    return size.y() > 0.03F ? std::optional(Role::kTabletop) : std::nullopt;
  if (Has(name, {"chair", "Chair", "tool"}) && !Has(name, {"rmchair", "heel", "high"}) && wide < 0.75F)
    return Role::kSeat;
  if (Has(name,
          {"Bed",     "bed",  "ofa",    "ouch",    "Futon",   "Wardrobe",  "ookcase", "helves",  "Cupboard",
           "abinet",  "Desk", "desk",   "iano",    "tove",    "ridge",     "TV",      "Dresser", "Chest",
           "adiator", "Oven", "Vanity", "machine", "Toilets", "Fireplace", "ashbasin"})) {
    return Role::kWallPiece;
  }
  return Role::kFreePiece;
}

RoomKind KindOf(const std::string& category) {
  if (category == "Living room") return RoomKind::kLiving;
  if (category == "Bedroom") return RoomKind::kBedroom;
  if (category == "Kitchen") return RoomKind::kKitchen;
  if (category == "Office") return RoomKind::kOffice;
  if (category == "Bathroom") return RoomKind::kBathroom;
  return RoomKind::kAny;
}

// Nine numbers, row by row; identity when absent.
Mat3 ModelRotation(const Properties& p) {
  std::istringstream in(Get(p, "modelRotation"));
  Mat3 rotation;
  for (int i = 0; i < 9; ++i) {
    if (!(in >> rotation(i / 3, i % 3))) return Mat3::Identity();
  }
  return rotation;
}

MeshPtr LoadModel(const fs::path& catalogue, const std::string& member, const Mat3& rotation,
                  const Vec3& size) {
  const ZipArchive archive(catalogue);
  const std::string name = catalogue.string() + ": " + member;
  const std::optional<std::string> text = archive.Read(member, kMaxModel);
  if (!text) throw FileError(name, "is missing");
  const std::string folder = member.substr(0, member.rfind('/') + 1);
  Mesh mesh = ParseObj(
      *text, [&](const std::string& file) { return archive.Read(folder + file, kMaxTexture); }, name);
  for (Vec3& p : mesh.positions) p = rotation * p;
  const Bounds b = mesh.bounds();
  if (b.size().minCoeff() <= 0) throw FileError(name, "is flat");
  const Vec3 scale = size.cwiseQuotient(b.size()), origin(b.center().x(), b.low.y(), b.center().z());
  for (Vec3& p : mesh.positions) p = (p - origin).cwiseProduct(scale);
  for (Vec3& n : mesh.normals) n = (rotation * n).cwiseQuotient(scale);
  return std::make_shared<const Mesh>(std::move(mesh));
}

int AddCatalogue(Catalogue& catalogue, const fs::path& path) {
  const std::optional<std::string> text =
      ZipArchive(path).Read("PluginFurnitureCatalog.properties", kMaxProperties);
  if (!text)
    throw FileError(path.string(),
                    "is no Sweet Home 3D furniture catalogue (it has no PluginFurnitureCatalog.properties)");
  const std::map<int, Properties> all = ParseProperties(*text);
  const std::string license = all.contains(0) ? Get(all.at(0), "license") : "";
  int added = 0;
  for (const auto& [number, p] : all) {
    std::string member = Get(p, "model");
    if (number == 0 || !member.starts_with("/") || !member.ends_with(".obj")) continue;
    member.erase(0, 1);
    const Vec3 size(Metres(p, "width"), Metres(p, "height"), Metres(p, "depth"));
    const std::optional<Role> role = RoleOf(p, size);
    if (!role) continue;
    ModelInfo info{member,
                   Get(p, "name"),
                   Get(p, "creator"),
                   license,
                   path.filename().string(),
                   *role,
                   KindOf(Get(p, "category")),
                   size};
    catalogue.Add(info, [path, member, rotation = ModelRotation(p), size] {
      return LoadModel(path, member, rotation, size);
    });
    ++added;
  }
  return added;
}

}  // namespace

int AddSweetHomeModels(Catalogue& catalogue, const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".sh3f") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  int added = 0;
  for (const fs::path& path : paths) added += AddCatalogue(catalogue, path);
  return added;
}

}  // namespace wildrayzer::synth

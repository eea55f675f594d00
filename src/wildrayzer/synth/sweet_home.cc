#include "wildrayzer/synth/sweet_home.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "wildrayzer/synth/archive.h"
#include "wildrayzer/util/error.h"

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
    if (code < 0x10000) {
      text += static_cast<char>(0xE0 | (code >> 12));
    } else {
      text += static_cast<char>(0xF0 | (code >> 18));
      text += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    }
    text += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    text += static_cast<char>(0x80 | (code & 0x3F));
  }
}

// Exactly four hexadecimal digits at text[at], or nothing.
std::optional<uint32_t> HexDigits(const std::string& text, size_t at) {
  if (at + 4 > text.size()) return std::nullopt;
  uint32_t code = 0;
  const char* end = text.data() + at + 4;
  if (std::from_chars(text.data() + at, end, code, 16).ptr != end) return std::nullopt;
  return code;
}

// ISO 8859-1 with \uXXXX escapes (UTF-16, so pairs of surrogates for what lies beyond), as Java writes it.
std::string Decode(const std::string& raw) {
  std::string text;
  uint32_t high = 0;  // a first surrogate that waits for its second
  for (size_t i = 0; i < raw.size(); ++i) {
    std::optional<uint32_t> code;
    if (raw[i] == '\\' && i + 1 < raw.size() && raw[i + 1] == 'u') code = HexDigits(raw, i + 2);
    if (code) {
      i += 5;
    } else if (raw[i] != '\\' && raw[i] != '\r') {
      code = static_cast<unsigned char>(raw[i]);
    } else {
      continue;
    }
    const bool is_low = *code >= 0xDC00 && *code <= 0xDFFF, is_high = *code >= 0xD800 && *code <= 0xDBFF;
    if (is_low && high != 0) {
      AppendUtf8(text, 0x10000 + ((high - 0xD800) << 10) + (*code - 0xDC00));
    } else if (high != 0 || is_low) {
      AppendUtf8(text, 0xFFFD);  // half a character
    }
    if (!is_low && !is_high) AppendUtf8(text, *code);
    high = is_high ? *code : 0;
  }
  if (high != 0) AppendUtf8(text, 0xFFFD);
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
    int number = 0;
    if (numbered && std::from_chars(line.data() + hash + 1, line.data() + equals, number).ec != std::errc())
      continue;
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

// Nine numbers, row by row; identity when absent or beyond what a rotation can hold.
Mat3 ModelRotation(const Properties& p) {
  std::istringstream in(Get(p, "modelRotation"));
  Mat3 rotation;
  for (int i = 0; i < 9; ++i) {
    if (!(in >> rotation(i / 3, i % 3)) || !(std::abs(rotation(i / 3, i % 3)) < 2)) return Mat3::Identity();
  }
  return rotation;
}

MeshPtr LoadModel(const fs::path& catalogue, const SweetHomeEntry& entry) {
  const ZipArchive archive(catalogue);
  const std::string name = catalogue.string() + ": " + entry.member;
  const std::optional<std::string> text = archive.Read(entry.member, kMaxModel);
  if (!text) throw FileError(name, "is missing");
  const std::string folder = entry.member.substr(0, entry.member.rfind('/') + 1);
  const auto read = [&](const std::string& file) { return archive.Read(folder + file, kMaxTexture); };
  return std::make_shared<const Mesh>(MakeFurnitureMesh(*text, read, entry, name));
}

int AddCatalogue(Catalogue& catalogue, const fs::path& path) {
  const std::optional<std::string> text =
      ZipArchive(path).Read("PluginFurnitureCatalog.properties", kMaxProperties);
  if (!text)
    throw FileError(path.string(),
                    "is no Sweet Home 3D furniture catalogue (it has no PluginFurnitureCatalog.properties)");
  int added = 0;
  for (const SweetHomeEntry& entry : ParseFurnitureProperties(*text, path.filename().string())) {
    catalogue.Add(entry.info, [path, entry] { return LoadModel(path, entry); });
    ++added;
  }
  return added;
}

}  // namespace

std::vector<SweetHomeEntry> ParseFurnitureProperties(const std::string& text, const std::string& source) {
  const std::map<int, Properties> all = ParseProperties(text);
  const std::string license = all.contains(0) ? Get(all.at(0), "license") : "";
  std::vector<SweetHomeEntry> entries;
  std::set<std::string> seen;
  for (const auto& [number, p] : all) {
    std::string member = Get(p, "model");
    if (number == 0 || !member.starts_with("/") || !member.ends_with(".obj")) continue;
    member.erase(0, 1);
    const Vec3 size(Metres(p, "width"), Metres(p, "height"), Metres(p, "depth"));
    const std::optional<Role> role = RoleOf(p, size);
    if (!role || !seen.insert(member).second) continue;
    SweetHomeEntry entry;
    entry.info = {member, Get(p, "name"), Get(p, "creator"),          license,
                  source, *role,          KindOf(Get(p, "category")), size};
    entry.member = member;
    entry.rotation = ModelRotation(p);
    entries.push_back(std::move(entry));
  }
  return entries;
}

Mesh MakeFurnitureMesh(const std::string& obj, const FileReader& read, const SweetHomeEntry& entry,
                       const std::string& name) {
  Mesh mesh = ParseObj(obj, read, name);
  for (Vec3& p : mesh.positions) p = entry.rotation * p;
  const Bounds b = mesh.bounds();
  if (!b.size().allFinite() || b.size().minCoeff() <= 0) throw FileError(name, "is flat or has no bounds");
  const Vec3 scale = entry.info.size.cwiseQuotient(b.size()),
             origin(b.center().x(), b.low.y(), b.center().z());
  if (!scale.allFinite()) throw FileError(name, "is flat or has no bounds");
  for (Vec3& p : mesh.positions) p = (p - origin).cwiseProduct(scale);
  for (Vec3& n : mesh.normals) {
    n = (entry.rotation * n).cwiseQuotient(scale);
    if (!n.allFinite()) n = Vec3::Zero();  // the face's own normal is used instead
  }
  return mesh;
}

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

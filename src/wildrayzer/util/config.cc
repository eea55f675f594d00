#include "wildrayzer/util/config.h"

#include <fstream>
#include <sstream>

namespace wildrayzer {
namespace {

constexpr uintmax_t kMaxBytes = 4u << 20;
constexpr int kMaxNesting = 64;

std::vector<std::string> SplitDots(const std::string& dotted) {
  std::vector<std::string> parts;
  std::istringstream stream(dotted);
  for (std::string part; std::getline(stream, part, '.');) parts.push_back(part);
  return parts;
}

void CollectLeaves(const YAML::Node& node, const std::string& prefix, std::vector<std::string>& leaves) {
  if (node.IsMap() && node.size() > 0) {
    for (const auto& item : node) {
      const std::string key = item.first.Scalar();
      CollectLeaves(item.second, prefix.empty() ? key : prefix + "." + key, leaves);
    }
  } else if (!prefix.empty()) {
    leaves.push_back(prefix);
  }
}

// yaml-cpp parses nested flow collections recursively: a hostile file could exhaust the stack.
void CheckNesting(const std::string& text, const std::string& name) {
  int depth = 0;
  for (const char c : text) {
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > kMaxNesting) throw FileError(name, "is nested too deeply to be a configuration");
  }
  size_t dashes = 0;
  for (const char c : text) {
    dashes = (c == '-' || c == '?' || c == ' ') ? dashes + (c != ' ') : 0;
    if (dashes > kMaxNesting) throw FileError(name, "is nested too deeply to be a configuration");
  }
}

}  // namespace

Config::Config() : root_(YAML::NodeType::Map) {}

Config Config::Parse(const std::string& text, const std::string& name) {
  CheckNesting(text, name);
  Config config;
  config.name_ = name;
  try {
    config.root_ = YAML::Load(text);
  } catch (const YAML::Exception& error) {
    throw FileError(name,
                    "is not valid YAML: line " + std::to_string(error.mark.line + 1) + ": " + error.msg);
  }
  if (config.root_.IsNull()) config.root_ = YAML::Node(YAML::NodeType::Map);
  if (!config.root_.IsMap()) throw FileError(name, "must be a YAML map of settings");
  return config;
}

Config Config::Load(const std::filesystem::path& path) {
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(path, error);
  if (error) throw FileError(path.string(), "cannot read the configuration: " + error.message());
  if (size > kMaxBytes) throw FileError(path.string(), "is too large to be a configuration (4 MiB at most)");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw FileError(path.string(), "cannot open the configuration");
  std::stringstream text;
  text << file.rdbuf();
  return Parse(text.str(), path.string());
}

void Config::Override(const std::string& assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw UsageError("'" + assignment + "': an override has the form key.subkey=value");
  }
  YAML::Node value;
  try {
    value = YAML::Load(assignment.substr(equals + 1));
  } catch (const YAML::Exception& error) {
    throw UsageError("'" + assignment + "': the value is not valid YAML: " + error.msg);
  }
  YAML::Node node = root_;
  const std::vector<std::string> parts = SplitDots(assignment.substr(0, equals));
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    YAML::Node child = node[parts[i]];
    if (!child.IsDefined() || child.IsNull()) {
      node[parts[i]] = YAML::Node(YAML::NodeType::Map);
      child.reset(node[parts[i]]);
    }
    if (!child.IsMap())
      throw UsageError("'" + assignment + "': '" + parts[i] + "' is a value, not a group of settings");
    node.reset(child);
  }
  node[parts.back()] = value;
}

YAML::Node Config::Find(const std::string& dotted) const {
  YAML::Node node;
  node.reset(root_);
  for (const std::string& part : SplitDots(dotted)) {
    if (!node.IsMap()) return YAML::Node(YAML::NodeType::Undefined);
    const YAML::Node& current = node;
    const YAML::Node child = current[part];  // const access: does not create the key
    if (!child.IsDefined()) return YAML::Node(YAML::NodeType::Undefined);
    node.reset(child);
  }
  return node;
}

bool Config::Has(const std::string& dotted) const {
  const YAML::Node node = Find(dotted);
  return node.IsDefined() && !node.IsNull();
}

std::vector<std::string> Config::UnusedKeys() const {
  std::vector<std::string> leaves;
  CollectLeaves(root_, "", leaves);
  std::erase_if(leaves, [this](const std::string& leaf) {
    if (used_.count(leaf) > 0) return true;
    for (const std::string& key : used_) {
      if (leaf.rfind(key + ".", 0) == 0) return true;  // a whole group was read
    }
    return false;
  });
  return leaves;
}

std::string Config::Dump() const { return YAML::Dump(root_) + "\n"; }

}  // namespace wildrayzer

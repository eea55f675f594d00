// Configuration: YAML files with the release's keys, plus OmegaConf-style `a.b.c=value` overrides.
#pragma once

#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "wildrayzer/util/error.h"

namespace wildrayzer {

// A YAML tree that remembers which keys were read, so that misspelt keys can be named.
class Config {
 public:
  // An empty configuration: every Get returns its default.
  Config();
  // Raises FileError for a missing, oversized (> 4 MiB) or malformed file.
  static Config Load(const std::filesystem::path& path);
  static Config Parse(const std::string& text, const std::string& name);

  // Applies "a.b.c=value"; the value is parsed as YAML. Intermediate maps are created. Raises UsageError.
  void Override(const std::string& assignment);

  bool Has(const std::string& dotted) const;
  // The value at "a.b.c", or `fallback` when absent or null. Raises Error naming file, key and the expected
  // type.
  template <typename T>
  T Get(const std::string& dotted, const T& fallback) const;

  // Dotted names of all leaves that no Get has asked for.
  std::vector<std::string> UnusedKeys() const;

  // The whole tree as YAML, for metadata and checkpoints.
  std::string Dump() const;
  const std::string& name() const { return name_; }

 private:
  YAML::Node Find(const std::string& dotted) const;

  YAML::Node root_;
  std::string name_ = "configuration";
  mutable std::set<std::string> used_;
};

template <typename T>
T Config::Get(const std::string& dotted, const T& fallback) const {
  used_.insert(dotted);
  const YAML::Node node = Find(dotted);
  if (!node.IsDefined() || node.IsNull()) return fallback;
  try {
    return node.as<T>();
  } catch (const YAML::Exception&) {
    throw Error(name_ + ": key '" + dotted + "' has a value of the wrong type (line " +
                std::to_string(node.Mark().line + 1) + ")");
  }
}

}  // namespace wildrayzer

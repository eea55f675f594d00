// Sweet Home 3D catalogues (*.sh3f): zip archives of OBJ models with a Java properties file that gives names,
// sizes, categories and licences (format: www.sweethome3d.com, "Furniture Library Editor"). Both come from
// anywhere: sizes are bounded before anything is allocated.
#pragma once

#include <string>
#include <vector>

#include "wildrayzer/synth/catalogue.h"
#include "wildrayzer/synth/obj.h"

namespace wildrayzer::synth {

// A model that belongs into a room; the catalogue's others are left out.
struct SweetHomeEntry {
  ModelInfo info;      // size within 0.02 and 3 m
  std::string member;  // of the archive
  Mat3 rotation;       // of the file's axes, before the model is scaled to info.size
};

// The entries of PluginFurnitureCatalog.properties (ISO 8859-1 with \uXXXX) in order of number; a model that
// is listed twice counts once, and what is no entry is passed over. `source`: the catalogue's file name.
std::vector<SweetHomeEntry> ParseFurnitureProperties(const std::string& text, const std::string& source);

// The model as a MeshMaker promises it. Raises FileError as ParseObj does, and when the model is flat or
// without finite bounds.
Mesh MakeFurnitureMesh(const std::string& obj, const FileReader& read, const SweetHomeEntry& entry,
                       const std::string& name);

}  // namespace wildrayzer::synth

// People and pets cut out of their background: RGBA pictures, and the same as a COCO-instances data set for
// copy-paste.
#pragma once

#include <filesystem>
#include <string>

#include "wildrayzer/synth/catalogue.h"

namespace wildrayzer::synth {

struct CutoutOptions {
  uint64_t seed = 0;  // of this cut-out
  Split split = Split::kTrain;
  int size = 128;  // pixels a side
  int samples = 8;
};

// Makes cut-out `index` below `root`; the annotation comes last and marks it complete:
//   rgba/{%06d}.png         the figure alone; alpha = fraction of the pixel that it covers
//   images/{%06d}.png       the figure in an empty room
//   annotations/{%06d}.json the COCO image and annotation of this picture (mask: at least half covered;
//   uncompressed RLE)
// Raises Error when the split has neither people nor pets.
void WriteCutout(const std::filesystem::path& root, int index, const Catalogue& catalogue,
                 const CutoutOptions& options);
bool CutoutIsComplete(const std::filesystem::path& root, int index);

// Joins the annotations of cut-outs 0 ... count - 1 into `root`/instances.json (COCO object detection
// format).
void WriteInstances(const std::filesystem::path& root, int count);

}  // namespace wildrayzer::synth

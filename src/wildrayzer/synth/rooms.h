// Whole data sets of synthetic rooms in the field's layouts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "wildrayzer/synth/catalogue.h"
#include "wildrayzer/util/progress.h"

namespace wildrayzer::synth {

// Number of scenes (or pictures) a split.
struct SplitCounts {
  int train = 0, val = 0, test = 0;
};

struct RoomsOptions {
  std::filesystem::path out;
  uint64_t seed = 0;
  int size = 128;                     // side of a square of as many pixels, 32 to 1024
  std::vector<double> aspects = {1};  // width over height, of the scenes of a list in turn
  int frames = 16;                    // a scene, 8 to 1000
  int samples = 8;                    // rays a pixel, 1 to 256
  int threads = 0;                    // 0: all cores
  SplitCounts still = {20, 0, 4};     // RealEstate10K layout
  SplitCounts dynamic = {20, 0, 4};   // D-RE10K layout
  int paired = 4, paired_val = 0;     // D-RE10K-iPhone layout, test and val
  SplitCounts cutouts = {16, 0, 0};   // COCO instances
  std::filesystem::path models = "/usr/share/sweethome3d/furniture";  // folder of *.sh3f catalogues
  bool built_in = false;  // use the built-in models even when catalogues are there
  bool mover_shadows = true;
  bool depth = true;
};

// One list of scenes.
struct Subset {
  std::string title;
  std::filesystem::path folder;  // below RoomsOptions::out
  std::string prefix;            // scene names are prefix_000000, ...
  std::string list;              // list file without extension
  Split split = Split::kTrain;
  int count = 0;
  bool movers = false, pairs = false;
};

struct RoomsReport {
  int made = 0, found = 0;   // scenes and cut-outs made now, and found complete from an earlier run
  double seconds = 0;        // wall clock of rendering
  double frame_seconds = 0;  // wall clock a frame, with all threads at work; 0 when nothing was made
  size_t models = 0;         // in the catalogue
  bool built_in = false;
};

// The lists that the options ask for, empty ones left out.
std::vector<Subset> Subsets(const RoomsOptions& options);

// Makes the data set, or completes one that was interrupted: finished scenes are kept. Every byte follows
// from the seed, the size, frames, samples and the models, whatever the number of threads.
//   re10k/{train,val,test}
//       static; full_list.txt, and for val and test full_list_context_{2,3,4}_view_idx.json
//   dynamic_re10k/{train,val,test}
//       with movers, masks in binary_masks/; lists as above, but for test dre10k_final_context_{2,3,4}.txt
//       and _view_idx.json
//   dynamic_re10k/{val,test}
//       also wildrayzer_final_context_{2,3,4}.txt and _view_idx.json: pairs, clean targets as gt_image_path
//   coco/{train,val,test}
//       cut-outs, see cutouts.h
//   ATTRIBUTION.md
//       makers and licences of the models used
//   rooms.json
//       the settings, so that a later run with others is refused
// No two splits share a model (furniture, people, pets) or a seed: choose on val, report on test.
// Lists name metadata files relative to `out`. Each list's folder gets a contact_sheet.png.
// Raises UsageError for impossible options and for a folder that holds something else or other settings,
// FileError when the disk refuses or a catalogue is damaged.
RoomsReport MakeRooms(const RoomsOptions& options, Progress& progress);

}  // namespace wildrayzer::synth

// Several stages in a row from one configuration file: each starts from the weights of the one before.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "wildrayzer/training/trainer.h"
#include "wildrayzer/util/config.h"

namespace wildrayzer {

// One entry of the configuration's `recipe` list: {name: stage1, settings: [training.stage=1, ...]}.
struct RecipePart {
  std::string name;                   // also its folder
  std::vector<std::string> settings;  // overrides of the rest of the file
};

// The parts of `recipe:`, or none. Raises UsageError for entries of another form and for names that are no
// plain folder names or come twice.
std::vector<RecipePart> ReadRecipe(const Config& config);

struct RecipeOptions {
  std::filesystem::path folder;
  bool resume = false;
  std::optional<int> only_stage;       // train this stage alone
  std::string only_part;               // train the recipe's part of this name alone; empty: all
  std::vector<std::string> overrides;  // from the command line; they win over the recipe's settings
  // As ChooseDevice takes it; of several processes, "auto" and "cuda" give each its own GPU, that of
  // LOCAL_RANK.
  std::string device = "cpu";
};

// A configuration without a recipe is one stage, trained in `folder`. With a recipe every part is trained in
// folder/NAME, its training.init_checkpoint being the model of the part before unless it sets its own;
// finished parts are passed over when resuming. In the end folder/model.safetensors is the last part's model
// and folder/report.html tells all of them. `config` is read once more from `text` for every part.
TrainingResult TrainRecipe(const std::string& text, const std::string& name, const RecipeOptions& options);

}  // namespace wildrayzer

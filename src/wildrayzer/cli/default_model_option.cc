#include "wildrayzer/cli/default_model_option.h"

#include "wildrayzer/pipeline/default_model.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {

void UseDefaultModel(ModelOptions& options) {
  if (!options.model.empty() || !options.init.empty() || !options.config.empty() || !options.dino.empty())
    return;
  const auto found = FindDefaultModel();
  if (!found) {
    throw UsageError(std::string("no model: give --model CHECKPOINT (for instance the released "
                                 "wildrayzer_2view.pt), or --init random to try the program without weights; "
                                 "the default model, models/") +
                     kDefaultModelName + ", is missing from this copy of the program");
  }
  options.model = found->string();
  LogInfo(
      "no --model given: using the small model that comes with the program, {} (its README.md says what it "
      "can do)",
      options.model);
}

}  // namespace wildrayzer

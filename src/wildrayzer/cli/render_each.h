// wildrayzer render --each: many places, a result each.
#pragma once

#include "wildrayzer/cli/render_place.h"

namespace wildrayzer {

// Renders every folder of photos and every video in the one folder options.paths[0], in natural order, to a
// folder of the same name in options.out. Results that are there already stay (with options.overwrite they
// are made again). A place that cannot be rendered is named and counted, the others go on. Prints a table, or
// with options.json a line a place as it is done. Raises Error in the end when some failed, UsageError for a
// folder without places and for an output folder that another command or other options have begun.
void RenderEach(const RenderOptions& options);

}  // namespace wildrayzer

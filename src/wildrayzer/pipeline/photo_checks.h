// Warnings of what makes a result poor, before anybody wonders why it is.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "wildrayzer/pipeline/photo_source.h"
#include "wildrayzer/pipeline/reconstructor.h"

namespace wildrayzer {

// Each logs one warning a cause, naming the photos and the remedy; so it comes into metadata.json as well.

// Files as a shell lists them where their numbers say another order: photo1, photo10, photo2. The order is
// that of the path between the cameras.
void WarnOfShellOrder(const std::vector<std::string>& paths);
// Photos that are the same, or nearly black.
void WarnOfPoorPhotos(std::span<const Photo> photos);
// More than half of a photo outside the model's frame; inputs whose cameras stand at one place.
void WarnOfPoorViews(std::span<const Photo> photos, const Scene& scene);

}  // namespace wildrayzer

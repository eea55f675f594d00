// Masks that somebody brings along, found by the names of the photos that they belong to.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "wildrayzer/pipeline/photo_source.h"
#include "wildrayzer/pipeline/reconstructor.h"

namespace wildrayzer {

// One mask a photo (MotionMask::masked_patches is not set), empty where the folder has none, which is logged.
//
// The mask of IMG_1.jpg is called IMG_1 or IMG_1.jpg (COLMAP), with or without "mask" before or after, with
// the extension of a picture or .npy, whatever the case of letters; that of a video's frame is called as the
// frame or has its number for a name. Of photos with the same name in several folders the second one is
// NAME_2, as in results. A folder without such files but with a subfolder `masks` means that.
//
// White moves, black does not, and grey is in between; with `invert` the other way round. Values below 32
// alone are labels of which 0 stands still, as all colours but black move; where pixels are transparent,
// opaque ones move.
//
// A mask may have any size of the photo's shape. UsageError when no photo has a mask, or one has two;
// FileError for a mask that cannot be read or has another shape.
std::vector<MotionMask> ReadOwnMasks(const std::filesystem::path& folder, std::span<const Photo> photos,
                                     bool invert);

}  // namespace wildrayzer

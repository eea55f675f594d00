// Textures out of users' pictures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "wildrayzer/worlds/texture_bank.h"

namespace wildrayzer {

// Square crops of several sizes, at most `count` and at most 16 of a picture. Sources are pictures, or
// folders with pictures in any depth. Pictures that cannot be read are passed over with a warning; FileError
// naming the source when one has no picture that can be read.
std::vector<Texture> CropsOfPictures(const std::vector<std::filesystem::path>& sources, int count,
                                     uint64_t seed, int threads);

// Objects of COCO data sets (folders with instances.json and images/) whose box is at least 24 pixels wide
// and high, at most `count` and at most 4 of a picture. FileError naming the data set when one has none.
std::vector<Cutout> CutoutsOfPictures(const std::vector<std::filesystem::path>& data_sets, int count,
                                      uint64_t seed, int threads);

}  // namespace wildrayzer

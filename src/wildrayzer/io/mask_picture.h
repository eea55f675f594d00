// Pictures that say of every pixel whether something is there.
#pragma once

#include <filesystem>

#include "wildrayzer/io/images.h"

namespace wildrayzer {

// Any picture as a mask, 255 = there, upright, values as stored whatever the colour profile: the opacity
// where some pixels are transparent; else 255 for all colours but black where there are colours, and for all
// labels but 0 where grey values are below 32; else the grey value. Raises FileError.
GrayImage ReadMaskPicture(const std::filesystem::path& path);

}  // namespace wildrayzer

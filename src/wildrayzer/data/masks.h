// Motion masks on disk and in the frame of the model.
#pragma once

#include <filesystem>

#include "wildrayzer/io/images.h"
#include "wildrayzer/vision/framing.h"

namespace wildrayzer {

// A mask file at its own size, 255 = moving: where a .npy array ([H, W], [H, W, 1] or [1, H, W] of bool or
// 8-bit integers) is not 0, or a picture is not black (palette colours of DAVIS count; JPEG, which is not
// exact: at least 128). Raises FileError.
GrayImage ReadMask(const std::filesystem::path& path);

// The same for a .npy array, whatever the file is called.
GrayImage ReadNpyMask(const std::filesystem::path& path);

// Resizes to width x height with the nearest pixel: output pixel i takes input pixel floor((i + 0.5) * in /
// out).
GrayImage ResizeMask(const GrayImage& mask, int width, int height);

// The nearest pixel of `mask`, which covers the whole photo at any resolution, for every pixel of the framed
// picture.
GrayImage FrameMask(const GrayImage& mask, const Framing& framing);

}  // namespace wildrayzer

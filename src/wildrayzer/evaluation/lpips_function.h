// LPIPS for code that is free of LibTorch.
#pragma once

#include <filesystem>
#include <string>

#include "wildrayzer/evaluation/scoring.h"

namespace wildrayzer {

// Lpips::Load as a function of two pictures; see lpips.h for the files and the errors.
// device: as ChooseDevice takes it.
LpipsFunction LoadLpips(const std::filesystem::path& vgg, const std::filesystem::path& heads,
                        const std::string& device);

}  // namespace wildrayzer

// From a model of small pictures to one of larger pictures with the same tokens.
#pragma once

#include "wildrayzer/models/wildrayzer.h"

namespace wildrayzer {

// Copies all weights of `from` into `to`, whose patches may be k times as wide or 1 / k (whole numbers k;
// UsageError otherwise); all else must be equal. The tokenizers and the pixel head change so that k times as
// large a picture gives the tokens of its reduction by box averages, and tokens give the picture enlarged by
// repetition (k > 1), or averaged (1 / k): with 64 x 64 pixels in patches of 8 a model goes on at 128 x 128
// in patches of 16 where it was. (Rays of a patch average to the rays of a coarser grid up to their
// normalisation.)
void CopyResizingPatches(const WildRayZer& from, WildRayZer& to);

}  // namespace wildrayzer

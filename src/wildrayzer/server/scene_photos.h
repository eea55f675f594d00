// From the files that a scene was given to the photos that it is made of.
#pragma once

#include <vector>

#include "wildrayzer/pipeline/photo_source.h"
#include "wildrayzer/pipeline/reconstructor.h"
#include "wildrayzer/server/serve_limits.h"
#include "wildrayzer/server/served_scene.h"

namespace wildrayzer {

// HttpError 400 or 413 when no scene can be made of these files with so many inputs (0: the default).
void CheckGiven(const std::vector<GivenFile>& files, int inputs, const ServeLimits& limits);

// Sets scene.photos (inputs first, then others whose clean views are wanted) and scene.num_inputs, which
// holds the number of inputs that is wanted; of a video the frames are written to files. Does nothing where
// this has been done. Warns of photos that are not used. Error when the video has too few frames.
void ChoosePhotos(ServedScene& scene, const ServeLimits& limits, const ProgressCallback& progress);

// Decodes them; Error that names the photo by its name for people.
std::vector<Photo> ReadPhotos(const ServedScene& scene, const ProgressCallback& progress);
Image ReadScenePhoto(const ScenePhoto& photo);

}  // namespace wildrayzer

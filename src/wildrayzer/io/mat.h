// Views of our images as OpenCV matrices and back; for .cc files only.
#pragma once

#include <opencv2/core.hpp>

#include "wildrayzer/io/images.h"

namespace wildrayzer {

// Matrix headers on the image's own memory (RGB order!); the image must outlive them.
inline cv::Mat AsMat(Image& image) { return {image.height, image.width, CV_8UC3, image.rgb.data()}; }
inline cv::Mat AsMat(GrayImage& image) { return {image.height, image.width, CV_8UC1, image.values.data()}; }

// OpenCV has no read-only matrices: these are to be used as inputs only.
inline const cv::Mat AsMat(const Image& image) { return AsMat(const_cast<Image&>(image)); }
inline const cv::Mat AsMat(const GrayImage& image) { return AsMat(const_cast<GrayImage&>(image)); }

// Copies with the channels swapped; `bgr` is 8-bit with three channels.
cv::Mat ToBgr(const Image& image);
Image FromBgr(const cv::Mat& bgr);

// Stops OpenCV from writing its own lines to stderr: what is wrong with a file is said once, by
// FileError.
void SilenceOpenCv();

}  // namespace wildrayzer

// A build for GPU nodes (CMake option WILDRAYZER_NODE) runs where there is nothing but LibTorch. What needs
// OpenCV is left out of it: cli/without_opencv.cc says so where it is asked for, and what would only notice
// after hours asks here first.
#pragma once

#include <string>

#include "wildrayzer/util/error.h"

namespace wildrayzer {

#ifdef WILDRAYZER_NODE
inline constexpr bool kNodeBuild = true;
// For --version and --help.
inline constexpr char kBuildNote[] =
    "\nA build for GPU nodes, which needs LibTorch alone. It has no command `rooms`, reads PNG, JPEG and "
    "packed "
    "scenes but no videos, and does without pasting, GrabCut, co-segmentation and the floor of homographies.";
#else
inline constexpr bool kNodeBuild = false;
inline constexpr char kBuildNote[] = "";
#endif

inline constexpr char kNoOpenCv[] = "needs OpenCV, which this build for GPU nodes does not have";

// `what` begins the sentence; `remedy` is what to do besides using a full build.
inline std::string WithoutOpenCv(const std::string& what, const std::string& remedy) {
  return what + " " + kNoOpenCv + ": " + remedy + ", or use a full build";
}

inline void RefuseInNodeBuild(const std::string& what, const std::string& remedy) {
  if (kNodeBuild) throw UsageError(WithoutOpenCv(what, remedy));
}

}  // namespace wildrayzer

// Compiled only to produce the precompiled LibTorch header; see WildrayzerDependencies.cmake.

# LibTorch: Debian's 1.13, or whatever CMAKE_PREFIX_PATH names (2.x, with or without CUDA; the torch package of Python is one).
# The sources' own differences by version are in util/torch_version.h.
if(NOT DEFINED TORCH_CUDA_ARCH_LIST AND NOT DEFINED ENV{TORCH_CUDA_ARCH_LIST})
  # Of our own kernels: since Ampere, those newer than Hopper by compiling at the start. Without it a CUDA LibTorch looks for a
  # GPU while configuring, and needs a newer CMake for it.
  set(TORCH_CUDA_ARCH_LIST 8.0 9.0+PTX)
endif()
# TorchConfig.cmake looks for its libraries in the system's folders before its own, and would find Debian's there: the root of
# Python's torch, which calls `share/cmake` in it its prefix, is made one that comes before the system.
string(REPLACE ":" ";" torch_prefixes "$ENV{CMAKE_PREFIX_PATH}")
foreach(prefix IN LISTS CMAKE_PREFIX_PATH torch_prefixes)
  if(EXISTS ${prefix}/Torch/TorchConfig.cmake)
    list(PREPEND CMAKE_PREFIX_PATH ${prefix}/../..)
  endif()
endforeach()
find_package(Torch REQUIRED)

if(TORCH_INSTALL_PREFIX MATCHES "^/usr(/|$)")
  # Debian's uses the system's BLAS, which is the slow reference one unless OpenBLAS is linked directly; the others bring
  # their own, which a second BLAS would replace.
  set(BLA_VENDOR OpenBLAS)
  find_package(BLAS REQUIRED)
else()
  # libtorch.so of Python's package exports pieces of another compiler's std::filesystem, which crash when they take the place of
  # ours: the C++ library comes first among the libraries of a program, and so where the loader looks.
  add_link_options(LINKER:--push-state,--no-as-needed -lstdc++ LINKER:--pop-state)
  # They also bring the headers of a fmt that is not the installed library's. The library's come first.
  find_path(WILDRAYZER_FMT_INCLUDE fmt/format.h PATHS /usr/include NO_DEFAULT_PATH REQUIRED)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/installed_fmt)
  file(CREATE_LINK ${WILDRAYZER_FMT_INCLUDE}/fmt ${CMAKE_BINARY_DIR}/installed_fmt/fmt SYMBOLIC)
  include_directories(BEFORE SYSTEM ${CMAKE_BINARY_DIR}/installed_fmt)
endif()

# What of CUDA it was built with. Its configuration has then found nvcc, or failed.
set(WILDRAYZER_TORCH_DEFINITIONS)
if(TARGET torch_cuda)
  list(APPEND WILDRAYZER_TORCH_DEFINITIONS WILDRAYZER_CUDA)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)  # CMake 3.25 does not know that nvcc knows it
  # Our kernels' runtime is linked statically, so that a program asks for no library of CUDA's but through LibTorch, and stays
  # inside: LibTorch has its own. What LibTorch's targets name would be found first.
  set_property(TARGET torch::cudart PROPERTY INTERFACE_LINK_LIBRARIES CUDA::cudart_static)
  add_link_options(LINKER:--exclude-libs,libcudart_static.a)
  find_path(WILDRAYZER_NCCL_INCLUDE nccl.h HINTS ${TORCH_INSTALL_PREFIX}/../nvidia/nccl/include)
  if(WILDRAYZER_NCCL_INCLUDE)
    list(APPEND WILDRAYZER_TORCH_DEFINITIONS WILDRAYZER_NCCL)
  else()
    message(STATUS "nccl.h was not found: this build trains on one GPU at most")
  endif()
endif()

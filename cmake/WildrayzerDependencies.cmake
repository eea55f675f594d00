# Everything comes from Debian packages (see scripts/setup); nothing is downloaded or built here.
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(Eigen3 REQUIRED NO_MODULE)
find_package(OpenCV REQUIRED COMPONENTS core imgproc imgcodecs videoio calib3d features2d)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(spdlog REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(ZLIB REQUIRED)
find_package(embree 3 REQUIRED)
find_library(LIBZIP_LIBRARY zip REQUIRED)  # the CMake file of libzip-dev fails without libzip's tools
find_package(tinyobjloader REQUIRED)
find_package(Torch REQUIRED)
set(BLA_VENDOR OpenBLAS)
find_package(BLAS REQUIRED)  # linked directly so that the slow reference BLAS cannot be picked up instead
if(WILDRAYZER_TESTS)
  find_package(GTest REQUIRED)
endif()
if(WILDRAYZER_BENCH)
  find_package(benchmark REQUIRED)
endif()

# LibTorch headers take 12 s or more to parse: they are precompiled once and reused by every module with TORCH.
add_library(wrz_torch_pch OBJECT ${PROJECT_SOURCE_DIR}/cmake/torch_pch.cc)
target_link_libraries(wrz_torch_pch PRIVATE wrz_options ${TORCH_LIBRARIES})
target_precompile_headers(wrz_torch_pch PRIVATE <torch/torch.h>)

# Debian packages of the components that are installed (scripts/package runs CPack on it):
# wildrayzer, python3-wildrayzer and libwildrayzer-dev.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME wildrayzer)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # else it comes before each package's own
set(CPACK_PACKAGE_VENDOR "The wildrayzer contributors")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/package)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL program development)
# Copyright and changelog in Debian's form; see there.
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/DebianFiles.cmake)
set(CPACK_WILDRAYZER_SOURCE ${PROJECT_SOURCE_DIR})

# Who answers for the packages: Debian's own variables, as for every tool that makes packages.
set(maintainer "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
if(NOT DEFINED ENV{DEBFULLNAME} OR NOT DEFINED ENV{DEBEMAIL})
  set(maintainer "The wildrayzer contributors <contributors@wildrayzer.invalid>")
endif()
set(CPACK_DEBIAN_PACKAGE_MAINTAINER ${maintainer})
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_HOMEPAGE https://arxiv.org/abs/2601.10716)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME wildrayzer)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION graphics)
# LibTorch asks for any BLAS, and the reference one is 80 times slower; no library of ours names OpenBLAS itself.
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS libopenblas0-openmp)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS "python3-wildrayzer, sweethome3d-furniture, xdg-utils")
set(CPACK_DEBIAN_PROGRAM_DESCRIPTION "clean novel views from a few photos of a place where things move
Two to four photos of a place in which people, pets or things move go in.
Out come the same photos without them, as sharp as they were, and the place
itself from any camera, with the cameras and the motion masks.
.
This is the method WildRayZer in C++, on the processor alone. A small model
comes along; the released checkpoint is read as it is downloaded. The command
serve shows everything in the browser.")

set(CPACK_DEBIAN_PYTHON_PACKAGE_NAME python3-wildrayzer)
set(CPACK_DEBIAN_PYTHON_PACKAGE_SECTION python)
set(CPACK_DEBIAN_PYTHON_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/python/debian/postinst ${PROJECT_SOURCE_DIR}/python/debian/prerm)
set(CPACK_DEBIAN_PYTHON_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PYTHON_DESCRIPTION "clean novel views from a few photos, from Python
The package wildrayzer for Python 3: photos as paths or NumPy arrays in;
photos without what moves, cameras, motion masks and new views out.")
if(wrz_python)
  list(APPEND CPACK_COMPONENTS_ALL python)
  math(EXPR next_minor "${Python_VERSION_MINOR} + 1")
  set(CPACK_DEBIAN_PYTHON_PACKAGE_DEPENDS
      "wildrayzer (= ${PROJECT_VERSION}-1), python3-numpy, python3 (>= 3.${Python_VERSION_MINOR}~), python3 (<< 3.${next_minor})")
endif()

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libwildrayzer-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
# What wildrayzerConfig.cmake finds, and what the public headers include.
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "libtorch-dev, libgloo-dev, libopenblas-openmp-dev, libopencv-dev, libeigen3-dev, libyaml-cpp-dev, nlohmann-json3-dev, libspdlog-dev, libssl-dev, zlib1g-dev, libjpeg62-turbo-dev, libpng-dev, liblcms2-dev, libheif-dev, libavformat-dev, libavcodec-dev, libavutil-dev, libswscale-dev, libembree-dev, libzip-dev, libtinyobjloader-dev, libcpp-httplib-dev")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "clean novel views from a few photos, C++ library
Headers, static libraries and CMake files: find_package(wildrayzer), then link
wildrayzer::pipeline.")
include(CPack)

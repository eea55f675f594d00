# Helpers that declare the rooms of the house: one static library a module, its tests beside it.
#
# What costs time here is reading headers: LibTorch's take 7 s a file, nlohmann's and GoogleTest's 2. So the files of a
# module, and the tests that use LibTorch, are compiled several at a time (unity builds); an anonymous namespace is then
# shared by its neighbours, and names in it must differ.

# Flags common to everything we compile.
add_library(wrz_options INTERFACE)
set(wrz_warnings -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wno-unused-parameter)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  list(APPEND wrz_warnings -Wno-restrict)  # false positives on std::string, GCC bug 105651
endif()
if(WILDRAYZER_WERROR)
  list(APPEND wrz_warnings -Werror)
  target_compile_options(wrz_options INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings>)
endif()
target_compile_options(wrz_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${wrz_warnings}>
                                             $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-Wshadow>)
if(WILDRAYZER_SANITIZE)
  add_compile_options(-fsanitize=${WILDRAYZER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${WILDRAYZER_SANITIZE})
endif()
if(WILDRAYZER_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Depend mode: what is not in the cache is not preprocessed a second time to find that out.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_DEPEND=1 CCACHE_SLOPPINESS=time_macros,include_file_mtime,include_file_ctime ${CCACHE_PROGRAM})
endif()

# wrz_add_module(NAME [TORCH] SOURCES ... [DEPS ...] [PRIVATE_DEPS ...] [OPENCV_SOURCES ... OPENCV ...] [CUDA_SOURCES ...])
#   Library wildrayzer_NAME, alias wildrayzer::NAME. TORCH links LibTorch. OPENCV_SOURCES are the files that need OpenCV
#   or the other libraries of pictures and videos, which OPENCV names; a node build has cli/without_opencv.cc in their
#   place. CUDA_SOURCES are compiled by nvcc where LibTorch has CUDA.
function(wrz_add_module name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;DEPS;PRIVATE_DEPS;OPENCV_SOURCES;OPENCV;CUDA_SOURCES" ${ARGN})
  if(NOT WILDRAYZER_NODE)
    list(APPEND ARG_SOURCES ${ARG_OPENCV_SOURCES})
    list(APPEND ARG_PRIVATE_DEPS ${ARG_OPENCV})
  endif()
  if(TARGET torch_cuda AND ARG_CUDA_SOURCES)
    list(APPEND ARG_SOURCES ${ARG_CUDA_SOURCES})
    list(APPEND ARG_PRIVATE_DEPS CUDA::cudart_static)
  endif()
  set(target wildrayzer_${name})
  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(wildrayzer::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} UNITY_BUILD ${WILDRAYZER_UNITY} UNITY_BUILD_BATCH_SIZE 7)
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
                                              $<INSTALL_INTERFACE:include>)
  target_link_libraries(${target} PUBLIC ${ARG_DEPS} PRIVATE $<BUILD_INTERFACE:wrz_options> ${ARG_PRIVATE_DEPS})
  target_compile_features(${target} PUBLIC cxx_std_20)
  if(ARG_TORCH)
    target_link_libraries(${target} PUBLIC ${TORCH_LIBRARIES})
    target_compile_definitions(${target} PRIVATE ${WILDRAYZER_TORCH_DEFINITIONS})
    # Calls of LibTorch gain nothing from -O3; what does has its own flags (kernels/, *_kernels.cc).
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O2>)
  endif()
  set_property(GLOBAL APPEND PROPERTY WILDRAYZER_MODULES ${target})
endfunction()

# wrz_add_test(NAME [TORCH|PROGRAM] [GOLDEN] SOURCES ... [DEPS ...] [COST seconds] [TIMEOUT seconds])
#   One entry of ctest: the tests of some sources, on one core. COST: about how long it takes, if that is long; ctest, which
#   does not know in a fresh folder, begins with those. They are compiled into one of three executables: unit_tests, torch_tests
#   (TORCH), program_tests (PROGRAM: they run build/wildrayzer). GOLDEN: finds its cases at run time in the folder named by
#   WILDRAYZER_GOLDEN_DIR (default ../shared/golden) and carries the label `golden`.
function(wrz_add_test name)
  if(NOT WILDRAYZER_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "TORCH;PROGRAM;GOLDEN" "COST;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  set(executable unit_tests)
  if(ARG_TORCH)
    set(executable torch_tests)
  elseif(ARG_PROGRAM)
    set(executable program_tests)
  endif()
  list(TRANSFORM ARG_SOURCES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/ OUTPUT_VARIABLE paths)
  set_property(GLOBAL APPEND PROPERTY WILDRAYZER_${executable}_SOURCES ${paths})
  set_property(GLOBAL APPEND PROPERTY WILDRAYZER_${executable}_DEPS ${ARG_DEPS})
  list(JOIN ARG_SOURCES "," sources)
  # The executable's own target comes later (wrz_add_test_executables), so it is named by its path.
  add_test(NAME ${name} COMMAND ${CMAKE_BINARY_DIR}/tests/${executable} --sources=${sources}
           WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  if(ARG_GOLDEN)
    set_tests_properties(${name} PROPERTIES LABELS golden)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 600)
  endif()
  # Tests run side by side; each must stay on its own core.
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT "OMP_NUM_THREADS=1")
  if(ARG_COST)
    set_tests_properties(${name} PROPERTIES COST ${ARG_COST})
  endif()
endfunction()

# The executables of all tests declared so far.
function(wrz_add_test_executables)
  foreach(executable unit_tests torch_tests program_tests)
    get_property(sources GLOBAL PROPERTY WILDRAYZER_${executable}_SOURCES)
    get_property(deps GLOBAL PROPERTY WILDRAYZER_${executable}_DEPS)
    list(REMOVE_DUPLICATES deps)
    add_executable(${executable} ${sources} ${PROJECT_SOURCE_DIR}/src/wildrayzer/testing/main.cc)
    target_link_libraries(${executable} PRIVATE wrz_options ${deps} GTest::gmock GTest::gtest)
    target_compile_options(${executable} PRIVATE $<$<CONFIG:Release>:-O1>)  # they are run once
    set_target_properties(${executable} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  endforeach()
  target_link_libraries(torch_tests PRIVATE ${TORCH_LIBRARIES})
  set_target_properties(torch_tests PROPERTIES UNITY_BUILD ${WILDRAYZER_UNITY} UNITY_BUILD_BATCH_SIZE 5)
  target_compile_definitions(program_tests PRIVATE WILDRAYZER_PROGRAM="$<TARGET_FILE:wildrayzer>")
  add_dependencies(program_tests wildrayzer)
endfunction()

# wrz_add_fuzz(NAME SOURCES ... DEPS ...): a libFuzzer target; its seed corpus is tests/corpus/NAME.
function(wrz_add_fuzz name)
  if(NOT WILDRAYZER_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE wrz_options ${ARG_DEPS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
endfunction()

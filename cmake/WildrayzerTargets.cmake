# Helpers that declare the rooms of the house: one static library a module, its tests beside it.

# Flags common to everything we compile. Kept on one interface target so that the precompiled LibTorch header,
# which must be compiled with the same flags as its users, can be shared by all modules.
add_library(wrz_options INTERFACE)
target_compile_options(wrz_options INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
                                             -Wno-unused-parameter)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(wrz_options INTERFACE -Wno-restrict)  # false positives on std::string, GCC bug 105651
endif()
if(WILDRAYZER_WERROR)
  target_compile_options(wrz_options INTERFACE -Werror)
endif()
if(WILDRAYZER_SANITIZE)
  add_compile_options(-fsanitize=${WILDRAYZER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${WILDRAYZER_SANITIZE})
endif()
if(WILDRAYZER_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-fpch-preprocess)  # lets ccache see through precompiled headers
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE_PROGRAM})
endif()

# wrz_add_module(NAME [TORCH] SOURCES ... [DEPS ...] [PRIVATE_DEPS ...])
#   Library wildrayzer_NAME, alias wildrayzer::NAME. TORCH links LibTorch and uses the shared precompiled header.
function(wrz_add_module name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  set(target wildrayzer_${name})
  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(wildrayzer::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
                                              $<INSTALL_INTERFACE:include>)
  target_link_libraries(${target} PUBLIC ${ARG_DEPS} PRIVATE $<BUILD_INTERFACE:wrz_options> ${ARG_PRIVATE_DEPS})
  target_compile_features(${target} PUBLIC cxx_std_20)
  if(ARG_TORCH)
    wrz_use_torch(${target})
  endif()
  set_property(GLOBAL APPEND PROPERTY WILDRAYZER_MODULES ${target})
endfunction()

# Links LibTorch and reuses the one precompiled LibTorch header.
function(wrz_use_torch target)
  target_link_libraries(${target} PUBLIC ${TORCH_LIBRARIES})
  target_precompile_headers(${target} REUSE_FROM wrz_torch_pch)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE")  # executables default to -fPIE, which does not match the header compiled with -fPIC
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
  endif()
endfunction()

# wrz_add_test(NAME [TORCH] [GOLDEN] SOURCES ... [DEPS ...] [LABELS ...] [PROCESSORS n] [TIMEOUT seconds])
#   One GoogleTest executable = one ctest entry. GOLDEN: the executable finds its cases at run time in the folder named by
#   WILDRAYZER_GOLDEN_DIR (default ../shared/golden) and carries the label `golden`.
function(wrz_add_test name)
  if(NOT WILDRAYZER_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "TORCH;GOLDEN" "PROCESSORS;TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE wrz_options ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  if(ARG_TORCH)
    wrz_use_torch(${name})
  endif()
  target_compile_definitions(${name} PRIVATE $<$<NOT:$<BOOL:${ARG_TORCH}>>:WILDRAYZER_NO_TORCH>)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  if(ARG_GOLDEN)
    list(APPEND ARG_LABELS golden)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 600)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
  if(ARG_PROCESSORS)
    set_tests_properties(${name} PROPERTIES PROCESSORS ${ARG_PROCESSORS})
  else()
    # Tests run side by side; each must stay on its own core.
    set_tests_properties(${name} PROPERTIES ENVIRONMENT "OMP_NUM_THREADS=1")
  endif()
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

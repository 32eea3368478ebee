# SPDX-License-Identifier: GPL-3.0-or-later
# How everything is compiled: language, build types, output folders, ccache, and the one target that carries the flags.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, RelWithDebInfo or Debug" FORCE)
endif()

# The older kind of run path: it holds for what a program's libraries need, too, and comes before LD_LIBRARY_PATH, which on
# clusters is full of other versions.
add_link_options(-Wl,--disable-new-dtags)

# A precompiled header makes ccache give up unless it is told which differences do not matter.
find_program(NATSCOPE_CCACHE ccache)
if(NATSCOPE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND}" -E env
      "CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime"
      # Paths below the source tree count as relative: another clone finds what this one compiled.
      "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" "CCACHE_NOHASHDIR=true" "${NATSCOPE_CCACHE}")
endif()

add_library(natscope_flags INTERFACE)
target_include_directories(natscope_flags INTERFACE "${CMAKE_SOURCE_DIR}" "${CMAKE_SOURCE_DIR}/kernels/include")
target_compile_definitions(natscope_flags INTERFACE
  NATSCOPE_VERSION="${PROJECT_VERSION}"
  QT_NO_KEYWORDS QT_NO_CAST_FROM_ASCII QT_NO_CAST_TO_ASCII QT_NO_CAST_FROM_BYTEARRAY QT_NO_URL_CAST_FROM_STRING)
# No -march and no -ffast-math: Highway picks the instructions at run time, and sums must mean what they say.
target_compile_options(natscope_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wconversion;-Wshadow;-fno-math-errno;-fpch-preprocess>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 sees overlapping copies in "text" + std::string where there are none (GCC bug 105651).
  target_compile_options(natscope_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()
if(NATSCOPE_WERROR)
  # What only the optimizer sees (paths it cannot rule out) differs from compiler to compiler: said, but no error.
  target_compile_options(natscope_flags INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Werror;-Wno-error=maybe-uninitialized;-Wno-error=array-bounds;-Wno-error=stringop-overflow;-Wno-error=stringop-overread;-Wno-error=free-nonheap-object;-Wno-error=nonnull>)
endif()
if(NATSCOPE_ASSERTS)
  # Comes after the build type's -DNDEBUG on the command line, and so wins.
  target_compile_options(natscope_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-UNDEBUG>)
  target_compile_definitions(natscope_flags INTERFACE _GLIBCXX_ASSERTIONS)
endif()
if(NATSCOPE_SANITIZE)
  target_compile_options(natscope_flags INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${NATSCOPE_SANITIZE};-fno-sanitize-recover=all;-fno-omit-frame-pointer>)
  target_link_options(natscope_flags INTERFACE -fsanitize=${NATSCOPE_SANITIZE})
endif()

# Where the bundled demo, samples and colour maps lie in the source tree. Programs look beside themselves first.
add_library(natscope_paths INTERFACE)
target_compile_definitions(natscope_paths INTERFACE NATSCOPE_RESOURCE_DIR="${CMAKE_SOURCE_DIR}/resources")

function(natscope_print_summary)
  set(yes_no "no;yes")
  macro(add_line label value)
    string(APPEND summary "  ${label} ${value}\n")
  endmacro()
  set(summary "NAtScope ${PROJECT_VERSION}\n")
  add_line("build type     " "${CMAKE_BUILD_TYPE}")
  add_line("compiler       " "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
  add_line("LibTorch       " "${LibTorch_VERSION} (${LibTorch_ROOT})")
  add_line("OpenMP runtime " "${NATSCOPE_OPENMP_RUNTIME}")
  if(NATSCOPE_WITH_QT)
    add_line("window (Qt)    " "${Qt6_VERSION}")
  else()
    add_line("window (Qt)    " "off")
  endif()
  if(NATSCOPE_CUDA)
    add_line("GPU (CUDA)     " "${CMAKE_CUDA_COMPILER_VERSION} for ${CMAKE_CUDA_ARCHITECTURES}")
  else()
    add_line("GPU (CUDA)     " "off")
  endif()
  if(MPI_CXX_FOUND)
    add_line("MPI            " "${MPI_CXX_VERSION} (${MPI_CXX_LIBRARIES})")
  else()
    add_line("MPI            " "off")
  endif()
  add_line("sentencepiece  " "${NATSCOPE_SENTENCEPIECE_LIBRARY}")
  add_line("Highway        " "${hwy_VERSION}")
  add_line("asserts        " "${NATSCOPE_ASSERTS}")
  add_line("sanitizers     " "$CACHE{NATSCOPE_SANITIZE}")
  add_line("warnings fail  " "${NATSCOPE_WERROR}")
  add_line("ccache         " "${NATSCOPE_CCACHE}")
  message(STATUS "${summary}")
endfunction()

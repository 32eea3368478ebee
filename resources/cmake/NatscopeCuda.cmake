# SPDX-License-Identifier: GPL-3.0-or-later
# The CUDA compiler: CMAKE_CUDA_COMPILER or CUDACXX if given, else the system's nvcc, else the one that `./dev setup cuda`
# unpacked into .deps/. Code for A100, H100/H200 and RTX 50, and PTX that every other GPU since A100 compiles for itself.
#
#   natscope_cuda_flags   what every CUDA source is compiled with, as natscope_flags is for C++

if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(NATSCOPE_NVCC nvcc
    HINTS /usr/local/cuda/bin "${CMAKE_SOURCE_DIR}/.deps/nvidia/cu13/bin" REQUIRED)
  set(CMAKE_CUDA_COMPILER "${NATSCOPE_NVCC}")
endif()
# A wheel keeps its libraries in lib/, where its own nvcc does not look.
file(REAL_PATH "${CMAKE_CUDA_COMPILER}/../../lib" _cuda_lib)
if(EXISTS "${_cuda_lib}/libcudart_static.a")
  set(CMAKE_CUDA_FLAGS_INIT "-L${_cuda_lib}")
endif()
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES "80;90a-real;120-real" CACHE STRING "GPU architectures, as CMake names them")
endif()
if(NATSCOPE_CCACHE AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()
enable_language(CUDA)
# CMake 3.25.1 (Debian 12) does not know that nvcc 12 and later have C++20.
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
endif()
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)

# The headers and the runtime that come with this compiler; only the GPU module and its tests link the runtime.
get_filename_component(NATSCOPE_CUDA_ROOT "${CMAKE_CUDA_COMPILER}/../.." REALPATH)
find_path(NATSCOPE_CUDA_INCLUDE_DIR cuda_runtime_api.h
  HINTS ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES} "${NATSCOPE_CUDA_ROOT}/include" REQUIRED)

add_library(natscope_cuda_flags INTERFACE)
# relaxed-constexpr: roles, visibility and number formats are constexpr functions that host and device share.
# -Wpedantic and -Wconversion are left out: what nvcc writes for the host compiler does not pass them.
target_compile_options(natscope_cuda_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr;-Xcompiler=-Wall,-Wextra,-fno-math-errno>)
if(NATSCOPE_WERROR)
  target_compile_options(natscope_cuda_flags INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:--Werror=all-warnings;-Xcompiler=-Werror>)
endif()

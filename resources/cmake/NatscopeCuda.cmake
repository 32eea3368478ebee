# SPDX-License-Identifier: GPL-3.0-or-later
# The CUDA compiler: CMAKE_CUDA_COMPILER or CUDACXX if given, else the system's nvcc, else the one that `./dev setup cuda`
# unpacked into .deps/. One real architecture for H100/H200, and PTX that every GPU since A100 compiles for itself.

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
  set(CMAKE_CUDA_ARCHITECTURES "80-virtual;90a-real" CACHE STRING "GPU architectures, as CMake names them")
endif()
enable_language(CUDA)
# CMake 3.25.1 (Debian 12) does not know that nvcc 12 and later have C++20.
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
endif()
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)

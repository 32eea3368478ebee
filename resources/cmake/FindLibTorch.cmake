# SPDX-License-Identifier: GPL-3.0-or-later
# LibTorch's C++ part out of a Python wheel, without the CUDA toolkit that find_package(Torch) insists on.
#
# The first that is set: NATSCOPE_LIBTORCH_DIR (a folder with include/ and lib/, as python's torch.__path__[0] prints),
# Torch_DIR (…/share/cmake/Torch, as for find_package(Torch)), .deps/torch beside the sources.
#
#   LibTorch::cpu       torch_cpu and c10
#   LibTorch::cuda      torch_cuda and c10_cuda, only where the wheel has them; only the GPU module links it
#   LibTorch_ROOT, LibTorch_VERSION, LibTorch_GOMP (the libgomp that it bundles, if any)
#   LibTorch_RUNTIME    the files that LibTorch::cpu needs at run time and no system has: what an installation copies

set(NATSCOPE_LIBTORCH_DIR "" CACHE PATH "Folder of a LibTorch or of Python's torch package")

# One that is named and is none is an error, never another one instead.
if(NATSCOPE_LIBTORCH_DIR)
  set(_hint "${NATSCOPE_LIBTORCH_DIR}")
elseif(Torch_DIR)
  set(_hint "${Torch_DIR}/../../..")
elseif(NOT "$ENV{Torch_DIR}" STREQUAL "")
  set(_hint "$ENV{Torch_DIR}/../../..")
else()
  set(_hint "${CMAKE_SOURCE_DIR}/.deps/torch")
endif()

set(LibTorch_ROOT "")
if(EXISTS "${_hint}/include/ATen/ATen.h" AND EXISTS "${_hint}/lib/libtorch_cpu.so")
  file(REAL_PATH "${_hint}" LibTorch_ROOT)
endif()

set(LibTorch_VERSION "")
foreach(_header IN ITEMS torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
  if(LibTorch_ROOT AND NOT LibTorch_VERSION AND EXISTS "${LibTorch_ROOT}/include/${_header}")
    file(STRINGS "${LibTorch_ROOT}/include/${_header}" _lines REGEX "^#define TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
    string(REGEX MATCHALL "[0-9]+" _numbers "${_lines}")
    string(JOIN "." LibTorch_VERSION ${_numbers})
  endif()
endforeach()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_ROOT
  VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "there is none in ${_hint}: run ./dev setup, or name a torch folder with -DNATSCOPE_LIBTORCH_DIR=DIR")

if(LibTorch_FOUND AND NOT TARGET LibTorch::cpu)
  set(_lib "${LibTorch_ROOT}/lib")

  add_library(LibTorch::c10 SHARED IMPORTED)
  set_target_properties(LibTorch::c10 PROPERTIES IMPORTED_LOCATION "${_lib}/libc10.so")
  target_include_directories(LibTorch::c10 SYSTEM INTERFACE
    "${LibTorch_ROOT}/include" "${LibTorch_ROOT}/include/torch/csrc/api/include")
  target_compile_definitions(LibTorch::c10 INTERFACE _GLIBCXX_USE_CXX11_ABI=1)

  # torch_cpu of a CUDA wheel needs two small CUDA libraries; its own rpath finds them at run time, the linker must be told.
  set(_needed "")
  foreach(_name IN ITEMS libcudart.so.13 libcupti.so.13 libcudart.so.12 libcupti.so.12)
    file(GLOB _found "${LibTorch_ROOT}/../nvidia/*/lib/${_name}" "${_lib}/${_name}")
    if(_found)
      list(GET _found 0 _first)
      list(APPEND _needed "${_first}")
    endif()
  endforeach()
  add_library(LibTorch::cpu SHARED IMPORTED)
  set_target_properties(LibTorch::cpu PROPERTIES
    IMPORTED_LOCATION "${_lib}/libtorch_cpu.so"
    IMPORTED_LINK_DEPENDENT_LIBRARIES "${_needed}"
    # Its headers then declare the operations that are asked for, not all of them: half the time to compile a file.
    INTERFACE_COMPILE_DEFINITIONS AT_PER_OPERATOR_HEADERS)
  target_link_libraries(LibTorch::cpu INTERFACE LibTorch::c10)

  if(EXISTS "${_lib}/libtorch_cuda.so")
    add_library(LibTorch::c10_cuda SHARED IMPORTED)
    set_target_properties(LibTorch::c10_cuda PROPERTIES IMPORTED_LOCATION "${_lib}/libc10_cuda.so")
    add_library(LibTorch::cuda SHARED IMPORTED)
    set_target_properties(LibTorch::cuda PROPERTIES IMPORTED_LOCATION "${_lib}/libtorch_cuda.so")
    # The libraries behind torch_cuda (cuBLAS, NCCL, …) are only there where a GPU is: left to run time.
    target_link_libraries(LibTorch::cuda INTERFACE LibTorch::c10_cuda LibTorch::cpu)
    target_link_options(LibTorch::cuda INTERFACE -Wl,--allow-shlib-undefined)
  endif()

  # Wheels put it beside their libraries, newer ones under its plain name, older ones with a hash in it.
  file(GLOB LibTorch_GOMP "${_lib}/libgomp*.so*" "${LibTorch_ROOT}/../torch.libs/libgomp*.so*")
  if(LibTorch_GOMP)
    list(GET LibTorch_GOMP 0 LibTorch_GOMP)
  endif()
  set(LibTorch_RUNTIME "${_lib}/libtorch_cpu.so" "${_lib}/libc10.so" ${LibTorch_GOMP} ${_needed})
endif()

# SPDX-License-Identifier: GPL-3.0-or-later
# Every library that is not ours, as one target each:
#   LibTorch::cpu (LibTorch::cuda)   hwy::hwy   natscope::sentencepiece   nlohmann_json::nlohmann_json   CLI11::CLI11
#   tl::expected   PkgConfig::LIBZIP   PkgConfig::PCRE2   PkgConfig::UTF8PROC   OpenSSL::Crypto   natscope::doctest   natscope_openmp   Qt6::…   QCustomPlotQt6
# Missing packages are named as apt knows them; `./dev setup` installs them all.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(LibTorch REQUIRED)
find_package(nlohmann_json 3.10 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(tl-expected REQUIRED)
find_package(hwy 1.0 REQUIRED)
pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET libzip)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)

# Not through pkg-config: Debian 13's file asks for protobuf's headers, which neither the package brings nor anybody needs.
find_path(NATSCOPE_SENTENCEPIECE_DIR sentencepiece_processor.h REQUIRED)
find_library(NATSCOPE_SENTENCEPIECE_LIBRARY sentencepiece PATH_SUFFIXES x86_64-linux-gnu REQUIRED)
find_library(NATSCOPE_SENTENCEPIECE_TRAIN_LIBRARY sentencepiece_train PATH_SUFFIXES x86_64-linux-gnu REQUIRED)
add_library(natscope_sentencepiece INTERFACE)
target_include_directories(natscope_sentencepiece SYSTEM INTERFACE "${NATSCOPE_SENTENCEPIECE_DIR}")
target_link_libraries(natscope_sentencepiece INTERFACE
  "${NATSCOPE_SENTENCEPIECE_TRAIN_LIBRARY}" "${NATSCOPE_SENTENCEPIECE_LIBRARY}")
add_library(natscope::sentencepiece ALIAS natscope_sentencepiece)

# Debian ships doctest as a header only, without a CMake package.
find_path(NATSCOPE_DOCTEST_DIR doctest/doctest.h REQUIRED)
add_library(natscope_doctest INTERFACE)
target_include_directories(natscope_doctest SYSTEM INTERFACE "${NATSCOPE_DOCTEST_DIR}")
add_library(natscope::doctest ALIAS natscope_doctest)

# One thread pool: ATen's and ours meet in one libgomp. The wheel brings its own, so everything links that one; without a
# bundled one (a LibTorch from elsewhere) the compiler's is used, which is then LibTorch's too.
add_library(natscope_openmp INTERFACE)
target_compile_options(natscope_openmp INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
if(LibTorch_GOMP)
  add_library(natscope_gomp SHARED IMPORTED)
  set_target_properties(natscope_gomp PROPERTIES IMPORTED_LOCATION "${LibTorch_GOMP}")
  target_link_libraries(natscope_openmp INTERFACE natscope_gomp Threads::Threads)
  set(NATSCOPE_OPENMP_RUNTIME "LibTorch's (${LibTorch_GOMP})")
else()
  target_link_libraries(natscope_openmp INTERFACE gomp Threads::Threads)
  set(NATSCOPE_OPENMP_RUNTIME "the compiler's libgomp")
endif()

# Training over several processes. Whoever has no MPI trains in one.
set(MPI_CXX_SKIP_MPICXX TRUE)
find_package(MPI QUIET COMPONENTS CXX)

if(NATSCOPE_WITH_QT)
  find_package(Qt6 6.4 REQUIRED COMPONENTS Core Gui Widgets Svg PrintSupport Test)
  find_package(QCustomPlotQt6 REQUIRED)
endif()

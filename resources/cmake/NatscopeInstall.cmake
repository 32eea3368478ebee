# SPDX-License-Identifier: GPL-3.0-or-later
# What `cmake --install` (./dev install) lays down, and what `cpack` (./dev package) makes a Debian package of:
#   bin/                    the programs
#   lib/natscope/           our modules, and of LibTorch what runs on a CPU
#   share/natscope/         the demo model and the sample text (core/base/resource_path.h); python/: traces of other programs
#   share/applications, icons, man, bash-completion, zsh, fish, doc
# The whole can be moved anywhere: programs find the rest from where they are.

include(GNUInstallDirs)
# core/base/program_folder.h looks there, whatever a distribution calls its library folder.
set(NATSCOPE_INSTALL_MODULES "lib/natscope")

# A CUDA build needs all of LibTorch and gigabytes behind it: that one stays where it is.
set(_copies_libtorch ON)
if(NATSCOPE_CUDA)
  set(_copies_libtorch OFF)
endif()
option(NATSCOPE_INSTALL_LIBTORCH "Copy LibTorch's CPU libraries into the installation, so that it stands alone" ${_copies_libtorch})

set(_programs "")
foreach(_target IN ITEMS natscope natscope-cli natscope_engine_app)
  if(TARGET ${_target})
    list(APPEND _programs ${_target})
  endif()
endforeach()
set(_modules "")
foreach(_target IN ITEMS natscope_mpi natscope_cuda natscope_cuda_bench)
  if(TARGET ${_target})
    list(APPEND _modules ${_target})
  endif()
endforeach()

# Copies what was linked and gives it the run path of an installation. Not install(TARGETS), for which CMake pads the run
# path of the build with colons: behind a last colon the loader looks into the current folder, and a library among a
# stranger's files would run. The build has this run path before its own, so that there is room for it.
function(natscope_install_with_run_path target folder)
  set_property(TARGET ${target} PROPERTY BUILD_RPATH "${ARGN}")
  install(PROGRAMS "$<TARGET_FILE:${target}>" DESTINATION "${folder}")
  string(REPLACE ";" ":" run_path "${ARGN}")
  install(CODE "
    set(_file [==[${folder}/$<TARGET_FILE_NAME:${target}>]==])
    set(_file \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/\${_file}\")
    file(RPATH_SET FILE \"\${_file}\" NEW_RPATH [==[${run_path}]==])
    if(CMAKE_INSTALL_DO_STRIP)
      execute_process(COMMAND [==[${CMAKE_STRIP}]==] \"\${_file}\" COMMAND_ERROR_IS_FATAL ANY)
    endif()")
endfunction()

set(_libtorch "")
if(NATSCOPE_INSTALL_LIBTORCH)
  install(FILES ${LibTorch_RUNTIME} DESTINATION "${NATSCOPE_INSTALL_MODULES}"
          PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
else()
  set(_libtorch "${LibTorch_ROOT}/lib")
endif()
foreach(_program IN LISTS _programs)
  natscope_install_with_run_path(${_program} bin "$ORIGIN/../${NATSCOPE_INSTALL_MODULES}" ${_libtorch})
endforeach()
foreach(_module IN LISTS _modules)
  natscope_install_with_run_path(${_module} "${NATSCOPE_INSTALL_MODULES}" "$ORIGIN" ${_libtorch})
endforeach()

install(DIRECTORY resources/demo resources/demo-full resources/sample resources/python DESTINATION share/natscope
  PATTERN __pycache__ EXCLUDE)
install(FILES README.md RULES.md SECURITY.md LICENSE resources/install/copyright DESTINATION share/doc/natscope)
# Licences of what is copied from wheels, as the wheels hold them (./dev setup keeps them).
file(GLOB _licences "${CMAKE_SOURCE_DIR}/.deps/licences/*")
if(NATSCOPE_INSTALL_LIBTORCH AND _licences)
  install(DIRECTORY ${_licences} DESTINATION share/doc/natscope/licences)
endif()
if(TARGET natscope)
  install(FILES resources/install/natscope.desktop DESTINATION share/applications)
  install(FILES resources/icons/natscope.svg DESTINATION share/icons/hicolor/scalable/apps)
  install(FILES resources/install/natscope.1 DESTINATION share/man/man1)
endif()
install(FILES resources/install/natscope-engine.1 DESTINATION share/man/man1)

# The command line describes itself: its manual and its completion are made by it.
if(TARGET natscope-cli)
  set(_made "${CMAKE_BINARY_DIR}/made")
  add_custom_command(
    OUTPUT "${_made}/natscope-cli.1" "${_made}/natscope-cli" "${_made}/_natscope-cli" "${_made}/natscope-cli.fish"
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${_made}"
    COMMAND natscope-cli manual > "${_made}/natscope-cli.1"
    COMMAND natscope-cli completion bash > "${_made}/natscope-cli"
    COMMAND natscope-cli completion zsh > "${_made}/_natscope-cli"
    COMMAND natscope-cli completion fish > "${_made}/natscope-cli.fish"
    DEPENDS natscope-cli
    COMMENT "Writing natscope-cli's manual and completion"
    VERBATIM)
  add_custom_target(natscope_cli_words ALL DEPENDS "${_made}/natscope-cli.1")
  install(FILES "${_made}/natscope-cli.1" DESTINATION share/man/man1)
  install(FILES "${_made}/natscope-cli" DESTINATION share/bash-completion/completions)
  install(FILES "${_made}/_natscope-cli" DESTINATION share/zsh/site-functions)
  install(FILES "${_made}/natscope-cli.fish" DESTINATION share/fish/vendor_completions.d)
endif()

set(CPACK_PACKAGE_NAME natscope)
set(CPACK_PACKAGE_VENDOR "NAtScope's developers")
set(CPACK_PACKAGE_CONTACT "NAtScope's developers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "see which tokens a language model keeps in its KV cache, and why")
set(CPACK_PACKAGE_DESCRIPTION
"Runs language models with Neural Attention Search (and ordinary Llama-like
models), counts their KV cache while they generate, shows learned roles and
attention maps of every head, exports figures, and starts fine-tuning jobs.

Holds the CPU part of LibTorch.")
set(CPACK_PACKAGE_DIRECTORY "${CMAKE_SOURCE_DIR}/build/package")
set(CPACK_RESOURCE_FILE_LICENSE "${CMAKE_SOURCE_DIR}/LICENSE")
set(CPACK_GENERATOR DEB)
set(CPACK_THREADS 0)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${LibTorch_ROOT}/lib")
set(CPACK_DEBIAN_PACKAGE_DEPENDS fonts-dejavu-core)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "openmpi-bin, slurm-client")
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
include(CPack)

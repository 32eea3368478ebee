# SPDX-License-Identifier: GPL-3.0-or-later
# Makes an installation run where nothing of ours is installed: copies the libraries behind its programs, Qt's plugins and the
# fonts of figures into it.  cmake -DSTAGE=FOLDER -P resources/cmake/portable.cmake
#
# Left to the system: the C library and the compilers' run-time libraries, which must be the newest on the machine and are on
# every one. So the floor is the C library of the machine that packs (glibc 2.35 for Qt of Debian 12).

set(modules "${STAGE}/lib/natscope")
set(plugins "${modules}/plugins")
file(GLOB programs "${STAGE}/bin/*")

# The window's platform and pictures; what needs a desktop's own libraries (GTK, Wayland, OpenGL) is left out.
find_program(qtpaths NAMES qtpaths6 qtpaths HINTS /usr/lib/qt6/bin)
if(qtpaths)
  execute_process(COMMAND "${qtpaths}" --query QT_INSTALL_PLUGINS OUTPUT_VARIABLE qt_plugins OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
set(copied_plugins "")
foreach(plugin IN ITEMS platforms/libqxcb.so platforms/libqoffscreen.so imageformats/libqsvg.so iconengines/libqsvgicon.so)
  if(NOT EXISTS "${qt_plugins}/${plugin}")
    message(FATAL_ERROR "Qt's plugin ${plugin} is not in \"${qt_plugins}\"")
  endif()
  get_filename_component(folder "${plugin}" DIRECTORY)
  file(COPY "${qt_plugins}/${plugin}" DESTINATION "${plugins}/${folder}")
  list(APPEND copied_plugins "${plugins}/${plugin}")
endforeach()

file(GLOB ours "${modules}/*.so*")
# The MPI module works only with the system's own MPI, which brings its libraries.
list(FILTER ours EXCLUDE REGEX "natscope_mpi")
file(GET_RUNTIME_DEPENDENCIES
  EXECUTABLES ${programs}
  LIBRARIES ${copied_plugins} ${ours}
  RESOLVED_DEPENDENCIES_VAR found
  UNRESOLVED_DEPENDENCIES_VAR missing
  CONFLICTING_DEPENDENCIES_PREFIX conflict
  DIRECTORIES "${modules}"
  PRE_EXCLUDE_REGEXES
    "^ld-linux" "^lib(c|m|dl|rt|pthread|resolv|util)\\.so" "^lib(stdc\\+\\+|gcc_s)\\.so")
foreach(library IN LISTS missing)
  message(FATAL_ERROR "${library} is needed and was not found")
endforeach()
# The licence of what is copied goes with it, a folder a package.
function(copy_licence file)
  file(REAL_PATH "${file}" file)
  execute_process(COMMAND dpkg-query -S "${file}" OUTPUT_VARIABLE owner ERROR_QUIET)
  if(NOT owner)
    # Packages from before the folders were merged are listed without /usr.
    string(REGEX REPLACE "^/usr" "" file "${file}")
    execute_process(COMMAND dpkg-query -S "${file}" OUTPUT_VARIABLE owner ERROR_QUIET)
  endif()
  string(REGEX REPLACE ":.*" "" package "${owner}")
  if(NOT EXISTS "/usr/share/doc/${package}/copyright" OR package STREQUAL "")
    message(FATAL_ERROR "no licence is known for ${file}: it cannot be passed on")
  endif()
  file(COPY "/usr/share/doc/${package}/copyright" DESTINATION "${STAGE}/share/doc/natscope/licences/${package}" FOLLOW_SYMLINK_CHAIN)
endfunction()

foreach(library IN LISTS found)
  get_filename_component(name "${library}" NAME)
  if(NOT EXISTS "${modules}/${name}")
    file(COPY "${library}" DESTINATION "${modules}" FOLLOW_SYMLINK_CHAIN)
    copy_licence("${library}")
  endif()
endforeach()

file(WRITE "${STAGE}/bin/qt.conf" "[Paths]\nPrefix = ..\nPlugins = lib/natscope/plugins\n")
file(GLOB fonts /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf /usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf
     /usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf)
if(NOT fonts)
  message(FATAL_ERROR "the fonts of figures (fonts-dejavu-core) are not here")
endif()
file(COPY ${fonts} DESTINATION "${STAGE}/share/natscope/fonts")
list(GET fonts 0 font)
copy_licence("${font}")
copy_licence("${qt_plugins}/platforms/libqxcb.so")
copy_licence("${qt_plugins}/imageformats/libqsvg.so")

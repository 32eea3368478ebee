# SPDX-License-Identifier: GPL-3.0-or-later
"""CMake takes the LibTorch that it was told of, or says that there is none: never another one instead.

    python3 tests/app/find_libtorch_test.py SOURCE_FOLDER
"""

import os
import pathlib
import subprocess
import sys
import tempfile

source = pathlib.Path(sys.argv[1]).resolve()


def make_libtorch(folder):
    for name in ("include/ATen/ATen.h", "lib/libtorch_cpu.so", "lib/libc10.so", "share/cmake/Torch/TorchConfig.cmake"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def found(project, told="", torch_dir=None):
    """The folder that a project finds, or what it is told instead."""
    environment = {name: value for name, value in os.environ.items() if name != "Torch_DIR"}
    if torch_dir is not None:
        environment["Torch_DIR"] = str(torch_dir)
    done = subprocess.run(["cmake", "--fresh", "-S", project, "-B", project / "build", f"-DNATSCOPE_LIBTORCH_DIR={told}"],
                          env=environment, capture_output=True, text=True, timeout=60)
    for line in done.stdout.splitlines():
        if line.startswith("-- root "):
            return line.removeprefix("-- root ")
    return done.stderr


def main(folder):
    project = folder / "a project"
    project.mkdir()
    (project / "CMakeLists.txt").write_text(f"""cmake_minimum_required(VERSION 3.25)
project(finds LANGUAGES NONE)
list(APPEND CMAKE_MODULE_PATH "{source}/resources/cmake")
find_package(LibTorch REQUIRED)
message(STATUS "root ${{LibTorch_ROOT}}")
""")
    fetched = make_libtorch(project / ".deps/torch")
    other = make_libtorch(folder / "other")
    nowhere = folder / "nowhere"
    failed = 0
    for arguments, expected in (
            ({}, str(fetched)),
            ({"torch_dir": ""}, str(fetched)),
            ({"told": other}, str(other)),
            ({"torch_dir": other / "share/cmake/Torch"}, str(other)),
            ({"told": other, "torch_dir": nowhere / "share/cmake/Torch"}, str(other)),
            ({"told": nowhere}, f"there is none in {nowhere}"),
            ({"torch_dir": nowhere / "share/cmake/Torch"}, "there is none in")):
        got = found(project, **arguments)
        # CMake breaks its messages into lines.
        is_right = expected in " ".join(got.split()) if expected.startswith("there is none") else got == expected
        if not is_right:
            failed += 1
            print(f"FAILED: {arguments}: {expected} expected, {got}")
    sys.exit(1 if failed else 0)


with tempfile.TemporaryDirectory(prefix="natscope-torch-") as name:
    main(pathlib.Path(name).resolve())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds the tree to its plan: arrows between folders and the links that say them, where LibTorch and Qt may be, file
sizes, names, licence lines.

    check_tree.py ROOT      prints each violation as path:line: what, and ends with 1 when there is one

The rules stand in RULES and in the functions that a violation names; test_check_tree.py breaks each of them once.
"""

import pathlib
import re
import sys

SOURCES = {".h", ".hpp", ".cpp", ".cc", ".cu", ".cuh", ".py", ".sh", ".cmake"}
CPP = {".h", ".hpp", ".cpp", ".cc", ".cu", ".cuh"}
HEADERS = {".h", ".hpp", ".cuh"}
SKIPPED_FOLDERS = {".git", ".deps", ".cache", "build", "natscope-out", "__pycache__"}
SCRIPTS = {"dev", ".ci/run"}
MAX_LINES = 800
VAGUE_WORDS = {"util", "utils", "helper", "helpers", "common", "misc"}

TORCH = re.compile(r"^(torch|ATen|c10|caffe2)/")
CUDA = re.compile(r"^(cuda|cublas|cudnn|cupti|nvrtc|nccl|cutlass|cute|cub|thrust|nv/)")
QT = re.compile(r"^(Q[A-Z]|qcustomplot)")
OURS = re.compile(r"^(kernels|core|ui|app|tests)/")

# Folder (longest prefix wins) -> what its files must not include, and why. `torch` is checked through headers as well.
RULES = {
    "kernels/": [(TORCH, "kernels know no LibTorch"), (QT, "kernels know no Qt"), (CUDA, "CUDA stays in kernels/cuda"),
                 (re.compile(r"^(core|ui|app|tests)/"), "arrows point down: kernels stand lowest"),
                 (re.compile(r"^(nlohmann|CLI|sentencepiece)"), "kernels take arrays, not files")],
    "kernels/cuda/": [(TORCH, "kernels know no LibTorch"), (QT, "kernels know no Qt"),
                      (re.compile(r"^(core|ui|app|tests)/"), "arrows point down: kernels stand lowest")],
    "core/": [(QT, "core knows no Qt"), (CUDA, "CUDA stays in kernels/cuda"),
              (re.compile(r"^(ui|app|tests)/"), "arrows point down: core stands below ui and app")],
    "ui/": [(CUDA, "ui knows no CUDA"), (re.compile(r"^kernels/"), "ui knows no kernels"),
            (re.compile(r"^(app|tests)/"), "arrows point down: ui stands below app")],
    "app/": [(re.compile(r"^tests/"), "programs do not include tests")],
    "tests/kernels/": [(TORCH, "kernels know no LibTorch"), (QT, "kernels know no Qt"),
                       (re.compile(r"^(core|ui|app)/"), "tests of kernels include kernels only")],
    "tests/core/": [(QT, "core knows no Qt"), (re.compile(r"^(ui|app)/"), "tests of core include nothing above it")],
    "tests/ui/": [(CUDA, "ui knows no CUDA")],
}
# Files here may include LibTorch, or a header that includes it. Nobody else may, not even through another header.
TORCH_FOLDERS = ("core/device/", "core/engine/", "core/train/", "app/", "tests/core/engine/", "tests/core/train/", "tests/app/",
                 "tests/bench/")

# A header of the system -> the one file outside tests that may include it: what it is for stands there, for all.
HOMES = {"dlfcn.h": "core/base/shared_library.cpp"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def files_of(root):
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        if path.is_file() and not path.is_symlink() and not SKIPPED_FOLDERS & set(name.parts):
            if path.suffix in SOURCES or path.name == "CMakeLists.txt" or name.as_posix() in SCRIPTS:
                yield name.as_posix(), path.read_text(encoding="utf-8", errors="replace").splitlines()


def includes_of(lines):
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match[1], match[2]


def resolve(target, known):
    """The file in the tree that an include means, or None for one from outside."""
    for candidate in (target, "kernels/include/" + target):
        if candidate in known:
            return candidate
    return None


def check_shape(name, lines):
    """Size, licence line and name of one file."""
    if len(lines) > MAX_LINES:
        yield MAX_LINES + 1, f"{len(lines)} lines, more than {MAX_LINES}: split it"
    if not any("SPDX-License-Identifier: GPL-3.0-or-later" in line for line in lines[:3]):
        yield 1, "no SPDX line among the first three"
    for part in pathlib.PurePosixPath(name).parts:
        if VAGUE_WORDS & set(re.split(r"[_\-.]", part.lower())):
            yield 1, f"the name '{part}' says nothing: name it after what it holds"


def check_includes(name, lines, known):
    """The arrow table, and that our own headers are named from the root."""
    prefix = max((folder for folder in RULES if name.startswith(folder)), key=len, default=None)
    for number, quote, target in includes_of(lines):
        for pattern, reason in RULES.get(prefix, []):
            if pattern.search(target):
                yield number, f"includes {target}: {reason}"
        if HOMES.get(target, name) != name and not name.startswith("tests/"):
            yield number, f"includes {target}: that is {HOMES[target]}'s, use it"
        if quote == '"' and (".." in target or (OURS.match(target) and not resolve(target, known))):
            yield number, f"includes {target}: no such file from the root of the tree"
        sibling = f"{pathlib.PurePosixPath(name).parent}/{target}"
        if quote == '"' and sibling in known and not resolve(target, known):
            yield number, f"includes {target}: name it from the root, {sibling}"


def headers_with_torch(includes, known):
    """Every header of the tree that brings LibTorch, itself or through another."""
    tainted = {name for name, targets in includes.items()
               if pathlib.PurePosixPath(name).suffix in HEADERS and any(TORCH.match(target) for _, _, target in targets)}
    while True:
        more = {name for name, targets in includes.items()
                if name not in tainted and pathlib.PurePosixPath(name).suffix in HEADERS
                and any(resolve(target, known) in tainted for _, _, target in targets)}
        if not more:
            return tainted
        tainted |= more


def check_torch(includes, known):
    tainted = headers_with_torch(includes, known)
    for name, targets in includes.items():
        if name.startswith(TORCH_FOLDERS):
            continue
        for number, _, target in targets:
            if TORCH.match(target):
                yield name, number, f"includes {target}: LibTorch stays in core/device, core/engine and core/train"
            elif resolve(target, known) in tainted:
                yield name, number, f"includes {target}, which brings LibTorch: public headers must not"


def library_of(name):
    """The folder that is one library: core/io, core/train, core/train/roles, …; None outside core and ui."""
    parts = name.split("/")
    return "/".join(parts[:-1]) if parts[0] in ("core", "ui") and len(parts) > 2 else None


def check_cycles(includes, known):
    """Libraries of core and ui must not include each other in a circle."""
    edges = {}
    for name, targets in includes.items():
        for number, _, target in targets:
            here, there = library_of(name), library_of(resolve(target, known) or "")
            if here and there and here != there:
                edges.setdefault(here, {}).setdefault(there, (name, number))

    def path(start, goal, seen):
        for step in sorted(edges.get(start, {})):
            if step == goal:
                return [start, goal]
            if step not in seen:
                seen.add(step)
                rest = path(step, goal, seen)
                if rest:
                    return [start] + rest
        return None

    reported = set()
    for here in sorted(edges):
        circle = path(here, here, set())
        if circle and frozenset(circle) not in reported:
            reported.add(frozenset(circle))
            name, number = edges[circle[0]][circle[1]]
            yield name, number, "libraries include each other in a circle: " + " -> ".join(circle)


def libraries_of(contents):
    """Folder -> its static library, and library -> what it links for its users and for itself, of core and ui."""
    library_in, links = {}, {}
    for name, lines in contents.items():
        folder = name.rpartition("/")[0]
        if not name.endswith("/CMakeLists.txt") or not name.startswith(("core/", "ui/")):
            continue
        text = "\n".join(lines)
        for library in re.findall(r"add_library\((\S+) STATIC", text):
            library_in[folder] = library
        for library, words in re.findall(r"target_link_libraries\((\S+)\s([^)]*)\)", text):
            public, private = links.setdefault(library, ([], []))
            for word in words.split():
                if word in ("PUBLIC", "PRIVATE"):
                    group = public if word == "PUBLIC" else private
                else:
                    group.append(word)
    return library_in, links


def check_links(contents, includes, known):
    """Who includes a library's header links it, itself or through what it links: else CMake would not see the arrow."""
    library_in, links = libraries_of(contents)

    def library_with(name):
        folder = (name or "").rpartition("/")[0]
        while folder and folder not in library_in:
            folder = folder.rpartition("/")[0]
        return library_in.get(folder)

    def linked_by(library):
        reached, waiting = set(), sum(links.get(library, ([], [])), [])
        while waiting:
            one = waiting.pop()
            if one not in reached:
                reached.add(one)
                waiting += links.get(one, ([], []))[0]
        return reached

    reached = {library: linked_by(library) for library in library_in.values()}
    for name, targets in includes.items():
        here = library_with(name)
        for number, _, target in targets:
            there = library_with(resolve(target, known))
            if here and there and here != there and there not in reached[here]:
                yield name, number, f"includes {target} of {there}, which {here} does not link"


def violations(root):
    contents = dict(files_of(pathlib.Path(root)))
    known = set(contents)
    includes = {name: list(includes_of(lines)) for name, lines in contents.items()
                if pathlib.PurePosixPath(name).suffix in CPP}
    found = [(name, *problem) for name, lines in contents.items() for problem in check_shape(name, lines)]
    found += [(name, *problem) for name in includes for problem in check_includes(name, contents[name], known)]
    found += check_torch(includes, known)
    found += check_cycles(includes, known)
    found += check_links(contents, includes, known)
    return len(contents), sorted(found)


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    count, found = violations(arguments[1])
    for name, number, what in found:
        print(f"{name}:{number}: {what}")
    print(f"{count} files read, {len(found)} violations")
    return 1 if found or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

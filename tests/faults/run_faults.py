#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts small wrong edits into kernels, one at a time, and demands that a test fails for each.

    run_faults.py BUILD [--backend cpu|cuda|cuda_on_host] [--only TEXT] [--jobs N]

BUILD is a build folder made with Ninja in which the kernel tests are built. Each [[fault]] of kernels.toml names

    name, why       what is wrong, and what it would do to a result
    file            path from the root of the tree; `find` stands in it exactly once and becomes `replace`
    test            the test program of BUILD that has to fail; `cases` (optional) is doctest's filter of test cases
    compile         (optional) the files compiled with the edit, where `file` is a header; `file` itself otherwise
    backend         (optional) cpu, the default, or cuda: run on a GPU (--backend cuda: by the test with _gpu behind its name) and
                    without one (--backend cuda_on_host, tests/cuda_on_host: by the one with _cuda_on_host); gpu: on a GPU only

The edited copy stands in a temporary folder that comes first on the include path; the tree is never touched. The object made
from it is linked in front of the libraries of BUILD. The same without the edit has to pass, or its failure would prove nothing.
Ends with 0 when every fault was caught, with 1 when one survived or could not be tried, with 77 when there is no GPU to run on.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = pathlib.Path(__file__).resolve().with_name("kernels.toml")
KEYS = {"name", "why", "file", "find", "replace", "test", "cases", "compile", "backend"}
# What --backend takes, and the faults that it tries.
BACKENDS = {"cpu": {"cpu"}, "cuda": {"cuda", "gpu"}, "cuda_on_host": {"cuda"}}
# How long a test may take as it is, and how many times as long with a fault before it counts as hung. A slow machine is slow
# in both.
TEST_SECONDS = 900
TIMES_AS_LONG = 5
SECONDS_MORE = 30
# How a source is compiled with a fault in it. Sources of tests are the GPU's loops on the host, of which compiling takes the
# longest. Kernels keep what only an optimizer does: one fault lies in how it fuses a product and a sum.
FAST_CPP = ["-O2", "-Wno-error"]
QUICK_CPP = ["-Og", "-Wno-error"]
# One instruction set instead of four, which takes a third of the time: AVX2, which every machine of the last ten years has.
ONLY_AVX2 = ["-DHWY_COMPILE_ONLY_STATIC", "-march=haswell", "-maes"]


class CannotTry(Exception):
    """The fault could not be tried; its text says why."""


def read_table(path):
    faults = tomllib.loads(path.read_text(encoding="utf-8")).get("fault", [])
    names = [fault.get("name") for fault in faults]
    for fault in faults:
        unknown = set(fault) - KEYS
        missing = {"name", "why", "file", "find", "replace", "test"} - set(fault)
        if unknown or missing or names.count(fault["name"]) != 1:
            raise CannotTry(f"{path.name}: {fault.get('name')}: unknown {unknown}, missing {missing}, or a name used twice")
    return faults


def edited(fault):
    """The text of the file with the fault in it. The place must be there once: a fault that slid elsewhere proves nothing."""
    text = (ROOT / fault["file"]).read_text(encoding="utf-8")
    count = text.count(fault["find"])
    if count != 1:
        raise CannotTry(f"its text stands {count} times in {fault['file']}, not once")
    return text.replace(fault["find"], fault["replace"])


class Build:
    """How a build folder compiles a file and links a test program."""

    def __init__(self, folder, backend):
        self.folder = folder
        self.suffix = {"cpu": "", "cuda": "_gpu", "cuda_on_host": "_cuda_on_host"}[backend]
        self.compile_commands = {}
        for entry in json.loads((folder / "compile_commands.json").read_text(encoding="utf-8")):
            source = os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT)
            # The sources of kernels/cuda may be compiled twice: for a GPU, and for the host.
            on_host = "-o tests/cuda_on_host/" in entry["command"]
            if source.endswith(".cu") and on_host != (backend == "cuda_on_host"):
                continue
            self.compile_commands.setdefault(source, (entry["directory"], shlex.split(entry["command"])))

    def compile(self, source, overlay, to):
        if source not in self.compile_commands:
            raise CannotTry(f"the build does not compile {source}")
        directory, command = self.compile_commands[source]
        copy = overlay / source
        command = list(command)
        command[command.index("-o") + 1] = str(to)
        at = next(i for i, word in enumerate(command) if word.endswith(source) and i > 0 and command[i - 1] == "-c"
                  or word.endswith(source) and i == len(command) - 1)
        command[at] = str(copy if copy.exists() else ROOT / source)
        # In front of the tree's own folders, so that every include of the edited file finds the copy.
        first = next(i for i, word in enumerate(command) if word.startswith(("-I", "-isystem", "--options-file")))
        command[first:first] = [f"-I{overlay / 'kernels/include'}", f"-I{overlay}"]
        if source.endswith(".cpp") or self.suffix == "_cuda_on_host":
            command += QUICK_CPP if source.startswith("tests/") else FAST_CPP
            if source.startswith("kernels/cpu/") and has_avx2():
                command += ONLY_AVX2
        run_or_refuse(command, directory, f"{source} does not compile")

    def link(self, test, objects, replaced, to):
        """`replaced`: sources of the test program itself among the objects, whose own object must not be linked as well."""
        test += self.suffix
        lines = subprocess.run(["ninja", "-C", str(self.folder), "-t", "commands", "-s", f"tests/{test}"], check=False,
                               capture_output=True, text=True).stdout.splitlines()
        lines = [line for line in lines if f"-o tests/{test} " in line]
        if len(lines) != 1:
            raise CannotTry(f"{test} is no test program of this build")
        command = shlex.split(lines[0].removeprefix(": && ").removesuffix(" && :"))
        command = [word for word in command if not any(word.endswith(f"/{source}.o") for source in replaced)]
        at = command.index("-o")
        command[at + 1] = str(to)
        command[at:at] = [str(item) for item in objects]
        run_or_refuse(command, self.folder, f"{test} does not link")


def run_or_refuse(command, directory, what):
    done = subprocess.run(command, cwd=directory, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotTry(f"{what}: {(done.stderr or done.stdout).strip()[:2000]}")


def passes(program, cases, seconds):
    """Whether the test program ends well within these seconds. A crash and a hang are failures like any other."""
    environment = os.environ | {"NATSCOPE_SIMD": "avx2", "OMP_WAIT_POLICY": "passive"}
    if "_cuda_on_host" in str(program):
        environment["NATSCOPE_ONE_CASE_IN"] = "7"
    arguments = ["--abort-after=1"] + ([f"--test-case={cases}"] if cases else [])
    try:
        done = subprocess.run([program, *arguments], check=False, capture_output=True, text=True, errors="replace",
                              timeout=seconds, env=environment)
    except subprocess.TimeoutExpired:
        return False
    if done.returncode == 77:
        raise CannotTry("its test did not run")
    # A filter that chooses nothing passes, and would let every fault through.
    if "test cases: 0 " in " ".join(done.stdout.split()):
        raise CannotTry(f"no test case is called {cases}")
    return done.returncode == 0


def outcome(build, fault, text, seconds):
    """Whether the test passes with `text` in the place of the fault's file (None: as it is), and the seconds it took."""
    with tempfile.TemporaryDirectory(prefix="natscope-fault-") as name:
        folder = pathlib.Path(name)
        overlay = folder / "tree"
        overlay.mkdir()
        if text is not None:
            copy = overlay / fault["file"]
            copy.parent.mkdir(parents=True)
            copy.write_text(text, encoding="utf-8")
        objects = []
        sources = fault.get("compile", [fault["file"]])
        for source in sources:
            objects.append(folder / (pathlib.Path(source).name + ".o"))
            build.compile(source, overlay, objects[-1])
        replaced = [source.rsplit("/", 1)[-1] for source in sources if source.startswith("tests/")]
        program = folder / f"program{build.suffix}"
        build.link(fault["test"], objects, replaced, program)
        started = time.monotonic()
        return passes(program, fault.get("cases"), seconds), time.monotonic() - started


def try_fault(build, fault, control_seconds):
    try:
        survived, _ = outcome(build, fault, edited(fault), TIMES_AS_LONG * control_seconds + SECONDS_MORE)
        return "survived" if survived else "caught"
    except CannotTry as error:
        return f"not tried: {error}"


def try_without(build, fault):
    """What becomes of the test without the fault, and the seconds it takes."""
    try:
        passed, seconds = outcome(build, fault, None, TEST_SECONDS)
    except CannotTry as error:
        return f"not tried: {error}", TEST_SECONDS
    if passed:
        return "passes", seconds
    return ("fails" if seconds < TEST_SECONDS else f"takes longer than {TEST_SECONDS} s") + " without any fault", seconds


def control_of(fault):
    """Faults that compile the same files for the same test have one control."""
    return tuple(fault.get("compile", [fault["file"]])), fault["test"], fault.get("cases")


def has_avx2():
    try:
        flags = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return {"avx2", "fma", "f16c", "bmi2", "aes", "pclmulqdq"} <= set(flags)


def has_gpu():
    try:
        return subprocess.run(["nvidia-smi", "-L"], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--backend", choices=list(BACKENDS), default="cpu")
    parser.add_argument("--only", default="", help="faults whose name holds this text")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    if arguments.backend == "cuda" and not has_gpu():
        print("not run: no GPU")
        return 77
    started = time.monotonic()
    try:
        faults = [fault for fault in read_table(TABLE)
                  if fault.get("backend", "cpu") in BACKENDS[arguments.backend] and arguments.only in fault["name"]]
        build = Build(arguments.build.resolve(), arguments.backend)
    except (CannotTry, OSError, ValueError) as error:
        print(f"error: {error}")
        return 1
    controls = {control_of(fault): fault for fault in faults}
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        seconds = {}
        results = pool.map(lambda fault: try_without(build, fault), controls.values())
        for (control, fault), (result, seconds[control]) in zip(controls.items(), results):
            if result != "passes":
                bad += 1
                print(f"{fault['test']} with {fault['file']} as it is: {result}", flush=True)
        results = pool.map(lambda fault: try_fault(build, fault, seconds[control_of(fault)]), faults)
        for fault, result in zip(faults, results):
            bad += result != "caught"
            print(f"{result.split(':')[0]:9} {fault['name']} ({fault['file']})", flush=True)
            if result != "caught":
                print(f"          {fault['why']}\n          {result}", flush=True)
    print(f"{len(faults)} faults, {bad} problems, {time.monotonic() - started:.0f} s")
    return 1 if bad or not faults else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-3.0-or-later
"""A training job that takes seconds, for tests that kill it, fill its disk or hand it to a cluster."""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

# Tests that run in the background ignore these, and what they start would, too.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.SIG_DFL)

NOT_RUN = 77  # ctest shows a test that ends with this as skipped

# For mpirun. Containers run tests as root, and have no network that ranks could find each other through.
ON_ONE_MACHINE = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_btl": "self,vader",
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none", "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_hwloc_base_binding_policy": "none", "OMPI_MCA_plm_rsh_agent": "/bin/false"}


def cannot_start_ranks(program):
    """Why there are no ranks to be started here; None: they can be."""
    if shutil.which("mpirun") is None:
        return "no mpirun (Debian: openmpi-bin)"
    if not (pathlib.Path(program).parent / "libnatscope_mpi.so").exists():
        return "a build without MPI"
    return None


def same_losses(one, other, what, steps):
    """Of every step, to 1e-5 of the loss: what ranks may differ by from one process."""
    check(len(one) == steps and sorted(one) == sorted(other), f"{what}: {len(one)} and {len(other)} losses")
    for step, loss in one.items():
        check(abs(other[step] - loss) <= 1e-5 * abs(loss), f"{what}: step {step}: {loss} and {other[step]}")


def skip(why):
    print(f"not run: {why}")
    sys.exit(NOT_RUN)


def check(condition, what):
    if not condition:
        print(f"FAILED: {what}")
        sys.exit(1)


def write_text(folder):
    """Some 60 kB of text that a tiny model can learn."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ["Alice", "the cat", "a hatter", "the queen", "a hare", "the mock turtle", "a dormouse"]
    verbs = ["saw", "asked", "followed", "forgot", "painted"]
    lines = [f"{names[i % 7]} {verbs[i % 5]} {names[(3 * i + i // 7) % 7]} and then number {i % 97} came." for i in range(1400)]
    (folder / "text.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def options(text, steps, checkpoint_every=5, seed=0):
    return ["--data", str(text), "--valid", str(text), "--layers", "2", "--hidden", "32", "--heads", "4", "--kv-heads", "2",
            "--vocab", "400", "--context", "64", "--batch", "2", "--threads", "1", "--warmup", "5", "--eval-every", "20",
            "--eval-segments", "2", "--steps", str(steps), "--checkpoint-every", str(checkpoint_every), "--seed", str(seed)]


class Cli:
    """natscope-cli with a store of jobs of its own."""

    def __init__(self, program, jobs, environment=None):
        self.program = str(program)
        self.environment = dict(os.environ, NATSCOPE_JOBS=str(jobs), OMP_WAIT_POLICY="passive", **(environment or {}))

    def run(self, *arguments, timeout=120):
        return subprocess.run([self.program, *map(str, arguments)], env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout)

    def good(self, *arguments, timeout=120):
        """Its output; ends the test when it fails."""
        done = self.run(*arguments, timeout=timeout)
        check(done.returncode == 0, f"natscope-cli {' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}")
        return done.stdout

    def json(self, *arguments):
        return json.loads(self.good(*arguments, "--json"))

    def start(self, *arguments):
        return subprocess.Popen([self.program, *map(str, arguments)], env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def losses(job):
    """{step: loss} as the job's progress says; a cut last line does not count."""
    path = pathlib.Path(job) / "progress.jsonl"
    found = {}
    if path.exists():
        for line in path.read_bytes().split(b"\n")[:-1]:
            entry = json.loads(line)
            if "loss" in entry:
                found[entry["step"]] = entry["loss"]
    return found


def checkpoints(job):
    """Steps of the job's checkpoints, newest first."""
    folder = pathlib.Path(job) / "checkpoints"
    return sorted((int(path.name[5:]) for path in folder.glob("step-*")), reverse=True) if folder.exists() else []


def is_whole(job, step):
    """Whether a checkpoint holds what its manifest says: read here, without the code under test."""
    folder = pathlib.Path(job) / "checkpoints" / f"step-{step:06d}"
    try:
        files = json.loads((folder / "manifest.json").read_bytes())["files"]
        for entry in files:
            data = (folder / entry["name"]).read_bytes()
            if len(data) != entry["bytes"] or hashlib.sha256(data).hexdigest() != entry["sha256"]:
                return False
        return len(files) >= 3
    except (OSError, ValueError, KeyError):
        return False

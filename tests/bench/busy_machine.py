#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the demo generates, or a model trains, while other programs want every core.

    busy_machine.py CLI [--against CLI] [--train TEXT] [--rounds N] [--results FILE --commit ID]

Each round generates 300 tokens with all threads and with one, first beside nothing else, then beside one endless loop for
each core; `--against` measures another build in the same rounds. With --train each round trains instead, a tiny model and
one of the demo's shape, with threads that wait for each other asleep, as trainings do, and awake, as OpenMP's do by
themselves (GOMP_SPINCOUNT=300000). Prints medians as JSON, `ratio` over the same beside nothing else; --results writes
them with the machine.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

SECONDS = 120  # after which a run counts as 0 tokens/s
TRAINING_SECONDS = 25  # after which what was trained so far counts
SHAPES = {
    "4 layers, hidden 128, T = 256": ["--layers", "4", "--hidden", "128", "--heads", "4", "--kv-heads", "2", "--vocab", "512",
                                      "--context", "256", "--steps", "30"],
    "the demo's shape, T = 1024": ["--layers", "6", "--hidden", "320", "--intermediate", "896", "--heads", "8", "--kv-heads",
                                   "4", "--vocab", "4096", "--context", "1024", "--steps", "6"]}
WAITS = {"asleep": "OMP_WAIT_POLICY=passive", "awake": "GOMP_SPINCOUNT=300000"}


def tokens_per_s(cli, threads):
    command = [cli, "generate", "--prompt", "Alice was", "--greedy", "--max-new-tokens", "300", "--json",
               "--device", "cpu", "--threads", str(threads)]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return 0.0
    return json.loads(done.stdout)["decode_tokens_per_s"]


def trained_tokens_per_s(cli, text, shape, wait):
    """The median of a run's steps but the first three, as far as it came."""
    name, value = WAITS[wait].split("=")
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([cli, "train", "--data", text, "--out", folder, "--batch", "4", "--device", "cpu",
                                    *SHAPES[shape]], env=dict(os.environ, **{name: value}), stderr=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL)
        try:
            process.wait(TRAINING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        lines = (pathlib.Path(folder) / "progress.jsonl").read_text().splitlines()
    speeds = [step["tokens_per_s"] for step in map(json.loads, lines) if "tokens_per_s" in step]
    return statistics.median(speeds[3:]) if len(speeds) > 3 else 0.0


def busy_loops():
    return [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in os.sched_getaffinity(0)]


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cli")
    parser.add_argument("--against", help="another build's natscope-cli")
    parser.add_argument("--train", metavar="TEXT", help="train on it, in place of generating")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=pathlib.Path)
    parser.add_argument("--commit", default="")
    arguments = parser.parse_args()
    builds = {"": arguments.cli} | ({"_before": arguments.against} if arguments.against else {})
    cores = len(os.sched_getaffinity(0))

    # What is measured, each as its name and size, and how.
    measures = {}
    for build, cli in builds.items():
        if arguments.train:
            for shape in SHAPES:
                for wait in WAITS:
                    key = (f"train_{wait}", f"{shape}, f32, {cores} cores", build)
                    measures[key] = lambda cli=cli, shape=shape, wait=wait: trained_tokens_per_s(cli, arguments.train, shape, wait)
        else:
            for threads in (cores, 1):
                key = ("decode_demo", f"demo, f32, {threads} threads, {cores} cores", build)
                measures[key] = lambda cli=cli, threads=threads: tokens_per_s(cli, threads)

    runs = {}
    for _ in range(arguments.rounds):
        for state in ("idle", "busy"):
            loops = busy_loops() if state == "busy" else []
            try:
                for key, measure in measures.items():
                    runs.setdefault((key, state), []).append(measure())
            finally:
                for loop in loops:
                    loop.kill()
                    loop.wait()

    rows = []
    for (key, state), values in runs.items():
        name, size, build = key
        value = statistics.median(values)
        idle = statistics.median(runs[key, "idle"])
        rows.append({
            "name": f"{name}_{state}{build}", "size": size, "value": value, "unit": "tokens/s",
            "reference": "the same build beside nothing else", "ratio": value / idle if idle else None, "limit": None,
            "fraction_of_limit": None, "runs": len(values),
            "spread": (max(values) - min(values)) / value if value else None,
        })
    print(json.dumps(rows, indent=2))
    if arguments.results:
        result = {"commit": arguments.commit, "date": datetime.date.today().isoformat(),
                  "machine": f"{processor()}, {cores} cores", "rows": rows}
        arguments.results.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the demo generates while other programs want every core.

    busy_machine.py CLI [--against CLI] [--rounds N] [--results FILE --commit ID]

Each round generates 300 tokens with all threads and with one, first beside nothing else, then beside one endless loop for
each core; `--against` measures another build in the same rounds. Prints medians as JSON, `ratio` over the same build
beside nothing else; --results writes them with the machine.
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

SECONDS = 120  # after which a run counts as 0 tokens/s


def tokens_per_s(cli, threads):
    command = [cli, "generate", "--prompt", "Alice was", "--greedy", "--max-new-tokens", "300", "--json",
               "--device", "cpu", "--threads", str(threads)]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return 0.0
    return json.loads(done.stdout)["decode_tokens_per_s"]


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
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=pathlib.Path)
    parser.add_argument("--commit", default="")
    arguments = parser.parse_args()
    builds = {"": arguments.cli} | ({"_before": arguments.against} if arguments.against else {})
    cores = len(os.sched_getaffinity(0))

    runs = {}
    for _ in range(arguments.rounds):
        for state in ("idle", "busy"):
            loops = busy_loops() if state == "busy" else []
            try:
                for build, cli in builds.items():
                    for threads in (cores, 1):
                        runs.setdefault((build, threads, state), []).append(tokens_per_s(cli, threads))
            finally:
                for loop in loops:
                    loop.kill()
                    loop.wait()

    rows = []
    for (build, threads, state), values in runs.items():
        value = statistics.median(values)
        idle = statistics.median(runs[build, threads, "idle"])
        rows.append({
            "name": f"decode_demo_{state}{build}", "size": f"demo, f32, {threads} threads, {cores} cores",
            "value": value, "unit": "tokens/s", "reference": "the same build beside nothing else",
            "ratio": value / idle if idle else None, "limit": None, "fraction_of_limit": None,
            "runs": len(values), "spread": (max(values) - min(values)) / value if value else None,
        })
    print(json.dumps(rows, indent=2))
    if arguments.results:
        result = {"commit": arguments.commit, "date": datetime.date.today().isoformat(),
                  "machine": f"{processor()}, {cores} cores", "rows": rows}
        arguments.results.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()

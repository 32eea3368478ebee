#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 at random moments of small training jobs: what is left is whole, and resuming gives the same losses.

    kill_training.py NATSCOPE_CLI [--kills 20] [--seed N] [--json FILE]

One run is left alone. Others with the same options are killed again and again and resumed until they finish. After each
kill every checkpoint that is there must be whole, at least two of them once two were written, and every loss that was
said equals the undisturbed run's to the last bit; at the end so does the model, byte for byte.
"""

import argparse
import json
import pathlib
import random
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from small_job import Cli, check, checkpoints, is_whole, losses, options, write_text  # noqa: E402

STEPS = 60


class Tally:
    def __init__(self):
        self.kills = self.resumed = self.finished = self.before_first_checkpoint = self.left_unfinished = 0


def unfinished(job):
    folder = job / "checkpoints"
    return folder.exists() and any(path.name.startswith(".unfinished-") for path in folder.iterdir())


def look_at(job, reference, written, tally):
    """What a kill left behind."""
    said = losses(job)
    for step, loss in said.items():
        check(loss == reference[step], f"step {step}: loss {loss!r}, undisturbed {reference[step]!r}")
    there = checkpoints(job)
    for step in there:
        check(is_whole(job, step), f"the checkpoint of step {step} is not whole")
    written.update(there)
    check(len(there) >= min(2, len(written)), f"checkpoints {there} are left of {sorted(written)}")
    tally.before_first_checkpoint += not there
    tally.left_unfinished += unfinished(job)


def kill_until_finished(cli, job, arguments, reference, draw, kills, tally):
    written = set()
    began = time.monotonic()
    while True:
        resumes = (job / "spec.json").exists()
        process = cli.start("train", *([] if not resumes else ["--resume"]), "--job", job, "--out", job / "model", *arguments)
        # From the first instruction to some steps past the slowest start.
        wait = draw.uniform(0.0, 1.0) if tally.kills < kills else None
        try:
            process.wait(timeout=wait)
        except Exception:  # noqa: BLE001  TimeoutExpired: it is killed now
            process.send_signal(signal.SIGKILL)
            process.wait()
        error = process.stderr.read().decode(errors="replace")
        process.stderr.close()
        if process.returncode == -signal.SIGKILL:
            tally.kills += 1
            look_at(job, reference, written, tally)
            check(time.monotonic() - began < 600, "the job makes no progress")
            continue
        check(process.returncode == 0, f"a resumed run failed\n{error}")
        tally.finished += 1
        return


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--json", type=pathlib.Path)
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else random.randrange(1 << 30)
    print(f"seed {seed}", flush=True)
    draw = random.Random(seed)
    tally = Tally()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="natscope-kill-") as name:
        folder = pathlib.Path(name)
        cli = Cli(given.program, folder / "jobs")
        arguments = options(write_text(folder / "text"), STEPS)
        whole = folder / "whole"
        cli.good("train", "--job", whole, "--out", whole / "model", *arguments)
        reference = losses(whole)
        check(len(reference) == STEPS, "the undisturbed run is not whole")
        model = (whole / "model" / "model.safetensors").read_bytes()
        while tally.kills < given.kills or tally.finished == 0:
            job = folder / f"job{tally.finished}"
            kill_until_finished(cli, job, arguments, reference, draw, given.kills, tally)
            check(losses(job) == reference, "losses of a job that was killed differ at its end")
            check((job / "model" / "model.safetensors").read_bytes() == model, "the model of a job that was killed differs")
    result = {"kills": tally.kills, "jobs_finished": tally.finished, "kills_before_a_checkpoint": tally.before_first_checkpoint,
              "kills_that_left_an_unfinished_checkpoint": tally.left_unfinished, "steps": STEPS, "seed": seed,
              "losses": "bit-equal", "models": "byte-equal", "seconds": round(time.monotonic() - began, 1)}
    print(json.dumps(result))
    if given.json:
        given.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

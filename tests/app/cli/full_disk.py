#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that fills while a job trains: it ends, says so, keeps its checkpoints, and goes on once there is room.

    full_disk.py NATSCOPE_CLI

Runs in a mount namespace of its own with a small tmpfs; where the system allows none it ends with 77.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from small_job import ON_ONE_MACHINE, Cli, cannot_start_ranks, check, checkpoints, is_whole, losses, options, skip, write_text  # noqa: E402

INSIDE = "NATSCOPE_TEST_INSIDE_NAMESPACE"
STEPS = 3000
DISK_BYTES = 16 << 20


def enter_namespace():
    """Runs this script again where it may mount something; returns only there."""
    if os.environ.get(INSIDE):
        return
    for command in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"]):
        try:
            probe = subprocess.run([*command, "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"], capture_output=True)
        except FileNotFoundError:
            skip("there is no unshare(1)")
        if probe.returncode == 0:
            os.environ[INSIDE] = "1"
            sys.exit(subprocess.run([*command, sys.executable, *sys.argv]).returncode)
    skip("this system lets nobody mount a small disk (unshare --mount)")


def fill(path):
    """Takes all the room there is."""
    with open(path, "wb", buffering=0) as file:
        block = b"x" * 4096
        try:
            while True:
                file.write(block)
        except OSError:
            pass


def fails_when_the_disk_fills(cli, disk, text):
    job = disk / "job"
    process = cli.start("train", "--job", job, "--out", disk / "model", *options(text, STEPS, checkpoint_every=10))
    deadline = time.monotonic() + 60
    while len(checkpoints(job)) < 2:
        check(process.poll() is None and time.monotonic() < deadline, "the job wrote no two checkpoints")
        time.sleep(0.01)
    fill(disk / "ballast")
    error = process.communicate(timeout=60)[1].decode(errors="replace")
    check(process.returncode == 3, f"exit code {process.returncode}\n{error[-2000:]}")
    last = error.rstrip("\n").split("\n")[-1]
    there = checkpoints(job)
    check(last.startswith("error: disk-full: "), last)
    check(f"the checkpoint of step {there[0]} is intact" in last, f"{last}\ncheckpoints {there}")
    check(len(there) >= 2 and all(is_whole(job, step) for step in there), f"checkpoints {there} are not whole")
    status = cli.json("jobs", "show", job)
    check(status["state"] == "failed" and status["error"] == last, f"{status['state']}: {status['error']}")
    check((job / "log.txt").read_text(encoding="utf-8").rstrip("\n").endswith(last), "the log does not end with the error")
    again = cli.run("train", "--job", job, "--resume")
    last = again.stderr.rstrip("\n").split("\n")[-1]
    check(again.returncode == 3 and last.startswith("error: disk-full: "), f"resumed on the full disk: {last}")
    check("no checkpoint" not in last and "run it again" not in last, f"what is there is not to be given up: {last}")
    check(checkpoints(job) == there and all(is_whole(job, step) for step in there), "a resume on a full disk lost checkpoints")
    return job


def goes_on_with_room(cli, disk, job, text, folder):
    (disk / "ballast").unlink()
    reached = max(losses(job))
    process = cli.start("train", "--job", job, "--resume")
    while max(losses(job), default=0) <= reached + 20:
        check(process.poll() is None, "the resumed job ended")
        time.sleep(0.02)
    cli.good("jobs", "stop", job, "--wait")
    process.communicate(timeout=60)
    said = losses(job)
    check(cli.json("jobs", "show", job)["state"] == "stopped", "the job did not stop as asked")
    check(sorted(said) == list(range(1, max(said) + 1)), "steps are missing or said twice")
    # The undisturbed run: the same options, so the same schedule, as far as the other one came.
    whole = folder / "whole"
    process = cli.start("train", "--job", whole, "--out", folder / "model", *options(text, STEPS, checkpoint_every=10))
    while max(losses(whole), default=0) < max(said):
        check(process.poll() is None, "the undisturbed job ended")
        time.sleep(0.02)
    process.terminate()
    process.communicate(timeout=60)
    reference = losses(whole)
    check(all(reference[step] == loss for step, loss in said.items()), "losses differ from the undisturbed run's")


def no_room_at_all(cli, disk, text):
    fill(disk / "ballast")
    done = cli.run("train", "--job", disk / "nothing", "--out", disk / "none", *options(text, 10))
    last = done.stderr.rstrip("\n").split("\n")[-1]
    check(done.returncode == 3 and last.startswith("error: disk-full: "), f"{done.returncode}: {last}")


def ends_all_ranks(cli, disk, text):
    """The leading rank alone writes; the other one waits for it in a sum."""
    if why := cannot_start_ranks(cli.program):
        print(f"not run: 2 ranks ({why})")
        return
    (disk / "ballast").unlink()
    job = disk / "shared"
    process = subprocess.Popen(["mpirun", "-np", "2", cli.program, "train", "--job", str(job), "--out", str(disk / "two"),
                                *options(text, STEPS, checkpoint_every=10)],
                               env={**cli.environment, **ON_ONE_MACHINE}, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while len(checkpoints(job)) < 2:
        check(process.poll() is None and time.monotonic() < deadline, "2 ranks wrote no two checkpoints")
        time.sleep(0.01)
    fill(disk / "ballast")
    lines = [line for line in process.communicate(timeout=60)[1].splitlines() if line.startswith("error: ")]
    there = checkpoints(job)
    check(process.returncode == 3 and len(lines) == 1, f"2 ranks: {process.returncode}: {lines}")
    check(lines[0].startswith("error: disk-full: ") and f"step {there[0]} is intact" in lines[0], f"{lines}: {there}")
    check(all(is_whole(job, step) for step in there), f"2 ranks: checkpoints {there} are not whole")


def main():
    enter_namespace()
    with tempfile.TemporaryDirectory(prefix="natscope-disk-") as name:
        folder = pathlib.Path(name)
        disk = folder / "disk"
        disk.mkdir()
        cli = Cli(sys.argv[1], folder / "jobs")
        text = write_text(folder / "text")
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(disk)], check=True)
        try:
            job = fails_when_the_disk_fills(cli, disk, text)
            goes_on_with_room(cli, disk, job, text, folder)
            no_room_at_all(cli, disk, text)
            ends_all_ranks(cli, disk, text)
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)
    print("a full disk ends a job with its checkpoints whole")


if __name__ == "__main__":
    main()

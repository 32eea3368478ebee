#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two real MPI ranks on this machine: the losses of one process, resumed by either, and what happens when a rank dies.

    ranks_test.py NATSCOPE_CLI
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from small_job import ON_ONE_MACHINE, Cli, cannot_start_ranks, check, checkpoints, losses, options, same_losses, skip, write_text  # noqa: E402

STEPS = 24
ENDLESS = 1000000


def shared_options(text, steps, batch=4):
    """Those of the small job, with a batch that ranks can share, in f32."""
    flags = options(text, steps)
    flags[flags.index("--batch") + 1] = str(batch)
    return [*flags, "--dtype", "float32"]


class Test:
    def __init__(self, program, folder):
        self.cli = Cli(program, folder / "jobs", ON_ONE_MACHINE)
        self.folder = folder
        self.text = write_text(folder / "text")

    def command(self, *arguments, ranks=2):
        return ["mpirun", "-np", str(ranks), self.cli.program, *map(str, arguments)]

    def under_mpi(self, *arguments, ranks=2, timeout=120):
        return subprocess.run(self.command(*arguments, ranks=ranks), env=self.cli.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout)

    def good(self, *arguments, ranks=2):
        done = self.under_mpi(*arguments, ranks=ranks)
        check(done.returncode == 0, f"mpirun {arguments}\n{done.stdout}{done.stderr}")
        return done

    def train(self, name, steps=STEPS, extra=()):
        return ["train", *shared_options(self.text, steps), *extra, "--out",
                self.folder / name]

    def has_the_losses_of_one(self):
        self.cli.good(*self.train("one"))
        done = self.good(*self.train("two"))
        check(done.stdout == f"{self.folder / 'two'}\n", f"only the leading rank says where the model is: {done.stdout}")
        same_losses(losses(self.folder / "one"), losses(self.folder / "two"), "2 ranks", STEPS)
        score = ["eval", "--text", self.text / "text.txt", "--tokens-max", "2000", "--model"]
        one, two = (self.cli.json(*score, self.folder / name)["nll"] for name in ("one", "two"))
        check(abs(one - two) < 1e-3, f"the models' nll: {one} and {two}")

    def shares_small_micro_batches(self):
        self.good(*self.train("micro", extra=("--micro-batch", "1")))
        same_losses(losses(self.folder / "one"), losses(self.folder / "micro"), "2 ranks, micro-batches of 1", STEPS)
        self.good(*self.train("four"), ranks=4)
        same_losses(losses(self.folder / "one"), losses(self.folder / "four"), "4 ranks", STEPS)

    def finetunes(self):
        tune = ["finetune", "--model", self.folder / "base", "--data", self.text, "--steps", 8, "--batch", 2, "--window", 8,
                "--threads", 1, "--passkey", 0, "--eval-every", 0]
        self.cli.good(*self.train("base", steps=4, extra=("--full-attention",)))
        self.cli.good(*tune, "--out", self.folder / "tuned-one")
        self.good(*tune, "--out", self.folder / "tuned-two")
        same_losses(losses(self.folder / "tuned-one"), losses(self.folder / "tuned-two"), "fine-tuning", 8)

    def refuses_what_cannot_be_shared(self):
        done = self.under_mpi("train", *shared_options(self.text, 4, batch=3), "--out", self.folder / "three")
        check(done.returncode == 2, f"a batch of 3 for 2 ranks: {done.returncode}\n{done.stderr}")
        check("error: usage: --batch 3 cannot be shared by 2 ranks" in done.stderr, done.stderr)

    def says_once_what_ends_it(self):
        """One line of all ranks, whether all met the error or the leading one alone."""
        broken = self.folder / "tokenizer.model"
        broken.write_bytes(b"no tokenizer")
        for batch, extra, code in ((3, (), 2), (4, ("--tokenizer", broken), 3)):
            done = self.under_mpi("train", *shared_options(self.text, 4, batch), *extra, "--out",
                                  self.folder / f"once-{code}")
            lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
            check(done.returncode == code and len(lines) == 1, f"{done.returncode}: {lines}")

    def ends_on_ctrl_c(self):
        """mpirun's own exit code is 1 then; the checkpoint and the line are the leading rank's."""
        name = self.folder / "interrupted"
        process = subprocess.Popen(self.command(*self.train(name, steps=ENDLESS)), env=self.cli.environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while len(losses(name)) < 12:
            check(process.poll() is None and time.monotonic() < deadline, "does not get to step 12")
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        lines = [line for line in err.splitlines() if line.startswith("error: ")]
        check(process.returncode != 0 and len(lines) == 1, f"Ctrl+C: {process.returncode}: {lines}")
        check("error: interrupted: training stopped after step" in lines[0], lines[0])
        check(checkpoints(name)[0] == max(losses(name)), f"{checkpoints(name)} of {max(losses(name))} steps")

    def says_that_ranks_alone_start_nothing(self):
        done = self.cli.run(*self.train("alone", extra=("--ranks", "2")))
        check(done.returncode == 2 and "error: usage: --ranks starts no processes" in done.stderr, done.stderr)

    def survives_a_dead_rank(self):
        """Whoever is killed, all end soon, and one process goes on from the checkpoint."""
        for name, victim in (("follower-dies", 1), ("leader-dies", 0)):
            process = subprocess.Popen(self.command(*self.train(name, steps=ENDLESS)), env=self.cli.environment,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 60
            while len(losses(self.folder / name)) < 12:
                check(process.poll() is None and time.monotonic() < deadline, f"{name}: does not get to step 12")
                time.sleep(0.02)
            os.kill(self.rank(process.pid, victim), signal.SIGKILL)
            try:
                code = process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                check(False, f"{name}: the other rank waits for ever")
            check(code != 0, f"{name}: mpirun says {code}")
            reached = max(losses(self.folder / name))
            resumed = self.cli.start("train", "--job", self.folder / name, "--resume")
            deadline = time.monotonic() + 60
            while max(losses(self.folder / name), default=0) < reached + 10:
                check(resumed.poll() is None and time.monotonic() < deadline, f"{name}: does not go on from {reached}")
                time.sleep(0.02)
            resumed.send_signal(signal.SIGINT)
            resumed.communicate(timeout=30)
        both = [losses(self.folder / name) for name in ("follower-dies", "leader-dies")]
        shared = set(both[0]) & set(both[1])
        check(shared >= set(range(1, 22)), f"two runs of 22 steps and more share {sorted(shared)}")
        for step in shared:
            one, other = (run[step] for run in both)
            check(abs(one - other) <= 1e-5 * abs(one), f"step {step} after a death: {one} and {other}")

    def rank(self, mpirun, number):
        """The process of a rank among mpirun's children."""
        wanted = f"OMPI_COMM_WORLD_RANK={number}".encode()
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if parent == mpirun and wanted in (entry / "environ").read_bytes().split(b"\0"):
                    return int(entry.name)
            except (OSError, IndexError):
                continue
        check(False, f"rank {number} is not there")
        return 0

    def goes_on_with_another_number(self):
        """Two ranks, asked to stop, then one, asked to stop, then two to the end: one whole run."""
        steps = STEPS * 40
        self.cli.good(*self.train("whole", steps=steps))
        name = self.folder / "changing"
        first = self.train("changing", steps=steps)
        for turn, command in enumerate((self.command(*first), [self.cli.program, "train", "--job", str(name), "--resume"])):
            before = max(losses(name), default=0)
            process = subprocess.Popen(command, env=self.cli.environment, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            deadline = time.monotonic() + 60
            while max(losses(name), default=0) < before + 8:
                check(process.poll() is None and time.monotonic() < deadline, f"turn {turn} does not go on")
                time.sleep(0.01)
            self.cli.good("jobs", "stop", name)
            _, err = process.communicate(timeout=60)
            check("error: interrupted: training stopped after step" in err, f"turn {turn}: {err}")
        self.good("train", "--job", name, "--resume")
        same_losses(losses(self.folder / "whole"), losses(name), "2, 1 and 2 ranks", steps)

    def at_work_in(self, folder):
        """The commands of the processes that name a job's folder."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            except OSError:
                continue
            if str(folder).encode() in words and str(self.cli.program).encode() in words:
                found.append(words)
        return found

    def notices_other_files(self):
        """Ranks that read another text train on nothing, and say which of them does."""
        other = write_text(self.folder / "other")
        with open(other / "text.txt", "a", encoding="utf-8") as file:
            file.write("One line more.\n")
        out = self.folder / "mixed"
        one, two = (["train", *shared_options(text, STEPS), "--out", str(out)] for text in (self.text, other))
        # The tokens of a text are kept by its name and size: another folder is another text.
        done = subprocess.run(["mpirun", "-np", "1", self.cli.program, *map(str, one), ":", "-np", "1", self.cli.program,
                               *map(str, two)], env=self.cli.environment, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=120)
        lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        check(done.returncode != 0 and len(lines) == 1 and "reads other files than the leading one" in lines[0],
              f"two texts: {done.returncode}: {lines}")
        check(not losses(out), "steps were made of two texts")

    def runs_as_a_job(self):
        self.cli.good("train", *shared_options(self.text, STEPS), "--ranks", 2, "--detach",
                      "--name", "shared")
        deadline = time.monotonic() + 60
        while (job := self.cli.json("jobs", "show", "shared"))["state"] in ("queued", "starting", "running"):
            check(time.monotonic() < deadline, f"the job: {job['state']} at step {job['step']}")
            time.sleep(0.1)
        check(job["state"] == "finished", f"the job: {job['state']}: {job['error']}")
        check("mpirun" in job["command"], f"the command: {job['command']}")
        same_losses(losses(self.folder / "one"), losses(self.folder / "jobs" / "shared"), "a job of 2 ranks", STEPS)

    def is_stopped_as_a_job(self):
        self.cli.good("train", *shared_options(self.text, ENDLESS), "--ranks", 2, "--detach", "--name", "long")
        for words, state in (((), "stopped"), (("--now",), "killed")):
            before = self.cli.json("jobs", "show", "long")["step"]
            deadline = time.monotonic() + 60
            while (job := self.cli.json("jobs", "show", "long"))["state"] != "running" or job["step"] < before + 8:
                check(time.monotonic() < deadline, f"the job: {job['state']} at step {job['step']}")
                time.sleep(0.05)
            self.cli.good("jobs", "stop", "long", *words, "--wait")
            job = self.cli.json("jobs", "show", "long")
            check(job["state"] == state, f"jobs stop {words}: {job['state']}: {job['error']}")
            if words:
                check(not self.at_work_in(job["folder"]), "jobs stop --now --wait: ranks are still there")
            if not words:
                check(checkpoints(job["folder"])[0] == job["step"], f"{checkpoints(job['folder'])}: {job['step']}")
                self.cli.good("jobs", "resume", "long")


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    if why := cannot_start_ranks(program):
        skip(why)
    with tempfile.TemporaryDirectory() as name:
        test = Test(program, pathlib.Path(name))
        test.has_the_losses_of_one()
        test.shares_small_micro_batches()
        test.finetunes()
        test.refuses_what_cannot_be_shared()
        test.says_once_what_ends_it()
        test.ends_on_ctrl_c()
        test.says_that_ranks_alone_start_nothing()
        test.goes_on_with_another_number()
        test.survives_a_dead_rank()
        test.runs_as_a_job()
        test.is_stopped_as_a_job()
        test.notices_other_files()
    print("2 ranks: all passed")


if __name__ == "__main__":
    main()

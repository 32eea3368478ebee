#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs through a real Slurm: submitted, watched, stopped, edited, resumed, cancelled, refused, timed out, shared by ranks.

    slurm_test.py NATSCOPE_CLI

Starts munged, slurmctld and slurmd on the loopback interface (Debian: munge slurmctld slurmd slurm-client). Ends with 77
where they are not installed; where they are installed and do not start, that is a failure.
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from loopback_cluster import NODE, LoopbackCluster, find, missing_programs  # noqa: E402
from small_job import ON_ONE_MACHINE, Cli, cannot_start_ranks, check, checkpoints, losses, options, same_losses, skip, write_text  # noqa: E402

STEPS = 6000  # enough to be stopped twice on a fast machine
SHARED_STEPS = 24


class Test:
    def __init__(self, cluster, cli, folder):
        self.cluster = cluster
        self.cli = cli
        self.folder = folder
        self.text = write_text(folder / "text")
        self.arguments = options(self.text, STEPS, checkpoint_every=50)

    def show(self, name):
        return self.cli.json("jobs", "show", name)

    def wait_for(self, name, what, condition, seconds=60):
        deadline = time.monotonic() + seconds
        while True:
            job = self.show(name)
            if condition(job):
                return job
            check(time.monotonic() < deadline, f"{name}: no {what} within {seconds} s, but {job['state']} ({job['cluster']}) "
                  f"at step {job['step']}\n{self.output(name)}\n{self.cluster.logs()}")
            time.sleep(0.1)

    def output(self, name):
        path = self.folder / "jobs" / name / "output.txt"
        return path.read_text(errors="replace")[-2000:] if path.exists() else "no output"

    def submit_watch_and_stop(self):
        started = self.cli.json("train", *self.arguments, "--detach", "--name", "one", "--runner", "slurm")
        check(started["runner"] == "slurm" and started["slurm_job"].isdigit(), f"started as {started}")
        check(started["state"] in ("queued", "starting", "running"), started["state"])
        check(self.cluster.ask("squeue", "--noheader", "--format=%j", f"--jobs={started['slurm_job']}") == "one",
              "Slurm does not know the job by its name")
        log = self.cli.start("jobs", "log", "one", "--follow")
        self.wait_for("one", "step 60", lambda job: job["state"] == "running" and job["step"] >= 60)
        log.terminate()
        check(log.communicate(timeout=20)[1].decode().startswith("error: interrupted: "), "following a log does not end cleanly")
        check(not self.good_exit("jobs", "delete", "one"), "a running job was deleted")
        check(not self.good_exit("jobs", "start", "one"), "a running job was started again")
        self.cli.good("jobs", "stop", "one", "--wait")
        job = self.show("one")
        check(job["state"] == "stopped" and job["error"] is None, f"{job['state']}: {job['error']}")
        check(checkpoints(job["folder"])[0] == job["step"], "no checkpoint of the step it stopped at")
        self.wait_for_cluster(job["slurm_job"], "gone from the queue", lambda word: word not in ("RUNNING", "COMPLETING", "PENDING"))
        return job

    def good_exit(self, *arguments):
        return self.cli.run(*arguments).returncode == 0

    def wait_for_cluster(self, job, what, condition):
        for _ in range(300):
            word = self.cluster.ask("squeue", "--noheader", "--states=all", "--format=%T", f"--jobs={job}")
            if condition(word):
                return
            time.sleep(0.1)
        check(False, f"Slurm job {job} is not {what} but {word}")

    def edit_resume_and_cancel(self, before):
        script = pathlib.Path(self.cli.json("jobs", "script", "one")["path"])
        script.write_text(script.read_text() .replace("\ntrap ", "\necho edited by its user\ntrap ", 1), encoding="utf-8")
        self.cli.good("jobs", "resume", "one")
        job = self.wait_for("one", "new step", lambda job: job["state"] == "running" and job["step"] > before["step"] + 20)
        check(job["slurm_job"] != before["slurm_job"], "the resumed job has the old number")
        check("edited by its user" in (self.folder / "jobs/one/output.txt").read_text(), "the edited script did not run")
        self.cli.good("jobs", "stop", "one", "--now", "--wait")
        job = self.show("one")
        check(job["state"] in ("interrupted", "killed"), job["state"])
        self.wait_for_cluster(job["slurm_job"], "cancelled", lambda word: word == "CANCELLED")

    def resume_to_the_end(self):
        self.cli.good("jobs", "resume", "one")
        followed = self.cli.run("jobs", "show", "one", "--follow", timeout=400)
        check(followed.returncode == 0 and "one: finished" in followed.stderr, followed.stderr[-2000:])
        job = self.show("one")
        check(job["state"] == "finished" and job["step"] == STEPS and job["model"], f"{job['state']} at {job['step']}")
        whole = self.folder / "whole"
        self.cli.good("train", "--job", whole, "--out", whole / "model", *self.arguments, timeout=400)
        check(losses(job["folder"]) == losses(whole), "losses differ from those of an undisturbed run without Slurm")

    def wait_in_the_queue(self):
        self.cluster.ask("scontrol", "update", f"nodename={NODE}", "state=drain", "reason=test")
        self.cli.good("train", *self.arguments, "--detach", "--name", "waiting", "--runner", "slurm")
        job = self.wait_for("waiting", "reason", lambda job: job["state"] == "queued" and "PENDING (" in (job["cluster"] or ""))
        listed = next(entry for entry in self.cli.json("jobs", "list")["jobs"] if entry["name"] == "waiting")
        check(listed["state"] == "queued" and listed["slurm_job"] == job["slurm_job"], f"listed as {listed}")
        check(not self.good_exit("jobs", "delete", "waiting"), "a queued job was deleted")
        self.cli.good("jobs", "stop", "waiting", "--wait")
        job = self.show("waiting")
        check(job["state"] == "killed" and job["cluster"].startswith("CANCELLED"), f"{job['state']}: {job['cluster']}")
        self.cluster.ask("scontrol", "update", f"nodename={NODE}", "state=resume")
        self.cli.good("jobs", "delete", "waiting")

    def be_refused(self):
        done = self.cli.run("train", *self.arguments, "--detach", "--name", "refused", "--runner", "slurm",
                            "--sbatch=--partition=nowhere")
        last = done.stderr.rstrip("\n").split("\n")[-1]
        check(done.returncode == 3 and last.startswith("error: io-failure: ") and "partition" in last, last)
        check(self.show("refused")["state"] == "created", "a refused job is not there to be started again")

    def run_out_of_time(self):
        """One minute is less than the two that the script asks to be warned before: the warning comes at once."""
        arguments = options(self.text, 1000000, checkpoint_every=50)
        self.cli.good("train", *arguments, "--detach", "--name", "late", "--runner", "slurm", "--sbatch=--time=1")
        job = self.wait_for("late", "end", lambda job: job["state"] not in ("queued", "starting", "running"), seconds=120)
        check(job["state"] == "stopped" and checkpoints(job["folder"])[0] == job["step"], f"{job['state']} at step {job['step']}")

    def fail_in_the_script(self):
        self.cli.good("jobs", "duplicate", "one", "broken")
        script = pathlib.Path(self.cli.json("jobs", "script", "broken")["path"])
        script.write_text("#!/bin/sh\n#SBATCH --output=/dev/null\necho no such module >&2\nexit 9\n", encoding="utf-8")
        self.cli.good("jobs", "start", "broken", "--runner", "slurm")
        job = self.wait_for("broken", "failure", lambda job: job["state"] == "failed")
        check("batch script" in job["error"], job["error"])

    def share_between_ranks(self):
        """Two ranks that mpirun starts in the batch script, and two that srun starts where its user wrote that."""
        if why := cannot_start_ranks(self.cli.program):
            print(f"not run: 2 ranks ({why})")
            return
        arguments = options(self.text, SHARED_STEPS)
        arguments[arguments.index("--batch") + 1] = "4"
        arguments += ["--dtype", "float32"]
        self.cli.good("train", *arguments, "--out", self.folder / "by-one")
        expected = losses(self.folder / "by-one")
        self.cli.good("train", *arguments, "--ranks", "2", "--detach", "--name", "by-mpirun", "--runner", "slurm")
        self.cli.good("jobs", "duplicate", "by-mpirun", "by-srun")
        script = pathlib.Path(self.cli.json("jobs", "script", "by-srun")["path"])
        edited = re.sub(r"\S*env mpirun .* -np 2 ", "srun --mpi=pmix ", script.read_text())
        check("srun" in edited, f"no mpirun in the batch script:\n{script.read_text()}")
        script.write_text(edited, encoding="utf-8")
        self.wait_for("by-mpirun", "end", lambda job: job["state"] == "finished")
        self.cli.good("jobs", "start", "by-srun", "--runner", "slurm")
        self.wait_for("by-srun", "end", lambda job: job["state"] == "finished")
        for name in ("by-mpirun", "by-srun"):
            same_losses(expected, losses(self.folder / "jobs" / name), name, SHARED_STEPS)

    def run(self):
        self.edit_resume_and_cancel(self.submit_watch_and_stop())
        self.resume_to_the_end()
        self.wait_in_the_queue()
        self.be_refused()
        self.fail_in_the_script()
        self.run_out_of_time()
        self.share_between_ranks()


def main():
    missing = missing_programs()
    if missing:
        skip(f"Slurm is not installed here: no {', '.join(missing)} (Debian: munge slurmctld slurmd slurm-client)")
    version = subprocess.run([find("slurmctld"), "-V"], capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="natscope-slurm-") as name:
        folder = pathlib.Path(name)
        with LoopbackCluster(folder / "cluster") as cluster:
            Test(cluster, Cli(sys.argv[1], folder / "jobs", dict(cluster.environment, **ON_ONE_MACHINE)), folder).run()
    print(f"jobs ran through {version} on the loopback interface")


if __name__ == "__main__":
    main()

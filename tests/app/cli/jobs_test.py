#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs on this machine from the command line: detached, watched, stopped, kept, resumed, exported, copied, deleted.

    jobs_test.py NATSCOPE_CLI
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from small_job import Cli, check, checkpoints, losses, options, write_text  # noqa: E402

ENDLESS = 1000000


class Test:
    def __init__(self, cli, folder):
        self.cli = cli
        self.folder = folder
        self.text = write_text(folder / "text")

    def show(self, name):
        return self.cli.json("jobs", "show", name)

    def wait_for(self, name, condition, what, seconds=60):
        deadline = time.monotonic() + seconds
        while not condition(job := self.show(name)):
            check(time.monotonic() < deadline, f"{name}: no {what}, but {job['state']} at step {job['step']}: {job['error']}")
            time.sleep(0.05)
        return job

    def fails(self, code, exit_code, *arguments):
        done = self.cli.run(*arguments)
        last = done.stderr.rstrip("\n").split("\n")[-1]
        check(done.returncode == exit_code and last.startswith(f"error: {code}: ") and "; " in last,
              f"{arguments}: {done.returncode}: {last}")
        check(sum(line.startswith("error: ") for line in done.stderr.split("\n")) == 1, f"{arguments}: more than one error line")
        check(done.stdout == "", f"{arguments}: something on stdout")
        return last

    def outlives_its_starter(self):
        """The starter is a session that is killed whole, as a terminal's or a window's would be."""
        unsaid = {name: value for name, value in self.cli.environment.items() if name != "OMP_WAIT_POLICY"}
        starter = subprocess.Popen([self.cli.program, "train", *options(self.text, ENDLESS), "--detach", "--name", "long"],
                                   env=unsaid, start_new_session=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        # Both pipes end with the starter: a job that held them would keep this waiting.
        out, err = starter.communicate(timeout=60)
        check(starter.returncode == 0, err.decode())
        folder = pathlib.Path(out.decode().strip())
        check(folder == self.folder / "jobs" / "long", f"the job is in {folder}")
        job = self.wait_for("long", lambda job: job["state"] == "running" and job["step"] > 5, "running job")
        try:
            os.killpg(starter.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.waits_asleep(job["pid"])
        check(os.getsid(job["pid"]) not in (os.getsid(0), starter.pid), "the job is in its starter's session")
        step = job["step"]
        job = self.wait_for("long", lambda job: job["step"] > step + 20, "progress after its starter's end")
        check(job["kind"] == "train" and job["runner"] == "local", f"{job['kind']} on {job['runner']}")
        check(job["step"] == job["last_step"]["step"], f"at step {job['step']}, the last one is {job['last_step']['step']}")
        check(job["last_step"]["sampled"]["kv_fraction"] <= 1 and job["options"]["steps"] == str(ENDLESS), "details are missing")
        listed = self.cli.json("jobs", "list")
        check([entry["name"] for entry in listed["jobs"]] == ["long"] and listed["folder"] == str(self.folder / "jobs"), listed)
        check("running" in self.cli.good("jobs", "list") and "learning rate" in self.cli.good("jobs", "show", "long"), "tables")

    def waits_asleep(self, pid):
        """Beside other programs threads that wait awake are in each other's way; nobody said how these wait."""
        process = pathlib.Path(f"/proc/{pid}")
        check(b"OMP_WAIT_POLICY=passive" in (process / "environ").read_bytes().split(b"\0"), "the trainer waits awake")
        check((process / "comm").read_text() == "natscope-cli\n", f"it is called {(process / 'comm').read_text()}")

    def is_guarded(self):
        self.fails("bad-job", 3, "jobs", "start", "long")
        self.fails("bad-job", 3, "jobs", "delete", "long")
        self.fails("bad-job", 3, "train", "--job", self.folder / "jobs/long", "--resume")  # a second trainer
        script = self.cli.run("jobs", "script", "long")  # which leaves it where it is
        check(script.returncode == 0 and "#SBATCH" in script.stdout, script.stderr)
        check("begun on this machine" in script.stderr and "--runner slurm" in script.stderr, script.stderr)

    def exports_while_it_runs(self):
        self.wait_for("long", lambda job: job["last_evaluation"] and len(job["checkpoints"]) >= 2, "evaluation and checkpoints")
        exported = self.cli.json("jobs", "export", "long")
        info = self.cli.json("info", "--model", exported["model"])
        check(info["layers"] == 2 and info["nats"] is True and info["window"] == 16, f"exported {info}")
        named = self.cli.json("jobs", "export", "long", "--out", self.folder / "exported")
        check((self.folder / "exported" / "config.json").exists() and named["step"] >= exported["step"], f"exported {named}")
        generated = self.cli.json("generate", "--model", exported["model"], "--tokens", "1,5,6", "--max-new-tokens", "3")
        check(len(generated["tokens"]) >= 1, "the exported model does not generate")
        check("5" in self.fails("bad-checkpoint", 3, "jobs", "export", "long", "--step", 3), "the steps that are there are named")
        check(self.show("long")["state"] == "running", "the job did not go on")

    def is_followed(self):
        process = self.cli.start("jobs", "show", "long", "--follow")
        seen = b""
        while b"step " not in seen and (more := os.read(process.stderr.fileno(), 4096)):
            seen += more
        process.send_signal(signal.SIGINT)
        asked = time.monotonic()
        error = (seen + process.communicate(timeout=20)[1]).decode()
        check(time.monotonic() - asked < 0.6 and process.returncode == 5, f"Ctrl+C: {process.returncode}")
        check("step " in error and error.rstrip("\n").split("\n")[-1].startswith("error: interrupted: "), error[-500:])
        check(self.show("long")["state"] == "running", "the job ended with its watcher")
        check(len(self.cli.good("jobs", "log", "long", "--lines", 2).splitlines()) == 2, "the last lines of the log")
        check(len(self.cli.json("jobs", "log", "long", "--lines", 3)["lines"]) == 3, "the log's lines as JSON")

    def stops_and_resumes(self):
        self.cli.good("jobs", "stop", "long", "--wait")
        job = self.show("long")
        check(job["state"] == "stopped" and job["error"] is None and job["model"] is None, f"stopped as {job['state']}")
        check(checkpoints(job["folder"])[0] == job["step"] == max(losses(job["folder"])), "a step was lost by stopping")
        self.fails("bad-job", 3, "jobs", "stop", "long")
        self.cli.good("jobs", "resume", "long")
        self.wait_for("long", lambda now: now["state"] == "running" and now["step"] > job["step"] + 5, "resumed job")
        self.cli.good("jobs", "stop", "long", "--keep", "--wait")
        job = self.show("long")
        check(job["state"] == "stopped" and job["model"] == str(self.folder / "jobs/long/model"), f"kept {job['model']}")
        check(self.cli.json("info", "--model", job["model"])["layers"] == 2, "the kept model does not open")

    def is_seen_to_be_killed(self):
        self.cli.good("jobs", "resume", "long")
        step = self.show("long")["step"]
        job = self.wait_for("long", lambda job: job["state"] == "running" and job["step"] > step + 5, "resumed job")
        os.kill(job["pid"], signal.SIGKILL)
        self.wait_for("long", lambda job: job["state"] == "killed", "killed job")
        self.cli.good("jobs", "resume", "long")
        self.wait_for("long", lambda job: job["state"] == "running", "resumed job")
        self.cli.good("jobs", "stop", "long", "--now", "--wait")

    def begins_several_at_once(self):
        """Without a name of their own they get one each, in whatever second they come."""
        words = ("train", *options(self.text, 5), "--detach", "--no-start")
        begun = [self.cli.start(*words) for _ in range(5)]
        for process in begun:
            err = process.communicate(timeout=60)[1].decode()
            check(process.returncode == 0, f"begun with four others: {err}")
        names = [job["name"] for job in self.cli.json("jobs", "list")["jobs"] if job["name"].startswith("train-")]
        check(len(names) == len(begun), f"{len(begun)} jobs begun at once are {names}")
        for name in names:
            self.cli.good("jobs", "delete", name)

    def copies_and_deletes(self):
        self.fails("usage", 2, "jobs", "duplicate", "long", "short", "--set", "steps=many")
        self.fails("usage", 2, "jobs", "duplicate", "long", "short", "--set", "magic=1")
        self.fails("usage", 2, "jobs", "duplicate", "long", "short", "--set", "steps")
        self.fails("usage", 2, "jobs", "duplicate", "long", "no/../such name/..", "--set", "magic=1")
        self.fails("usage", 2, "jobs", "duplicate", "long", "a b")
        self.cli.good("jobs", "duplicate", "long", "short", "--set", "steps=12", "--set", "learning_rate=0.002", "--start")
        followed = self.cli.run("jobs", "show", "short", "--follow", "--json")
        check(followed.returncode == 0, followed.stderr[-1000:])
        job = json.loads(followed.stdout)
        check(job["state"] == "finished" and job["step"] == 12 and job["options"]["learning_rate"] == "0.002", f"copied as {job}")
        self.fails("bad-job", 3, "jobs", "resume", "short")
        self.cli.good("jobs", "delete", "short")
        self.cli.good("jobs", "delete", "long")
        check(self.cli.json("jobs", "list")["jobs"] == [] and list((self.folder / "jobs").iterdir()) == [], "something is left")

    def fails_with_words(self):
        self.fails("bad-job", 3, "jobs", "show", "nothing")
        check("no jobs" in self.cli.run("jobs").stderr, "jobs alone lists them")
        self.fails("usage", 2, "jobs", "dance")
        self.fails("usage", 2, "jobs", "show")
        self.fails("usage", 2, "jobs", "show", "a b")
        self.fails("usage", 2, "jobs", "start", "a", "--runner", "cloud")
        self.fails("usage", 2, "jobs", "stop", "a", "--keep", "--now")
        self.fails("usage", 2, "train", *options(self.text, 0), "--detach", "--lr", "-1")
        self.fails("file-not-found", 3, "train", *options(self.folder / "none", 5), "--detach")
        check(self.cli.json("jobs", "list")["jobs"] == [], "a job that could not begin is listed")
        # What only shows once it runs: the job fails, and says why to whoever looks.
        broken = self.folder / "tokenizer.model"
        broken.write_bytes((pathlib.Path(__file__).parents[3] / "resources/demo/tokenizer.model").read_bytes())
        self.cli.good("train", *options(self.text, 5), "--tokenizer", broken, "--detach", "--no-start", "--name", "broken")
        broken.write_bytes(b"no tokenizer")
        self.fails("bad-tokenizer", 3, "train", *options(self.text, 5), "--tokenizer", broken, "--detach")
        self.cli.good("jobs", "start", "broken")
        job = self.wait_for("broken", lambda job: job["state"] == "failed", "failed job")
        check(job["error"].startswith("error: bad-tokenizer: "), job["error"])
        check("bad-tokenizer" in self.fails("bad-job", 3, "jobs", "show", "broken", "--follow"), "the reason is not said")

    def run(self):
        self.fails_with_words()
        self.cli.good("jobs", "delete", "broken")
        self.outlives_its_starter()
        self.is_guarded()
        self.exports_while_it_runs()
        self.is_followed()
        self.stops_and_resumes()
        self.is_seen_to_be_killed()
        self.begins_several_at_once()
        self.copies_and_deletes()


def main():
    with tempfile.TemporaryDirectory(prefix="natscope-jobs-") as name:
        folder = pathlib.Path(name).resolve()
        cli = Cli(sys.argv[1], folder / "jobs")
        test = Test(cli, folder)
        try:
            test.run()
        finally:
            for job in cli.json("jobs", "list")["jobs"]:
                cli.run("jobs", "stop", job["name"], "--now", "--wait")
    print("jobs ran, stopped, went on and were deleted")


if __name__ == "__main__":
    main()

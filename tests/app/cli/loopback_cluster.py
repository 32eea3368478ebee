# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Slurm cluster of one node on the loopback interface: munged, slurmctld and slurmd with a configuration of their own.

    with LoopbackCluster(folder) as cluster:
        subprocess.run(["sbatch", ...], env=dict(os.environ, **cluster.environment))

Works as root and as anybody else: the daemons run as the user who starts them, and run only that user's jobs.
"""

import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import time

PLACES = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/sbin"
PROGRAMS = {"munged": ["munged"], "slurmctld": ["slurmctld", "slurmctld-wlm"], "slurmd": ["slurmd", "slurmd-wlm"],
            "sbatch": ["sbatch"], "squeue": ["squeue"], "scancel": ["scancel"], "sinfo": ["sinfo"], "scontrol": ["scontrol"]}
NODE = "loopback"


def find(program):
    return next((path for name in PROGRAMS[program] if (path := shutil.which(name, path=PLACES))), None)


def missing_programs():
    return [program for program in PROGRAMS if find(program) is None]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class LoopbackCluster:
    def __init__(self, folder, cpus=2):
        self.folder = pathlib.Path(folder)
        self.cpus = cpus
        self.daemons = []
        self.environment = {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def __enter__(self):
        try:
            self._configure()
            self._begin("munged", "--foreground", "--force", f"--socket={self.folder}/munge.sock",
                        f"--key-file={self.folder}/munge.key", f"--pid-file={self.folder}/munged.pid",
                        f"--log-file={self.folder}/munged.log", f"--seed-file={self.folder}/munge.seed")
            self._wait("munged", lambda: (self.folder / "munge.sock").exists())
            self._begin("slurmctld", "-D", "-f", self.folder / "slurm.conf")
            self._begin("slurmd", "-D", "-f", self.folder / "slurm.conf", "-N", NODE)
            self._wait("the node", lambda: self.ask("sinfo", "--noheader", "--format=%T") == "idle")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def ask(self, program, *arguments):
        """What one of Slurm's programs prints; empty when it fails."""
        done = subprocess.run([find(program), *map(str, arguments)], env=dict(os.environ, **self.environment),
                              capture_output=True, text=True, timeout=60)
        return done.stdout.strip() if done.returncode == 0 else ""

    def logs(self):
        """The last lines of every daemon, for a test that fails."""
        text = ""
        for path in sorted(self.folder.glob("*.log")):
            text += f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-15:]) + "\n"
        return text

    def _configure(self):
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        user = pwd.getpwuid(os.geteuid()).pw_name
        host = socket.gethostname()
        (self.folder / "slurm.conf").write_text(f"""ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={free_port()}
AuthType=auth/munge
AuthInfo=socket={self.folder}/munge.sock
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={self.folder}/state
SlurmdSpoolDir={self.folder}/spool
SlurmctldPidFile={self.folder}/slurmctld.pid
SlurmdPidFile={self.folder}/slurmd.pid
SlurmctldLogFile={self.folder}/slurmctld.log
SlurmdLogFile={self.folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
MinJobAge=300
KillWait=5
SchedulerParameters=sched_interval=1
NodeName={NODE} NodeHostname={host} NodeAddr=127.0.0.1 Port={free_port()} CPUs={self.cpus} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
""", encoding="utf-8")

    def _begin(self, program, *arguments):
        with open(self.folder / f"{program}.out.log", "wb") as output:
            self.daemons.append(subprocess.Popen([find(program), *map(str, arguments)], stdin=subprocess.DEVNULL,
                                                 stdout=output, stderr=subprocess.STDOUT,
                                                 env=dict(os.environ, **self.environment)))

    def _wait(self, what, condition):
        for _ in range(300):
            for daemon in self.daemons:
                if daemon.poll() is not None:
                    raise RuntimeError(f"{daemon.args[0]} ended with {daemon.returncode}\n{self.logs()}")
            if condition():
                return
            time.sleep(0.1)
        raise RuntimeError(f"{what} is not ready after 30 s\n{self.logs()}")

# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation stands alone: it is installed, moved, run without this tree's libraries, and taken away again.

    python3 tests/app/install_test.py BUILD_FOLDER SOURCE_FOLDER
"""

import json
import pathlib
import subprocess
import sys
import tempfile

build, source = (pathlib.Path(path).resolve() for path in sys.argv[1:3])


def run(*command, **environment):
    """Nothing of this shell's environment reaches the program: neither its library path nor its resources."""
    return subprocess.run([str(word) for word in command], env={"PATH": "/usr/bin:/bin", **environment},
                          capture_output=True, text=True, timeout=240)


def dev(folder, *words):
    """./dev, called from another folder than its own: relative paths are that folder's."""
    return subprocess.run([str(source / "dev"), *map(str, words)], cwd=folder, env={"PATH": "/usr/bin:/bin"},
                          capture_output=True, text=True, timeout=240)


def files_in(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def check(holds, what):
    if not holds:
        print(f"FAILED: {what}")
        sys.exit(1)


def check_libraries(program):
    listed = run(program, LD_TRACE_LOADED_OBJECTS="1").stdout
    check("not found" not in listed, f"{program.name} lacks a library:\n{listed}")
    for folder in (source / ".deps", build):
        check(str(folder) not in listed, f"{program.name} takes a library from {folder}:\n{listed}")


def check_current_folder(program, folder):
    """A library that lies where the program is started is not taken: folders of strangers are started in."""
    folder.mkdir(exist_ok=True)
    for line in run(program, LD_TRACE_LOADED_OBJECTS="1").stdout.splitlines():
        name = line.split()[0]
        if "/" not in name:
            (folder / name).write_text("no library")
    for words in (["--version"], ["--help"]):
        started = subprocess.run([str(program), *words], cwd=folder, capture_output=True, text=True, timeout=60)
        check(started.returncode == 0, f"{program} {words} takes a library of the current folder: {started.stderr}")


def check_manual(prefix):
    manual = (prefix / "share/man/man1/natscope-cli.1").read_text()
    words = run(prefix / "bin/natscope-cli", "--help").stdout.split("Commands:")[1].split("\n\n")[0]
    commands = [line.split()[0] for line in words.splitlines() if line.startswith("  ") and line[2] != " "]
    check(len(commands) >= 10, f"only {commands} are in the help")
    script = (prefix / "share/bash-completion/completions/natscope-cli").read_text()
    for command in commands:
        check(f".SS natscope-cli {command}\n" in manual, f"{command} is not in the manual")
        check(f"/{command}) command={command}" in script, f"{command} is not in bash's completion")
    check((prefix / "share/natscope/python/natscope_trace.py").is_file() and "natscope_trace.py" in manual,
          "what writes traces of other programs, and where the manual says that it lies")
    for footer in ("token_texts", "~/.local/share/natscope/jobs", "mean_local_life"):
        check(footer in manual.replace("\\-", "-"), f"what the help says behind the flags, {footer}, is not in the manual")
    check(str(pathlib.Path.home()) not in manual or pathlib.Path.home() == pathlib.Path("/"),
          "the manual names a folder of this machine")


def completions(script, *words):
    """What bash offers for the last of the words."""
    line = " ".join(f"'{word}'" for word in words)
    done = run("bash", "-c", f"source '{script}'; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _natscope_cli; "
               "printf '%s\\n' \"${COMPREPLY[@]}\"")
    check(done.returncode == 0 and not done.stderr, f"bash's completion says: {done.stderr}")
    return done.stdout.split("\n")[:-1] if done.stdout.strip() else []


def check_completion(prefix):
    script = prefix / "share/bash-completion/completions/natscope-cli"
    for words, offered in (
            (("natscope-cli", "exp"), ["export"]),
            (("natscope-cli", "export", "--kind", "h"), ["heads"]),
            (("natscope-cli", "kernel", "--backend", "="), ["ref", "cpu", "cuda"]),
            (("natscope-cli", "export", "--kind", "=", "h"), ["heads"]),
            (("natscope-cli", "kernel", "attention_f"), ["attention_forward"]),
            (("natscope-cli", "jobs", "st"), ["start", "stop"]),
            (("natscope-cli", "generate", "--model", str(prefix / "share/natscope/demo-")),
             [str(prefix / "share/natscope/demo-full")]),
            (("natscope-cli", "train", "--data", str(prefix / "share/natscope/sample/l")),
             [str(prefix / "share/natscope/sample/looking-glass.txt")]),
            (("natscope-cli", "train", "--init", str(prefix / "share/natscope/demo-")),
             [str(prefix / "share/natscope/demo-full")]),
            (("natscope-cli", "generate", "--max-new-tokens", ""), [])):
        check(completions(script, *words) == offered, f"{words} completes to {completions(script, *words)}, not {offered}")


def check_stopped_half_way(folder):
    """Something is in the way of a program: what was laid down before it is taken away again."""
    in_the_way = folder / "blocked/bin/natscope-cli/something"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_text("mine")
    stopped = dev(folder, "lay-down", build, "blocked")
    check(stopped.returncode == 1 and "nothing can be installed" in stopped.stderr, f"{stopped.returncode}: {stopped.stderr}")
    check(files_in(folder / "blocked") == [in_the_way], f"left half way: {files_in(folder / 'blocked')}")


def main(folder):
    check_stopped_half_way(folder)
    first = folder / "first"
    installed = dev(folder, "lay-down", build, "first")
    check(installed.returncode == 0, f"./dev lay-down: {installed.stderr}")
    prefix = folder / "another place"
    first.rename(prefix)

    programs = sorted((prefix / "bin").iterdir())
    check({program.name for program in programs} >= {"natscope-cli", "natscope-engine"}, f"installed: {programs}")
    for program in programs:
        check_libraries(program)
        check_current_folder(program, folder / "strangers")
        check_current_folder(build / "bin" / program.name, folder / "strangers")

    cli = prefix / "bin/natscope-cli"
    told = run(cli, "info", "--json")
    check(told.returncode == 0 and json.loads(told.stdout)["nats"], f"info: {told.stdout} {told.stderr}")
    spoken = run(cli, "generate", "--prompt", "Alice was", "--greedy", "--max-new-tokens", "5", "--json", "--threads", "1")
    check(spoken.returncode == 0 and len(json.loads(spoken.stdout)["tokens"]) == 5, f"generate: {spoken.stderr}")
    if (prefix / "lib/natscope/libnatscope_mpi.so").exists():
        # Two ranks that nobody started: MPI is found and says so itself.
        alone = run(cli, "train", "--data", source / "resources/sample", "--out", folder / "none", "--steps", "1",
                    OMPI_COMM_WORLD_SIZE="2")
        check("this build has no MPI" not in alone.stderr, f"the MPI module is not found: {alone.stderr}")
    if (prefix / "bin/natscope").exists():
        picture = folder / "window.png"
        shown = run(prefix / "bin/natscope", "--screenshot", picture, "--settings", folder / "settings.ini",
                    QT_QPA_PLATFORM="offscreen", HOME=str(folder), XDG_RUNTIME_DIR=str(folder))
        check(shown.returncode == 0 and picture.stat().st_size > 50_000, f"the window: {shown.stderr}")
    check_manual(prefix)
    check_completion(prefix)

    # Uninstalling takes what is listed and nothing else.
    kept = prefix / "share/natscope/mine.txt"
    manifest = prefix / "share/natscope/installed-files.txt"
    whole = manifest.read_text()
    check(sorted(prefix / line for line in whole.splitlines()) == files_in(prefix), "the list is not what is there")
    kept.write_text("not theirs")
    outside = folder / "outside.txt"
    outside.write_text("keep")
    for other in (outside, "../outside.txt", "bin/../../outside.txt", ""):
        manifest.write_text(f"{other}\n{whole}")
        refused = dev(folder, "uninstall", prefix)
        check(refused.returncode == 1 and outside.exists() and cli.exists(), f"a list that names {other} was followed")
    # An earlier version wrote whole paths; this list was written before the installation was moved.
    old = folder / "old/share/natscope/installed-files.txt"
    old.parent.mkdir(parents=True)
    old.write_text(f"{old}\n")
    check(dev(folder, "uninstall", "old").returncode == 0 and not old.exists(), "an earlier version's list is not read")
    manifest.write_text(whole)
    gone = dev(folder, "uninstall", prefix.name)
    check(gone.returncode == 0, f"uninstall: {gone.stderr}")
    check(files_in(prefix) == [kept], f"left after uninstalling: {files_in(prefix)}")
    check(not (prefix / "bin").exists(), "an empty folder was left")
    print("installed, moved, run and uninstalled")


with tempfile.TemporaryDirectory(prefix="natscope-install-") as name:
    main(pathlib.Path(name).resolve())

# SPDX-License-Identifier: GPL-3.0-or-later
"""The window's program says which word of its command line is wrong, and ends with the code for wrong usage.

    python3 tests/app/window_usage_test.py build/release/bin/natscope
"""

import os
import subprocess
import sys

program = sys.argv[1]
cases = [
    (["--theme", "pink"], 'error: usage: --theme takes light or dark, not "pink"; see natscope --help'),
    (["--theme", ""], 'error: usage: --theme takes light or dark, not ""; see natscope --help'),
    (["--device", "foo"], 'error: usage: --device takes auto, cpu or cuda, not "foo"; see natscope --help'),
    (["--context", "0"], 'error: usage: --context takes a number of tokens, not "0"; see natscope --help'),
    (["--context", "4k"], 'error: usage: --context takes a number of tokens, not "4k"; see natscope --help'),
    (["a", "b"], 'error: usage: one PATH is opened, and "b" is a second one; see natscope --help'),
    (["--nonsense"], 'error: usage: there is no flag "nonsense"; see natscope --help'),
    (["--theme"], "error: usage: "),
    (["--model", ""], "error: usage: --model is empty; see natscope --help"),
    ([""], "error: usage: PATH is empty; see natscope --help"),
    (["--model", "a", "/"], "error: usage: --model and PATH both name a model's folder; see natscope --help"),
]

failed = 0
for arguments, expected in cases:
    done = subprocess.run([program, *arguments], env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
                          capture_output=True, text=True, timeout=60)
    lines = done.stderr.strip().splitlines()
    if done.returncode != 2 or done.stdout or not lines or not lines[-1].startswith(expected):
        failed += 1
        print(f"FAILED: {arguments}: code {done.returncode}\n{done.stdout}{done.stderr}")

# No display, whichever way: not set, set to nothing, and one that does not answer, over which Qt would abort.
bare = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
for display in ({}, {"DISPLAY": "", "WAYLAND_DISPLAY": ""}, {"DISPLAY": ":4711"}):
    done = subprocess.run([program], env={**bare, **display}, capture_output=True, text=True, timeout=60)
    last = done.stderr.strip().splitlines()[-1:]
    if done.returncode != 3 or not last or not last[0].startswith("error: device-unavailable: there is no display"):
        failed += 1
        print(f"FAILED: {display}: code {done.returncode}\n{done.stdout}{done.stderr}")
done = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=60)
if done.returncode != 0 or "--theme" not in done.stdout:
    failed += 1
    print(f"FAILED: --help: code {done.returncode}")
sys.exit(1 if failed else 0)

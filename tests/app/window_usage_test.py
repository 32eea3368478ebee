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
    (["a", "b"], 'error: usage: one PATH is opened, and "b" is a second one; see natscope --help'),
    (["--nonsense"], 'error: usage: there is no flag "nonsense"; see natscope --help'),
    (["--theme"], "error: usage: "),
]

failed = 0
for arguments, expected in cases:
    done = subprocess.run([program, *arguments], env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
                          capture_output=True, text=True, timeout=60)
    lines = done.stderr.strip().splitlines()
    if done.returncode != 2 or done.stdout or not lines or not lines[-1].startswith(expected):
        failed += 1
        print(f"FAILED: {arguments}: code {done.returncode}\n{done.stdout}{done.stderr}")
done = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=60)
if done.returncode != 0 or "--theme" not in done.stdout:
    failed += 1
    print(f"FAILED: --help: code {done.returncode}")
sys.exit(1 if failed else 0)

# SPDX-License-Identifier: GPL-3.0-or-later
"""`generate --live` on terminals of several sizes, and on one that becomes narrower while it runs: what stands there at
the end is the text, whole, and one table.

    python3 tests/app/cli/live_table_test.py build/release/bin/natscope-cli
"""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

program = sys.argv[1]
asked = ["generate", "--prompt", "Alice was", "--greedy", "--max-new-tokens", "90"]


class Terminal:
    """What natscope-cli uses of a terminal that wraps its lines anew when its width changes, as most do."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines = [""]
        self.line, self.at = 0, 0
        self.rest = b""

    def rows_of(self, line):
        return max(1, -(-len(self.lines[line]) // self.columns))

    def row(self):
        # Behind the last column the cursor waits on the full row.
        inside = self.at // self.columns
        if self.at and self.at % self.columns == 0 and self.at == len(self.lines[self.line]):
            inside -= 1
        return sum(self.rows_of(line) for line in range(self.line)) + inside

    def move_to_row(self, row, column):
        for line in range(len(self.lines)):
            if row < self.rows_of(line):
                self.line, self.at = line, row * self.columns + column
                return
            row -= self.rows_of(line)
        self.lines.append("")
        self.line, self.at = len(self.lines) - 1, column

    def column(self):
        return self.at - (self.row() - sum(self.rows_of(line) for line in range(self.line))) * self.columns

    def feed(self, data):
        data = self.rest + data
        cut = len(data)
        while cut and data[cut - 1] & 0xC0 == 0x80:
            cut -= 1
        if cut and data[cut - 1] >= 0xC0:
            cut -= 1
        else:
            cut = len(data)
        escape = data.rfind(b"\x1b", 0, cut)
        if escape >= 0 and not re.match(rb"\x1b\[[0-9;]*[A-Za-z]", data[escape:cut]):
            cut = escape
        self.rest = data[cut:]
        for part in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|[^\x1b]", data[:cut].decode(), re.S):
            self.put(part)

    def put(self, part):
        if part == "\r":
            self.at = (self.row() - sum(self.rows_of(line) for line in range(self.line))) * self.columns
        elif part == "\n":
            self.move_to_row(self.row() + 1, self.column())
        elif part.startswith("\x1b"):
            count = int(part[2:-1] or 0) if part[-1] in "ACJK" else 0
            if part[-1] == "A":
                total = sum(self.rows_of(line) for line in range(len(self.lines)))
                self.move_to_row(max(self.row() - count, total - self.rows, 0), self.column())
            elif part[-1] == "C":
                self.at += count
            elif part[-1] == "J":
                self.lines[self.line] = self.lines[self.line][:self.at]
                del self.lines[self.line + 1:]
            elif part[-1] == "K":
                self.lines[self.line] = self.lines[self.line][:self.at]
        else:
            line = self.lines[self.line].ljust(self.at)
            self.lines[self.line] = line[:self.at] + part + line[self.at + 1:]
            self.at += 1


def set_size(descriptor, columns, rows):
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def screen_after(columns, rows, then=None, more=()):
    ours, theirs = pty.openpty()
    set_size(ours, columns, rows)
    terminal = Terminal(columns, rows)
    environment = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen([program, *asked, *more, "--live"], stdin=subprocess.DEVNULL, stdout=theirs,
                               stderr=theirs, env=environment)
    os.close(theirs)
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if not select.select([ours], [], [], 1)[0]:
            continue
        try:
            data = os.read(ours, 65536)
        except OSError:
            break
        terminal.feed(data)
        # Between two pictures, or in the middle of one: wherever the program is.
        if then and any("KV cache after" in line for line in terminal.lines):
            set_size(ours, *then)
            terminal.columns, terminal.rows = then
            then = None
    code = process.wait(10)
    if code != 0:
        sys.exit(f"FAILED: code {code}\n" + "\n".join(terminal.lines))
    return "\n".join(line.rstrip() for line in terminal.lines)


plain = subprocess.run([program, *asked], capture_output=True, text=True, check=True).stdout
text = "\n".join(line.rstrip() for line in plain.rstrip().split("\n"))
failed = 0


def check(holds, what, screen):
    global failed
    if not holds:
        failed += 1
        print(f"FAILED: {what}\n{screen}\n")


# In very narrow ones most pictures would stand under a full row of text.
for size in [(80, 40), (61, 24), (30, 24), (20, 12), (62, 8), (200, 50), (3, 30), (2, 9)]:
    screen = screen_after(*size)
    check(screen.startswith(text + "\n"), f"{size}: the text is whole", screen)
    check(screen.count("KV cache after") == 1, f"{size}: one table", screen)
screen = screen_after(100, 40, then=(45, 40))
check(screen.count("KV cache after") == 1, "narrower: one table", screen)
check(text[:20] in screen and text[-20:] in screen, "narrower: the text is there", screen)
screen = screen_after(80, 40, more=["--policy", "h2o:8,8"])
check("what H2O keeps" in screen and "roles" not in screen, "H2O keeps, not roles", screen)
if len(sys.argv) > 2:
    print(screen_after(50, 14))
    print(screen)
sys.exit(1 if failed else 0)

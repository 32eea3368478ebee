#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes beside every chat template of a folder (*.jinja) what Jinja makes of some conversations with it, NAME.cases.

    pip install jinja2==3.1.6
    TZ=UTC compare_published.py FOLDER
    TZ=UTC NATSCOPE_PUBLISHED_TEMPLATES=FOLDER core_chat_test -tc="published templates*"

README.md says which were compared.
"""

import json
import pathlib
import sys

from make_cases import CHATS
from reference import written

MORE = [
    [{"role": "system", "content": "S"}, {"role": "user", "content": "<|im_end|> {{ x }}"},
     {"role": "assistant", "content": " <think>\nx\n</think>\n\ny "}, {"role": "user", "content": ""}],
    [{"role": "user", "content": "\n a\tb \r\n"}, {"role": "assistant", "content": ""}, {"role": "user", "content": "日本語" * 50}],
]

if __name__ == "__main__":
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.jinja")):
        source = path.read_bytes().decode()
        cases = [{"messages": chat, "written": written(source, chat)} for chat in CHATS + MORE]
        path.with_suffix(".cases").write_text(json.dumps(cases, ensure_ascii=False))

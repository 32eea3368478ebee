#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Breaks every rule of check_tree.py once, in a small tree of its own, and wants each to be found (and nothing else)."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import check_tree  # noqa: E402

SPDX = "// SPDX-License-Identifier: GPL-3.0-or-later\n"


def library(name, public="", private=""):
    """A folder's CMakeLists.txt."""
    return f"add_library({name} STATIC\n  a.cpp\n)\ntarget_link_libraries({name}\n  PUBLIC {public}\n  PRIVATE {private})\n"


# A tree that keeps every rule, LibTorch in its place included.
GOOD = {
    "kernels/include/kernels/views.h": "#include <span>\n",
    "kernels/cpu/linear.cpp": '#include "kernels/views.h"\n#include "hwy/highway.h"\n',
    "kernels/cuda/linear.cu": "#include <cuda_runtime.h>\n",
    "core/base/error.h": "#include <string>\n",
    "core/base/shared_library.cpp": "#include <dlfcn.h>\n",
    "core/engine/engine.h": '#include "core/base/error.h"\n',
    "core/engine/tensors.h": "#include <ATen/ATen.h>\n",
    "core/engine/engine.cpp": '#include "core/engine/engine.h"\n#include "core/engine/tensors.h"\n',
    "ui/panels/cache_panel.cpp": '#include <QWidget>\n#include "core/engine/engine.h"\n',
    "app/main.cpp": '#include "ui/panels/cache_panel.h"\n#include "core/engine/engine.h"\n',
    "ui/panels/cache_panel.h": "#include <QWidget>\n",
    "tests/core/engine/test_engine.cpp": '#include "core/engine/tensors.h"\n',
    # Linked by itself, through what a linked library hands on, and from a folder without a library of its own.
    "core/base/CMakeLists.txt": library("base"),
    "core/io/CMakeLists.txt": library("io", public="base"),
    "core/chat/CMakeLists.txt": library("chat", private="io"),
    "core/io/file.h": "#include <string>\n",
    "core/chat/chat.cpp": '#include "core/base/error.h"\n#include "core/io/file.h"\n',
    "core/chat/jinja/parser.cpp": '#include "core/io/file.h"\n',
}

# What is added or replaced -> what must be said of which file.
BROKEN = [
    ({"kernels/ref/a.cpp": "#include <QString>\n"}, "kernels/ref/a.cpp", "no Qt"),
    ({"kernels/ref/a.cpp": "#include <ATen/ATen.h>\n"}, "kernels/ref/a.cpp", "no LibTorch"),
    ({"kernels/ref/a.cpp": '#include "core/base/error.h"\n'}, "kernels/ref/a.cpp", "arrows point down"),
    ({"kernels/cpu/a.cpp": "#include <cuda_runtime.h>\n"}, "kernels/cpu/a.cpp", "kernels/cuda"),
    ({"kernels/ref/a.cpp": "#include <nlohmann/json.hpp>\n"}, "kernels/ref/a.cpp", "arrays, not files"),
    ({"kernels/cuda/a.cu": '#include "core/base/error.h"\n'}, "kernels/cuda/a.cu", "arrows point down"),
    ({"core/io/a.cpp": "#include <QFile>\n"}, "core/io/a.cpp", "no Qt"),
    ({"core/io/a.cpp": "  #  include <torch/torch.h>\n"}, "core/io/a.cpp", "LibTorch stays"),
    ({"core/io/a.cpp": '#include "ui/panels/cache_panel.h"\n'}, "core/io/a.cpp", "arrows point down"),
    ({"core/io/a.cpp": "#include <cuda_fp16.h>\n"}, "core/io/a.cpp", "kernels/cuda"),
    ({"core/io/a.cpp": '#include "core/engine/tensors.h"\n'}, "core/io/a.cpp", "brings LibTorch"),
    ({"core/engine/engine.h": '#include "core/engine/tensors.h"\n'}, "ui/panels/cache_panel.cpp", "brings LibTorch"),
    ({"ui/models/a.cpp": '#include "kernels/views.h"\n'}, "ui/models/a.cpp", "no kernels"),
    ({"ui/models/a.cpp": "#include <c10/core/Device.h>\n"}, "ui/models/a.cpp", "LibTorch stays"),
    ({"ui/models/a.cpp": "#include <cuda.h>\n"}, "ui/models/a.cpp", "no CUDA"),
    ({"ui/models/a.cpp": '#include "app/window.h"\n', "app/window.h": ""}, "ui/models/a.cpp", "arrows point down"),
    ({"app/a.cpp": '#include "tests/core/engine/b.h"\n', "tests/core/engine/b.h": ""}, "app/a.cpp", "do not include tests"),
    ({"tests/kernels/a.cpp": '#include "core/base/error.h"\n'}, "tests/kernels/a.cpp", "kernels only"),
    ({"tests/core/io/a.cpp": "#include <QTest>\n"}, "tests/core/io/a.cpp", "no Qt"),
    ({"tests/core/io/a.cpp": "#include <torch/torch.h>\n"}, "tests/core/io/a.cpp", "LibTorch stays"),
    ({"core/io/a.cpp": '#include "core/io/gone.h"\n'}, "core/io/a.cpp", "no such file"),
    ({"core/io/a.cpp": '#include "../base/error.h"\n'}, "core/io/a.cpp", "no such file"),
    ({"core/base/a.cpp": '#include "error.h"\n'}, "core/base/a.cpp", "from the root"),
    ({"core/io/a.h": '#include "core/model/b.h"\n', "core/model/b.h": '#include "core/io/a.h"\n'}, "core/io/a.h", "in a circle"),
    ({"core/train/a.h": '#include "core/train/roles/b.h"\n', "core/train/roles/b.h": '#include "core/train/a.h"\n'},
     "core/train/a.h", "in a circle"),
    ({"app/a.cpp": "#include <dlfcn.h>\n"}, "app/a.cpp", "core/base/shared_library.cpp's"),
    ({"core/io/long.cpp": "int x;\n" * 800}, "core/io/long.cpp", "801 lines"),
    ({"core/io/string_utils.h": ""}, "core/io/string_utils.h", "says nothing"),
    ({"core/common/a.h": ""}, "core/common/a.h", "says nothing"),
    ({"core/base/a.cpp": '#include "core/io/file.h"\n'}, "core/base/a.cpp", "io, which base does not link"),
    ({"core/chat/CMakeLists.txt": library("chat")}, "core/chat/jinja/parser.cpp", "io, which chat does not link"),
    ({"core/io/CMakeLists.txt": library("io", private="base")}, "core/chat/chat.cpp", "base, which chat does not link"),
]


def check(files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(SPDX + text, encoding="utf-8")
        return check_tree.violations(folder)[1]


class CheckTree(unittest.TestCase):
    def test_a_good_tree_passes(self):
        self.assertEqual(check(GOOD), [])

    def test_each_broken_rule_is_found(self):
        for change, where, what in BROKEN:
            with self.subTest(where=where, what=what):
                found = check({**GOOD, **change})
                self.assertTrue(any(name == where and what in text for name, _, text in found), found)

    def test_a_tree_without_files_is_not_good(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(check_tree.main(["check_tree.py", folder]), 1)

    def test_a_missing_licence_line_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "core").mkdir()
            pathlib.Path(folder, "core/a.h").write_text("#pragma once\n", encoding="utf-8")
            found = check_tree.violations(folder)[1]
        self.assertEqual([text for _, _, text in found], ["no SPDX line among the first three"])


if __name__ == "__main__":
    unittest.main()

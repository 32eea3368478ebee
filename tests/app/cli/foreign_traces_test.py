# SPDX-License-Identifier: GPL-3.0-or-later
"""Traces that other programs write with resources/python/natscope_trace.py: what natscope-cli wrote itself, written once
more from its tokens, roles and drops alone, holds the same and gives the same figures; what contradicts itself is
refused on both sides.

    python3 tests/app/cli/foreign_traces_test.py build/release/bin/natscope-cli
"""

import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ModuleNotFoundError:
    # The system's packages belong to its own Python, which need not be the one in front on the path.
    system = "/usr/bin/python3"
    if os.path.realpath(sys.executable) != os.path.realpath(system) and os.path.exists(system):
        os.execv(system, [system, *sys.argv])
    print("not run: there is no numpy (./dev setup tests)")
    sys.exit(77)

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "resources/python"))
from natscope_trace import texts_of, write_trace  # noqa: E402

program = sys.argv[1]
TYPES = {"U8": "u1", "I32": "<i4", "F32": "<f4", "I64": "<i8"}
TEXT = "Alice was beginning to get very tired of sitting by her sister on the bank. Oh dear! Oh dear!"


def check(holds, what):
    if not holds:
        raise AssertionError(what)


def run(*words):
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True)
    check(done.returncode == 0, f"{words}: {done.stderr}")
    return done.stdout


def read(path):
    data = pathlib.Path(path).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    arrays = {}
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        begin, end = tensor["data_offsets"]
        arrays[name] = np.frombuffer(data[8 + size + begin:8 + size + end], TYPES[tensor["dtype"]]).reshape(tensor["shape"])
    return arrays, header["__metadata__"]


def numbers(trace, *words):
    return run("export", "--from", trace, "--out", "-", *words)


def drawn(trace, kind):
    """The figure's SVG; empty where this program draws none, having been built without Qt."""
    path = trace.with_suffix(".svg")
    done = subprocess.run([program, "export", "--from", trace, "--kind", kind, "--out", path], capture_output=True, text=True)
    check(done.returncode == 0 or "made without Qt" in done.stderr, done.stderr)
    return path.read_text() if done.returncode == 0 else ""


def refused(what, **changes):
    """That write_trace() says what is wrong, and leaves nothing behind."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = {"tokens": [1, 2, 3], "roles": np.zeros((1, 1, 3), int)} | changes
        try:
            write_trace(f"{folder}/x.safetensors", **arguments)
        except ValueError as error:
            check(what in str(error), f"“{error}” does not say “{what}”")
            check(not any(pathlib.Path(folder).iterdir()), "something was left of what was refused")
            return
    raise AssertionError(f"not refused: {what}")


def the_same_run_with_roles(folder):
    own, other = folder / "own.safetensors", folder / "other.safetensors"
    run("trace", "--prompt", TEXT, "--greedy", "--max-new-tokens", 20, "--scores", "--attention", "0.1,2.3", "--out", own)
    arrays, metadata = read(own)
    maps = {tuple(map(int, name.split("."))): weights
            for name, weights in zip(metadata["maps"].split(","), arrays["attention"])}
    names = {int(token): name for token, name in json.loads(metadata["token_names"]).items()}
    write_trace(other, tokens=arrays["tokens"], roles=arrays["roles"], window=int(metadata["window"]),
                texts=json.loads(metadata["token_texts"]), names=names, heads=int(metadata["heads"]),
                head_dim=int(metadata["head_dim"]), probability=arrays["probability"], scores=arrays["scores"],
                global_bias=float(metadata["global_bias"]), maps=maps, prompt_tokens=int(metadata["prompt_tokens"]),
                allocated_bytes=arrays["kv_allocated_bytes"], model_sha256=metadata["model_sha256"])
    again, said = read(other)
    check(set(again) == set(arrays), "the same tensors")
    for name in arrays:
        check(again[name].dtype == arrays[name].dtype and np.array_equal(again[name], arrays[name]), name)
    check(set(metadata) - set(said) <= {"temperature", "greedy", "top_k", "top_p", "min_p", "repetition_penalty"}, said)
    for kind in (["roles"], ["kv"], ["heads"], ["vocabulary"], ["mask", "--layer", 3, "--head", 2], ["statistics"],
                 ["attention", "--layer", 2, "--head", 3]):
        words = ["--kind", *kind, "--format", "csv"]
        check(numbers(own, *words) == numbers(other, *words), kind)


def a_method_without_roles(folder):
    own, other = folder / "h2o.safetensors", folder / "mine.safetensors"
    run("trace", "--prompt", TEXT, "--policy", "h2o:6,4", "--attention", "all", "--out", own)
    arrays, metadata = read(own)
    dropped = np.full(arrays["roles"].shape, -1)
    begin = 0
    for step, end in enumerate(arrays["evicted_ends"]):
        for layer, kv_head, position in arrays["evicted"][begin:end]:
            dropped[layer, kv_head, position] = step
        begin = end
    maps = {tuple(map(int, name.split("."))): weights
            for name, weights in zip(metadata["maps"].split(","), arrays["attention"])}
    write_trace(other, tokens=arrays["tokens"], method="My <method> 10", dropped_after=dropped, dtype="float16",
                texts=json.loads(metadata["token_texts"]), heads=int(metadata["heads"]), head_dim=64, maps=maps)
    again, _ = read(other)
    for name in ("kv_entries", "attention", "visible", "roles", "evicted_ends"):
        check(np.array_equal(again[name], arrays[name]), name)
    for kind in (["kv"], ["mask", "--layer", 1, "--head", 0], ["statistics"]):
        words = ["--kind", *kind, "--format", "csv"]
        check(numbers(own, *words) == numbers(other, *words), kind)
    # What is held stands in the figure under the method's name; what nobody measured does not stand in it.
    figure = drawn(other, "roles")
    if figure:
        check("Tokens that My &lt;method&gt; 10 holds" in figure, "the method's name in the title")
        check("H2O" not in figure, "another method's name")
        curve = drawn(other, "kv")
        check("allocated" not in curve and "live" in curve, "allocated bytes that nobody measured")
        check("allocated" in drawn(own, "kv"), "allocated bytes that were measured")


def any_roles_by_the_rule(folder):
    """kv_entries and what maps may show, against sections 4 and 5 of the method's rules word by word."""
    random = np.random.default_rng(7)
    for length, window in ((1, 0), (2, 1), (33, 0), (40, 3), (40, 100)):
        roles = random.integers(0, 3, (2, 2, length))
        roles[0, 1] = 1  # nothing ends them
        weights = np.zeros((length, length), np.float32)
        visible = np.zeros((length, length), np.uint8)
        entries = np.zeros((length, 2, 2), int)
        for layer in range(2):
            for head in range(2):
                line = roles[layer, head]
                for t in range(length):
                    held = 0
                    for n in range(t + 1):
                        no_global_since = all(line[j] != 0 for j in range(n + 1, t + 1))
                        held += line[n] == 0 or (line[n] == 1 and no_global_since) or (line[n] == 2 and n + window >= t + 1)
                        if (layer, head) == (1, 0):
                            none_between = all(line[j] != 0 for j in range(n + 1, t))
                            visible[t, n] = (line[n] == 0 or (line[n] == 1 and none_between) or
                                             (line[n] == 2 and t <= n + window))
                    entries[t, layer, head] = held
        weights[visible != 0] = 0.5
        path = folder / "any.safetensors"
        write_trace(path, tokens=range(length), roles=roles, window=window, maps={(1, 0): weights})
        arrays, _ = read(path)
        check(np.array_equal(arrays["kv_entries"], entries), f"entries of {length} tokens, W {window}")
        check(np.array_equal(arrays["visible"][0], visible), f"what is visible of {length} tokens, W {window}")
        numbers(path, "--kind", "roles", "--format", "csv")  # which the reader counts after


def what_is_refused(folder):
    square = np.full((3, 3), 0.25, np.float32)
    refused("either roles", roles=None)
    refused("go together", method="x")
    refused("go together", roles=None, dropped_after=[[[-1, -1, -1]]])
    refused("0 (Global)", roles=[[[0, 1, 3]]])
    refused("Sliding tokens need one", roles=[[[0, 1, 2]]])
    refused("there are 3 tokens", roles=[[[0, 1]]])
    refused("whole numbers", roles=[[[0.0, 1.0, 1.0]]])
    refused("is dropped after step 0", roles=None, method="x", dropped_after=[[[-1, 0, -1]]])
    refused("is dropped after step 3", roles=None, method="x", dropped_after=[[[-1, 3, -1]]])
    refused("query 0 has weight 0.25 on key 1", maps={(0, 0): square})
    refused("no head 0.1", maps={(0, 1): square})
    refused("(2, 2)", maps={(0, 0): square[:2, :2]})
    refused("no number", maps={(0, 0): np.tril(square * np.nan)})
    refused("do not share", roles=np.zeros((1, 2, 3), int), heads=3)
    refused("0 to 1", probability=[0, 2, 0])
    refused("texts: 1", texts=["a"])
    refused("float64", dtype="float64")
    refused("all of them str", texts=["a", "b", 3])
    refused("all of them str", texts=["a", "b", "c"], names={1: None})
    for flag, value in (("heads", 0), ("head_dim", 0), ("window", 1 << 31), ("prompt_tokens", 4), ("seed", -1)):
        refused(flag, **{flag: value})
    refused("global_bias", global_bias=float("nan"))
    refused("none below 0", allocated_bytes=[0, -1, 0])
    refused("model_sha256", model_sha256=None)
    refused("one layer", roles=np.zeros((0, 1, 3), int))
    for name in ("streaming", "window:4", "full", "", "two\nlines", "x" * 101):
        refused("method", roles=None, method=name, dropped_after=[[[-1, -1, -1]]])

    # The other side: a method that does not say what it dropped, and a name that is none.
    path = folder / "x.safetensors"
    write_trace(path, tokens=[1, 2, 3], method="Mine", dropped_after=[[[-1, 1, -1]]])
    whole = path.read_bytes()
    for before, after, what in ((b'evicted', b'evictex', "Mine"), (b'"Mine"', b'"M\\n0"', "policy")):
        check(before in whole, before)
        path.write_bytes(whole.replace(before, after))
        done = subprocess.run([program, "export", "--from", path, "--kind", "kv", "--out", "-", "--format", "csv"],
                              capture_output=True, text=True)
        check(done.returncode == 3 and what in done.stderr, f"{done.returncode}: {done.stderr}")


class Tokenizer:
    """As transformers' of sentencepiece behave: the first token loses its blank, bytes of a character wait for the rest."""
    pieces = {0: b"<s>", 1: b" Alice", 2: b" was", 3: b"\xe2\x80", 4: b"\x94", 5: b" \xff", 6: b"\xe6", 7: b"\x97",
              8: b"\xa5", 9: b"\x9c", 10: b"\xac", 11: b"\n", 12: b""}
    all_special_ids = [0, 11]

    def decode(self, ids, skip_special_tokens, clean_up_tokenization_spaces):
        # Of bytes beside each other that are no text together, none is.
        parts = itertools.groupby((i for i in ids if i != 0), key=lambda i: 6 <= i <= 10)
        whole = b"".join(self.written(b"".join(self.pieces[i] for i in run)) if is_bytes else
                         b"".join(self.pieces[i] for i in run) for is_bytes, run in parts)
        return whole.removeprefix(b" ").decode(errors="replace")

    def written(self, run):
        try:
            return run.decode().encode()
        except UnicodeDecodeError:
            return "\ufffd".encode() * len(run)

    def convert_ids_to_tokens(self, token):
        return f"<{token}>" if token < 12 else None


def texts_join_to_the_whole():
    ids = [0, 1, 2, 3, 4, 1, 0, 2, 5]
    texts, names = texts_of(Tokenizer(), ids)
    check(texts == ["", "Alice", " was", "", "—", " Alice", "", " was", " \ufffd"], texts)
    check(names == {0: "<0>", 3: "<3>"}, names)
    # Characters in bytes, beside each other; a line break that the tokenizer counts as special; an id without a name.
    texts, names = texts_of(Tokenizer(), [0, 1, 6, 7, 8, 6, 9, 10, 11, 2, 12])
    check(texts == ["", "Alice", "", "", "日", "", "", "本", "\n", " was", ""], texts)
    check(names[12] == "<id 12>", names)


with tempfile.TemporaryDirectory() as temporary:
    the_same_run_with_roles(pathlib.Path(temporary))
    a_method_without_roles(pathlib.Path(temporary))
    any_roles_by_the_rule(pathlib.Path(temporary))
    what_is_refused(pathlib.Path(temporary))
    texts_join_to_the_whole()
print("passed")

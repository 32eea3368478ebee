#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds the memory forecast of fine-tuning to what runs really take.

    memory_forecast.py CLI TOKENIZER [--few] [--results FILE]

Each configuration is a random model of another shape, made here. Its forecast (`finetune --forecast --json`) is compared
with the peak of resident memory of two training steps, a checkpoint included, in a process of their own. How the heap is
cut up depends on every string in it: one run was seen to peak between 301 and 338 MiB with nothing changed but the length
of its folder's name. So each runs in folders with names of several lengths, and the largest peak counts. Ends with 1
when a forecast is more than 10 % off, or more than 5 % under. --few takes a handful of configurations that a test has
time for, and of each only as many folders as it takes to come within these bounds; --results adds a row for each
configuration to a JSON file that pytorch_train_step.py began.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import struct
import sys
import tempfile

# layers, hidden, heads, KV heads, feed-forward, context, what is trained, stored as, computed in, threads
CONFIGURATIONS = [
    (4, 512, 8, 4, 1408, 1024, "scores", "F32", "float32", 1),
    (2, 256, 4, 4, 704, 4096, "scores", "BF16", "float32", 2),
    (6, 384, 6, 2, 1024, 2048, "lora", "F32", "float32", 1),
    (4, 512, 8, 8, 1408, 512, "all", "BF16", "float32", 1),
    (8, 512, 8, 4, 1408, 512, "scores", "F32", "float32", 1),
    (8, 512, 8, 4, 1408, 4096, "scores", "F32", "float32", 1),
    (8, 512, 8, 4, 1408, 512, "all", "F32", "float32", 1),
    (8, 512, 8, 4, 1408, 2048, "lora", "F16", "float32", 2),
    (12, 768, 12, 12, 2048, 512, "scores", "BF16", "float32", 2),
    (12, 768, 12, 12, 2048, 1024, "all", "F32", "float32", 2),
    (12, 768, 12, 4, 2048, 2048, "scores", "F32", "float32", 1),
    (2, 1024, 16, 16, 2816, 1024, "scores", "F32", "float32", 1),
    (2, 1024, 16, 2, 2816, 4096, "lora", "BF16", "float32", 1),
    (4, 1024, 16, 8, 4096, 512, "all", "BF16", "float32", 2),
    (16, 256, 8, 2, 704, 2048, "scores", "F32", "float32", 1),
    (16, 256, 8, 8, 704, 1024, "all", "F32", "float32", 1),
    (3, 640, 10, 5, 1728, 3072, "scores", "F16", "float32", 2),
    (6, 320, 5, 5, 896, 8192, "scores", "F32", "float32", 2),
    (4, 896, 14, 2, 2432, 1536, "lora", "F32", "float32", 2),
    (24, 384, 6, 6, 1024, 1024, "scores", "BF16", "float32", 1),
    (4, 512, 8, 4, 1408, 1024, "scores", "F32", "bfloat16", 1),
]
FEW = CONFIGURATIONS[:4] + CONFIGURATIONS[-1:]
NAME_LENGTHS = (4, 21, 64)
VOCAB = 4096
BYTES = {"F32": 4, "F16": 2, "BF16": 2}


def shapes(layers, hidden, heads, kv_heads, feed_forward):
    head_dim = hidden // heads
    yield "model.embed_tokens.weight", (VOCAB, hidden)
    for i in range(layers):
        p = f"model.layers.{i}."
        yield p + "input_layernorm.weight", (hidden,)
        yield p + "self_attn.q_proj.weight", (heads * head_dim, hidden)
        yield p + "self_attn.k_proj.weight", (kv_heads * head_dim, hidden)
        yield p + "self_attn.v_proj.weight", (kv_heads * head_dim, hidden)
        yield p + "self_attn.o_proj.weight", (hidden, heads * head_dim)
        yield p + "post_attention_layernorm.weight", (hidden,)
        yield p + "mlp.gate_proj.weight", (feed_forward, hidden)
        yield p + "mlp.up_proj.weight", (feed_forward, hidden)
        yield p + "mlp.down_proj.weight", (hidden, feed_forward)
    yield "model.norm.weight", (hidden,)


def write_model(folder, configuration, tokenizer):
    layers, hidden, heads, kv_heads, feed_forward, context, _, dtype, *_ = configuration
    header, offset = {}, 0
    for name, shape in shapes(layers, hidden, heads, kv_heads, feed_forward):
        count = 1
        for side in shape:
            count *= side
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + count * BYTES[dtype]]}
        offset += count * BYTES[dtype]
    text = json.dumps(header).encode()
    # A small positive number and its negative in turn: finite in every type, and no layer is the same as nothing.
    small = {"F32": struct.pack("<ff", 0.02, -0.02), "F16": b"\x1f\x25\x1f\xa5", "BF16": b"\xa4\x3c\xa4\xbc"}[dtype]
    pattern = b"".join(random.Random(1).choice((small[:len(small) // 2], small[len(small) // 2:])) for _ in range(99991))
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        while offset > 0:
            offset -= file.write(pattern[:offset])
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "num_hidden_layers": layers, "hidden_size": hidden,
        "num_attention_heads": heads, "num_key_value_heads": kv_heads, "head_dim": hidden // heads,
        "intermediate_size": feed_forward, "vocab_size": VOCAB, "max_position_embeddings": context, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "tie_word_embeddings": True, "hidden_act": "silu", "bos_token_id": 1, "eos_token_id": 2}))
    shutil.copy(tokenizer, folder / "tokenizer.model")


def run(arguments, output):
    """Exit status and peak resident bytes of a child."""
    child = os.fork()
    if child == 0:
        out = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.execv(arguments[0], arguments)
    _, status, usage = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024


def within_bounds(forecast, peak):
    return 0.95 <= forecast / peak <= 1.10


def measure(cli, tokenizer, configuration, name_length):
    """Forecast and real peak, bytes."""
    *_, context, trained, _, computed, threads = configuration
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name) / ("x" * name_length)
        (folder / "model").mkdir(parents=True)
        write_model(folder / "model", configuration, tokenizer)
        words = random.Random(2)
        (folder / "text.txt").write_text(" ".join(words.choice(("river", "house", "and", "the", "saw", "nobody"))
                                                  for _ in range(6 * context)))
        flags = ["--model", folder / "model", "--data", folder / "text.txt", "--out", folder / "out", "--window", "64",
                 "--passkey", "0", "--threads", threads, "--train", trained, "--dtype", computed]
        command = [cli, "finetune", *map(str, flags)]
        status, _ = run([*command, "--forecast", "--json"], folder / "forecast.json")
        if status != 0:
            sys.exit((folder / "forecast.json").read_text())
        forecast = json.loads((folder / "forecast.json").read_text())["bytes"]
        status, peak = run([*command, "--steps", "2"], folder / "log.txt")
        if status != 0:
            sys.exit((folder / "log.txt").read_text())
        return forecast, peak


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cli", help="natscope-cli")
    parser.add_argument("tokenizer", help="a tokenizer.model of at most 4096 pieces")
    parser.add_argument("--few", action="store_true", help="a handful of configurations only")
    parser.add_argument("--results", help="JSON file to add rows to")
    options = parser.parse_args()
    rows, wrong = [], 0
    for number, configuration in enumerate(FEW if options.few else CONFIGURATIONS):
        peaks = []
        for name_length in NAME_LENGTHS:
            forecast, peak = measure(os.path.abspath(options.cli), options.tokenizer, configuration, name_length)
            peaks.append(peak)
            if options.few and within_bounds(forecast, max(peaks)):
                break
        peak = max(peaks)
        layers, hidden, heads, kv_heads, feed_forward, context, trained, dtype, computed, threads = configuration
        size = (f"{layers} layers, hidden {hidden}, {heads}/{kv_heads} heads, feed-forward {feed_forward}, T = {context}, "
                f"{trained}, {dtype}, " + ("" if computed == "float32" else f"computed in {computed}, ") + f"{threads} threads")
        good = within_bounds(forecast, peak)
        wrong += not good
        print(f"{size:90} forecast {forecast / 2**20:8.1f} MiB, peak {peak / 2**20:8.1f} MiB, "
              f"{100 * (forecast / peak - 1):+6.1f} %{'' if good else '  OUT OF BOUNDS'}", flush=True)
        rows.append({"name": f"forecast_{number + 1:02}", "size": size, "value": peak / 2**20, "unit": "MiB",
                     "reference": "the forecast; ratio = forecast / peak", "ratio": forecast / peak, "limit": None,
                     "fraction_of_limit": None, "runs": len(peaks), "spread": (peak - min(peaks)) / peak})
    if options.results:
        with open(options.results, encoding="utf-8") as file:
            result = json.load(file)
        result["rows"] = [row for row in result["rows"] if not row["name"].startswith("forecast_")] + rows
        with open(options.results, "w", encoding="utf-8") as file:
            file.write(json.dumps(result, indent=2) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

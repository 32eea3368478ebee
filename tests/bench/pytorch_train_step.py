#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs our training step with the same model in Python PyTorch, and writes tests/bench/results/train.json.

    pytorch_train_step.py CLI [--results FILE] [--commit ID] [--rounds 3] [--threads N]

Each round times `CLI bench train_step` and the PyTorch model one after the other in processes of their own; a row's
ratio is the median over rounds of ours over PyTorch's tokens/s. The PyTorch model is what a user would write: Llama
with F.scaled_dot_product_attention, F.rms_norm, tied embedding, clip_grad_norm_ and AdamW(fused=True), in f32, on one
segment of 1024 tokens a step. It has full attention; ours is timed with learned roles and with full attention.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time

LAYERS, HEADS, HIDDEN, INTERMEDIATE, VOCAB, CONTEXT = 12, 12, 768, 2048, 50257, 1024
STEPS = 5


def pytorch_steps(threads):
    """Tokens per second of each step but the first."""
    import torch
    import torch.nn.functional as functional
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    head_dim = HIDDEN // HEADS

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention_norm = nn.Parameter(torch.ones(HIDDEN))
            self.mlp_norm = nn.Parameter(torch.ones(HIDDEN))
            self.qkv = nn.Linear(HIDDEN, 3 * HIDDEN, bias=False)
            self.o = nn.Linear(HIDDEN, HIDDEN, bias=False)
            self.gate_up = nn.Linear(HIDDEN, 2 * INTERMEDIATE, bias=False)
            self.down = nn.Linear(INTERMEDIATE, HIDDEN, bias=False)

        def forward(self, x, cosine, sine):
            h = functional.rms_norm(x, (HIDDEN,), self.attention_norm, 1e-5)
            q, k, v = self.qkv(h).view(1, CONTEXT, 3, HEADS, head_dim).permute(2, 0, 3, 1, 4)
            q, k = rotate(q, cosine, sine), rotate(k, cosine, sine)
            out = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.o(out.transpose(1, 2).reshape(1, CONTEXT, HIDDEN))
            h = functional.rms_norm(x, (HIDDEN,), self.mlp_norm, 1e-5)
            gate, up = self.gate_up(h).chunk(2, dim=-1)
            return x + self.down(functional.silu(gate) * up)

    def rotate(x, cosine, sine):
        first, second = x.chunk(2, dim=-1)
        return torch.cat((first * cosine - second * sine, second * cosine + first * sine), dim=-1)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(VOCAB, HIDDEN)
            self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
            self.norm = nn.Parameter(torch.ones(HIDDEN))
            for parameter in self.parameters():
                if parameter.dim() > 1:
                    nn.init.normal_(parameter, std=0.02)
            angle = torch.outer(torch.arange(CONTEXT), 10000.0 ** (-torch.arange(0, head_dim, 2) / head_dim))
            self.cosine, self.sine = angle.cos(), angle.sin()

        def forward(self, tokens, targets):
            x = self.embedding(tokens)
            for block in self.blocks:
                x = block(x, self.cosine, self.sine)
            x = functional.rms_norm(x, (HIDDEN,), self.norm, 1e-5)
            logits = functional.linear(x, self.embedding.weight)
            return functional.cross_entropy(logits.view(-1, VOCAB), targets.view(-1))

    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    tokens = (3 + torch.arange(CONTEXT + 1) * 7919 % 40000).unsqueeze(0)
    rates = []
    for step in range(STEPS + 1):
        begun = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        model(tokens[:, :-1], tokens[:, 1:]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step > 0:
            rates.append(CONTEXT / (time.perf_counter() - begun))
    return rates


def in_child(arguments):
    return json.loads(subprocess.run(arguments, check=True, stdout=subprocess.PIPE).stdout)


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        names = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cli", help="natscope-cli")
    parser.add_argument("--results", help="JSON file to write")
    parser.add_argument("--commit", default="", help="what was measured")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--pytorch-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pytorch_only:
        json.dump(pytorch_steps(options.threads), sys.stdout)
        return
    rounds = []
    for number in range(options.rounds):
        theirs = statistics.median(
            in_child([sys.executable, __file__, options.cli, "--pytorch-only", "--threads", str(options.threads)]))
        ours = in_child([options.cli, "bench", "train_step", "--json", "--threads", str(options.threads)])
        rounds.append((theirs, ours))
        print(f"round {number + 1}: PyTorch {theirs:.1f} tokens/s, "
              + ", ".join(f"{row['name']} {row['value']:.1f}" for row in ours), file=sys.stderr)
    rows = []
    for index, row in enumerate(rounds[0][1]):
        values = [ours[index]["value"] for _, ours in rounds]
        middle = statistics.median(values)
        row.update(value=middle, reference="Python PyTorch, scaled_dot_product_attention, AdamW(fused=True)",
                   ratio=statistics.median(ours[index]["value"] / theirs for theirs, ours in rounds),
                   limit=statistics.median(ours[index]["limit"] for _, ours in rounds), runs=len(rounds),
                   spread=(max(values) - min(values)) / middle)
        row["fraction_of_limit"] = middle / row["limit"]
        rows.append(row)
    rows += in_child([options.cli, "bench", "backward_roles", "--json", "--threads", str(options.threads)])
    result = {"commit": options.commit, "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
              "machine": processor(), "threads": options.threads,
              "pytorch_tokens_per_s": [theirs for theirs, _ in rounds], "rows": rows}
    text = json.dumps(result, indent=2) + "\n"
    if options.results:
        with open(options.results, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares natscope-cli with Hugging Face transformers on random models of every family, shape and rope that it reads.

Each seed makes a tiny model (Llama, Mistral, Phi-3, Qwen2, Qwen3, SmolLM3 or Granite; biases, tied embeddings, head sizes,
groups, shards, stored dtype, rope settings, and what a family has of its own, drawn at random), saves it as transformers does, and reads the same text with both: the loss of
every token by `natscope-cli eval --policy full --per-token`, against transformers in float64 with angles in float64. What
transformers itself is off by in float32 is printed beside it; a model that is further off than `--factor` times that, and
than 1e-4 nats, fails.

    python3 -m venv venv && venv/bin/pip install torch==2.11.0 transformers==5.23.0 sentencepiece==0.2.3
    venv/bin/python compare_random.py --cli ../../../build/release/bin/natscope-cli --text BOOK.txt --seeds 70
"""

import argparse
import csv
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

import sentencepiece
import torch
import transformers

HERE = pathlib.Path(__file__).resolve().parent
TOKENIZER = HERE / "qwen3" / "tokenizer.model"
FAMILIES = {
    "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
    "mistral": (transformers.MistralConfig, transformers.MistralForCausalLM),
    "phi3": (transformers.Phi3Config, transformers.Phi3ForCausalLM),
    "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM),
    "qwen3": (transformers.Qwen3Config, transformers.Qwen3ForCausalLM),
    "smollm3": (transformers.SmolLM3Config, transformers.SmolLM3ForCausalLM),
    "granite": (transformers.GraniteConfig, transformers.GraniteForCausalLM),
}


def random_rope(draw):
    kind = draw.choice(["default", "linear", "llama3", "yarn", "yarn"])
    rope = dict(rope_type=kind, rope_theta=draw.choice([500.0, 1e4, 1e6]))
    if kind != "default":
        rope["factor"] = draw.choice([1.5, 2.0, 8.0])
    if kind == "llama3":
        rope.update(low_freq_factor=draw.choice([1.0, 0.5]), high_freq_factor=4.0,
                    original_max_position_embeddings=draw.choice([32, 128]))
    if kind == "yarn":
        if draw.random() < 0.7:
            rope["original_max_position_embeddings"] = draw.choice([32, 128, 300])
        if draw.random() < 0.5:
            rope.update(beta_fast=draw.choice([4.0, 16.0]), beta_slow=draw.choice([0.5, 2.0]))
        if draw.random() < 0.3:
            rope["truncate"] = False
        if draw.random() < 0.3:
            rope["attention_factor"] = 1.2
        elif draw.random() < 0.4:
            rope.update(mscale=draw.choice([0.7, 1.0]), mscale_all_dim=draw.choice([0.5, 1.0]))
    return rope


def random_phi3_rope(draw, head_dim, config):
    """A part of each head, LongRoPE or both; what is longer than the original context is told to natscope-cli."""
    rope = dict(rope_type=draw.choice(["default", "longrope", "longrope"]), rope_theta=draw.choice([500.0, 1e4, 1e6]))
    parts = [part for part in (0.25, 0.5, 0.75, 1.0) if int(head_dim * part) % 2 == 0]
    rope["partial_rotary_factor"] = draw.choice(parts)
    if rope["rope_type"] == "longrope":
        pairs = int(head_dim * rope["partial_rotary_factor"]) // 2
        rope["short_factor"] = [draw.uniform(1.0, 3.0) for _ in range(pairs)]
        rope["long_factor"] = [draw.uniform(1.0, 40.0) for _ in range(pairs)]
        if draw.random() < 0.3:
            rope["attention_factor"] = 1.2
        elif draw.random() < 0.3:
            rope["factor"] = draw.choice([0.5, 4.0])
        config["original_max_position_embeddings"] = draw.choice([32, 128, 4096])
    return rope


def random_config(draw, families):
    family = draw.choice(families)
    kv_heads, group, head_dim = draw.choice([1, 2, 3]), draw.choice([1, 2, 4]), draw.choice([8, 16, 24, 32, 64])
    heads = kv_heads * group
    config = dict(
        vocab_size=304, bos_token_id=1, eos_token_id=2, intermediate_size=draw.choice([40, 96]),
        num_hidden_layers=draw.choice([1, 2, 3]), max_position_embeddings=draw.choice([256, 512]),
        initializer_range=draw.choice([0.08, 0.2]), num_attention_heads=heads, num_key_value_heads=kv_heads,
        hidden_size=heads * (head_dim if family == "qwen2" else draw.choice([head_dim, 8, 20])),
        rms_norm_eps=draw.choice([1e-6, 1e-5, 1e-3]), tie_word_embeddings=draw.random() < 0.4,
        rope_parameters=random_rope(draw))
    if family != "qwen2":
        config["head_dim"] = head_dim
    if family in ("llama", "qwen3", "smollm3", "granite"):
        config["attention_bias"] = draw.random() < 0.4
    if family == "phi3":
        config["pad_token_id"] = 0
        config["hidden_size"] = heads * head_dim  # what transformers counts a Phi-3's pairs by
        config["rope_parameters"] = random_phi3_rope(draw, head_dim, config)
    if family in ("smollm3", "granite"):
        config["pad_token_id"] = 0
    if family == "smollm3":
        layers = config["num_hidden_layers"]
        if draw.random() < 0.7:
            config["no_rope_layers"] = [draw.choice([0, 1]) for _ in range(layers)]
        else:
            config["no_rope_layer_interval"] = draw.choice([1, 2, 3])
    if family == "granite":
        config.update(embedding_multiplier=draw.choice([1.0, 12.0, 0.3]), residual_multiplier=draw.choice([1.0, 0.22, 1.7]),
                      attention_multiplier=draw.choice([1.0 / head_dim, 0.0884, 0.4]),
                      logits_scaling=draw.choice([1.0, 8.0, 0.6]))
    if family in ("llama", "smollm3", "granite"):
        config["mlp_bias"] = draw.random() < 0.4
    return family, config


def save_random_model(family, config, draw, seed, folder):
    torch.manual_seed(seed)
    make_config, make_model = FAMILIES[family]
    model = make_model(make_config(**config)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.copy_(1 + 0.3 * torch.randn_like(weight))
            elif name.endswith("bias"):
                weight.copy_(0.5 * torch.randn_like(weight))
    dtype = draw.choice([torch.float32, torch.bfloat16, torch.float16])
    model.to(dtype).save_pretrained(folder, max_shard_size=draw.choice(["1GB", "50KB"]))
    shutil.copy(TOKENIZER, folder / "tokenizer.model")


def losses(family, folder, ids, dtype):
    model = FAMILIES[family][1].from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()
    if dtype == torch.float64:
        embedding = model.model.rotary_emb
        own = embedding.forward

        def exact(x, position_ids, *_, **__):
            own(x, position_ids)  # takes LongRoPE's frequencies for this length
            angles = position_ids[..., None].double() * embedding.inv_freq.double()
            angles = torch.cat((angles, angles), -1)
            return angles.cos() * embedding.attention_scaling, angles.sin() * embedding.attention_scaling

        embedding.forward = exact
    with torch.no_grad():
        log_p = torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), -1)
    return [-log_p[i, ids[i + 1]].item() for i in range(len(ids) - 1)]


def context_of(config, tokens):
    """Flags: a Phi-3 with LongRoPE is opened for texts of its original context, unless longer ones are asked for."""
    is_longer = config["rope_parameters"]["rope_type"] == "longrope" and tokens > config["original_max_position_embeddings"]
    return ["--context", tokens] if is_longer else []


def found_losses(cli, folder, text, ids, chunk, scratch, flags):
    table = scratch / "losses.csv"
    command = [cli, "eval", "--model", folder, "--text", text, "--policy", "full", "--device", "cpu", "--segment",
               len(ids), "--tokens-max", len(ids), "--chunk", chunk, "--per-token", table, *flags]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    with open(table, encoding="utf-8", newline="") as rows:
        return [float(row["nll"]) for row in csv.DictReader(rows)]


def largest_difference(one, other):
    assert len(one) == len(other), f"{len(one)} losses beside {len(other)}"
    return max(abs(a - b) for a, b in zip(one, other))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cli", required=True)
    parser.add_argument("--text", required=True, type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=70)
    parser.add_argument("--factor", type=float, default=3.0)
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=list(FAMILIES))
    args = parser.parse_args()
    torch.set_num_threads(1)
    pieces = sentencepiece.SentencePieceProcessor(str(TOKENIZER))
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        text = scratch / "text.txt"
        text.write_text(args.text.read_text(encoding="utf-8")[20000:20500], encoding="utf-8")
        all_ids = [1] + pieces.encode(text.read_text(encoding="utf-8"))
        for seed in range(args.seeds):
            draw = random.Random(seed)
            family, config = random_config(draw, args.families)
            folder = scratch / "model"
            shutil.rmtree(folder, ignore_errors=True)
            save_random_model(family, config, draw, seed, folder)
            ids = all_ids[:config["max_position_embeddings"]]
            truth = losses(family, folder, ids, torch.float64)
            own = largest_difference(losses(family, folder, ids, torch.float32), truth)
            ours = largest_difference(found_losses(args.cli, folder, text, ids, draw.choice([7, 64, 512]), scratch,
                                                   context_of(config, len(ids))), truth)
            is_off = ours > max(1e-4, args.factor * own)
            failed += is_off
            print(f"{seed:3d} {family:8s}{config['rope_parameters']['rope_type']:9s}{len(ids)} tokens: "
                  f"{ours:.2e} nats off, transformers in float32 {own:.2e}{'  FAILED' if is_off else ''}", flush=True)
    print(f"{args.seeds - failed} of {args.seeds} agree")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

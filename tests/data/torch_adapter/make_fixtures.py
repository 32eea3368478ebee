#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the files beside this script: adapters for ../hf/llama as torch.save writes them, and for each that a reader must
accept the same tensors as safetensors, under the names and in the order of rows that an adapter folder has.

    python3 -m venv venv && venv/bin/pip install torch==2.11.0 safetensors==0.8.0 numpy
    venv/bin/python make_fixtures.py

The order of rows is permuted here with tensor views, as torchtune's own export does it, not with the indices of the code
under test.
"""

import collections
import pathlib

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
LAYERS, HIDDEN, HEADS, KV_HEADS, HEAD_DIM = 2, 48, 4, 2, 16
RANK = 2


def score_layers(block, dtype):
    return {f"layers.{i}.{block}.proj_layer.weight": torch.randn(3 * KV_HEADS, HIDDEN).to(dtype) for i in range(LAYERS)}


def lora(block, sizes, dtype):
    tensors = {}
    for i in range(LAYERS):
        for name, (rows, columns) in sizes.items():
            tensors[f"layers.{i}.{block}.{name}.lora_a.weight"] = torch.randn(RANK, columns).to(dtype)
            tensors[f"layers.{i}.{block}.{name}.lora_b.weight"] = torch.randn(rows, RANK).to(dtype)
    return tensors


def halves_side_by_side(rows, heads):
    """From rotary pairs in neighbouring rows to pairs half a head apart."""
    return rows.view(heads, HEAD_DIM // 2, 2, -1).transpose(1, 2).reshape(heads * HEAD_DIM, -1).contiguous()


def folder_names(tensors, reorder=False):
    """What adapter.safetensors must hold."""
    result = {}
    for name, tensor in tensors.items():
        stored = "model." + name.replace(".attn.", ".self_attn.").replace("output_proj", "o_proj")
        if "lora" in stored:
            stored = stored.removesuffix(".weight")
        if reorder and stored.endswith("q_proj.lora_b"):
            tensor = halves_side_by_side(tensor, HEADS)
        if reorder and stored.endswith("k_proj.lora_b"):
            tensor = halves_side_by_side(tensor, KV_HEADS)
        result[stored] = tensor
    return result


def save(name, tensors, reorder=False):
    torch.save(tensors, HERE / f"{name}.pth")
    save_file(folder_names(tensors, reorder), HERE / f"{name}.safetensors")


def main():
    torch.manual_seed(20)
    q, k, o = (HEADS * HEAD_DIM, HIDDEN), (KV_HEADS * HEAD_DIM, HIDDEN), (HIDDEN, HEADS * HEAD_DIM)
    save("scores_f32", score_layers("self_attn", torch.float32))
    save("lora_bf16", score_layers("self_attn", torch.bfloat16)
         | lora("self_attn", {"q_proj": q, "k_proj": k}, torch.bfloat16))
    save("ordered_f16", collections.OrderedDict(score_layers("self_attn", torch.float16)))
    save("torchtune_f32", score_layers("attn", torch.float32)
         | lora("attn", {"q_proj": q, "k_proj": k, "output_proj": o}, torch.float32), reorder=True)

    # What torch.save writes as willingly, and a reader must refuse.
    scores = score_layers("self_attn", torch.float32)
    first, second = scores
    torch.save({first: torch.randn(HIDDEN, 3 * KV_HEADS).t(), second: scores[second]}, HERE / "bad_transposed.pth")
    both = torch.randn(2, 3 * KV_HEADS, HIDDEN)
    torch.save({first: both[0], second: both[1]}, HERE / "bad_shared.pth")
    torch.save({first: scores[first], second: scores[second].double()}, HERE / "bad_f64.pth")
    torch.save({first: torch.nn.Parameter(scores[first]), second: scores[second]}, HERE / "bad_parameter.pth")
    torch.save(torch.nn.Linear(3, 2).state_dict(), HERE / "bad_state_dict.pth")
    torch.save(scores, HERE / "bad_before_zip.pth", _use_new_zipfile_serialization=False)
    for dtype, value in ((torch.float32, "inf"), (torch.bfloat16, "nan"), (torch.float16, "-inf")):
        damaged = {name: tensor.to(dtype, copy=True) for name, tensor in scores.items()}
        damaged[second][-1, -1] = float(value)
        torch.save(damaged, HERE / f"bad_{str(dtype).removeprefix('torch.')}_{value.strip('-')}.pth")
    torch.save({first: scores[first], second: scores[second].bfloat16()}, HERE / "mixed.pth")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Records a text as a model of Hugging Face's transformers reads it, with all attention maps, for NAtScope:

    python3 record_transformers.py MODEL TEXT-FILE run.safetensors [TOKENS]
    natscope run.safetensors

Nothing is dropped here: every token is Global. A script whose own method drops entries writes down after which step each
of them was gone, and gives that to write_trace() as `dropped_after`. Needs torch, transformers and numpy.
"""

import sys

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from natscope_trace import texts_of, write_trace


def record(folder, text, path, most_tokens=512):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    ids = tokenizer(text).input_ids[:most_tokens]
    with torch.no_grad():
        out = model(torch.tensor([ids]), output_attentions=True)
    # What each token was expected with, before it came.
    chances = torch.softmax(out.logits[0, :-1].double(), -1)[range(len(ids) - 1), ids[1:]]
    config = model.config
    heads = config.num_attention_heads
    kv_heads = getattr(config, "num_key_value_heads", None) or heads
    texts, names = texts_of(tokenizer, ids)
    write_trace(path, tokens=ids, texts=texts, names=names, heads=heads,
                head_dim=getattr(config, "head_dim", None) or config.hidden_size // heads,
                roles=np.zeros((config.num_hidden_layers, kv_heads, len(ids)), int),
                probability=np.concatenate([[0], chances.clamp(0, 1).numpy()]),
                maps={(layer, head): weights[0, head]
                      for layer, weights in enumerate(out.attentions) for head in range(heads)})


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    with open(sys.argv[2], encoding="utf-8", newline="") as file:
        record(sys.argv[1], file.read(), sys.argv[3], *map(int, sys.argv[4:]))

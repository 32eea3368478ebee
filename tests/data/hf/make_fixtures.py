#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the folders beside this script: tiny random models as Hugging Face transformers saves them, and the logits that it
computes for them (eager attention, float32), so that tests need no Python.

Each folder holds the model and `logits.safetensors`: `input_ids` I64 [T], `logits` F32 [T, vocab].

    python3 -m venv venv && venv/bin/pip install torch==2.11.0 transformers==5.23.0 sentencepiece==0.2.3 safetensors numpy
    venv/bin/python make_fixtures.py

Made with the versions in versions.json, which every run rewrites. Equal versions on equal
processors give equal files; another one rounds some logits otherwise.
"""

import io
import json
import pathlib
import platform
import shutil

import numpy
import safetensors
import safetensors.numpy
import sentencepiece
import torch
import transformers

HERE = pathlib.Path(__file__).resolve().parent
SAMPLE = HERE.parents[2] / "resources" / "sample" / "looking-glass.txt"
VOCAB = 304
TOKENS = 48
SIZES = dict(
    vocab_size=VOCAB, intermediate_size=64, num_hidden_layers=2, max_position_embeddings=256,
    initializer_range=0.2, bos_token_id=1, eos_token_id=2,
)


def llama():
    """Grouped queries, head_dim != hidden / heads, llama3 rope with wavelengths in all three of its ranges."""
    rope = dict(rope_type="llama3", rope_theta=10000.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
                original_max_position_embeddings=64)
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(
        **SIZES, hidden_size=48, num_attention_heads=4, num_key_value_heads=2, head_dim=16, rope_parameters=rope))


def llama_linear_tied():
    """Linear rope, tied embedding, biases everywhere, one KV head a query head, stored in bfloat16."""
    rope = dict(rope_type="linear", rope_theta=10000.0, factor=2.0)
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(
        **SIZES, hidden_size=32, num_attention_heads=4, num_key_value_heads=4, rope_parameters=rope,
        tie_word_embeddings=True, attention_bias=True, mlp_bias=True, rms_norm_eps=1e-5))


def mistral():
    """One KV head for all queries, shards with an index, transformers' default sliding_window."""
    return transformers.MistralForCausalLM(transformers.MistralConfig(
        **SIZES, hidden_size=32, num_attention_heads=4, num_key_value_heads=1, head_dim=8))


def qwen2():
    """Biases on q, k and v, stored in float16."""
    return transformers.Qwen2ForCausalLM(transformers.Qwen2Config(
        **SIZES, hidden_size=32, num_attention_heads=4, num_key_value_heads=2))


def qwen3():
    """Norms on q and k, head_dim != hidden / heads, a large theta, tied embedding."""
    rope = dict(rope_type="default", rope_theta=1000000.0)
    return transformers.Qwen3ForCausalLM(transformers.Qwen3Config(
        **SIZES, hidden_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=16, rope_parameters=rope,
        tie_word_embeddings=True))


def qwen3_yarn():
    """YaRN as a Qwen is told to read beyond its own context: pairs kept, stretched and between, queries and keys scaled."""
    rope = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=64, beta_fast=8.0)
    return transformers.Qwen3ForCausalLM(transformers.Qwen3Config(
        **SIZES, hidden_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=16, rope_parameters=rope))


def phi3():
    """q, k and v stored as one matrix, gate and up as another."""
    return transformers.Phi3ForCausalLM(transformers.Phi3Config(
        **SIZES, pad_token_id=0, hidden_size=32, num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-5))


def phi3_longrope():
    """Three quarters of each head turned, LongRoPE's short factors, queries and keys scaled."""
    rope = dict(rope_type="longrope", rope_theta=10000.0, partial_rotary_factor=0.75,
                short_factor=[1.0, 1.05, 1.1, 1.3, 1.9, 2.5], long_factor=[1.5, 2.0, 4.0, 8.0, 16.0, 32.0])
    return transformers.Phi3ForCausalLM(transformers.Phi3Config(
        **SIZES, pad_token_id=0, hidden_size=64, num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-5,
        original_max_position_embeddings=64, rope_parameters=rope))


def smollm3():
    """Layers without positions, as many as with them; biases on all of attention."""
    return transformers.SmolLM3ForCausalLM(transformers.SmolLM3Config(
        **SIZES, pad_token_id=0, hidden_size=32, num_attention_heads=4, num_key_value_heads=2, no_rope_layers=[1, 0],
        attention_bias=True))


def granite():
    """Multipliers of embeddings, scores, layers and logits, as large as published ones."""
    return transformers.GraniteForCausalLM(transformers.GraniteConfig(
        **SIZES, pad_token_id=0, hidden_size=32, num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-5,
        embedding_multiplier=12.0, residual_multiplier=0.22, attention_multiplier=0.125, logits_scaling=8.0,
        tie_word_embeddings=True))


# make, stored dtype, largest shard
MODELS = {
    "llama": (llama, torch.float32, "1GB"),
    "llama_linear_tied": (llama_linear_tied, torch.bfloat16, "1GB"),
    "mistral": (mistral, torch.float32, "60KB"),
    "qwen2": (qwen2, torch.float16, "1GB"),
    "qwen3": (qwen3, torch.float32, "1GB"),
    "qwen3_yarn": (qwen3_yarn, torch.bfloat16, "1GB"),
    "phi3": (phi3, torch.bfloat16, "40KB"),
    "phi3_longrope": (phi3_longrope, torch.float32, "1GB"),
    "smollm3": (smollm3, torch.float16, "1GB"),
    "granite": (granite, torch.bfloat16, "1GB"),
}


def train_tokenizer():
    """A sentencepiece model with byte fallback, out of the bundled sample text."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SAMPLE.read_text(encoding="utf-8").splitlines()), model_writer=model,
        model_type="bpe", vocab_size=VOCAB, byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, user_defined_symbols=["\n"], minloglevel=2)
    return model.getvalue()


def shake(model):
    """Norms and biases start as ones and zeros, under which a mistake with them would not show."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.copy_(1.0 + 0.3 * torch.randn_like(weight))
            elif name.endswith("bias"):
                weight.copy_(0.5 * torch.randn_like(weight))


def write(folder, make, dtype, max_shard, tokenizer, seed):
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(seed)
    model = make().eval()
    shake(model)
    model.to(dtype).save_pretrained(folder, max_shard_size=max_shard)
    (folder / "tokenizer.model").write_bytes(tokenizer)

    # What is stored is what is computed with: the saved weights, read back, in float32.
    model = type(model).from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    ids = torch.randint(3, VOCAB, (1, TOKENS))
    ids[0, 0] = 1
    with torch.no_grad():
        logits = model(ids).logits[0]
    assert logits.dtype == torch.float32 and torch.isfinite(logits).all()
    safetensors.numpy.save_file(
        {"input_ids": ids[0].numpy().astype(numpy.int64), "logits": logits.numpy()}, folder / "logits.safetensors")
    print(f"{folder.name}: {sum(p.numel() for p in model.parameters())} parameters, "
          f"largest logit {logits.abs().max():.2f}")


def main():
    torch.set_num_threads(1)
    tokenizer = train_tokenizer()
    for seed, (name, (make, dtype, max_shard)) in enumerate(MODELS.items()):
        write(HERE / name, make, dtype, max_shard, tokenizer, seed)
    versions = {"python": platform.python_version(), "torch": torch.__version__,
                "transformers": transformers.__version__, "sentencepiece": sentencepiece.__version__,
                "safetensors": safetensors.__version__, "numpy": numpy.__version__}
    (HERE / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")


if __name__ == "__main__":
    main()

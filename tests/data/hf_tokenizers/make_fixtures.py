#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes this folder: small tokenizer.json files of the kinds that Llama-like models have, and what Hugging Face's
tokenizers library makes of texts with them. The kinds are those of published files, and TEXTS has what tokens differed
in when those files were compared (README.md).

    pip install tokenizers==0.23.3
    make_fixtures.py ../../../resources/sample/looking-glass.txt
"""

import json
import pathlib
import random
import sys

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
TEXTS = [
    "", " ", "  ", "\n", "a", " a", "a ", "Alice was beginning", "  two  blanks   three", "tabs\tand\r\nlines\n\n\nmore\n",
    "I'll don't WE'VE 'tis it's", "12345 7 1,000,000.5 ½ ² Ⅷ", "fifth—dash … “quotes” ‘single’", "naïve café n\u0303 e\u0301 \u212b Å",
    "日本語と中文 한국어", "אבג عربي हिन्दी", "🙂👩‍👩‍👧 flags 🇩🇪", "\u00a0no\u3000break\u2028line\u0085next", "x" * 70,
    "The Queen<|im_start|>user\nhi<|im_end|>", "<s>text</s> <|eot|>  <|eot|>x", "<|im_start|><|im_start|> <|im_st", "▁mark ▁▁ of blanks",
    "\x00\x01\x7f control", "a<mask>  b", "snow\u2603man \U0001d54f \ufffd", "ﬁ ligature Ａ ｂ", "!!!???...", "mixed12abc34",
    # Known from different versions of Unicode to patterns (16), normalizers (9) and cuts at digits (17) of that library.
    "\U000113a3's \U0001fabf\u2360 \U0001fabf\u2360's \U00031350's 1\U00010d40'll", "a\u0301\u1df7 \u1ac7\u1ab9 \u1f83\u1ac7\u1ab9\u0334",
    "\u32ff \ua7f2 \ufdfa \u3392", "\U00011de0\U00011de1 \U00016ff41", "\u061d.\u2e52$+^`|~ \u166d\u2e43",
    # Blanks to one library and none to another, and ends of lines.
    "\u180e x \u2028\u2029  \u1680   \u180e", "a \n b  \n\n c \r\n\t \n", "\t\tif (x) {\n\t\t    return  1;\n\t}\n", "ab_c\u0301\u203fd\u00b2 \u24b6x",
    "  leading, and behind  ", "word " * 40, "word,\u2581 " * 3, " ", "a ", "\u2581 ",
]
DEEPSEEK_WORDS = r"\s?" + "[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u0400-\u0481\uff21-\uff3a]+"


def byte_level(pattern, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def train(tokenizer, text, pieces, **options):
    tokenizer.train_from_iterator([text], trainers.BpeTrainer(vocab_size=pieces, show_progress=False, **options))


def all_tokenizers(text):
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    llama3 = byte_level(LLAMA3, ignore_merges=True)
    train(llama3, text, 420, initial_alphabet=alphabet)
    llama3.add_special_tokens(["<|begin|>", "<|eot|>"])
    llama3.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", llama3.token_to_id("<|begin|>"))])])
    yield "llama3", llama3

    qwen2 = byte_level(QWEN2)
    qwen2.normalizer = normalizers.NFC()
    train(qwen2, text, 400, initial_alphabet=alphabet)
    qwen2.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    qwen2.add_tokens([AddedToken("<mask>", lstrip=True, rstrip=True, special=False, normalized=False), "Queen"])
    qwen2.post_processor = processors.ByteLevel(trim_offsets=False)
    yield "qwen2", qwen2

    gpt2 = Tokenizer(models.BPE())
    gpt2.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    gpt2.decoder = decoders.ByteLevel()
    train(gpt2, text, 380, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"])
    yield "gpt2", gpt2

    # Sentencepiece's byte pairs, as Llama 2's were converted: marks by the normalizer, bytes for what no piece spells.
    specials = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    legacy = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    legacy.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    train(legacy, text, 480, special_tokens=specials)
    legacy = without_added(legacy, ["<unk>", "<s>", "</s>"])
    legacy.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    legacy.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    yield "llama2", legacy

    # The same with marks by the pre-tokenizer, in front of the whole text alone, and no bytes.
    newer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    newer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    train(newer, text, 200, special_tokens=["<unk>", "<s>", "</s>"])
    newer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    yield "metaspace", newer


    # Gemma's: a cut at a text, no blank of its own in front, none taken away.
    gemma = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    gemma.normalizer = normalizers.Replace(" ", "▁")
    gemma.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    train(gemma, text, 480, special_tokens=specials)
    gemma = without_added(gemma, ["<unk>", "<s>", "</s>"])
    gemma.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    gemma.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    yield "gemma", gemma

    # DeepSeek's first models: many cuts one after the other, one of them at ends of lines.
    deepseek = byte_level(r"[\r\n]")
    splits = [Regex(one) for one in (r"[\r\n]", DEEPSEEK_WORDS, r"\s?" + "[!-/:-~\uff01-\uff0f\u2018-\u201f\u3000-\u3002]+", r"\s+$",
                                    "[一-龥ࠀ-一가-퟿]+")]
    deepseek.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(one, "isolated") for one in splits] +
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    train(deepseek, text, 380, initial_alphabet=alphabet)
    yield "deepseek", deepseek

    # Falcon's: cuts at punctuation in front of the bytes, at digits behind them.
    falcon = byte_level(r"x")
    falcon.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False),
        pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")])
    train(falcon, text, 380, initial_alphabet=alphabet)
    yield "falcon", falcon

    # Claude's normalizer, and escapes and behaviors that the others do not have.
    words = byte_level(r"x")
    words.normalizer = normalizers.NFKC()
    words.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"\w+"), "merged_with_next"), pre_tokenizers.Split(Regex(r"[^\S\n]+"), "merged_with_previous"),
        pre_tokenizers.Split(Regex(r"^\W|\D.$"), "contiguous", invert=True), pre_tokenizers.Split(Regex(r"\p{So}|\P{N}"), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    train(words, text, 300, initial_alphabet=alphabet)
    yield "words", words


def without_added(tokenizer, kept):
    """The trainer makes added tokens of all its specials; bytes are pieces like others."""
    file = json.loads(tokenizer.to_str())
    file["added_tokens"] = [token for token in file["added_tokens"] if token["content"] in kept]
    return Tokenizer.from_str(json.dumps(file))


def main():
    text = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
    cases = {}
    for name, tokenizer in all_tokenizers(text):
        (HERE / f"{name}.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False), encoding="utf-8")
        chance = random.Random(name)
        decoded = [[chance.randrange(tokenizer.get_vocab_size()) for _ in range(12)] for _ in range(20)]
        cases[name] = {
            "texts": [{"text": t, "ids": tokenizer.encode(t, add_special_tokens=False).ids} for t in TEXTS],
            "front": tokenizer.encode("", add_special_tokens=True).ids,
            "decoded": [{"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=True)} for ids in decoded],
        }
    (HERE / "cases.json").write_text(
        json.dumps({"tokenizers": tokenizers.__version__, "cases": cases}, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()

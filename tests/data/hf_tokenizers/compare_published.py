#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes beside every tokenizer file of a folder (*.json, *.model) what its own library makes of many texts, NAME.cases.

    pip install tokenizers==0.23.3 sentencepiece==0.2.3
    compare_published.py FOLDER [TEXT FILE …]
    NATSCOPE_PUBLISHED_TOKENIZERS=FOLDER core_io_test -tc="published tokenizers*"

README.md says which were compared, and which packages hold them.
"""

import json
import pathlib
import random
import sys
import unicodedata

from make_fixtures import TEXTS

BLOCKS = [(0, 0x80), (0, 0x80), (0x80, 0x250), (0x250, 0x530), (0x300, 0x370), (0x590, 0x700), (0x900, 0xE00), (0xE00, 0x1000),
          (0x1000, 0x2000), (0x2000, 0x2C00), (0x2C00, 0x3400), (0x4E00, 0x9FFF), (0xA000, 0xD7A4), (0xF900, 0xFFFF),
          (0x10000, 0x12000), (0x12000, 0x20000), (0x1F000, 0x1FB00), (0x20000, 0x32000), (0xE0000, 0xE0200), (0, 0x110000)]
PARTS = [" ", "  ", "\n", "\t", "\r\n", "'s", "'LL", "▁", "<s>", "</s>", "<|endoftext|>", "<unk>", "123", "the", " and", "\u200d",
         "\ufe0f", "\u0301", ". ", ","]
LONG = [" " * 1000, "a" + " " * 333 + "b", "\n" * 500, "x" * 20000, "ab" * 30000, "日" * 7000, "1" * 3001, "=-" * 1000, "\u0301" * 200]


def all_texts(files):
    chance = random.Random(20261128)

    def character(block):
        point = chance.randrange(*block)
        return "?" if 0xD800 <= point < 0xE000 else chr(point)

    texts = TEXTS + LONG + [path.read_text(encoding="utf-8", errors="replace") for path in files]
    texts += [unicodedata.normalize(form, text) for text in list(texts) for form in ("NFC", "NFD", "NFKC", "NFKD")]
    for _ in range(100_000):
        blocks = chance.choice(BLOCKS), chance.choice(BLOCKS)
        texts.append("".join(chance.choice(PARTS) if chance.random() < 0.25 else character(chance.choice(blocks))
                             for _ in range(chance.choice((1, 2, 3, 5, 8, 13, 21)))))
    # Every character between others, but most of the many that are alike.
    points = [p for p in range(0x110000) if not 0xD800 <= p < 0xE000 and
              (p < 0x3400 or 0xA000 <= p < 0xAC00 or 0xF900 <= p < 0x17000 or 0x18D00 <= p < 0x20000 or p % 23 == 0)]
    one = "{0}'s {0}{0} 1{0}b  {0}\u0334x\u0301{0}\u0323 "
    texts += ["".join(one.format(chr(p)) for p in points[i:i + 20]) for i in range(0, len(points), 20)]
    return texts


def library_of(path):
    if path.suffix == ".model":
        import sentencepiece
        processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        return processor.encode, processor.decode, processor.get_piece_size()
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(path))
    return (lambda texts: [found.ids for found in tokenizer.encode_batch(texts, add_special_tokens=False)],
            lambda ids: tokenizer.decode(ids, skip_special_tokens=True), tokenizer.get_vocab_size())


def main():
    texts = all_texts([pathlib.Path(name) for name in sys.argv[2:]])
    for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
        if path.suffix not in (".json", ".model"):
            continue
        encode, decode, pieces = library_of(path)
        chance = random.Random(5)
        decoded = [[chance.randrange(pieces) for _ in range(chance.choice((1, 4, 40)))] for _ in range(5000)]
        # One JSON value a line, so that neither side holds all of them.
        with path.with_name(path.name + ".cases").open("w", encoding="utf-8") as file:
            for text, ids in zip(texts, encode(texts)):
                print(json.dumps({"text": text, "ids": ids}), file=file)
            for ids in decoded:
                print(json.dumps({"ids": ids, "decoded": decode(ids)}), file=file)
        print(path.name, len(texts), "texts")


if __name__ == "__main__":
    main()

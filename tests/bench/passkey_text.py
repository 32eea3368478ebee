#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes text that teaches a small model to find pass keys.

    passkey_text.py BOOKS OUT [--seed N] [--bytes N] [--keys 1] [--near N] [--longest N] [--shares KIND=SHARE,…]

BOOKS is a folder of *.txt files; files of 1 MB are made in OUT. A function of the books and the arguments alone; numbers
are drawn anew for every piece, so that nothing can be learned by heart.

Kinds of pieces, by their share of the bytes:
    alone     a key is told, then told or asked for again and again with nothing between: here copying is learned first,
              but of distances that hardly change
    near      the same with 8 to --near bytes of a book between: the distance tells nothing any more
    document  keys hidden in a piece of a book of 100 to --longest bytes, and behind it a question about each
    book      a book as it is

Sentences are those of core/train/text/passkey.cpp. That code puts documents together from pieces which are encoded one
by one, so that a blank stands in front of each; here those blanks are written out, and the tokens are the same.
"""

import argparse
import pathlib
import random

NAMES = ("apple bridge candle desert engine forest garden harbour island jacket "
         "kettle ladder mirror needle orange pencil quarry river silver tower").split()
FILE_BYTES = 1_000_000


class Books:
    """Pieces of the books, cut between words."""

    def __init__(self, folder, draw):
        self.texts = [path.read_text(encoding="utf-8") for path in sorted(pathlib.Path(folder).rglob("*.txt"))]
        self.lengths = [len(text) for text in self.texts]
        self.draw = draw

    def piece(self, length):
        text = self.draw.choices(self.texts, self.lengths)[0]
        begin = text.find(" ", self.draw.randrange(max(1, len(text) - length))) + 1
        return text[begin:begin + length].rsplit(" ", 1)[0]


def told(name, key):
    return f"  The pass key of the {name} is {key}. Remember it.\n"


def asked(name, key):
    return f" \nWhat is the pass key of the {name}? The pass key of the {name} is {key}"


def log_uniform(draw, low, high):
    return round(low * (high / low) ** draw.random())


def new_keys(draw, options):
    """Their number is drawn by main."""
    return {name: draw.randrange(10_000, 100_000) for name in draw.sample(NAMES, options.count)}


def drill(draw, options, filler):
    keys = new_keys(draw, options)
    order = []
    for _ in range(2 + draw.randrange(options.mentions)):
        names = list(keys)
        draw.shuffle(names)
        order += names
    made = []
    known = set()
    for name in order:
        made.append(filler())
        is_question = name in known and draw.random() < 0.8
        made.append((asked if is_question else told)(name, keys[name]))
        known.add(name)
    return "".join(made) + "\n"


def alone(draw, _, options):
    return drill(draw, options, lambda: "")


def near(draw, books, options):
    return drill(draw, options, lambda: "\n" + books.piece(log_uniform(draw, 8, options.near)))


def document(draw, books, options):
    keys = new_keys(draw, options)
    text = books.piece(log_uniform(draw, 100 * len(keys), options.longest))
    places = sorted((draw.randint(0, len(text)), name) for name in keys)
    made = []
    taken = 0
    for place, name in places:
        made += [text[taken:place], told(name, keys[name])]
        taken = place
    made.append(text[taken:])
    order = list(keys)
    draw.shuffle(order)
    made += [asked(name, keys[name]) for name in order]
    return "".join(made) + "\n"


def book(draw, books, _):
    return books.piece(draw.randint(500, 3000)) + "\n"


MAKERS = {"alone": alone, "near": near, "document": document, "book": book}


def shares(text):
    return {kind: float(share) for kind, share in (part.split("=") for part in text.split(","))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("books")
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bytes", type=int, default=20_000_000, help="of text, about")
    parser.add_argument("--keys", type=lambda text: [int(n) for n in text.split(",")], default="1",
                        help="names of a piece: one of these (default: %(default)s)")
    parser.add_argument("--mentions", type=int, default=6, help="of a key in alone and near: two and fewer than so many more")
    parser.add_argument("--near", type=int, default=150, help="bytes of book between mentions, at most")
    parser.add_argument("--longest", type=int, default=600, help="bytes of book in a document, at most")
    parser.add_argument("--shares", type=shares, default="alone=0.35,near=0.45,document=0.2")
    options = parser.parse_args()
    draw = random.Random(options.seed)
    books = Books(options.books, draw)
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    written = dict.fromkeys(options.shares, 0)
    made = []
    files = size = 0
    while sum(written.values()) < options.bytes:
        kind = min(written, key=lambda k: written[k] / options.shares[k])
        options.count = draw.choice(options.keys)
        made.append(MAKERS[kind](draw, books, options))
        written[kind] += len(made[-1])
        size += len(made[-1])
        if size > FILE_BYTES or sum(written.values()) >= options.bytes:
            (out / f"{files:05}.txt").write_text("".join(made), encoding="utf-8")
            made = []
            size = 0
            files += 1


if __name__ == "__main__":
    main()

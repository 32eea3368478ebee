# SPDX-License-Identifier: GPL-3.0-or-later
"""What transformers' apply_chat_template(…, tokenize=False, add_generation_prompt=True) writes, from Jinja itself: its sandbox with
trim_blocks, lstrip_blocks, loop controls, tojson, raise_exception, strftime_now and the generation tag, as transformers sets it up."""

import copy
import datetime
import json

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
NOW = 1764464400  # 2025-11-30 01:00:00 UTC


class Raised(Exception):
    pass


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_written"), [], [], body).set_lineno(line)

    def _written(self, caller):
        return caller()


def raise_exception(message):
    raise Raised(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def written(source, messages):
    """The text, or None where the template fails."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).strftime(form)
    try:
        return environment.from_string(source).render(messages=copy.deepcopy(messages), tools=None, documents=None,
                                                      add_generation_prompt=True, **SPECIAL_TOKENS)
    except (Raised, jinja2.TemplateError, TypeError, ValueError, ZeroDivisionError, AttributeError, OverflowError, SyntaxError):
        return None

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes cases.json: templates of every construct that chat templates use, whole ones and single expressions, and what Jinja
makes of them (null: it fails).

    pip install jinja2==3.1.6
    make_cases.py
"""

import json
import pathlib

from reference import written

CHATS = [
    [{"role": "user", "content": "Who are you?"}],
    [{"role": "system", "content": " Be brief.\n"}, {"role": "user", "content": "  Grüße 🙂 \n\n"}],
    [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "{{ c }}"}],
    [{"role": "judge", "content": ""}],
]

WHOLE = [
    # Marks round each turn, in the layouts that models have.
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    "{{- bos_token }}\n{%- for message in messages %}\n    {{- '<|start|>' ~ message.role ~ '<|end|>\\n\\n' ~ message.content | trim"
    " ~ '<|eot|>' }}\n{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|start|>assistant<|end|>\\n\\n' }}\n{%- endif %}\n",
    "{%- if messages[0]['role'] == 'system' %}{% set system = messages[0].content %}{% set rest = messages[1:] %}{% else %}"
    "{% set rest = messages %}{% endif %}{{ bos_token }}{% for m in rest %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('turns must alternate, ' + m.role) }}{% endif %}{% if m.role == 'user' %}{{ '[INST] ' }}"
    "{% if loop.first and system is defined %}{{ system + '\\n\\n' }}{% endif %}{{ m.content + ' [/INST]' }}{% else %}"
    "{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}",
    # A namespace that outlives the loop, the last user's turn found from behind.
    "{% set ns = namespace(last=-1, seen=0) %}{% for m in messages[::-1] %}{% if m.role == 'user' and ns.last == -1 %}"
    "{% set ns.last = messages | length - 1 - loop.index0 %}{% endif %}{% set ns.seen = ns.seen + 1 %}{% endfor %}"
    "{{ ns.last }}/{{ ns.seen }}",
    "{% macro turn(role, content='-', end=eos_token) -%}\n  [{{ role }}: {{ content }}]{{ end }}\n{%- endmacro %}"
    "{% for m in messages %}{{ turn(m.role, m.content) }}{{ turn(m.role) }}{{ turn(end='!', role='x') }}{% endfor %}",
    "{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}",
    "{% set x = 1 %}{% for m in messages %}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}",
    "{% for m in messages if m.role != 'assistant' %}{{ loop.index }}/{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }}"
    "{{ loop.previtem.role if not loop.first }}{{ loop.nextitem.role if not loop.last }}{{ loop.cycle('a', 'b') }}{% else %}none{% endfor %}",
    "{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i > 5 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for k, v in {'a': 1, 'b': [2, 3]}.items() %}{{ k }}={{ v | tojson }};{% endfor %}",
    "{% for (a, b) in [[1, 2], (3, 4)] %}{{ a + b }},{% endfor %}{% set p, q = 'xy' %}{{ q }}{{ p }}",
    "{% set text %}\n  one {{ messages[0].role }}\n{% endset %}<{{ text }}>",
    "{% generation %}{{ messages[-1].content }}{% endgeneration %}",
    "{% raw %}{{ x }} {% if %}{% endraw %}{{ 'y' }}{# a comment {{ with }} tags #}z",
    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n",
    "a\n  {%+ if true %}  b  {%+ endif +%}\n  c  {{ 1 -}}  \n  d  {#- x -#}  e\n\n",
    "  {% if true %} x {% endif %} {% if true %}\n{% endif %}y\r\nz\r",
    "a \n\n {{- 'b' -}} \n\n c",
    # Generators are always true, have no length, and end.
    "{% if messages | selectattr('role', 'equalto', 'system') %}S{% else %}N{% endif %}",
    "{% set t = ['a', 'b'] | map('upper') %}{{ t | join(',') }};{{ t | join(',') }}",
    "{% for k, v in messages[0] | items %}{{ k }}{{ v }}{% endfor %}{% for m in messages | reverse %}{{ m.role }}{% endfor %}",
    "{% raw %}\nx\n{% endraw %}\ny", "{% generation %}{% set x = 1 %}{{ x }}{% endgeneration %}[{{ x }}]",
    "{% for i in range(3) %}{% set x %}a{% if i == 1 %}{% break %}{% endif %}{% endset %}{{ x }}{% endfor %}", "{% break %}",
    "{% for m in messages %}{{ loop.depth }}{{ loop.depth0 }}{% endfor %}", "{% macro f() %}{% endmacro f %}", "{% 'endfor' %}",
    "{{ messages }}", "{% include 'x' %}", "{% block a %}{% endblock %}", "{{ x.y }}", "{% for m in 3 %}{% endfor %}", "{% if %}{% endif %}",
    "{{ 'a", "{% if true %}x", "{{ ) }}", "{{ [1, }}", "{% endfor %}", "{# no end", "{{ raise_exception('no') }}", "{{ 1 +}}", "{% set 3 = 4 %}",
    "{{ messages[0].content.format_map }}", "{{ strftime_now('%d %b %Y %H:%M, %A %B %j %y') }}", "{{ undefined_function() }}", "",
    "no tags at all { % }} %} #}", "{{ '}}' }}{{ {'a': {'b': 1}}.a.b }}", "{{ \"it's\" 'joined' }}{{ '\\u00e4\\x41\\n\\t\\q\\\\' }}",
]

EXPRESSIONS = [
    "1 + 2 * 3", "7 // 2, 7", "-7 // 2", "-7 % 3", "7 % -3", "7 / 2", "2 ** 10", "2 ** 3 ** 2", "-2 ** 2", "1 / 3", "10 / 2", "1e3", "1.5 + 1", "3.0",
    "0.00001 * 1", "123456789012345680.0 * 10", "1_000", "true + 1", "1 // 0", "1 < 2 < 3", "3 > 2 > 2", "1 == 1.0", "1 == true", "'a' < 'b'", "'a' < 1",
    "not 1 == 2", "not x is defined", "1 if false", "1 if false else 2 if false else 3", "none", "true", "False", "'a' ~ 1 ~ none ~ true", "'a' + 1", "'a' + none",
    "x", "x | default('d')", "'' | default('d')", "'' | default('d', true)", "none | d('e', boolean=true)", "x.y is defined", "messages.x is defined",
    "messages[99] is defined", "messages[99].role", "messages[-1].role", "messages[0]['nothing'] is none", "messages[0].get('nothing') is none",
    "messages[0].get('nothing', 'z')", "messages[0].content is string", "messages is iterable", "messages is sequence", "messages[0] is mapping", "messages is mapping",
    "x is iterable", "x is none", "tools is none", "tools is not none", "tools is defined and tools", "3 is odd", "4 is even", "9 is divisibleby 3", "9 is divisibleby(2)",
    "1 is number", "1.5 is float", "true is boolean", "true is integer", "1 is integer", "'a' is in ['a']", "'a' in 'abc'", "'z' not in messages[0]", "'role' in messages[0]",
    "2 in [1, 2]", "1 in 3", "1 is eq 1", "2 is gt 1", "2 is ge(3)", "range is callable", "'abc' is upper", "[1, 2] == [1, 2]", "(1, 2) | length", "[] | length",
    "'Grüße🙂' | length", "'Grüße🙂'[-1]", "'Grüße🙂'[::-1]", "'Grüße🙂'[1:3]", "'abcdef'[4:1:-2]", "'abc'[5:]", "'abc'[-9:2]", "[1, 2, 3][::2] | join(',')", "[1, 2, 3][5:1:-1] | join",
    "messages | map(attribute='role') | join(', ')", "messages | selectattr('role', 'equalto', 'user') | list | length", "messages | selectattr('role', 'eq', 'user') | map(attribute='content') | first",
    "messages | rejectattr('role', 'in', ['user']) | list | length", "messages | selectattr('content') | list | length", "tools | selectattr('x') | list | length", "none | map('trim') | list | length",
    "['a ', ' b'] | map('trim') | join('|')", "['a', 'b'] | map('replace', 'a', 'c') | join", "[0, 1, '', 'x'] | select | list | length", "[1, 2, 3] | reject('odd') | first", "[] | first is defined", "[] | last",
    "messages | map(attribute='content.x', default='-') | join", "[3, 1] | last", "'abc' | first", "'abc' | list | join('-')", "'abc' | reverse", "[1, 2] | reverse | list | join", "'  a\u00a0\u3000\n' | trim ~ '|'",
    "'xxaxx' | trim('x')", "'a-b' | replace('-', '+')", "'aaa' | replace('a', 'b', 2)", "'aBc' | upper", "'aBc' | lower", "'aBc dE' | title", "'aBc' | capitalize", "'é' | upper", "5 | string + 'x'", "'12' | int + 1",
    "'x' | int(7)", "3.9 | int", "'a\\nb\\n\\nc' | indent(2)", "'a\\nb' | indent(2, true)", "'a\\n\\nb' | indent(1, blank=true)", "'a' | safe ~ 'b'", "x is none is none", "x is none if true", "1 | indent", "x | int", "{'a': 1} in {'a': 1}", "tools[1:]", "[1] < [2]", "2.5 is odd", "'a' % x", "(messages | map(attribute='content'))[0]", "[] | select | default(['x'], true) | join", "messages | map(attribute='role') is sequence", "messages | map(attribute='role') is iterable",
    "messages | map(attribute='role') | length", "messages | map(attribute='role') | tojson", "messages | map(attribute='role') | list | tojson", "{'a': 1}.items() | map(attribute='0') | join",
    "messages | map(attribute='x', default=none) | join", "'a\r\nb' | indent(2)", "'x' | int(default=none)", "joiner is defined", "{'copy': 5}.copy", "range(-9223372036854775807 - 1) | join",
    "'Grüße' | last ~ 'Grüße' | first", "[1, 2] | reverse is true", "messages[0].items() | length", "{'a': 1} | items | list | length", "x | items | list | length",
    "[1, 'a', none, true, 1.5, {'k': [1]}] | tojson", "{'a': [1, 2], 'b': {}} | tojson(indent=2)", "'é\"\\\\\\n\\x07\\x7f<&>' | tojson", "[] | tojson(indent=4)", "x | tojson",
    "' a b  c '.split() | join('|')", "'a,b,c'.split(',', 1) | join('|')", "'a,b,c'.rsplit(',', 1)[0]", "' a b  c '.split(none, 1) | last ~ '.'", "' a b  c '.rsplit(none, 1) | first ~ '.'", "'a,b'.split(sep=',')[1]",
    "''.split() | length", "''.split(',') | length", "'  ab '.strip() ~ '|'", "'xaax'.lstrip('x')", "'xaax'.rstrip('xa')", "'abc'.startswith('ab')", "'abc'.startswith(('x', 'a'))", "'abc'.endswith('d')", "'a'.upper() ~ 'B'.lower()",
    "'abcabc'.find('c')", "'äbcabc'.rfind('c')", "'abc'.find('z')", "'aXbX'.count('X')", "', '.join(['a', 'b'])", "'aaa'.replace('a', 'b', 1)", "'<think>x'.removeprefix('<think>')", "'a.txt'.removesuffix('.txt')", "'{}-{}'.format(1, 'a')",
    "'hello world'.title()", "'hELLO'.capitalize()", "'a'.nothing is defined", "'a'.nothing()", "messages[0].items() | list | length", "messages[0].keys() | join(',')", "messages[0].values() | list | length", "messages[0].content.strip().split('\\n')[0]",
    "dict(a=1).a", "namespace(a=2).a", "namespace({'a': 3}).a", "range(3) | join", "range(5, 1, -2) | join", "range(1, 4) | list | length", "range(1000000)", "[1] + [2] | list | length", "([1] + [2]) | join", "'%s' % 1", "'a' * 3", "3 * [1]",
    "{1: 2}", "{'a': 1}['a']", "{'a': 1}.a", "{'items': 1}['items']", "messages[0].role == 'user' and 'yes' or 'no'", "'' or 'b'", "'a' and 'b'", "none and x.y", "-1 | abs", "- 1 + 2", "+3", "[[1, 2], [3]][0][1]", "messages[0] == messages[0]",
    "'a' 'b' ~ 'c'", "('a',) | length", "() | length", "1, 2, 3", "messages[:1] | length", "messages[1:] | length", "messages[-1:][0].role", "messages[messages | length - 1].role", "1.0 == 1 and 1.5 > 1", "7.5 // 2", "'x' if messages | length > 1 else 'y'",
    "loop is defined", "bos_token ~ eos_token ~ (unk_token or '')", "cls_token is defined", "messages.0.role", "1 is not none", "'a' is not string", "not not 1", "(not 0) and 2",
]

if __name__ == "__main__":
    templates = WHOLE + ["{{ " + expression + " }}" for expression in EXPRESSIONS]
    cases = [{"template": template, "written": [written(template, chat) for chat in CHATS]} for template in templates]
    text = json.dumps({"chats": CHATS, "cases": cases}, ensure_ascii=False, indent=1)
    (pathlib.Path(__file__).parent / "cases.json").write_text(text + "\n")

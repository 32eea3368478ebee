# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what your own script saw as a trace, which NAtScope opens like its own.

Whatever decides how long tokens stay, in any framework, can be looked at this way. With learned roles:

    from natscope_trace import texts_of, write_trace

    texts, names = texts_of(tokenizer, ids)              # of Hugging Face's transformers
    write_trace("run.safetensors", tokens=ids, texts=texts, names=names,
                roles=roles, window=16,                  # [layers, KV heads, T]: 0 Global, 1 Local, 2 Sliding
                heads=12, head_dim=64,
                maps={(0, 3): attentions[0][0, 3]})      # layer 0, query head 3: [T, T]

and with a method that has none, by what it dropped:

    write_trace("run.safetensors", tokens=ids, texts=texts, names=names, head_dim=128, heads=32,
                method="Keyformer 512", dropped_after=dropped) # [layers, KV heads, T]

Then `natscope run.safetensors` shows it, and `natscope-cli export --from run.safetensors …` draws it. Needs numpy.
"""

import hashlib
import json
import os
import tempfile
import warnings

import numpy as np

GLOBAL, LOCAL, SLIDING = 0, 1, 2

_MOST_TEXT_BYTES = 16 << 20  # of all texts: more are not read


def write_trace(path, *, tokens, roles=None, window=None, method=None, dropped_after=None, texts=None, names=None,
                heads=None, head_dim=None, dtype="float32", probability=None, scores=None, global_bias=None, maps=None,
                allocated_bytes=None, prompt_tokens=None, model_sha256="", seed=0):
    """Writes one run over T tokens to `path`, whole or not at all.

    tokens           [T] token ids, prompt and generated ones.
    roles            [layers, KV heads, T], each GLOBAL, LOCAL or SLIDING; `window` is W, which Sliding needs.
    method           what decided in place of roles, a name for titles ("Keyformer 512"), with
    dropped_after    [layers, KV heads, T]: the step (position of the query) after which each token's entry was gone
                     from that head's cache, -1 where it is still there. A prompt that is compressed in one go drops
                     its tokens after its last one.
    texts            [T] what each token adds to the text; `names`: {id: name} of those that add nothing ("<s>").
    heads, head_dim  query heads of a layer, and the size of one; without head_dim the cache is counted in entries only.
    dtype            of keys and values: "float32", "bfloat16" or "float16".
    probability      [T] that the model gave each token before it came; 0: not known, as of the first.
    scores           [layers, KV heads, T, 3] role scores, before `global_bias` is added to Global's.
    maps             {(layer, query head): [T, T] attention weights}, row = query. What a head had dropped has weight 0.
    allocated_bytes  [T] what an allocator held after each step. Leave it out where none was asked: it is shown as measured.
    prompt_tokens    how many of the tokens are the prompt; without it, all.
    model_sha256     which weights, for figures' metadata.

    Raises ValueError for what contradicts itself: it says what is wrong.
    """
    tokens = _integers("tokens", tokens, 1)
    length = tokens.size
    if length == 0 or tokens.min() < 0 or tokens.max() > 0x7FFFFFFF:
        raise ValueError("tokens: at least one id, none below 0")
    if (roles is None) == (dropped_after is None):
        raise ValueError("either roles, or a method and its dropped_after")
    if (method is None) != (dropped_after is None):
        raise ValueError("a method and its dropped_after go together")

    if roles is not None:
        roles = _integers("roles", roles, 3, last=length)
        last = _last_steps(roles, window)
    else:
        last = _integers("dropped_after", dropped_after, 3, last=length)
        _check_dropped(last)
        roles = np.zeros(last.shape, np.uint8)
    layers, kv_heads, _ = roles.shape
    if layers < 1 or kv_heads < 1:
        raise ValueError("roles and dropped_after: at least one layer and one KV head")
    _check_numbers(heads=(heads, 1, 1 << 20), head_dim=(head_dim, 1, 1 << 20), window=(window, 0, (1 << 31) - 1),
                   prompt_tokens=(prompt_tokens, 0, length), seed=(seed, 0, (1 << 64) - 1))
    if heads is not None and heads % kv_heads != 0:
        raise ValueError(f"heads: {heads} query heads do not share {kv_heads} KV heads evenly")
    if method is not None:
        method = _checked_method(method)
    model_sha256 = _checked_line("model_sha256", model_sha256)

    steps = np.arange(length)
    gone_at = np.where(last < 0, length, last)  # after this step; `length`: never
    entries = np.empty((length, layers, kv_heads), "<i4")  # held after each step
    for layer, head in np.ndindex(layers, kv_heads):
        gone = np.cumsum(np.bincount(gone_at[layer, head], minlength=length + 1)[:length])
        entries[:, layer, head] = steps + 1 - gone

    metadata = {
        "format": "natscope-trace", "version": "1",
        "maps": ",".join(f"{layer}.{head}" for layer, head in sorted(maps or {})),
        "window": "" if window is None else str(int(window)),
        "dtype": dtype, "seed": str(int(seed)), "model_sha256": model_sha256,
        "prompt_sha256": hashlib.sha256(",".join(map(str, tokens[:prompt_tokens])).encode()).hexdigest(),
        "natscope_version": "natscope_trace.py",
        "policy": "model" if method is None else method,
    }
    if dtype not in ("float32", "bfloat16", "float16"):
        raise ValueError(f"dtype: {dtype} is none of float32, bfloat16, float16")
    for key, value in (("heads", heads), ("head_dim", head_dim), ("prompt_tokens", prompt_tokens)):
        if value is not None:
            metadata[key] = str(int(value))
    if global_bias is not None:
        if not np.isfinite(global_bias):
            raise ValueError(f"global_bias: {global_bias} is no number")
        metadata["global_bias"] = repr(float(global_bias))
    _add_texts(metadata, texts, names, length)

    allocated = np.zeros(length) if allocated_bytes is None else _integers("allocated_bytes", allocated_bytes, 1, length)
    if (allocated < 0).any():
        raise ValueError("allocated_bytes: none below 0")
    tensors = [
        ("tokens", "I64", tokens.shape, [tokens.astype("<i8")]),
        ("roles", "U8", roles.shape, [roles.astype("u1")]),
        ("kv_entries", "I32", entries.shape, [entries]),
        ("kv_allocated_bytes", "I64", (length,), [allocated.astype("<i8")]),
    ]
    if method is not None:
        tensors += _evicted(last, length)
    if probability is not None:
        values = _reals("probability", probability, (length,))
        if not ((values >= 0) & (values <= 1)).all():
            raise ValueError("probability: all from 0 to 1")
        tensors.append(("probability", "F32", values.shape, [values]))
    if scores is not None:
        values = _reals("scores", scores, (layers, kv_heads, length, 3))
        tensors.append(("scores", "F32", values.shape, [values]))
    if maps:
        shape = (len(maps), length, length)
        checked = {}
        for (layer, head), weights in sorted(maps.items()):
            shared = (heads or kv_heads) // kv_heads
            if not (0 <= layer < layers and 0 <= head < shared * kv_heads):
                raise ValueError(f"maps: there is no head {layer}.{head}")
            seen_until = gone_at[layer, head // shared]
            visible = (steps[None, :] <= steps[:, None]) & (steps[:, None] <= seen_until[None, :])
            checked[layer, head] = (_checked_map(layer, head, weights, visible), visible)
        tensors.append(("attention", "F32", shape, (weights for weights, _ in checked.values())))
        tensors.append(("visible", "U8", shape, (visible.astype("u1") for _, visible in checked.values())))
    _write_safetensors(path, tensors, metadata)


def texts_of(tokenizer, ids):
    """What each token adds to the text, and the names of those that add nothing: `texts` and `names` for write_trace.

    tokenizer: one of transformers. The texts, joined, are the whole text without its special tokens; of a character that
    several tokens make up, the last one has it.
    """
    ids = [int(token) for token in ids]
    special = set(tokenizer.all_special_ids)
    texts, begin, shown = [], 0, ""
    for i, token in enumerate(ids):
        text = tokenizer.decode(ids[begin:i + 1], skip_special_tokens=True, clean_up_tokenization_spaces=False)
        is_whole = not text.endswith("\ufffd") or i + 1 == len(ids)
        alone = tokenizer.decode([token], skip_special_tokens=True, clean_up_tokenization_spaces=False)
        if not is_whole or (token in special and not alone):
            texts.append("")
            continue
        texts.append(text[len(shown):] if text.startswith(shown) else alone)
        if "\ufffd" in alone:
            shown = text  # a part of a character: what comes behind it must not begin in its middle
        else:
            begin, shown = i, alone  # from this token on, so that what follows keeps its blank
    silent = {token for token, text in zip(ids, texts) if not text}
    # A padded vocabulary has ids without a name.
    return texts, {token: tokenizer.convert_ids_to_tokens(token) or f"<id {token}>" for token in sorted(silent)}


def _check_numbers(**given):
    for name, (value, least, most) in given.items():
        if value is None:
            continue
        if isinstance(value, bool) or int(value) != value or not least <= value <= most:
            raise ValueError(f"{name}: a whole number from {least} to {most}, not {value!r}")


def _checked_line(name, text):
    if not isinstance(text, str) or any(ord(c) < 0x20 for c in text):
        raise ValueError(f"{name}: a text without control characters, not {text!r}")
    return text


def _checked_method(method):
    """A name for titles that no policy with roles has: those say themselves what is held."""
    method = _checked_line("method", method)
    if len(method.encode()) > 100:
        raise ValueError("method: at most 100 bytes, it stands in titles")
    if method.split(":")[0] in ("", "model", "full", "window", "longformer", "streaming"):
        raise ValueError(f"method: {method!r} is a policy whose roles say what is held; call it otherwise, or give roles")
    return method


def _integers(name, values, dimensions, last=None):
    array = np.asarray(_on_host(values))
    if array.ndim != dimensions or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(f"{name}: {dimensions} dimensions of whole numbers, not {array.ndim} of {array.dtype}")
    if last is not None and array.shape[-1] != last:
        raise ValueError(f"{name}: its last dimension is {array.shape[-1]}, and there are {last} tokens")
    return array.astype(np.int64)


def _reals(name, values, shape):
    array = np.asarray(_on_host(values), "<f4")
    if array.shape != tuple(shape):
        raise ValueError(f"{name}: {array.shape} where {tuple(shape)} was expected")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: holds what is no number")
    return array


def _on_host(values):
    """A PyTorch tensor on any device, of any type (numpy knows no bfloat16); everything else as it is."""
    if not hasattr(values, "detach"):
        return values
    values = values.detach().cpu()
    return (values.float() if values.is_floating_point() else values).numpy()


def _last_steps(roles, window):
    """The step after which each token's entry is gone, -1: never. Sections 4 and 5 of the method's rules: a Global
    stays, a Local goes with the next Global, which still sees it, a Sliding after W more queries."""
    if roles.size and (roles.min() < GLOBAL or roles.max() > SLIDING):
        raise ValueError("roles: 0 (Global), 1 (Local) and 2 (Sliding) only")
    if (roles == SLIDING).any() and (window is None or window < 0):
        raise ValueError("window: Sliding tokens need one, 0 or more")
    length = roles.shape[-1]
    steps = np.arange(length)
    # From behind: the nearest Global at or after each place, then that after it.
    at_or_after = np.where(roles == GLOBAL, steps, length)
    at_or_after = np.flip(np.minimum.accumulate(np.flip(at_or_after, -1), axis=-1), -1)
    next_global = np.concatenate([at_or_after[..., 1:], np.full(roles.shape[:-1] + (1,), length)], axis=-1)
    last = np.where(roles == LOCAL, next_global, np.where(roles == SLIDING, steps + (window or 0), length))
    return np.where(last < length, last, -1)


def _check_dropped(last):
    length = last.shape[-1]
    bad = (last < -1) | (last >= length) | ((last >= 0) & (last < np.arange(length)))
    if bad.any():
        layer, head, token = np.argwhere(bad)[0]
        raise ValueError(f"dropped_after: token {token} of layer {layer}, KV head {head} is dropped after step "
                         f"{last[layer, head, token]}: not before its own, nor after the last one ({length - 1})")


def _evicted(last, length):
    layer, head, token = np.nonzero(last >= 0)
    step = last[layer, head, token]
    order = np.argsort(step, kind="stable")
    entries = np.stack([layer, head, token], axis=1)[order].astype("<i4")
    ends = np.cumsum(np.bincount(step, minlength=length)).astype("<i8")
    return [("evicted", "I32", entries.shape, [entries]), ("evicted_ends", "I64", (length,), [ends])]


def _checked_map(layer, head, weights, visible):
    weights = _reals(f"maps: {layer}.{head}", weights, visible.shape)
    if (weights < 0).any():
        raise ValueError(f"maps: {layer}.{head} has weights below 0")
    wrong = np.argwhere((weights != 0) & ~visible)
    if wrong.size:
        query, key = wrong[0]
        raise ValueError(f"maps: in {layer}.{head} query {query} has weight {weights[query, key]:g} on key {key}, which "
                         "roles or dropped_after say is not there any more, or comes later")
    return weights


def _add_texts(metadata, texts, names, length):
    if texts is None:
        return
    texts = list(texts)
    if len(texts) != length:
        raise ValueError(f"texts: {len(texts)}, and there are {length} tokens")
    if not all(isinstance(text, str) for text in [*texts, *(names or {}).values()]):
        raise ValueError("texts and names: all of them str")
    shown = json.dumps(texts, ensure_ascii=False, separators=(",", ":"))
    if len(shown.encode()) > _MOST_TEXT_BYTES:
        warnings.warn("the texts are longer than NAtScope reads (16 MiB) and are left out")
        return
    metadata["token_texts"] = shown
    metadata["token_names"] = json.dumps({str(token): name for token, name in (names or {}).items()},
                                         ensure_ascii=False, separators=(",", ":"))


def _write_safetensors(path, tensors, metadata):
    """`tensors`: (name, type, shape, arrays that follow each other). By hand, so that maps need not be in one piece."""
    header, end = {"__metadata__": metadata}, 0
    size_of = {"U8": 1, "I32": 4, "F32": 4, "I64": 8}
    for name, kind, shape, _ in tensors:
        begin, end = end, end + size_of[kind] * int(np.prod(shape, dtype=np.int64))
        header[name] = {"dtype": kind, "shape": [int(n) for n in shape], "data_offsets": [begin, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    folder = os.path.dirname(os.path.abspath(path))
    handle, unfinished = tempfile.mkstemp(dir=folder, prefix=".natscope-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for _, _, _, arrays in tensors:
                for array in arrays:
                    file.write(np.ascontiguousarray(array).data)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(unfinished, 0o666 & ~mask)  # mkstemp's are for their owner alone
        os.replace(unfinished, path)
    except BaseException:
        os.unlink(unfinished)
        raise

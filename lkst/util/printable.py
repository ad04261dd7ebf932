# SPDX-License-Identifier: GPL-2.0-or-later
"""
Printable text
--------------

Names and messages in a dump may hold anything: terminal escapes, bidirectional controls,
invalid characters. Turn them into text that a terminal can show.
"""

import json

from lkst.util.quoting import quote, well_formed

__all__ = ("as_json", "clean", "comm_word", "quoted", "word")

_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

# In a bare word these would be taken for something else.
_SPECIAL = frozenset(" =\"\\'")

# The same, where --comm is given the word.
_COMM_SPECIAL = _SPECIAL | frozenset("*?[,\ufffd")


def clean(text: str) -> str:
    r"""Show everything that is not printable as ``\n``, ``\x1b``, ``\u202e``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def quoted(text: str) -> str:
    """Show a text in quotes, as C and JSON write it."""
    return '"' + clean(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def word(text: str) -> str:
    """Show a name as one word: bare if it can be, else in quotes."""
    if text and text.isprintable() and _SPECIAL.isdisjoint(text):
        return text
    return quoted(text)


def comm_word(text: str) -> str:
    r"""
    Show the name of a task as one word, which ``lkst.util.quoting`` reads as this name alone.

    ``\xNN`` above 7f is a byte that is not part of UTF-8; characters are ``\uNNNN``.
    """
    if text and text.isprintable() and _COMM_SPECIAL.isdisjoint(text):
        return text
    return quote(text)


def as_json(value: object, indent: int | None = None) -> str:
    """
    Write JSON that is safe on a terminal: json itself does not escape DEL.

    What is not UTF-8 becomes U+FFFD: readers refuse halves of surrogates.
    """
    text = json.dumps(value, indent=indent)
    if "\\udc" in text:
        text = json.dumps(_well_formed(value), indent=indent)
    return text.replace("\x7f", "\\u007f")


def _well_formed(value: object) -> object:
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, dict):
        return {_well_formed(key): _well_formed(one) for key, one in value.items()}
    return [_well_formed(one) for one in value] if isinstance(value, list | tuple) else value


def _escape(char: str) -> str:
    code = ord(char)
    if char in _ESCAPES:
        return _ESCAPES[char]
    if 0xDC80 <= code < 0xDD00:
        # A byte that is not UTF-8.
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

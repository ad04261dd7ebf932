# SPDX-License-Identifier: GPL-2.0-or-later
"""
Text from the kernel
--------------------

Names and messages out of a dump may hold anything: terminal escapes, characters
that turn the direction of writing, halves of characters. Here they become text
that a terminal can show.
"""

import json

__all__ = ("as_json", "clean", "quoted", "word")

_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

# In a bare word these would be taken for something else.
_SPECIAL = frozenset(" =\"\\'")


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


def as_json(value: object, indent: int | None = None) -> str:
    """Write JSON that a terminal can show: json itself leaves DEL as it is."""
    return json.dumps(value, indent=indent).replace("\x7f", "\\u007f")


def _escape(char: str) -> str:
    code = ord(char)
    if char in _ESCAPES:
        return _ESCAPES[char]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

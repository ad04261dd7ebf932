# SPDX-License-Identifier: GPL-2.0-or-later
"""
Names as users write them
-------------------------

A name in double quotes is literal; without quotes it may be a shell pattern. Task names are
arbitrary bytes: bytes that are not UTF-8 become surrogates as in os.fsdecode(), so that no two
names become equal.
"""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
import re

from lkst.errors import Usage

__all__ = (
    "escape_pattern",
    "matches",
    "quote",
    "split_patterns",
    "unescape_pattern",
    "unescape_quoted",
    "well_formed",
)

# A name in quotes, whole or the beginning of one; else all up to the next comma.
_ITEM = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"(\*?)|((?!\s*")[^,]*))\s*(,|$)', re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|(.))", re.DOTALL
)
_ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "\\": b"\\", '"': b'"'}
_MARKS = {raw.decode(): f"\\{letter}" for letter, raw in _ESCAPES.items()}
# U+FFFD stands in JSON for bytes that are not UTF-8: by itself it is a pattern too.
_SPECIAL = re.compile("[*?[\ufffd]")
_LITERAL = re.compile("\\[([*?[\ufffd])\\]")


def split_patterns(text: str, what: str) -> list[str]:
    r"""
    Split a list of names and shell patterns at its commas.

    What stands in double quotes is meant as it is, with the escapes of :func:`unescape_quoted`;
    a ``*`` behind the quotes stands for any end.

    :param what: the parts are, for the user
    :return: shell patterns, in which a name in quotes matches itself alone
    :raises Usage: if a part is missing, or the quotes or their content are invalid
    """
    return list(_patterns(text, what))


def _patterns(text: str, what: str) -> Iterator[str]:
    position, more = 0, ","
    while more:
        match = _ITEM.match(text, position)
        if not match:
            raise Usage(
                f'{text!r} is not a list of {what}s: expected a comma after a quoted part: "a b",c'
            )
        inner, star, bare, more = match.groups()
        if inner is not None:
            yield escape_pattern(unescape_quoted(inner)) + star
        elif part := bare.strip():
            yield part
        else:
            raise Usage(f"a {what} is missing in {text!r}")
        position = match.end()


def unescape_quoted(text: str) -> str:
    r"""
    Read what stands between double quotes, as a replay writes it.

    ``\xNN`` is a byte, ``\uNNNN`` and ``\UNNNNNNNN`` are characters; there are ``\n``, ``\r``,
    ``\t``, ``\\`` and ``\"``.

    :return: bytes that are not UTF-8 as surrogates, as os.fsdecode() gives them
    :raises Usage: if an escape is none of these, or stands for no character or a zero byte
    """
    raw = b""
    position = 0
    try:
        for match in _ESCAPE.finditer(text):
            byte, short, long, other = match.groups()
            raw += text[position : match.start()].encode("utf-8", "surrogateescape")
            if byte:
                raw += bytes([int(byte, 16)])
            elif other:
                raw += _ESCAPES[other]
            else:
                raw += chr(int(short or long, 16)).encode()
            position = match.end()
        raw += text[position:].encode("utf-8", "surrogateescape")
    except KeyError:
        raise Usage(f"{match[0]!r} is not an escape: use \\\\ for a backslash") from None
    except (UnicodeEncodeError, ValueError, OverflowError):
        raise Usage(f"{text!r} has an invalid escape") from None
    if b"\0" in raw:
        raise Usage("a name cannot contain a zero byte")
    return raw.decode("utf-8", "surrogateescape")


def quote(name: str) -> str:
    """Write a name as :func:`unescape_quoted` reads it, in quotes and printable."""
    return f'"{"".join(c if c.isprintable() and c not in _MARKS else _escaped(c) for c in name)}"'


def _escaped(char: str) -> str:
    if char in _MARKS:
        return _MARKS[char]
    code = ord(char)
    if 0xDC80 <= code < 0xDD00:
        # A byte that is not UTF-8.
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def escape_pattern(name: str) -> str:
    """Return the shell pattern that matches only one name."""
    return _SPECIAL.sub(r"[\g<0>]", name)


def unescape_pattern(pattern: str) -> str | None:
    """Return the only name that a pattern of :func:`split_patterns` matches; None: several."""
    rest = _LITERAL.sub("", pattern)
    return None if re.search("[*?[]", rest) else _LITERAL.sub(r"\1", pattern)


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a name matches one of some patterns of :func:`split_patterns`."""
    return any(
        fnmatchcase(name, pattern)
        # As JSON and SQL show it, where the pattern has U+FFFD and not in quotes.
        or ("\ufffd" in pattern.replace("[\ufffd]", "") and fnmatchcase(well_formed(name), pattern))
        for pattern in patterns
    )


def well_formed(text: str) -> str:
    """Return a text that can be encoded: U+FFFD replaces bytes that are not UTF-8."""
    if text.isascii():
        return text
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "surrogatepass")
    return raw.decode("utf-8", "replace")

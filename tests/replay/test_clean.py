# SPDX-License-Identifier: GPL-2.0-or-later
"""Text from the kernel is safe to show."""

import json

from hypothesis import given
from hypothesis import strategies as st
import pytest

from lkst.util.printable import as_json, clean, quoted, word


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("\n\r\t\0\x7f", r"\n\r\t\x00\x7f"),
        ("\x9b2J", r"\x9b2J"),
        ("abc\u202egpj", r"abc\u202egpj"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
        ("Grüße 漢字", "Grüße 漢字"),
        ("back\\slash", "back\\slash"),
    ],
)
def test_clean(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sh", "sh"),
        ("kworker/u8:0", "kworker/u8:0"),
        ("", '""'),
        ("Web Content", '"Web Content"'),
        ("a=b", '"a=b"'),
        ('say "hi"', r'"say \"hi\""'),
        ("a\\b", r'"a\\b"'),
        ("\x1b[2J", r'"\x1b[2J"'),
    ],
)
def test_word(text: str, shown: str) -> None:
    assert word(text) == shown


def test_quoted() -> None:
    assert quoted("/bin/sh") == '"/bin/sh"'
    assert quoted('a\n"b"\\') == r'"a\n\"b\"\\"'


@given(st.text())
def test_nothing_unprintable_is_shown(text: str) -> None:
    assert clean(text).isprintable()
    assert quoted(text).isprintable()
    assert word(text).isprintable()


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_json_keeps_the_text_and_shows_nothing_unprintable(text: str) -> None:
    assert as_json(text).isprintable()
    assert as_json(text).isascii()
    assert json.loads(as_json(text)) == text

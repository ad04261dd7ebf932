# SPDX-License-Identifier: GPL-2.0-or-later
"""Records typed by the BTF that programs bring, made by hand."""

import struct

from drgn_plugins.lkst_btf import BTF
from lkst.locate.btftypes import typed_by

INT, PTR, ARRAY, STRUCT, ENUM, TYPEDEF = 1, 2, 3, 4, 6, 8


class Made:
    """A .BTF section."""

    def __init__(self) -> None:
        self.types = b""
        self.strings = b"\0"
        self.count = 0

    def string(self, text: str) -> int:
        at = len(self.strings)
        self.strings += text.encode() + b"\0"
        return at if text else 0

    def add(self, kind: int, name: str, size: int, *words: int, vlen: int = 0) -> int:
        head = (self.string(name), kind << 24 | vlen, size)
        self.types += struct.pack(f"<{3 + len(words)}I", *head, *words)
        self.count += 1
        return self.count

    def struct(self, name: str, size: int, *members: tuple[str, int, int]) -> int:
        words = [word for n, type_, at in members for word in (self.string(n), type_, at * 8)]
        return self.add(STRUCT, name, size, *words, vlen=len(members))

    def btf(self) -> BTF:
        sizes = (0, len(self.types), len(self.types), len(self.strings))
        head = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, *sizes)
        return BTF(head + self.types + self.strings)


def made() -> Made:
    btf = Made()
    u64 = btf.add(INT, "unsigned long", 8, 64)
    s32 = btf.add(INT, "int", 4, 1 << 24 | 32)
    char = btf.add(INT, "char", 1, 1 << 24 | 8)
    comm = btf.add(ARRAY, "", 0, char, s32, 8)
    raw = btf.add(ARRAY, "", 0, s32, s32, 2)
    pid = btf.add(TYPEDEF, "pid_t", s32)
    inner = btf.struct("place", 8, ("x", s32, 0), ("y", s32, 4))
    btf.struct(
        "event",
        48,
        ("ts_ns", u64, 0),
        ("comm", comm, 8),
        ("pid", pid, 16),
        ("code", s32, 20),
        ("at", inner, 24),
        ("raw", raw, 32),
        ("where", btf.add(PTR, "", u64), 40),
    )
    return btf


def test_a_record_of_the_only_size_there_is() -> None:
    typed = typed_by([made().btf()])
    data = struct.pack("<Q8siiii8sQ", 77, b"sh\0xx", 12, -5, 3, -4, b"abcdefgh", 0xFFFF)
    assert typed(data) == (
        "event",
        {
            "ts_ns": 77,
            "comm": "sh",
            "pid": 12,
            "code": -5,
            "at.x": 3,
            "at.y": -4,
            "raw": "0x6162636465666768",
            "where": "0xffff000000000000",
        },
    )


def test_a_size_that_none_or_several_have() -> None:
    btf = made()
    btf.struct("other", 48, ("x", 1, 0))
    typed = typed_by([btf.btf()])
    assert typed(bytes(48)) is None
    assert typed(bytes(47)) is None
    # The same name in two programs is one type.
    assert typed_by([made().btf(), made().btf()])(bytes(48)) is not None

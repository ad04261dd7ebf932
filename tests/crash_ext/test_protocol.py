# SPDX-License-Identifier: GPL-2.0-or-later
"""The protocol's numbers, which three languages and two interpreters have of their own."""

import re

from dumps import ROOT

from lkst.hosts import crash_bridge as bridge

FOLDER = ROOT / "crash_ext"


def test_the_same_numbers_everywhere() -> None:
    header = (FOLDER / "lkst.h").read_text()
    program = (FOLDER / "lkst_pykdump.py").read_text().splitlines()
    page = (FOLDER / "PROTOCOL.md").read_text()

    kinds = {"HELLO": bridge.HELLO, "READ": bridge.READ, "NEXT": bridge.NEXT, "BYE": bridge.BYE}
    assert dict(re.findall(r"LKST_(\w+) = (\d),", header)) == {k: str(v) for k, v in kinds.items()}
    assert dict(re.findall(r"^\| (\d) ([A-Z]+) \|", page, re.M)) == {
        str(v): k for k, v in kinds.items()
    }
    assert "HELLO, READ, NEXT, BYE = range(1, 5)" in program

    assert f"#define LKST_PROTOCOL {bridge.VERSION}\n" in header
    assert f"#define LKST_MAGIC {bridge.MAGIC:#x}ULL" in header
    assert "#define LKST_MAX_READ (1U << 20)" in header
    assert bridge.MAX_READ == 1 << 20
    assert f"VERSION = {bridge.VERSION}" in program
    assert f"MAGIC = 0x{bridge.MAGIC:X}" in program
    assert "MAX_READ = 1 << 20" in program
    for name in ("REQUEST", "REPLY"):
        assert f'{name} = struct.Struct("{getattr(bridge, name).format}")' in program
    assert f"address: {bridge.MAGIC:#x}" in page
    assert f"version {bridge.VERSION}\n" in page

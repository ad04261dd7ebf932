# SPDX-License-Identifier: GPL-2.0-or-later
"""
Dump files
----------

Reads dump files without a library: which format a file has, which physical memory
it holds, and what is missing of it. A whole file is read by drgn and libkdumpfile,
which are faster. These readers take what those refuse, or would die of: files that
are cut off, parts of a split dump, compressed files, and formats that they do not
know.

``open_dump(paths)`` is the entrance; it gives a :class:`lkst.dump.dump.Dump`.
"""

from lkst.dump.dump import Dump, Missing, MissingLibrary
from lkst.dump.open import is_dump, looks_like_dump, open_dump
from lkst.dump.parts import split_identity

__all__ = (
    "Dump",
    "Missing",
    "MissingLibrary",
    "is_dump",
    "looks_like_dump",
    "open_dump",
    "split_identity",
)

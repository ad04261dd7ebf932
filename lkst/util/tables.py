# SPDX-License-Identifier: GPL-2.0-or-later
"""
Tables
------

Plain text tables: columns padded with blanks, no lines.
"""

from collections.abc import Iterable, Sequence

from tabulate import tabulate

__all__ = ("plain_table",)

_ALIGN = {"l": "left", "r": "right"}


def plain_table(
    rows: Iterable[Sequence[object]], columns: Sequence[str] = (), align: str = ""
) -> str:
    """
    Format a table. Cells are shown by :func:`str`, unchanged.

    :param columns: headings; empty: no heading
    :param align: ``l`` or ``r`` for each column; empty: all to the left
    :return: lines, without a newline at the end
    """
    cells = list(rows)
    return tabulate(
        cells,
        columns,
        tablefmt="plain",
        disable_numparse=True,
        # tabulate refuses alignments of a table without rows.
        colalign=[_ALIGN[letter] for letter in align] if cells and align else None,
    )

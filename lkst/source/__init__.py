# SPDX-License-Identifier: GPL-2.0-or-later
"""
Sources
-------

Where traces come from. Each source yields the traces of the recorders that it holds.
"""

from lkst.source.source import open_source

__all__ = ("open_source",)

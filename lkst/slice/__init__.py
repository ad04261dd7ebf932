# SPDX-License-Identifier: GPL-2.0-or-later
"""
Slices
------

The smallest vmcore that still replays, cut out of a vmcore.
"""

from lkst.slice.cut import SliceResult, cut_slice

__all__ = ("SliceResult", "cut_slice")

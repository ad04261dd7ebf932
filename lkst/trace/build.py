# SPDX-License-Identifier: GPL-2.0-or-later
"""
Building a trace
----------------

From a recorder's memory and the facts about its machine to a Trace.
"""

from lkst.decode.catalogue import parse_catalogue
from lkst.decode.image import Image
from lkst.trace.facts import Facts
from lkst.trace.trace import Trace

__all__ = ("build_trace",)


def build_trace(image: Image, facts: Facts) -> Trace:
    """
    Decode a recorder's memory, its records when they are asked for.

    :raises Damaged: if not even its header can be used
    """
    return Trace(image, parse_catalogue(image.catalogue), facts)

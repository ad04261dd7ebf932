# SPDX-License-Identifier: GPL-2.0-or-later
"""
Errors
------

What a user is told when something cannot be done: one line, and an exit status.
"""

__all__ = ("Damaged", "LkstError", "NotFound", "Usage")


class LkstError(Exception):
    """Something cannot be done; its text is for the user."""

    status = 1


class NotFound(LkstError):
    """The source holds no recorder, or nothing matched."""

    status = 1


class Usage(LkstError):
    """What was asked for does not make sense."""

    status = 2


class Damaged(LkstError):
    """The source is damaged or cannot be read."""

    status = 3

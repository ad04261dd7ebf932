# SPDX-License-Identifier: GPL-2.0-or-later
"""
Reasons
-------

Why the kernel refused parts of the recorder that runs. The command that tried it is
gone when somebody asks, so it leaves the reasons in a file.
"""

from collections.abc import Mapping
import contextlib
import json
from pathlib import Path

from lkst.decode.catalogue import Header
from lkst.errors import LkstError
from lkst.util.files import replacing

__all__ = ("TIMERS", "note_reasons", "read_reasons")

#: What works without a program of its own name is called in a reason.
TIMERS = "timers"

_FILE = Path("/run/lkst-refused.json")


def note_reasons(header: Header, reasons: Mapping[str, str], file: Path = _FILE) -> None:
    """
    Add reasons to those that are known.

    :param header: of the recorder; reasons of another one are dropped
    :param reasons: program -> reason
    """
    if not reasons:
        return
    known = read_reasons(header, file) | dict(reasons)
    # A command does not fail for it: status then has no reasons.
    with contextlib.suppress(LkstError), replacing(file) as out:
        out.write(json.dumps({"recorder": _key(header), "reasons": known}).encode())


def read_reasons(header: Header, file: Path = _FILE) -> dict[str, str]:
    """Return what is known of a recorder: program -> reason."""
    try:
        content = json.loads(file.read_bytes())
        if content["recorder"] != _key(header):
            return {}
        return {str(name): str(reason) for name, reason in content["reasons"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _key(header: Header) -> list[object]:
    return [header.boot_id, header.tag, header.start]

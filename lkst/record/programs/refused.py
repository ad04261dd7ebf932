# SPDX-License-Identifier: GPL-2.0-or-later
"""
Reasons
-------

Why the kernel refused parts of the running recorder. The command that loaded it has
exited by the time of a status, so it saves the reasons in a file.
"""

from collections.abc import Mapping
import contextlib
import json
from pathlib import Path

from lkst.decode.catalogue import Header
from lkst.errors import LkstError
from lkst.util.files import replacing

__all__ = ("TIMERS", "note_reasons", "read_reasons")

#: Key of the reason why there are no timers.
TIMERS = "timers"

_FILE = Path("/run/lkst-refused.json")


def note_reasons(header: Header, reasons: Mapping[str, str], file: Path = _FILE) -> None:
    """
    Add reasons to the saved ones.

    :param header: header of the recorder; reasons of another recorder are dropped
    :param reasons: program -> reason
    """
    if not reasons:
        return
    known = read_reasons(header, file) | dict(reasons)
    # Not an error: then status shows no reasons.
    with contextlib.suppress(LkstError), replacing(file) as out:
        out.write(json.dumps({"recorder": _key(header), "reasons": known}).encode())


def read_reasons(header: Header, file: Path = _FILE) -> dict[str, str]:
    """Return the saved reasons of a recorder: program -> reason."""
    try:
        content = json.loads(file.read_bytes())
        if content["recorder"] != _key(header):
            return {}
        return {str(name): str(reason) for name, reason in content["reasons"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _key(header: Header) -> list[object]:
    return [header.boot_id, header.tag, header.start]

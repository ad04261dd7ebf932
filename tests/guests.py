# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands that are run in a guest, and what they have said."""

from dataclasses import dataclass
import json
from typing import Any

from dumps import Dump

__all__ = ("TOOLS", "Guest", "Said")

# Runs each command, and keeps what it says: NAME.out, NAME.err, NAME.status.
TOOLS = r"""
try() {
	name=$1
	shift
	"$@" >"/out/$name.out" 2>"/out/$name.err"
	echo $? >"/out/$name.status"
}
user() {
	setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}
"""


@dataclass
class Said:
    """What a command of the script has said."""

    status: int
    out: str
    err: str


class Guest:
    """What the script has left."""

    def __init__(self, dump: Dump) -> None:
        self.dump = dump

    def __getitem__(self, name: str) -> Said:
        out, err, status = (
            (self.dump.out / f"{name}.{kind}").read_text() for kind in ("out", "err", "status")
        )
        assert "Traceback" not in err, err
        return Said(int(status), out, err)

    def records(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self[name].out.splitlines()]

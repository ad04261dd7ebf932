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
# The same of lines "NAME WORDS OF lkst", all in one process.
many() {
	PYTHONPATH=/lab/project python3 -c '
from contextlib import redirect_stderr, redirect_stdout
import shlex, sys
from lkst.cli import run

for line in sys.stdin.read().replace("\\\n", " ").splitlines():
    name, *words = shlex.split(line)
    with open(f"/out/{name}.out", "w") as out, open(f"/out/{name}.err", "w") as err:
        with redirect_stdout(out), redirect_stderr(err):
            status = run(words)
    with open(f"/out/{name}.status", "w") as file:
        print(status, file=file)
'
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

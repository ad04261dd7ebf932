# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands that are run in a guest, and what they have said."""

from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from dumps import Dump

__all__ = ("SERVED", "TOOLS", "Guest", "Said")

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


# From here on, lkst is run by a process that has it loaded: a third of a second instead of
# one and a half, for scripts of many commands. What is started by other programs ("timeout",
# "user"), and "command lkst", which can be killed, is a process that starts as usual.
SERVED = rf"""
mkdir /run/served
mkfifo /run/served/requests
cat >/run/served/lkst <<'END'
#!/bin/sh
mkfifo /run/served/$$ && echo $$ >/run/served/requests && read -r status </run/served/$$ &&
	exit "$status"
exit 70
END
cat >/run/served/serve.py <<'END'
{Path(__file__).with_name("served.py").read_text()}
END
chmod +x /run/served/lkst
# In a shell of its own, since scripts wait for all that they have started.
(
	export OPENBLAS_NUM_THREADS=1 PYTHONPATH=/lab/project
	python3 /run/served/serve.py </dev/null >/out/served 2>&1 &
)
lkst() {{
	/run/served/lkst "$@"
}}
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
        served = dump.out / "served"
        assert not served.exists() or served.read_text() == ""

    def __getitem__(self, name: str) -> Said:
        out, err, status = (
            (self.dump.out / f"{name}.{kind}").read_text() for kind in ("out", "err", "status")
        )
        assert "Traceback" not in err, err
        return Said(int(status), out, err)

    def records(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self[name].out.splitlines()]

# SPDX-License-Identifier: GPL-2.0-or-later
"""
Signals
-------

Who killed process 1, which makes the kernel panic: who sent the fatal signal, and who
acted on it before.
"""

from collections.abc import Iterator
import signal

import numpy as np

from lkst.state.model import State
from lkst.state.naming import Naming, who
from lkst.state.reports import message, troubles
from lkst.state.rules.base import Suspicion, rule
from lkst.trace.event_table import table
from lkst.util.printable import clean

__all__ = ()

_INIT = 1

#: Signals that are normal for any process: changes of children, of windows.
_HARMLESS = [signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH]

#: System calls that act on another task -> argument with its pid.
_ACTIONS = {
    "ptrace": "arg1",
    "process_vm_writev": "arg0",
    "kill": "arg0",
    "tkill": "arg0",
    "tgkill": "arg0",
}
_SIGNAL_OF = {"kill": "arg1", "tkill": "arg1", "tgkill": "arg2"}


@rule("init-killed")
def find_killers(state: State) -> Iterator[Suspicion]:
    """Name the tasks that acted on process 1 before it was killed."""
    trace = state.trace
    panics = [row for row in troubles(trace, "panic") if "kill init" in message(trace, row)]
    if not panics:
        return
    naming = Naming(trace)
    panic = panics[-1]
    text = clean(message(trace, panic))
    actions = _actions(state, naming)
    signals = table(trace, "signal_generate", "pid", "sig")
    deadly = ~np.isin(signals["sig"], _HARMLESS)
    to_init = signals.rows[(signals["pid"] == _INIT) & deadly].tolist()
    last = next((row for row in reversed(to_init) if row < panic), None)
    own = [row for row in (last, panic) if row is not None]
    if last is not None:
        sender = who(naming.comms([last])[0], int(trace.pid[last]))
        text += f"; its last signal ({naming.fields([last])[0]}) was sent by {sender}"
    hands: dict[int, list[int]] = {}
    for row in [*actions, *to_init]:
        if (pid := int(trace.pid[row])) not in (0, _INIT):
            hands.setdefault(pid, []).append(row)
    # The last one first.
    for pid, rows in sorted(hands.items(), key=lambda item: -max(item[1])):
        name = who(naming.comms([rows[-1]])[0], pid)
        described = sorted({_describe(naming, row) for row in rows})
        yield Suspicion(
            "init-killed",
            "fault",
            name,
            f"{text}; {name} acted on it before: {', '.join(described)}",
            int(trace.ts[min(rows)]),
            tuple(sorted({*rows[:4], *rows[-1:], *own})),
            -float(state.when - int(trace.ts[max(rows)])),
        )
    if not hands:
        yield Suspicion(
            "init-killed",
            "fault",
            who(state.task(_INIT).comm, _INIT),
            text,
            int(trace.ts[own[0]]),
            tuple(own),
            0.0,
        )


def _actions(state: State, naming: Naming) -> list[int]:
    # Rows of system calls that acted on process 1.
    calls = table(state.trace, "sys_enter", "nr", "arg0", "arg1", "arg2")
    rows = []
    for nr in np.unique(calls["nr"]).tolist():
        name = naming.named("syscall", nr)
        argument = _ACTIONS.get(name)
        if argument:
            own = calls.select(calls["nr"] == nr)
            taken = own[argument] == _INIT
            if (number := _SIGNAL_OF.get(name)) is not None:
                # kill() with signal 0 only checks whether the process exists.
                taken &= ~np.isin(own[number], [0, *_HARMLESS])
            rows += own.rows[taken].tolist()
    return sorted(rows)


def _describe(naming: Naming, row: int) -> str:
    fields = naming.fields([row])[0]
    call = next((part for part in fields.split() if part.startswith(("nr=", "sig="))), "")
    return call.partition("=")[2] or naming.event(row)

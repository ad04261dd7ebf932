# SPDX-License-Identifier: GPL-2.0-or-later
"""
Signals
-------

Who is behind the end of process 1, without which the kernel does not go on: who
sent what it died of, and who has had a hand in it before.
"""

from collections.abc import Iterator
import signal

import numpy as np

from lkst.state.model import State
from lkst.state.reports import message, troubles
from lkst.state.rules.base import Suspicion, rule
from lkst.state.tables import table
from lkst.state.words import Words, who
from lkst.util.printable import clean

__all__ = ()

_INIT = 1

#: What processes are told all the time: that a child has ended or changed, a window has.
_HARMLESS = [signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH]

#: System calls with which a task takes hold of another one: the argument that is its pid.
_GRIPS = {
    "ptrace": "arg1",
    "process_vm_writev": "arg0",
    "kill": "arg0",
    "tkill": "arg0",
    "tgkill": "arg0",
}
_SIGNAL_OF = {"kill": "arg1", "tkill": "arg1", "tgkill": "arg2"}


@rule("init-killed")
def find_killers(state: State) -> Iterator[Suspicion]:
    """Name who had a hand in the end of process 1."""
    trace = state.trace
    panics = [row for row in troubles(trace, "panic") if "kill init" in message(trace, row)]
    if not panics:
        return
    words = Words(trace)
    panic = panics[-1]
    text = clean(message(trace, panic))
    grips = _grips(state, words)
    signals = table(trace, "signal_generate", "pid", "sig")
    deadly = ~np.isin(signals["sig"], _HARMLESS)
    to_init = signals.rows[(signals["pid"] == _INIT) & deadly].tolist()
    last = next((row for row in reversed(to_init) if row < panic), None)
    own = [row for row in (last, panic) if row is not None]
    if last is not None:
        sender = who(words.comms([last])[0], int(trace.pid[last]))
        text += f"; its last signal ({words.fields([last])[0]}) was sent by {sender}"
    hands: dict[int, list[int]] = {}
    for row in [*grips, *to_init]:
        if (pid := int(trace.pid[row])) not in (0, _INIT):
            hands.setdefault(pid, []).append(row)
    # The last one first.
    for pid, rows in sorted(hands.items(), key=lambda item: -max(item[1])):
        name = who(words.comms([rows[-1]])[0], pid)
        deeds = sorted({_deed(words, row) for row in rows})
        yield Suspicion(
            "init-killed",
            "fault",
            name,
            f"{text}; {name} acted on it before: {', '.join(deeds)}",
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


def _grips(state: State, words: Words) -> list[int]:
    """Give the rows of system calls that took hold of process 1."""
    calls = table(state.trace, "sys_enter", "nr", "arg0", "arg1", "arg2")
    rows = []
    for nr in np.unique(calls["nr"]).tolist():
        name = words.named("syscall", nr)
        argument = _GRIPS.get(name)
        if argument:
            own = calls.select(calls["nr"] == nr)
            taken = own[argument] == _INIT
            if (number := _SIGNAL_OF.get(name)) is not None:
                # Of no signal at all kill() only tells whether there is such a process.
                taken &= ~np.isin(own[number], [0, *_HARMLESS])
            rows += own.rows[taken].tolist()
    return sorted(rows)


def _deed(words: Words, row: int) -> str:
    fields = words.fields([row])[0]
    call = next((part for part in fields.split() if part.startswith(("nr=", "sig="))), "")
    return call.partition("=")[2] or words.event(row)

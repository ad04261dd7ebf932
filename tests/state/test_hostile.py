# SPDX-License-Identifier: GPL-2.0-or-later
"""
Whatever the records and the dump say, a state is told without harm: nothing raises,
and no control character comes out.
"""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic import Synthetic, recorder_events

from lkst.state.build import build_state
from lkst.state.rules import KINDS, find_suspicions
from lkst.state.serialize import state_json
from lkst.state.text import state_text
from lkst.trace.facts import End, EndTask, Facts, Names
from lkst.trace.trace import Trace, build_trace

nasty = st.text(
    st.sampled_from("ab=:+ \x1b\n\0\x7f\u202e") | st.characters(codec="utf-8"), max_size=8
)
#: Small, so that they meet again.
small = st.integers(0, 3)
stacks = st.lists(nasty, max_size=3).map(tuple)
tasks = st.builds(
    EndTask,
    small,
    nasty,
    st.integers(0, 2**32),
    prio=st.none() | st.integers(-5, 200),
    throttled=st.booleans(),
)

#: Lines that rules look into.
LINES = st.sampled_from(
    [
        "Attempted to kill init! exitcode=0x4",
        "Out of memory: x",
        "RIP: 0010:f.part.0+0x1/0x2\x1b[0m",
        "BUG: KFENCE: bad in \x1b+0x1",
        "[      1]  0 1 99999999999999999999 99999999999999999999 0 a\x1bb",
        "[  pid  ] uid",
        "watchdog: BUG: soft lockup - CPU#1 stuck for 99999999999999999999s! [a:1]",
        "rcu: INFO: rcu_preempt self-detected stall on CPU",
        "rcu: \t1-....: (P2",
        "CPU: 0 PID: 1 Comm: \x1b Tainted",
    ]
)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    made = Synthetic(nr_cpus=2, nr_slots=32, start=0)
    for _ in range(draw(st.integers(0, 25))):
        event = draw(st.sampled_from(recorder_events()))
        cpu, pid = draw(st.integers(0, 1)), draw(small)
        time = draw(st.integers(0, 5).map(lambda s: s * 10**9) | st.integers(0, 2**63))
        fields: dict[str, Any] = {}
        for field in event.fields:
            if field.type == "text":
                fields[field.name] = draw(LINES | nasty).encode()
            elif field.type in ("comm", "name"):
                fields[field.name] = draw(nasty).encode()
            else:
                fields[field.name] = draw(small | st.integers(0, 2**64 - 1))
        made.record(cpu, time, pid, event.name, committed=draw(st.integers(0, 9)) > 0, **fields)
    for _ in range(draw(st.integers(0, 2))):
        made.slot(draw(st.integers(0, 1)), draw(small), draw(st.binary(max_size=56)))
    image = made.image()
    image.control = draw(st.just(image.control) | st.binary(max_size=9))
    names = Names(
        syscalls={0: draw(nasty), 1: "ptrace"},
        symbol=draw(st.sampled_from([lambda address: None, lambda address: "f\x1b[0m\u202e+0x"])),
    )
    stack = draw(stacks)
    end = End(
        panic_cpu=draw(st.none() | st.integers(-5, 2**40)),
        current=draw(st.dictionaries(small, tasks, max_size=2)),
        waiting=draw(st.lists(tasks, max_size=2)),
        runnable=draw(st.none() | st.lists(tasks, max_size=2)),
        offline=draw(st.none() | st.frozensets(small, max_size=2)),
        tickless=draw(st.frozensets(small, max_size=2)),
        cpu_stack=lambda cpu: stack,
        task_stack=lambda pid: stack,
    )
    facts = Facts(source=draw(nasty), panic_message=draw(nasty), names=names, end=lambda: end)
    return build_trace(image, facts)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trace=traces(), dumped=st.booleans())
def test_state(trace: Trace, dumped: bool) -> None:
    state = build_state(trace, trace.facts.end() if dumped else None)
    suspicions = find_suspicions(state)
    text = "".join(state_text(state, suspicions))
    assert all(line.isprintable() for line in text.split("\n"))
    told = state_json(state, suspicions)
    assert all(line.isprintable() for line in told.split("\n"))
    answer = json.loads(told)
    assert len(answer["cpus"]) == trace.header.nr_cpus
    kinds = [KINDS.index(suspicion["kind"]) for suspicion in answer["suspicions"]]
    assert kinds == sorted(kinds)
    times = set(trace.ts.tolist())
    for suspicion in answer["suspicions"]:
        assert suspicion["evidence"]
        assert times.issuperset(suspicion["evidence"])

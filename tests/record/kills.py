# SPDX-License-Identifier: GPL-2.0-or-later
"""
Kill commands that change the recorder in the middle, again and again, and look what is left.

Runs in a guest, as root, while a recorder runs. The log, /out/kills.json, has for each
operation ``lines`` (of code that it takes) and ``left``, for each kill: "before", if all is
as before the operation, "after", if as after it, or what else there is.
"""

from collections.abc import Callable
import json
import os
from pathlib import Path
import signal
import sys
from types import FrameType
from typing import Any

from lkst.abi import layout
from lkst.abi.control import active_maskset, name_of
from lkst.bpf.maps import look_up
from lkst.live.recorder import PINS, Recorder
from lkst.record.buffers import (
    delete_buffer,
    list_buffers,
    make_spare,
    new_buffer,
    resize_buffer,
    use_buffer,
)
from lkst.record.lifecycle.changes import change_recorder, use_maskset
from lkst.record.lifecycle.configured import add_from_text
from lkst.record.lifecycle.triggers import remove_trigger
from lkst.record.mark import write_mark
from lkst.record.maskset.loaded import loaded_masksets
from lkst.record.maskset.text import Handler, Maskset
from lkst.record.trigger.actions import parse_actions
from lkst.record.trigger.table import list_triggers
from lkst.util.units import parse_rate

KILLS = 8
#: Where the lines are counted at which a command dies.
MODULES = ("buffers.py", "changes.py", "triggers.py", "programs.py")

ONE = Maskset("one", {"mark": Handler("record"), "task_rename": Handler("record")})
TWO = Maskset("two", {"mark": Handler("record"), "sched_process_exec": Handler("record")})

Operation = Callable[[Recorder], object]


def dying(operation: Operation, at: int) -> int:
    """
    Run an operation in a process that dies at the n-th line.

    :param at: 0, or more lines than it has: it does not die
    :return: the lines that it took, if it did not
    """
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        lines = 0

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal lines
            if not frame.f_code.co_filename.endswith(MODULES):
                return None
            if event == "line":
                lines += 1
                if lines == at:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        with change_recorder() as recorder:
            operation(recorder)
        sys.settrace(None)
        os.write(write, str(lines).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        said = file.read()
    _, status = os.waitpid(pid, 0)
    assert status in (0, signal.SIGKILL), status
    return int(said or 0)


def check(marks: list[str]) -> None:
    """See to it that the recorder is whole, and that nothing is lost."""
    with change_recorder() as recorder:
        control = recorder.live
        maps = {buffer.number: buffer for buffer in recorder.buffers()}
        names = [buffer.name for buffer in maps.values()]
        assert len(set(names)) == len(names), names
        assert control.current_buffer in maps
        assert layout.BUFFER_STATES[control.buffer[control.current_buffer].state] == "written"
        # The first one is a map that the programs know by itself.
        for number in set(maps) - {control.first_buffer}:
            assert look_up(PINS / "buffers", number) == control.buffer[number].map_id
        pins = {path.name for path in (PINS / "rings").iterdir()}
        assert pins == set(map(str, maps)), pins
        loaded = loaded_masksets(control)
        names = ["task_rename", "sched_process_exec"]
        wanted = {name for name in names if in_use(recorder, name)}
        links = {path.name for path in (PINS / "links").iterdir()}
        assert wanted <= links, (wanted, links)
        assert set(loaded) <= {"one", "two"}, loaded
        assert all(trigger.used in (0, layout.TRIGGER_ON) for trigger in control.trigger)
        # Short enough for the first slot of a record.
        held = b"".join(buffer.rings() for buffer in maps.values())
        assert all(mark.encode() in held for mark in marks), marks


def in_use(recorder: Recorder, name: str) -> bool:
    control = recorder.live
    (event,) = [e for e in recorder.catalogue.events.values() if e.name == name]
    return bool(control.handler[control.active_maskset][event.id])


def state(recorder: Recorder) -> object:
    """Tell what a command can change."""
    control = recorder.read_control()
    buffers = sorted((b.name, b.state, b.nr_slots) for b in list_buffers(recorder))
    triggers = sorted(trigger.name for trigger in list_triggers(control))
    return (
        buffers,
        active_maskset(control),
        triggers,
        name_of(control.buffer[control.current_buffer].name),
    )


def look() -> object:
    with Recorder() as recorder:
        return state(recorder)


def try_all(prepare: Operation, operation: Operation) -> dict[str, Any]:
    """Kill an operation at some of its lines, each time after the same preparation."""
    marks: list[str] = []

    def begin() -> object:
        with change_recorder() as recorder:
            prepare(recorder)
        marks.append(f"kill {len(marks)}")
        write_mark(marks[-1])
        return look()

    begin()
    lines = dying(operation, 0)
    after = look()
    check(marks)
    left = []
    for kill in range(KILLS):
        before = begin()
        dying(operation, 1 + lines * kill // KILLS)
        check(marks[-1:])
        now = look()
        left.append("before" if now == before else "after" if now == after else str(now))
    return {"lines": lines, "left": left}


def only_main(recorder: Recorder) -> None:
    """Go back to one buffer of one size, one maskset, and no trigger."""
    for trigger in list_triggers(recorder.live):
        remove_trigger(recorder, trigger.name)
    if active_maskset(recorder.live) != "one":
        use_maskset(recorder, ONE)
    buffers = {buffer.name: buffer for buffer in list_buffers(recorder)}
    if buffers["main"].nr_slots != 256:
        resize_buffer(recorder, "main", 256 * layout.SLOT_SIZE)
    use_buffer(recorder, "main")
    for buffer in list_buffers(recorder):
        if buffer.name != "main":
            delete_buffer(recorder, buffer.name)


def with_aside(recorder: Recorder) -> None:
    only_main(recorder)
    new_buffer(recorder, "aside", 4096)


def with_spare(recorder: Recorder) -> None:
    only_main(recorder)
    make_spare(recorder)


def add(recorder: Recorder) -> None:
    rate = parse_rate("10/s")
    actions = parse_actions("mask=two for 5s, switch")
    add_from_text(recorder, "new", "task_rename", actions, rate)


def with_trigger(recorder: Recorder) -> None:
    with_spare(recorder)
    add(recorder)


OPERATIONS: dict[str, tuple[Operation, Operation]] = {
    "new": (only_main, lambda recorder: new_buffer(recorder, "aside", 4096)),
    "delete": (with_aside, lambda recorder: delete_buffer(recorder, "aside")),
    "resize": (only_main, lambda recorder: resize_buffer(recorder, "main", 32768)),
    "use": (only_main, lambda recorder: use_maskset(recorder, TWO)),
    "add": (with_spare, add),
    "remove": (with_trigger, lambda recorder: remove_trigger(recorder, "new")),
}

if __name__ == "__main__":
    done = {name: try_all(*pair) for name, pair in OPERATIONS.items()}
    Path("/out/kills.json").write_text(json.dumps(done))

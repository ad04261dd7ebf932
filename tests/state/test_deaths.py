# SPDX-License-Identifier: GPL-2.0-or-later
"""
Real deaths, whose culprit is known.

One of each sort; `./dev lab score` runs them all, on all kernels.
"""

from collections.abc import Callable
import json
from pathlib import Path
import re
from typing import Any

from drgn import Program
from dumps import Dump, Lab, Run
import pytest

from drgn_plugins.lkst_btf import attach_btf, find_kallsyms
from lkst.dump import open_dump
from lkst.dump.vmcoreinfo import find_vmcoreinfo
from lkst.locate.end import read_end
from lkst.locate.ranges import set_dump
from lkst.source.program import open_program

#: A fault in an interrupt, a lock that is kept, a CPU that does not answer.
DEATHS = (("7", "null-irq"), ("6.1", "mutex"), ("6.12", "irqs-off"))

BufferInfo = Callable[[str], tuple[Dump, dict[str, Any]]]


@pytest.fixture(scope="module")
def told(lab: Lab, lkst: Run) -> BufferInfo:
    """Give a function from a scenario's name to its dump and what is told of its state."""

    def tell(name: str) -> tuple[Dump, dict[str, Any]]:
        kernel = next(kernel for kernel, death in DEATHS if death == name)
        dump = lab(kernel, "--scenario", name)
        result = lkst("state", dump.vmcore, "--format", "json")
        assert (result.status, result.stderr) == (0, "")
        return dump, json.loads(result.stdout)

    return tell


@pytest.mark.parametrize("name", [death for _, death in DEATHS])
def test_the_first_suspicion_names_the_culprit(told: BufferInfo, name: str) -> None:
    dump, state = told(name)
    truth = json.loads((dump.out / "truth.json").read_text())
    names = {each for value in truth.values() if isinstance(value, list) for each in value}
    first = state["suspicions"][0]
    assert {first["culprit"], first["culprit"].split(":")[0]} & names, first
    # It begins where it began, give or take a busy machine.
    begin = state["end"] / 1e9 - first["since"]
    assert truth["when"] - 0.1 < begin < truth["when"] + 10


def test_what_the_lock_s_owner_is_doing(told: BufferInfo) -> None:
    _, state = told("mutex")
    (lock,) = (lock for lock in state["locks"] if lock["name"] == "kept_mutex")
    assert (lock["kind"], lock["owner_is"], len(lock["waiters"])) == ("mutex", "named", 3)
    tasks = {task["pid"]: task for task in state["tasks"]}
    owner = tasks[lock["owner"]]
    assert (owner["comm"], owner["state"], owner["letter"]) == ("keeper", "blocked", "S")
    for waiter in lock["waiters"]:
        task = tasks[waiter["pid"]]
        assert [context["kind"] for context in task["contexts"]] == ["syscall", "lock"]
        assert task["letter"] == "D"
    # khungtaskd is only the messenger.
    assert "keep_mutex" in state["suspicions"][0]["text"]
    blocked = {task["pid"]: task["stack"] for task in state["dump"]["blocked"]}
    for waiter in lock["waiters"]:
        assert any(frame.startswith("want_mutex+") for frame in blocked[waiter["pid"]])


def test_the_interrupted_cpu(told: BufferInfo) -> None:
    _, state = told("null-irq")
    cpu = state["cpus"][state["panic"]["cpu"]]
    kinds = [context["kind"] for context in cpu["contexts"]]
    assert kinds[-2:] == ["irq", "exception"]
    irq, fault = cpu["contexts"][-2:]
    assert (irq["name"], fault["certain"]) == ("handle_badly", True)
    assert fault["name"].startswith("handle_badly+")


def test_evidence_leads_to_its_records(told: BufferInfo, lkst: Run) -> None:
    dump, state = told("mutex")
    for suspicion in state["suspicions"][:3]:
        assert suspicion["evidence"]
        ns = suspicion["evidence"][0] - state["end"]
        result = lkst("replay", dump.vmcore, "--around", f"{ns}ns", "--format", "jsonl")
        times = [json.loads(line)["ts"] for line in result.stdout.splitlines()]
        assert suspicion["evidence"][0] in times
        assert len(times) == 100


def test_the_text_says_the_same(told: BufferInfo, lkst: Run) -> None:
    dump, state = told("mutex")
    result = lkst("state", dump.vmcore)
    assert (result.status, result.stderr) == (0, "")
    first = state["suspicions"][0]
    assert f"1. {first['culprit']}  ({first['rule']})" in result.stdout
    assert re.search(r"^CPU 0 ", result.stdout, re.MULTILINE)
    assert re.search(r"kept_mutex +mutex .* keeper:\d+$", result.stdout, re.MULTILINE)


def test_a_saved_trace_tells_the_same(told: BufferInfo, lkst: Run, tmp_path: Path) -> None:
    dump, state = told("mutex")
    saved = tmp_path / "a.lkst"
    assert lkst("save", dump.vmcore, "-o", saved).status == 0
    result = lkst("state", saved, "--format", "json")
    assert (result.status, result.stderr) == (0, "")
    assert json.loads(result.stdout) == state | {"source": str(saved)}


@pytest.mark.parametrize("name", ["mutex", "irqs-off"])
def test_stacks_of_a_program_that_knows_memory_only(told: BufferInfo, name: str) -> None:
    """As inside crash: QEMU's registers are in the file, and drgn does not see them."""
    vmcore = told(name)[0].vmcore
    whole = open_program(str(vmcore))
    dump = open_dump([vmcore])
    assert whole.platform
    memory = Program(whole.platform)
    memory.add_memory_segment(0, 1 << 46, lambda at, n, *_: dump.read(at, n), physical=True)
    memory.set_linux_kernel_custom(dump.vmcoreinfo or find_vmcoreinfo(dump)[0][1], False)
    set_dump(memory, vmcore)
    ends = []
    for prog in (whole, memory):
        attach_btf(prog)
        ends.append(read_end(prog, find_kallsyms))
    assert ends[0] and ends[1]
    stacks = [[end.cpu_stack(cpu) for cpu in ends[0].cpus] for end in ends if end]
    assert any(len(stack) > 3 for stack in stacks[0])
    assert stacks[0] == stacks[1]

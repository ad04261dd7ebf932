# SPDX-License-Identifier: GPL-2.0-or-later
"""Types, objects and symbols of real dumps, beside those that debug info gives."""

from collections.abc import Sequence
import contextlib
import math
import os
from pathlib import Path
import re
import subprocess
import sys

from drgn import MissingDebugInfoError, Program, Symbol, TypeKind, sizeof
from drgn.helpers.linux.bpf import bpf_map_for_each, bpf_prog_for_each
from drgn.helpers.linux.cpumask import for_each_online_cpu
from drgn.helpers.linux.idr import idr_for_each
from drgn.helpers.linux.kallsyms import load_vmlinux_kallsyms
from drgn.helpers.linux.module import for_each_module
from drgn.helpers.linux.panic import tainted
from drgn.helpers.linux.percpu import per_cpu
from drgn.helpers.linux.pid import find_task, for_each_task
from drgn.helpers.linux.printk import get_dmesg
from drgn.helpers.linux.sched import cpu_curr, task_state_to_char
from dumps import Dump
import pytest

from drgn_plugins import lkst_btf
from drgn_plugins.lkst_btf import BTF, attach_btf, drgn_prog_set, find_kallsyms, kallsyms
from drgn_plugins.lkst_btf import globals as globals_

pytestmark = pytest.mark.slow

PLUGIN = Path(lkst_btf.__file__).parent

STRUCT, UNION, ENUM, TYPEDEF, ENUM64 = 4, 5, 6, 8, 19  # BTF_KIND_*


def without_debug_info(dump: Dump) -> Program:
    prog = Program()
    prog.set_core_dump(dump.vmcore)
    attach_btf(prog)
    return prog


@pytest.fixture(scope="module")
def real_vmcore(story: Dump) -> Path:
    return story.vmcore


@pytest.fixture(scope="module")
def real(story: Dump) -> Program:
    return without_debug_info(story)


@pytest.fixture(scope="module")
def beside(story_6_1: Dump) -> Program:
    """Give the program that is compared with the one that has debug info."""
    return without_debug_info(story_6_1)


@pytest.fixture(scope="module")
def with_debug_info(story_6_1: Dump) -> Program:
    prog = Program()
    prog.set_core_dump(story_6_1.vmcore)
    drgn_prog_set(prog)
    with contextlib.suppress(MissingDebugInfoError):  # There is none of the modules.
        prog.load_debug_info([story_6_1.vmlinux], default=True)
    return prog


def test_real_tasks(real: Program) -> None:
    tasks = {task.pid.value_(): task for task in for_each_task(real)}
    assert len(tasks) > 20
    assert real["init_task"].comm.string_() == b"swapper/0"
    assert tasks[2].comm.string_() == b"kthreadd"
    assert tasks[1] == find_task(real, 1)
    assert {task_state_to_char(task) for task in tasks.values()} <= set("RSDTtXZPI")
    assert f".comm = (char [16]){tasks[1].comm.format_(type_name=False)}" in str(tasks[1][0])


def test_real_cpus(real: Program) -> None:
    cpus = list(for_each_online_cpu(real))
    assert cpus
    for cpu in cpus:
        assert per_cpu(real["runqueues"], cpu).cpu.value_() == cpu
        assert cpu_curr(real, cpu) == per_cpu(real["runqueues"], cpu).curr
        assert per_cpu(real["runqueues"], cpu).idle.comm.string_() == b"swapper/%d" % cpu


def test_real_log(real: Program) -> None:
    log = get_dmesg(real)
    assert b"Linux version " in log
    assert b"Kernel panic - not syncing" in log
    assert real["linux_banner"].string_().strip() in log


def test_real_modules(real: Program) -> None:
    modules = [module.name.string_() for module in for_each_module(real)]
    assert b"virtio_blk" in modules
    probe = real.symbol("virtblk_probe")
    assert real.symbol(probe.address + 1).name == "virtblk_probe"


def test_real_bpf(real: Program) -> None:
    maps = [map_.id.value_() for map_ in bpf_map_for_each(real)]
    assert len(set(maps)) == len(maps) == len(list(idr_for_each(real["map_idr"])))
    programs = [prog.aux.id.value_() for prog in bpf_prog_for_each(real)]
    assert len(set(programs)) == len(programs)


def test_real_globals(real: Program) -> None:
    assert real["panic_cpu"].counter.value_() in range(real["nr_cpu_ids"].value_())
    assert real.symbol(real["sys_call_table"][0].value_()).name == "__x64_sys_read"
    assert [name.string_() for name in real["softirq_to_name"]][:3] == [b"HI", b"TIMER", b"NET_TX"]
    assert real["saved_command_line"].string_()
    assert real["init_uts_ns"].name.release.string_() == real["UTS_RELEASE"].string_()
    assert tainted(real) == ""
    assert {real["PIDTYPE_PID"].value_(), real["PIDTYPE_TGID"].value_()} == {0, 1}
    assert real["gfpflag_names"][0].name.string_().startswith(b"GFP_")
    assert real["vmemmap"].type_.type_name() == "struct page *"


SAMPLE = Path(__file__).parents[2] / "vmcores" / "sample.vmcore"


def as_told(symbols: Sequence[Symbol]) -> list[tuple[object, ...]]:
    return sorted((s.address, s.name, s.size, s.binding.name, s.kind.name) for s in symbols)


def difference(prog: Program) -> set[tuple[object, ...]]:
    """Give the questions that are answered otherwise than drgn answers them."""
    own = kallsyms.Kallsyms(prog)
    theirs = load_vmlinux_kallsyms(kallsyms.with_buffered_kallsyms(prog))
    symbols = theirs(prog, None, None, False)
    differ: set[tuple[object, ...]] = set()
    if as_told(own(prog, None, None, False)) != as_told(symbols):
        differ.add((None, None))
    for symbol in symbols[:: len(symbols) // 500]:
        offsets = (-1, 0, 1, symbol.size - 1, symbol.size, 1 << 16)
        questions = [(symbol.name, None), (symbol.name, symbol.address), ("none", symbol.address)]
        questions += [(None, max(symbol.address + offset, 0)) for offset in offsets]
        for name, address in questions:
            found = own(prog, name, address, False)
            same = as_told(found) == as_told(theirs(prog, name, address, False))
            if not same or own(prog, name, address, True) != found[:1]:
                differ.add((name, address))
    return differ


def test_kallsyms_are_as_drgn_has_them(real: Program) -> None:
    assert not difference(real)


def test_kallsyms_of_the_sample() -> None:
    prog = Program()
    prog.set_core_dump(SAMPLE)
    assert not difference(prog)


def test_real_types_are_accepted(real_vmcore: Path) -> None:
    prog = Program()
    prog.set_core_dump(real_vmcore)
    attach_btf(prog)
    start = prog.symbol("__start_BTF").address
    btf = BTF(prog.read(start, prog.symbol("__stop_BTF").address - start))
    kinds = {STRUCT: "struct", UNION: "union", ENUM: "enum", ENUM64: "enum", TYPEDEF: ""}
    seen = 0
    for type_id in range(1, len(btf), 7):
        name = btf.name(type_id)
        if name and btf.kind(type_id) in kinds:
            with contextlib.suppress(LookupError):
                str(prog.type(f"{kinds[btf.kind(type_id)]} {name}"))
                seen += 1
    assert seen > 1000


def test_real_plugin(real_vmcore: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text('print(prog["init_task"].comm.string_().decode())')
    result = subprocess.run(
        [sys.executable, "-m", "drgn", "-c", real_vmcore, script],
        env=os.environ | {"DRGN_PLUGINS": f"lkst_btf={PLUGIN}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "swapper/0\n"


def test_real_debug_info_that_drgn_finds_keeps_btf_unread(
    story_6_1: Dump, with_debug_info: Program, tmp_path: Path
) -> None:
    prog = Program()
    prog.set_core_dump(story_6_1.vmcore)
    drgn_prog_set(prog)
    release = with_debug_info["UTS_RELEASE"].string_().decode()
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot" / f"vmlinux-{release}").symlink_to(story_6_1.vmlinux)
    prog.debug_info_options.directories = (str(tmp_path),)
    with contextlib.suppress(MissingDebugInfoError):  # There is none of the modules.
        prog.load_default_debug_info()
    assert prog.cache["lkst_btf"]._types is None
    assert "virtio_blk" in [module.name for module in prog.modules()]
    assert prog.type("struct module").size == with_debug_info.type("struct module").size


def test_real_debug_info_keeps_btf_unread(with_debug_info: Program) -> None:
    assert with_debug_info["init_task"].comm.string_() == b"swapper/0"
    assert "virtio_blk" in [module.name for module in with_debug_info.modules()]
    with pytest.raises(LookupError):
        with_debug_info["no_such_object"]
    attach_btf(with_debug_info)
    assert with_debug_info.cache["lkst_btf"]._types is None
    assert with_debug_info.symbol("virtblk_probe"), "a module without debug info"
    assert find_kallsyms(with_debug_info, "schedule", None, True)[0].name == "schedule"
    assert len(with_debug_info.symbols("schedule")) == 1


TYPES = """
struct task_struct|struct rq|struct bpf_map|struct bpf_prog|struct bpf_prog_aux|struct idr
struct file|struct super_block|struct mm_struct|struct page|struct sk_buff|struct net_device
struct printk_ringbuffer|struct timekeeper|struct irq_desc|struct trace_array|struct bio
struct request|union bpf_attr|enum pid_type|enum bpf_map_type|enum skb_drop_reason
pid_t|size_t|u64|atomic_t|char|unsigned char|long|unsigned long|_Bool
"""


@pytest.mark.parametrize("name", TYPES.replace("\n", "|").strip("|").split("|"))
def test_real_types_equal_debug_info(beside: Program, with_debug_info: Program, name: str) -> None:
    def definition(prog: Program) -> str:
        # BTF tells neither [2][3] from [6] nor [0] from [].
        text = str(prog.type(name)).replace("[]", "[0]")
        return re.sub(r"(\[\d+\]){2,}", lambda m: f"[{math.prod(_numbers(m[0]))}]", text)

    assert definition(beside) == definition(with_debug_info)
    assert beside.type(name).unaliased().kind == with_debug_info.type(name).unaliased().kind


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


@pytest.mark.parametrize("percpu", [False, True])
def test_real_variables_equal_debug_info(
    beside: Program, with_debug_info: Program, percpu: bool
) -> None:
    names = PERCPU if percpu else list(globals_.declarations())
    seen = 0
    for name in names:
        with contextlib.suppress(LookupError):
            ours = beside[name]
            theirs = with_debug_info[name]
            assert ours.address_ == theirs.address_, name
            # A symbol has no length, and some types are called by two names.
            if theirs.type_.kind != TypeKind.ARRAY:
                assert sizeof(ours) == sizeof(theirs), name
            assert ours.type_.unaliased_kind() == theirs.type_.unaliased_kind(), name
            seen += 1
    assert seen > len(names) // 2


PERCPU = ["runqueues", "irq_stat", "cpu_info", "hrtimer_bases", "timer_bases", "softirqd"]

# SPDX-License-Identifier: GPL-2.0-or-later
"""A slice shows what the vmcore that it was cut out of shows."""

from collections.abc import Callable, Iterator
from pathlib import Path
import re
import resource
import shutil
import subprocess
from typing import IO, Any

from drgn import Program, ProgramFlags
from drgn.helpers.linux.bpf import bpf_map_for_each, bpf_prog_for_each
from drgn.helpers.linux.cpumask import for_each_possible_cpu
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.printk import get_dmesg
from drgn.helpers.linux.sched import cpu_curr, task_cpu, task_state_to_char
from dumps import Dump, Lab, Run, read_notes
import numpy as np
import pytest

from drgn_plugins.lkst_btf import attach_btf
from lkst.errors import Damaged, Usage
from lkst.locate.ranges import dumped_ranges
from lkst.slice import cut, cut_slice
from lkst.slice.kdump import Dump as Contents
from lkst.slice.kdump import Uts, write_dump
from lkst.source import open_source
from lkst.trace.trace import Trace


@pytest.fixture(scope="module")
def slice_(story: Dump, lkst: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a slice of each kernel's dump."""
    path = tmp_path_factory.mktemp("slice") / "slice"
    result = lkst("slice", story.vmcore, "-o", path)
    assert result.status == 0, result.stderr
    assert result.stderr == ""
    size = f"{path.stat().st_size / 1e6:.1f} MB"
    assert re.fullmatch(rf"{re.escape(str(path))}: {size}, \d+ pages of memory\n", result.stdout)
    return path


@pytest.fixture(scope="module")
def slice_6_1(story_6_1: Dump, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slice") / "slice"
    cut_slice(str(story_6_1.vmcore), path)
    return path


def without_source(text: str) -> list[str]:
    first, *rest = text.splitlines()
    assert first.startswith("source")
    return rest


def test_it_is_small(story: Dump, slice_: Path) -> None:
    # 1 MB of it are the tables by which stacks are unwound.
    assert slice_.stat().st_size < 6e6
    assert slice_.read_bytes().startswith(b"KDUMP   ")
    # Others must not read what they may not read in the original.
    assert slice_.stat().st_mode & 0o077 == 0


def test_it_replays_the_same(story: Dump, slice_: Path, lkst: Run) -> None:
    for words in (("replay",), ("list",), ("replay", "--event", "sched_*", "--time", "wall")):
        meant, found = (lkst(words[0], path, *words[1:]) for path in (story.vmcore, slice_))
        assert (found.status, found.stderr) == (0, "")
        assert without_source(found.stdout) == without_source(meant.stdout)
    for form in ("jsonl", "csv"):
        meant, found = (lkst("replay", path, "--format", form) for path in (story.vmcore, slice_))
        assert found == meant
        assert len(found.stdout) > 100_000


def test_it_has_the_same_trace(story: Dump, slice_: Path) -> None:
    (meant,), (found,) = (open_source(str(path)) for path in (story.vmcore, slice_))
    assert found.image == meant.image
    assert found.catalogue == meant.catalogue
    assert len(found) > 1000
    for name in ("release", "version", "machine", "arch", "panic_message", "notes"):
        assert getattr(found.facts, name) == getattr(meant.facts, name)
    for name in ("syscalls", "compat_syscalls", "softirqs", "gfp_flags", "enums"):
        assert getattr(found.facts.names, name) == getattr(meant.facts.names, name) != []
    pids = np.unique(meant.pid).tolist()
    assert [found.facts.task_name(pid) for pid in pids] == [
        meant.facts.task_name(pid) for pid in pids
    ]


def test_any_symbol_has_its_name(story: Dump, slice_: Path) -> None:
    (meant,), (found,) = (open_source(str(path)) for path in (story.vmcore, slice_))
    addresses = set(ksyms(meant))
    assert len(addresses) > 10
    # Others that a record could have had: of the kernel and of its modules.
    prog = opened(story.vmcore)
    addresses.update(symbol.address for symbol in prog.symbols()[::97])
    addresses.update(start + 1 for _, ranges, _ in modules(prog) for start, _ in ranges)
    names = [meant.facts.names.symbol(address) for address in addresses]
    assert sum(name is not None for name in names) > 900
    assert [found.facts.names.symbol(address) for address in addresses] == names


def ksyms(trace: Trace) -> Iterator[int]:
    for event in trace.catalogue.events.values():
        for field in event.fields:
            if field.type == "ksym" and len(rows := trace.rows(event)):
                yield from np.unique(trace.column(field, rows)).tolist()


def modules(prog: Program) -> list[tuple[str, tuple[tuple[int, int], ...], bytes | None]]:
    return [(m.name, tuple(m.address_ranges or ()), m.build_id) for m in prog.modules()]


def opened(path: Path) -> Program:
    prog = Program()
    prog.set_core_dump(path)
    attach_btf(prog)
    prog.create_loaded_modules()
    return prog


@pytest.fixture(scope="module")
def programs(story: Dump, slice_: Path) -> tuple[Program, Program]:
    """Give the original and the slice as plain drgn opens them."""
    return opened(story.vmcore), opened(slice_)


def test_drgn_shows_the_tasks(programs: tuple[Program, Program]) -> None:
    def tasks(prog: Program) -> list[tuple[object, ...]]:
        return [
            (
                task.pid.value_(),
                task.comm.string_(),
                task_state_to_char(task),
                task_cpu(task),
                task.real_parent.tgid.value_(),
                task.flags.value_(),
                task.cred.uid.val.value_(),
                task.utime.value_(),
                task.mm.total_vm.value_() if task.mm else 0,
            )
            for task in for_each_task(prog)
        ]

    meant, found = map(tasks, programs)
    assert len(meant) > 40
    assert found == meant


def test_drgn_shows_the_log(programs: tuple[Program, Program]) -> None:
    meant, found = map(get_dmesg, programs)
    assert b"Kernel panic - not syncing: sysrq triggered crash" in meant
    assert found == meant


def test_drgn_shows_bpf(programs: tuple[Program, Program]) -> None:
    def things(prog: Program) -> list[tuple[object, ...]]:
        maps = [(m.id.value_(), m.name.string_(), m.max_entries) for m in bpf_map_for_each(prog)]
        progs = [(p.aux.id.value_(), p.aux.name.string_()) for p in bpf_prog_for_each(prog)]
        return [tuple(map(str, thing)) for thing in maps + progs]

    meant, found = map(things, programs)
    assert any("lkst_ring" in str(thing) for thing in meant)
    assert len(meant) > 20
    assert found == meant


def test_drgn_shows_what_crashed(programs: tuple[Program, Program]) -> None:
    meant, found = (prog.crashed_thread() for prog in programs)
    assert (found.tid, found.name) == (meant.tid, meant.name)
    one, other = programs
    for cpu in for_each_possible_cpu(one):
        task = cpu_curr(one, cpu)
        frames = [prog.stack_trace(cpu_curr(prog, cpu))[0] for prog in programs]
        assert frames[0].registers() == frames[1].registers()
        # With debug info drgn may go further: all of the stack is wanted.
        start = frames[0].sp
        size = -start % 4096
        assert other.read(start, size) == one.read(start, size)
        assert other.read(task.stack.value_(), 16384) == one.read(task.stack.value_(), 16384)


def test_it_has_the_same_stacks(story: Dump, slice_: Path) -> None:
    meant, found = (open_source(str(path))[0].facts.end() for path in (story.vmcore, slice_))
    assert meant and found
    assert any(len(meant.cpu_stack(cpu)) > 3 for cpu in meant.cpus)
    for cpu in meant.cpus:
        assert found.cpu_stack(cpu) == meant.cpu_stack(cpu)
    for task in meant.waiting:
        assert found.task_stack(task.pid) == meant.task_stack(task.pid)


def test_drgn_finds_the_modules(programs: tuple[Program, Program]) -> None:
    meant, found = map(modules, programs)
    assert len(meant) > 1
    assert found == meant


def test_it_holds_nothing_else(story: Dump, slice_: Path) -> None:
    """What the story wrote to a file is in the page cache, and not in the slice."""
    page = b"s" * 4096

    def occurs(path: Path) -> bool:
        prog = Program()
        prog.set_core_dump(path)
        search = prog.search_memory(page, alignment=4096)
        for first, last in dumped_ranges(path):
            if next(iter(search.set_address_range(first, last, physical=True)), None) is not None:
                return True
        return False

    assert occurs(story.vmcore)
    assert not occurs(slice_)


def test_stacks_with_debug_info(story_6_1: Dump, slice_6_1: Path) -> None:
    def stacks(path: Path) -> list[str]:
        prog = Program()
        prog.set_core_dump(path)
        prog.load_debug_info([story_6_1.vmlinux])
        return [str(prog.stack_trace(cpu_curr(prog, cpu))) for cpu in for_each_possible_cpu(prog)]

    meant = stacks(story_6_1.vmcore)
    assert any("sysrq_handle_crash" in stack for stack in meant)
    assert stacks(slice_6_1) == meant


@pytest.mark.skipif(shutil.which("crash") is None, reason="no crash(8)")
def test_crash_opens_it(story_6_1: Dump, slice_6_1: Path) -> None:
    def run(path: Path) -> list[str]:
        commands = "sys\nps\nlog\nruntime\nquit\n"
        result = subprocess.run(
            ["crash", "-s", story_6_1.vmlinux, path],
            input=commands,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        # Symbols of modules take more than a slice holds.
        untold = ("DUMPFILE:", "WARNING: cannot access module kallsyms")
        lines = result.stdout.splitlines()
        return [line for line in lines if line and not line.strip().startswith(untold)]

    meant = run(story_6_1.vmcore)
    assert any("Kernel panic - not syncing" in line for line in meant)
    assert run(slice_6_1) == meant


def test_a_slice_of_a_slice_is_the_same(slice_6_1: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    cut_slice(str(slice_6_1), again)
    assert again.read_bytes() == slice_6_1.read_bytes()


@pytest.mark.parametrize("options", ["-c", "-F -c"])
def test_makedumpfile_formats(
    story_6_1: Dump, slice_6_1: Path, tmp_path: Path, options: str
) -> None:
    dump = tmp_path / "vmcore"
    target = f">{dump}" if "-F" in options else str(dump)
    command = f"makedumpfile {options} -d 31 {story_6_1.vmcore} {target}"
    subprocess.run(command, shell=True, check=True, capture_output=True)
    found = tmp_path / "slice"
    cut_slice(str(dump), found)
    assert read_notes(found) == read_notes(slice_6_1) != []
    (one,), (other,) = (open_source(str(path)) for path in (slice_6_1, found))
    assert other.image == one.image
    assert get_dmesg(opened(found)) == get_dmesg(opened(slice_6_1))


def test_dump_by_kdump(kdump_6_1: Dump, lkst: Run, tmp_path: Path) -> None:
    # makedumpfile 1.7.2 leaves out slab pages of newer kernels, whose slabs it does not know.
    vmcore = kdump_6_1.vmcore
    found = tmp_path / "slice"
    assert lkst("slice", vmcore, "-o", found).status == 0
    meant, replay = (lkst("replay", path, "--format", "jsonl") for path in (vmcore, found))
    assert (replay.status, replay.stdout) == (meant.status, meant.stdout)
    assert {note.name for note in read_notes(found)} == {b"CORE"}
    assert opened(found).crashed_thread().tid == opened(vmcore).crashed_thread().tid


def test_open_program(story_6_1: Dump, slice_6_1: Path, tmp_path: Path) -> None:
    """A host's program, of which there is no file, for one on foreign memory."""
    source = opened(story_6_1.vmcore)
    prog = Program(source.platform)
    prog.add_memory_segment(0, 1 << 46, lambda a, n, o, p: source.read(a, n, True), True)
    prog.set_linux_kernel_custom(source["VMCOREINFO"].string_(), False)
    result = cut_slice(prog, tmp_path / "slice")
    assert result.size == result.path.stat().st_size
    (one,), (other,) = (open_source(str(path)) for path in (slice_6_1, result.path))
    assert other.image == one.image


def test_carved(story_6_1: Dump, lkst: Run, tmp_path: Path) -> None:
    """A dump that must be carved gives a slice that can be."""
    dump = tmp_path / "vmcore"
    data = story_6_1.vmcore.read_bytes()
    assert b"SYMBOL(kallsyms_names)" in data
    dump.write_bytes(data.replace(b"SYMBOL(kallsyms_names)", b"SYMBOL(kallsyms_nameX)"))
    found = tmp_path / "slice"
    result = lkst("slice", dump, "-o", found)
    assert result.status == 0, result.stderr
    assert found.stat().st_size < len(data) / 20
    meant, replay = (lkst("replay", path) for path in (dump, found))
    assert (replay.status, "carved" in replay.stderr) == (3, True)
    assert without_source(replay.stdout) == without_source(meant.stdout)


def test_running_kernel(story_6_1: Dump, tmp_path: Path) -> None:
    """Of a recorder that runs on, the heads that are kept are newer than the rings."""
    source = opened(story_6_1.vmcore)
    (trace,) = open_source(str(story_6_1.vmcore))
    pages = {
        "heads": find_page(source, trace.image.cpus[:64]),
        "rings": find_page(source, trace.image.buffers[0].rings[:4096]),
    }
    reads: list[str] = []

    def read(address: int, count: int, offset: int, physical: bool) -> bytes:
        for what, where in pages.items():
            if address <= where < address + count and reads[-1:] != [what]:
                reads.append(what)
        data: bytes = source.read(address, count, True)
        return data

    prog = Program(source.platform)
    prog.add_memory_segment(0, 1 << 46, read, True)
    prog.set_linux_kernel_custom(source["VMCOREINFO"].string_(), True)
    assert prog.flags & ProgramFlags.IS_LIVE
    path = tmp_path / "slice"
    cut_slice(prog, path)
    assert reads[-3:] == ["heads", "rings", "heads"]
    (found,) = open_source(str(path))
    assert found.image == trace.image


def find_page(prog: Program, data: bytes) -> int:
    found = prog.search_memory(data, alignment=64)
    path = prog.core_dump_path
    assert path is not None
    for first, last in dumped_ranges(Path(path)):
        for address in found.set_address_range(first, last, physical=True):
            return int(address)
    raise AssertionError("not there")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Give a file that is there already."""
    path = tmp_path / "slice"
    path.write_bytes(b"old")
    return path


def unharmed(target: Path) -> bool:
    return target.read_bytes() == b"old" and list(target.parent.iterdir()) == [target]


def test_full_disk_leaves_the_old_file(story_6_1: Dump, target: Path, lkst: Run) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    result = lkst("slice", story_6_1.vmcore, "-o", target, preexec_fn=limit)
    assert result == (1, "", f"lkst: {target}: File too large\n")
    assert unharmed(target)


@pytest.mark.parametrize("lost", ["ring", "catalogue", "types"])
def test_a_slice_that_replays_otherwise_is_not_kept(
    story_6_1: Dump, target: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    (trace,) = open_source(str(story_6_1.vmcore))
    prog = opened(story_6_1.vmcore)
    rings = np.frombuffer(trace.image.buffers[0].rings, np.uint8).reshape(-1, 4096)
    pages = {
        "ring": rings[rings.any(axis=1)][0].tobytes(),
        "catalogue": trace.image.catalogue[:4096],
        "types": prog.read((prog.symbol("__start_BTF").address & -4096) + 4096, 4096),
    }

    def write(file: IO[bytes], dump: Contents) -> int:
        kept = {number: page for number, page in dump.pages.items() if page != pages[lost]}
        assert len(kept) == len(dump.pages) - 1
        return write_dump(file, replaced(dump, pages=kept))

    monkeypatch.setattr(cut, "write_dump", write)
    with pytest.raises(Damaged, match=r"slice: not written: the slice does not replay"):
        cut_slice(str(story_6_1.vmcore), target)
    assert unharmed(target)


def replaced(dump: Contents, **changes: Any) -> Contents:
    return Contents(**{**dump.__dict__, **changes})


def test_the_vmcore_is_never_overwritten(slice_6_1: Path, lkst: Run, tmp_path: Path) -> None:
    dump = tmp_path / "vmcore"
    shutil.copyfile(slice_6_1, dump)
    links: dict[str, Callable[[Path], None]] = {
        "hard": lambda path: path.hardlink_to(dump),
        "symbolic": lambda path: path.symlink_to(dump),
    }
    for name, link in links.items():
        link(tmp_path / name)
    for target in (dump, tmp_path / "hard", tmp_path / "symbolic"):
        result = lkst("slice", dump, "-o", target)
        assert result == (2, "", f"lkst: {target}: is the source itself: name another file\n")
    assert dump.read_bytes() == slice_6_1.read_bytes()


def test_only_a_file_is_replaced(slice_6_1: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    subprocess.run(["mkfifo", pipe], check=True)
    with pytest.raises(Usage, match="is not a file"):
        cut_slice(str(slice_6_1), pipe)
    assert pipe.is_fifo()


def test_folder_that_is_missing(slice_6_1: Path, lkst: Run, tmp_path: Path) -> None:
    target = tmp_path / "missing" / "slice"
    result = lkst("slice", slice_6_1, "-o", target)
    assert result == (1, "", f"lkst: {target}: No such file or directory\n")


def test_without_a_recorder(lab: Lab, lkst: Run, target: Path) -> None:
    dump = lab("6.1", "--no-record")
    result = lkst("slice", dump.vmcore, "-o", target)
    assert result == (1, "", f"lkst: {dump.vmcore}: contains no recorder\n")
    assert unharmed(target)


def test_what_is_no_dump(lkst: Run, target: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("sources")
    text = folder / "text"
    text.write_text("hello\n" * 1000)
    empty = folder / "empty"
    with empty.open("wb") as file:
        uts = Uts(release="6.1", version="#1", machine="x86_64")
        vmcoreinfo = b"OSRELEASE=6.1\nPAGESIZE=4096\nSYMBOL(swapper_pg_dir)=ffffffff82a10000\n"
        write_dump(file, Contents({0: bytes(4096)}, 4096, "<", uts, vmcoreinfo))
    for source in (text, empty, folder, folder / "missing"):
        result = lkst("slice", source, "-o", target)
        assert result.status == 3, source
        assert len(result.stderr.splitlines()) == 1, result.stderr
        assert str(source) in result.stderr
    assert lkst("slice", "live", "-o", target).status == 2
    assert unharmed(target)

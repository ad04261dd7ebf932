# SPDX-License-Identifier: GPL-2.0-or-later
"""lkst.abi.layout says the same as recorder/layout.h, as the compiled programs have it."""

import ctypes
from importlib import resources
from pathlib import Path
import re
import struct
import subprocess

import pytest

from drgn_plugins.lkst_btf import BTF
from lkst.abi import control, layout
from lkst.bpf.object import Object
from lkst.record.maskset.text import built_in
from lkst.record.programs.catalogue import built_catalogue
from lkst.trace.filters import match_events

pytestmark = pytest.mark.slow

OBJECT = Path(str(resources.files("lkst.record") / "lkst.bpf.o"))
HEADER = Path(__file__).parents[2] / "recorder" / "layout.h"


def defines() -> dict[str, int]:
    """Read the numbers that layout.h defines."""
    text = HEADER.read_text()
    return {
        name: int(value, 0)
        for name, value in re.findall(r"#define LKST_(\w+)\s+(\d\w*)\b(?!ULL)", text)
    }


@pytest.fixture(scope="module")
def btf(tmp_path_factory: pytest.TempPathFactory) -> BTF:
    """Give the types as the compiler has laid them out."""
    section = tmp_path_factory.mktemp("btf") / "btf"
    subprocess.run(
        ["llvm-objcopy", "--dump-section", f".BTF={section}", OBJECT, "/dev/null"], check=True
    )
    return BTF(section.read_bytes())


def find(btf: BTF, name: str) -> int:
    struct_kind = 4  # BTF_KIND_STRUCT
    id_ = btf.find(name, struct_kind)
    assert id_ is not None, name
    return id_


def offsets(btf: BTF, name: str) -> dict[str, int]:
    """Give the offsets of a struct's members, in bytes."""
    return {member.name: member.bit_offset // 8 for member in btf.members(find(btf, name))}


def test_offsets(btf: BTF) -> None:
    header = offsets(btf, "lkst_header")
    place = 0
    formats = re.findall(r"\d*[a-zA-Z]", layout.HEADER.format.lstrip("<"))
    for name, format_ in zip(layout.HEADER_NAMES, formats, strict=False):
        assert header[name] == place, name
        place += struct.calcsize("<" + format_)

    slot = offsets(btf, "lkst_slot")
    assert (slot["commit"], slot["what"], slot["ts"]) == (0, 8, 16)
    assert slot["payload"] == layout.PAYLOAD_OFFSET
    cpu = offsets(btf, "lkst_cpu")
    assert (cpu["place"], cpu["count"]) == (layout.PLACE_OFFSET, layout.COUNT_OFFSET)
    assert btf.size(find(btf, "lkst_cpu")) == layout.CPU_SIZE
    assert offsets(btf, "lkst_place") == {"head": 0, "limit": 8}
    assert btf.size(find(btf, "lkst_place")) == layout.PLACE_SIZE
    counts = offsets(btf, "lkst_counts")
    assert (counts["counted"], counts["sum"], counts["bucket"]) == (
        layout.COUNTED_OFFSET,
        layout.SUM_OFFSET,
        layout.BUCKET_OFFSET,
    )
    event = offsets(btf, "lkst_event")
    assert (event["tag"], event["fields"]) == (layout.EVENT_TAG_OFFSET, layout.EVENT.size)


@pytest.mark.parametrize(
    "name",
    "buffer cgroup clause control filter hist pattern rules term trigger".split(),
)
def test_control(btf: BTF, name: str) -> None:
    mirror = control.ControlBuffer if name == "buffer" else getattr(control, name.capitalize())
    assert issubclass(mirror, ctypes.LittleEndianStructure)
    meant = {member: getattr(mirror, member).offset for member, *_ in mirror._fields_}
    assert offsets(btf, f"lkst_{name}") == meant
    assert btf.size(find(btf, f"lkst_{name}")) == ctypes.sizeof(mirror)


def test_numbers() -> None:
    said = defines()
    for name, value in said.items():
        if hasattr(layout, name):
            assert getattr(layout, name) == value, name
    assert {"SLOT_SIZE", "SEQ_BITS", "CPU_SHIFT", "PID_SHIFT", "NR_SHIFT", "FLAGS_SHIFT"} <= set(
        said
    )


def test_built_catalogue() -> None:
    catalogue = built_catalogue()
    assert not catalogue.faults
    assert len(catalogue.events) >= 85
    for event in catalogue.events.values():
        assert event.description, event
        assert sum(field.size for field in event.fields) <= layout.PAYLOAD_SIZE
        for field in event.fields:
            if field.type == "comm" and field.unit:
                named = event.field(field.unit)
                assert named and named.type == "pid", (event.name, field.name)
    assert len({event.name for event in catalogue.events.values()}) == len(catalogue.events)
    assert catalogue.header.control_size == ctypes.sizeof(control.Control)


def test_fields_are_aligned() -> None:
    """Records are also built where the verifier wants that."""
    for event in built_catalogue().events.values():
        for field in event.fields:
            alignment = 8 if field.type in ("comm", "name") else field.size
            assert alignment in (1, 2, 4, 8), (event.name, field)
            assert field.offset % alignment == 0, (event.name, field)


def test_every_hook_is_a_program() -> None:
    hooks = {event.hook for event in built_catalogue().events.values() if event.hook}
    with Object(OBJECT) as bpf:
        assert hooks <= set(bpf.programs())
        kinds = {bpf.section(hook).partition("/")[0] for hook in hooks}
    assert kinds == {"tp_btf", "raw_tp", "fentry", "fexit"}


# What the public texts about LKST name.
OLD_NAMES = (
    "PROCESS_CONTEXTSWITCH PROCESS_WAKEUP PROCESS_SIGSEND PROCESS_LTHREADGEN PROCESS_INIT_WQH"
    " PROCESS_ADD_WQ PROCESS_REM_WQ PROCESS_SCHED_ENTER PROCESS_SCHED_EXIT PROCESS_FORK"
    " INT_HARDWARE_ENTRY INT_TASKLETHI_ENTRY INT_TASKLET_ENTRY INT_BH_ENTRY EXCEPTION_ENTRY"
    " EXCEPTION_EXIT SYSCALL_ENTRY SYSCALL_EXIT TIMER_ADD LKST_INIT LKST_KERNEL_DUMP"
).split()


@pytest.mark.parametrize("name", OLD_NAMES)
def test_the_names_of_lkst(name: str) -> None:
    (event,) = match_events(built_catalogue(), [name])
    assert event.old_name == name


def test_wait_queues_are_no_work_queues() -> None:
    catalogue = built_catalogue()
    found = match_events(catalogue, ["PROCESS_*_WQ*"])
    assert {event.category for event in found} == {"waitqueue"}


def test_masksets_fit() -> None:
    masksets = built_in(built_catalogue())
    assert {"none", "default", "all"} <= set(masksets)
    assert all(len(name) < layout.NAME_SIZE for name in masksets)

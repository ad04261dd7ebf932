# SPDX-License-Identifier: GPL-2.0-or-later
"""
Maps
----

The recorder's BPF maps in the memory of a kernel, found as the kernel finds
them: through ``map_idr`` (kernel/bpf/syscall.c).
"""

from collections import defaultdict
from collections.abc import Iterator

from drgn import FaultError, Object, Program, cast
from drgn.helpers.linux.bpf import bpf_map_for_each
from drgn.helpers.linux.cpumask import for_each_possible_cpu
from drgn.helpers.linux.idr import idr_find
from drgn.helpers.linux.percpu import per_cpu_ptr

from lkst import layout
from lkst.decode.catalogue import Header, parse_header
from lkst.decode.image import Image
from lkst.errors import Damaged
from lkst.locate.memory import read_pages

__all__ = ("find_recorders",)

#: Names of the maps, as far as the kernel keeps them (BPF_OBJ_NAME_LEN).
_CATALOGUE = b".rodata.lkst"
_CONTROL = b".data.lkst"
_CPUS = b"lkst_cpus"
_RING = b"lkst_ring"

_MAX_CATALOGUE = 1 << 28


def find_recorders(prog: Program, most: int, faults: list[str]) -> Iterator[Image]:
    """
    Find the recorders that a kernel has loaded.

    :param most: what rings can take, in bytes: more than that is damage
    :param faults: told of each recorder that is damaged; the others are found all the same
    :raises LookupError: if the kernel's list of maps cannot be found
    :raises FaultError: if it cannot be read
    """
    for maps in _group(prog):
        if _CATALOGUE in maps and _RING in maps:
            try:
                yield _read_recorder(prog, maps, most)
            except (Damaged, FaultError) as error:
                faults.append(" ".join(str(error).split()))


def _group(prog: Program) -> list[dict[bytes, Object]]:
    """Collect the maps that were loaded together: they share one BTF."""
    groups: dict[int, dict[bytes, Object]] = defaultdict(dict)
    for map_ in bpf_map_for_each(prog):
        try:
            name = map_.name.string_()
            if name in (_CATALOGUE, _CONTROL, _CPUS, _RING):
                groups[map_.btf.value_()].setdefault(name, map_)
        except FaultError:
            continue
    return list(groups.values())


def _read_recorder(prog: Program, maps: dict[bytes, Object], most: int) -> Image:
    catalogue, _ = _read_values(maps[_CATALOGUE], _MAX_CATALOGUE)
    header = parse_header(catalogue)
    if header.rings_size > most:
        raise Damaged("the recorder's header is damaged: rings larger than memory")
    faults = []
    before, missing = _read_map(maps, _CPUS, header.cpu_size * header.nr_cpus)
    heads_before = None if missing else layout.heads(before, header.cpu_size)
    rings, unreadable = _read_values(maps[_RING], header.rings_size)
    if len(rings) < header.rings_size:
        faults.append("the map of the rings is smaller than the header says")
    cpus, missing = _read_map(maps, _CPUS, header.cpu_size * header.nr_cpus)
    if missing:
        faults.append("the counters of the CPUs cannot be read")
        cpus = b""
    control, missing = _read_map(maps, _CONTROL, header.control_size)
    if missing:
        control = b""
    live = bool(prog.flags & prog.flags.IS_LIVE)
    return Image(
        catalogue=catalogue,
        rings=rings,
        cpus=cpus,
        control=control,
        suppressed=_read_misses(prog, control, header),
        unreadable=unreadable,
        heads_before=heads_before if live else None,
        faults=faults,
    )


def _read_values(map_: Object, most: int) -> tuple[bytes, list[tuple[int, int]]]:
    """Read the values of an array map, which lie in one stretch (kernel/bpf/arraymap.c)."""
    array = cast("struct bpf_array *", map_)
    size = (map_.value_size.value_() + 7) // 8 * 8 * map_.max_entries.value_()
    return read_pages(map_.prog_, array.value.address_of_().value_(), min(size, most))


def _read_map(
    maps: dict[bytes, Object], name: bytes, size: int
) -> tuple[bytes, list[tuple[int, int]]]:
    if name not in maps:
        return b"", []
    try:
        return _read_values(maps[name], size)
    except FaultError:
        return b"", [(0, size)]


def _read_misses(prog: Program, control: bytes, header: Header) -> dict[int, int]:
    """
    Count by event how often its program was skipped because it was running.

    ``struct bpf_prog_stats.misses``, since Linux 5.12 (9ed9e9ba2337).
    """
    misses = {}
    try:
        cpus = list(for_each_possible_cpu(prog))
        for event, prog_id in layout.prog_ids(control, header.control).items():
            found = idr_find(prog["prog_idr"].address_of_(), prog_id)
            if not found:
                continue
            stats = cast("struct bpf_prog *", found).stats
            misses[event] = sum(
                # A u64_stats_t is 8 bytes on 64-bit machines, whatever it is made of.
                prog.read_u64(per_cpu_ptr(stats, cpu).misses.address_of_().value_())
                for cpu in cpus
            )
    except (AttributeError, FaultError, LookupError):
        # Nothing else depends on it.
        return {}
    return misses

# SPDX-License-Identifier: GPL-2.0-or-later
"""
Maps
----

Find the recorder's BPF maps in a kernel's memory as the kernel does: through ``map_idr``
(kernel/bpf/syscall.c). Maps that were loaded together share one BTF; the buffers' maps
are found by the ids in the control map.
"""

from collections import defaultdict
from collections.abc import Iterator

from drgn import FaultError, Object, Program, cast
from drgn.helpers.linux.bpf import bpf_map_for_each
from drgn.helpers.linux.cpumask import for_each_possible_cpu
from drgn.helpers.linux.idr import idr_find
from drgn.helpers.linux.percpu import per_cpu_ptr

from lkst.abi import layout
from lkst.abi.control import Control, prog_ids, read_control
from lkst.decode.catalogue import Header, is_ring_size, parse_header
from lkst.decode.image import BufferImage, Image
from lkst.errors import Damaged
from lkst.locate.buffers import BufferInfo, listed_buffers, owner, unnamed
from lkst.locate.pages import read_pages

__all__ = ("find_recorders",)

#: Names of the maps, as far as the kernel keeps them (BPF_OBJ_NAME_LEN).
_CATALOGUE = b".data.catalogue"
_CONTROL = b".data.lkst"
_CPUS = b"lkst_cpus"
_COUNTS = b"lkst_counts"
_RING = b"lkst_ring"

_ARRAY = 2  # BPF_MAP_TYPE_ARRAY of include/uapi/linux/bpf.h

_MAX_CATALOGUE = 1 << 28


def find_recorders(prog: Program, most: int, faults: list[str]) -> Iterator[Image]:
    """
    Find the recorders that a kernel has loaded.

    :param most: what rings can take, in bytes: more than that is damage
    :param faults: gets a line for each damaged recorder; the others are still yielded
    :raises LookupError: if the kernel's list of maps cannot be found
    :raises FaultError: if it cannot be read
    """
    for maps in _group(prog):
        if _CATALOGUE in maps:
            try:
                yield _read_recorder(prog, maps, most)
            except (Damaged, FaultError) as error:
                faults.append(_line(error))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _group(prog: Program) -> list[dict[bytes, Object]]:
    """Collect the maps that were loaded together: they share one BTF."""
    groups: dict[int, dict[bytes, Object]] = defaultdict(dict)
    for map_ in bpf_map_for_each(prog):
        try:
            name = map_.name.string_()
            # As recorders up to ABI 2.0 have it.
            name = _CATALOGUE if name == b".rodata.lkst" else name
            if name in (_CATALOGUE, _CONTROL, _CPUS, _COUNTS):
                groups[map_.btf.value_()].setdefault(name, map_)
        except FaultError:
            continue
    return list(groups.values())


def _read_recorder(prog: Program, maps: dict[bytes, Object], most: int) -> Image:
    raw, _ = _read_values(maps[_CATALOGUE], _MAX_CATALOGUE)
    header = parse_header(raw)
    if header.nr_cpus * max(header.cpu_size, header.counts_size) > most:
        raise Damaged("the recorder's header is damaged: more CPUs than memory has room for")
    faults: list[str] = []
    raw_control = _read_map(maps, _CONTROL, header.control_size)
    control = read_control(raw_control)
    if control is None or control.tag != header.tag:
        faults.append("the control map is damaged: buffers were found by their slots only")
        raw_control, control = b"", None

    size = header.cpu_size * header.nr_cpus
    before = _read_map(maps, _CPUS, size)
    found = _find_buffers(prog, control, header, most, faults)
    rings = [(info, *_read_rings(prog, info, map_, header, before, faults)) for info, map_ in found]
    cpus = _read_map(maps, _CPUS, size)
    if not cpus:
        faults.append("the counters of the CPUs cannot be read")
    live = bool(prog.flags & prog.flags.IS_LIVE)
    buffers = [
        BufferImage(
            number=info.number,
            name=info.name,
            state=info.state,
            nr_slots=info.nr_slots,
            rings=data,
            places=layout.places(cpus, header.cpu_size, info.number),
            unreadable=unreadable,
            heads_before=_heads(before, header, info.number) if live else None,
        )
        for info, data, unreadable in rings
        if data is not None
    ]
    return Image(
        catalogue=raw,
        buffers=buffers,
        cpus=cpus,
        control=raw_control,
        counts=_read_map(maps, _COUNTS, header.counts_size * header.nr_cpus),
        suppressed=_read_misses(prog, control),
        faults=faults,
    )


def _heads(cpus: bytes, header: Header, number: int) -> list[int] | None:
    return [place.head for place in layout.places(cpus, header.cpu_size, number)] or None


def _find_buffers(
    prog: Program, control: Control | None, header: Header, most: int, faults: list[str]
) -> list[tuple[BufferInfo, Object]]:
    """Find the buffers' maps by their ids or, if these are not known, by their contents."""
    if control is None:
        return list(_guess_buffers(prog, header, most))
    found = []
    for info in listed_buffers(control, header, most, faults):
        try:
            map_ = cast("struct bpf_map *", _map_by_id(prog, info.map_id))
            if not map_:
                raise Damaged("no map has this id")
            _check_map(map_, info, header)
            found.append((info, map_))
        except (Damaged, FaultError) as error:
            faults.append(f"buffer {info.name}: its map cannot be used: {_line(error)}")
    return found


def _map_by_id(prog: Program, id_: int) -> Object:
    return idr_find(prog["map_idr"].address_of_(), id_)


def _check_map(map_: Object, info: BufferInfo, header: Header) -> None:
    """Check that a map can hold the rings of a buffer: its id may be damaged."""
    if map_.map_type.value_() != _ARRAY:
        raise Damaged("it is not an array")
    if map_.value_size.value_() != layout.SLOT_SIZE:
        raise Damaged("its values are not slots")
    if map_.max_entries.value_() != info.nr_slots * header.nr_cpus:
        raise Damaged("it has the wrong number of slots")


def _guess_buffers(prog: Program, header: Header, most: int) -> Iterator[tuple[BufferInfo, Object]]:
    seen = set()
    for map_ in bpf_map_for_each(prog):
        try:
            if map_.name.string_() != _RING:
                continue
            nr_slots = map_.max_entries.value_() // header.nr_cpus
            info = unnamed(0, nr_slots)
            if not is_ring_size(nr_slots) or info.size(header) > most:
                continue
            _check_map(map_, info, header)
            data, _ = _read_values(map_, info.size(header))
            number = owner(data, header)
        except (Damaged, FaultError):
            continue
        if number not in seen:
            seen.add(number)
            yield unnamed(number, nr_slots), map_


def _read_rings(
    prog: Program, info: BufferInfo, map_: Object, header: Header, before: bytes, faults: list[str]
) -> tuple[bytes | None, list[tuple[int, int]]]:
    """Read all rings of a buffer; None if not one of them can be read."""
    places = layout.places(before, header.cpu_size, info.number)
    if info.state == "spare" and places and not any(place.head for place in places):
        return b"", []
    try:
        return _read_values(map_, info.size(header))
    except FaultError as error:
        faults.append(f"buffer {info.name}: its map cannot be used: {_line(error)}")
        return None, []


def _read_values(map_: Object, most: int) -> tuple[bytes, list[tuple[int, int]]]:
    """Read the values of an array map, which are contiguous (kernel/bpf/arraymap.c)."""
    array = cast("struct bpf_array *", map_)
    size = (map_.value_size.value_() + 7) // 8 * 8 * map_.max_entries.value_()
    return read_pages(map_.prog_, array.value.address_of_().value_(), min(size, most))


def _read_map(maps: dict[bytes, Object], name: bytes, size: int) -> bytes:
    """Read a map; nothing if a part of it is missing."""
    if name not in maps:
        return b""
    try:
        data, missing = _read_values(maps[name], size)
    except FaultError:
        return b""
    return b"" if missing else data


def _read_misses(prog: Program, control: Control | None) -> dict[int, int] | None:
    """
    Count by event how often its program was skipped because it was running; None: not known.

    ``struct bpf_prog_stats.misses``, since Linux 5.12 (9ed9e9ba2337).
    """
    misses = {}
    try:
        cpus = list(for_each_possible_cpu(prog))
        for event, prog_id in prog_ids(control).items():
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
        return None
    return misses

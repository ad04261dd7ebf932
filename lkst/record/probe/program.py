# SPDX-License-Identifier: GPL-2.0-or-later
"""
Programs of probes
------------------

Compiles the definition of a probe to its event and to copies of the templates in
``recorder/probe.bpf.c``, and attaches them: as fentry and fexit if possible, which the
kernel calls directly, or else as kprobe and kretprobe.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
import struct
from typing import NamedTuple

from lkst.abi import layout
from lkst.bpf.libbpf import BPFError
from lkst.bpf.object import Object
from lkst.decode.catalogue import PROBE, Catalogue, Event, Field
from lkst.errors import LkstError, Usage
from lkst.record.probe.access_path import TEXT, Typed, register_offset
from lkst.record.probe.codegen import (
    ELAPSED,
    Elapsed,
    Placed,
    Words,
    condition_code,
    fetch_code,
    fill_place,
    keep_code,
    place_fields,
)
from lkst.record.probe.definition import Probe
from lkst.record.probe.expr_parser import FieldText, parse_field
from lkst.record.probe.field_types import shapes_of, type_field
from lkst.record.probe.target import Target, why_refused
from lkst.record.programs.attach import PROBE_ENTER, pin_name
from lkst.record.trigger.compile import Clause, compile_expression
from lkst.record.trigger.value_names import LiveNames

__all__ = ("Attached", "Compiled", "attach_probe", "compile_probe", "links_of", "pack_entry")

#: struct probe of recorder/probe.bpf.c: event, place, limit, text, tested
_CONSTANTS = struct.Struct("<5I")
_CALL_SIZE = 48  # struct probe_call without its text

#: Types of one byte -> the same types of two bytes.
_WIDER = {"u8": "u16", "s8": "s16"}


class _Way(NamedTuple):
    """A mechanism to attach a probe."""

    mechanism: str
    #: Template, and suffix of the link's name after the probe's name.
    programs: tuple[tuple[str, str], ...]
    words: Words


@dataclass(frozen=True)
class Compiled:
    """A probe that is compiled for this kernel and not loaded yet."""

    probe: Probe
    #: Its id is 0, and its hook has no mechanism yet.
    event: Event
    placed: Sequence[Placed]
    clauses: Sequence[Clause]
    target: Target

    @property
    def text(self) -> int:
        """Offset of the text in the payload, after its length; 0: there is none."""
        last = self.placed[-1] if self.placed else None
        if last is None or not isinstance(last.field, Typed) or last.field.shape.type != TEXT:
            return 0
        return last.offset + last.size


class Attached(NamedTuple):
    """Result of attaching a probe."""

    mechanism: str
    prog_id: int


def links_of(name: str) -> tuple[str, str]:
    """Return the names of a probe's links; the second one writes the records."""
    return f"{name}{PROBE_ENTER}", name


def compile_probe(probe: Probe, target: Target, catalogue: Catalogue) -> Compiled:
    """
    Compile the fields of a probe.

    :param catalogue: the recorder's catalogue
    :raises Usage: if the definition does not fit the target
    """
    if target.tracepoint and probe.returns:
        raise Usage(f"{target.text.name} is a tracepoint, which has no return: remove --return")
    if probe.returns and target.text.offset is not None:
        raise Usage("--return needs a whole function: remove the offset")
    signature = target.signature(probe.returns)
    shapes = shapes_of(catalogue)
    typed: list[Typed | Elapsed] = [
        type_field(field, target.btf, signature, shapes)
        for field in _named_apart([parse_field(text) for text in probe.fields], probe.returns)
    ]
    if probe.returns:
        typed.append(ELAPSED)
    placed = place_fields(typed)
    event = Event(
        id=0,
        name=probe.name,
        category=PROBE,
        old_name="",
        hook=probe.target,
        description=probe.words,
        by_default=True,
        fields=tuple(_field(one) for one in placed),
        with_stack=probe.stack,
    )
    clauses: tuple[Clause, ...] = ()
    if probe.condition:
        try:
            clauses = compile_expression(probe.condition, catalogue, LiveNames(), event)
        except Usage as error:
            raise Usage(f"--if: {error}") from None
    return Compiled(probe, event, placed, clauses, target)


def _named_apart(fields: list[FieldText], returns: bool) -> list[FieldText]:
    """Make the names of fields unique."""
    seen = {ELAPSED.name: ""} if returns else {}
    for field in fields:
        if field.name in seen:
            raise Usage(
                f"two fields are called {field.name!r}: give one another name, as"
                f" other={field.text.partition('=')[2] or field.text}"
            )
        seen[field.name] = field.text
    return fields


def _field(one: Placed) -> Field:
    if isinstance(one.field, Elapsed):
        return Field(one.field.name, "u64", "ns", one.offset, one.size)
    shape = one.field.shape
    type_ = _WIDER.get(shape.type, shape.type) if one.size > shape.size else shape.type
    type_ = f"{type_}:{shape.enum}" if shape.enum else type_
    return Field(one.field.name, type_, "", one.offset, one.size)


def pack_entry(event: Event, tag: int) -> bytes:
    """
    Pack an entry of the catalogue: struct lkst_event.

    :raises Usage: if the names of enums are too long
    """
    fields = b""
    enums = []
    for field in event.fields:
        type_, _, enum = field.type.partition(":")
        enums += [enum] if enum else []
        texts = (text.encode() for text in (field.name, type_, field.unit))
        fields += layout.FIELD.pack(*texts, field.size)
    names = " ".join(enums).encode()
    if len(names) >= _ENUMS_SIZE:
        raise Usage("the names of the enums are too long: use u32 for one of them")
    entry = layout.EVENT.pack(
        layout.EVENT_MAGIC,
        tag,
        event.id,
        layout.DEFAULT_STACK if event.with_stack else 1,
        event.name.encode(),
        event.category.encode(),
        b"",
        event.hook.encode()[:39],
        event.description.encode()[:63],
    )
    entry = (entry + fields).ljust(layout.EVENT_REST_OFFSET, b"\0")
    entry += layout.EVENT_REST.pack(event.since, event.until, names)
    return entry.ljust(layout.ENTRY_SIZE, b"\0")


_ENUMS_SIZE = layout.EVENT_REST.size - 16


def _ways(compiled: Compiled) -> list[_Way]:
    """Return the mechanisms for a target, the cheapest first."""
    target, returns = compiled.target, compiled.probe.returns
    count = len(target.signature(returns).parameters)
    if target.btf and target.id:
        last = target.signature(returns).parameters[-1:]
        count = last[0][2] + max(-(-target.btf.size(last[0][1]) // 8), 1) if last else 0
    called = Words([8 * word for word in range(count)], None, 8 * count, typed=True)
    if target.tracepoint:
        return [_Way("tracepoint", (("hit_tracepoint", ""),), called)]
    registers = [register_offset(name) or 0 for name in ("di", "si", "dx", "cx", "r8", "r9")]
    stack = (8, register_offset("sp") or 0)
    saved = Words(registers, stack, register_offset("ax"), typed=False)
    ways = []
    if target.id and target.text.offset is None:
        ways.append(
            _Way("fexit", (("enter_fentry", PROBE_ENTER), ("leave_fexit", "")), called)
            if returns
            else _Way("fentry", (("hit_fentry", ""),), called)
        )
    ways.append(
        _Way("kretprobe", (("enter_kprobe", PROBE_ENTER), ("leave_kretprobe", "")), saved)
        if returns
        else _Way("kprobe", (("hit_kprobe", ""),), saved)
    )
    return ways


def attach_probe(pins: Path, compiled: Compiled, event_id: int, place: int) -> Attached:
    """
    Load a probe's programs and attach them.

    :param place: index of the event among probes
    :raises LkstError: if the kernel refuses it
    """
    said = ""
    for way in _ways(compiled):
        for direct in (True, False) if way.words.typed else (False,):
            try:
                return _try(pins, compiled, event_id, place, way, direct)
            except BPFError as error:
                _unlink(pins, compiled.probe.name)
                said = str(error).splitlines()[0] if error else ""
                if not error.by_verifier:
                    break
    raise LkstError(why_refused(compiled.target, said))


def _unlink(pins: Path, name: str) -> None:
    for link in links_of(name):
        (pins / "links" / link).unlink(missing_ok=True)


def _try(
    pins: Path, compiled: Compiled, event_id: int, place: int, way: _Way, direct: bool
) -> Attached:
    links = pins / "links"
    links.mkdir(mode=0o700, exist_ok=True)
    target = compiled.target
    function = f"{target.module}:{target.text.name}" if target.module else target.text.name
    with Object(Path(str(resources.files("lkst.record") / "probe.bpf.o"))) as bpf:
        wanted = dict(way.programs)
        for program in list(bpf.programs()):
            bpf.set_autoload(program, program in wanted)
        for program in wanted:
            code = _code(compiled, way.words, program, direct)
            bpf.set_instructions(program, fill_place(bpf.instructions(program), code))
            if way.words.typed:
                bpf.set_target(program, target.text.name)
        constants = (event_id, place, compiled.probe.limit, compiled.text, bool(compiled.clauses))
        bpf.initial_value(".rodata.probe")[: _CONSTANTS.size] = _CONSTANTS.pack(*constants)
        _reuse_maps(bpf, pins, compiled)
        try:
            bpf.load("the kernel refused the probe")
        except BPFError as refusal:
            _, reason = bpf.refused()
            error = BPFError(reason) if reason else refusal
            error.by_verifier = bool(reason)
            raise error from None
        for program, suffix in way.programs:
            pin = links / f"{compiled.probe.name}{suffix}"
            if way.words.typed:
                bpf.attach(program, pin)
            else:
                bpf.attach_kprobe(program, pin, function, target.text.offset or 0)
        return Attached(way.mechanism, bpf.prog_id(way.programs[-1][0]))


def _code(compiled: Compiled, words: Words, program: str, direct: bool) -> bytes:
    """Generate a program's code; at function entry it fetches the arguments."""
    enters, leaves = program.startswith("enter"), program.startswith("leave")
    fields = [
        one
        for one in compiled.placed
        if (isinstance(one.field, Elapsed) or one.field.at_return) == leaves or not enters | leaves
    ]
    code = fetch_code(fields, words, direct=direct)
    return code + (
        condition_code(compiled.clauses) if not enters and compiled.clauses else keep_code()
    )


def _reuse_maps(bpf: Object, pins: Path, compiled: Compiled) -> None:
    """Reuse the recorder's maps, and create only the maps that the probe needs."""
    own = {
        "probe_calls": compiled.probe.returns,
        "probe_aside": compiled.probe.returns or compiled.text,
    }
    for map_ in list(bpf.maps()):
        name = pin_name(map_)
        if name and (pins / name).exists():
            bpf.reuse_map(map_, pins / name)
        elif name or not own.get(map_, True):
            bpf.leave_out_map(map_)
        elif map_ in own and not compiled.text:
            bpf.set_value_size(map_, _CALL_SIZE)

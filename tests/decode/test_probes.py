# SPDX-License-Identifier: GPL-2.0-or-later
"""Events that users have added, as the catalogue explains them."""

from synthetic import EventSpec, FieldSpec, Synthetic

from lkst.decode.catalogue import parse_catalogue
from lkst.record.probe.program import pack_entry
from lkst.replay.serialize import replay_jsonl
from lkst.trace.facts import Enums, Facts, Names
from lkst.trace.trace import build_trace

TICK = EventSpec("tick", fields=(FieldSpec("u32", "n"),))
PROBE = EventSpec(
    "hit",
    "probe",
    hook="fentry/vfs_read",
    by_default=2,
    fields=(
        FieldSpec("name", "name", size=24),
        FieldSpec("enum", "colour", size=4),
        FieldSpec("hex", "bits", size=2),
        FieldSpec("flags", "mode", size=1),
        FieldSpec("s8", "level", size=1),
    ),
    enums="colour mode_bits",
)
COLOURS = {1: "RED", 2: "BLUE"}
MODES = {1: "READ", 2: "WRITE", 3: "BOTH"}


def recorder(**options: int) -> Synthetic:
    probe = EventSpec(**{**vars(PROBE), **options})
    return Synthetic(events=(TICK, probe), nr_cpus=1, free=3)


def shown(synthetic: Synthetic, names: Names) -> list[str]:
    trace = build_trace(synthetic.image(), Facts(names=names))
    assert trace.records.faults == []
    return "".join(replay_jsonl(trace)).splitlines()


def test_places_that_are_free_are_no_damage() -> None:
    catalogue = parse_catalogue(recorder().catalogue())
    assert (catalogue.header.nr_events, catalogue.header.nr_probes) == (1, 4)
    assert list(catalogue.events) == [1, 2]
    assert catalogue.faults == []


def test_an_entry_of_the_software_that_is_missing_is_damage() -> None:
    data = bytearray(recorder().catalogue())
    data[1024:1032] = bytes(8)
    assert parse_catalogue(bytes(data)).faults == ["catalogue entry 0: the magic is missing"]


def test_fields_tell_their_enums() -> None:
    event = parse_catalogue(recorder().catalogue()).events[2]
    assert event.is_probe
    assert event.with_stack
    assert [(f.name, f.type, f.offset) for f in event.fields] == [
        ("name", "name", 0),
        ("colour", "enum:colour", 24),
        ("bits", "hex", 28),
        ("mode", "flags:mode_bits", 30),
        ("level", "s8", 31),
    ]


def test_an_entry_that_is_written_is_read_as_it_was() -> None:
    synthetic = recorder(since=7, until=9)
    event = parse_catalogue(synthetic.catalogue()).events[2]
    entry = pack_entry(event, synthetic.tag)
    assert synthetic.catalogue()[2048:3072] == entry


def test_values_have_the_names_of_the_kernel() -> None:
    synthetic = recorder()
    synthetic.record(
        0, 50, 1, "hit", name="a name of its own", colour=2, bits=0xAB, mode=3, level=-3
    )
    synthetic.record(0, 60, 1, "hit", name="", colour=7, mode=4)
    known = Names(enums=Enums({}, {"colour": COLOURS, "mode_bits": MODES}.__getitem__))
    first, second = shown(synthetic, known)
    assert (
        '"fields":{"name":"a name of its own","colour":"BLUE","bits":"0xab","mode":"READ|WRITE",'
        '"level":-3}'
    ) in first
    assert '"colour":7,"bits":"0x0","mode":"0x4"' in second
    first, _ = shown(synthetic, Names())
    assert '"colour":2,"bits":"0xab","mode":"0x3"' in first


def test_records_of_another_probe_in_the_same_place_are_left_out() -> None:
    synthetic = recorder(since=100)
    for ts in (50, 99, 100, 150):
        synthetic.record(0, ts, 1, "hit", colour=1)
        synthetic.record(0, ts, 1, "tick", n=ts)
    trace = build_trace(synthetic.image(), Facts())
    assert [int(ts) for ts in trace.ts[trace.event == 2]] == [100, 150]
    assert (trace.event == 1).sum() == 4
    (fault,) = trace.records.faults
    assert fault.startswith("2 records were left out: their probes were removed")

# SPDX-License-Identifier: GPL-2.0-or-later
"""Masksets as text: read, written, and refused line by line."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
import pytest

from lkst.decode.catalogue import Catalogue, Event
from lkst.errors import Usage
from lkst.record.maskset.filters import comm_bytes, format_filter, merge_filters, parse_filter
from lkst.record.maskset.text import (
    Filter,
    Handler,
    Maskset,
    built_in,
    format_maskset,
    parse_assignments,
    parse_handler,
    parse_maskset,
    parse_masksets,
)
from lkst.trace.names.index import decode_comm
from lkst.util.printable import comm_word

MINE = ("mine", "count-bytes")
RECORD, OFF = Handler("record"), Handler("off")

WEB = """\
maskset web   # what the web server does
filter pid 34,12,34 children
filter comm nginx,"Web Content",postgres*
filter cgroup /system.slice/nginx.service
filter cpu 0,2-3

sched_switch record
sched_wakeup off        # too many
block_rq_issue hist(bytes)
test_delay hist
sys_enter mine
"""


def event(catalogue: Catalogue, name: str) -> Event:
    return next(event for event in catalogue.events.values() if event.name == name)


def refusal(catalogue: Catalogue, text: str) -> list[str]:
    """Give the lines of what is said about a maskset."""
    with pytest.raises(Usage) as raised:
        parse_maskset(text, catalogue, MINE, where="web.mask")
    return str(raised.value).splitlines()


def test_read(catalogue: Catalogue) -> None:
    assert parse_maskset(WEB, catalogue, MINE) == Maskset(
        "web",
        {
            "sched_switch": RECORD,
            "block_rq_issue": Handler("hist", "bytes"),
            "test_delay": Handler("hist", "delay"),
            "sys_enter": Handler("mine"),
        },
        Filter(
            pids=(12, 34),
            children=True,
            comms=("Web Content", "nginx", "postgres*"),
            cgroups=("/system.slice/nginx.service",),
            cpus=(0, 2, 3),
        ),
    )


def test_written(catalogue: Catalogue) -> None:
    text = format_maskset(parse_maskset(WEB, catalogue, MINE), catalogue)
    lines = text.splitlines()
    assert lines[:5] == [
        "maskset web",
        "filter pid 12,34 children",
        'filter comm "Web Content",nginx,postgres*',
        "filter cgroup /system.slice/nginx.service",
        "filter cpu 0,2-3",
    ]
    # One line for each event, those of a category together.
    told = [line.split() for line in lines[5:] if line and not line.startswith("#")]
    assert sorted(name for name, _ in told) == sorted(
        event.name for event in catalogue.events.values()
    )
    at = lines.index("# irq")
    irq = [event.name for event in catalogue.events.values() if event.category == "irq"]
    assert [line.split()[0] for line in lines[at + 1 : at + 1 + len(irq)]] == irq
    # All handlers in one column.
    assert len({line.rindex(" ") for line in lines[5:] if line and line[0] != "#"}) == 1
    assert ["sched_wakeup", "off"] in told
    assert ["test_delay", "hist(delay)"] in told


def test_what_is_written_reads_as_before(catalogue: Catalogue) -> None:
    maskset = parse_maskset(WEB, catalogue, MINE)
    text = format_maskset(maskset, catalogue)
    assert parse_maskset(text, catalogue, MINE) == maskset
    assert format_maskset(parse_maskset(text, catalogue, MINE), catalogue) == text


names = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,29}", fullmatch=True)
printable = st.text(
    st.characters().filter(lambda char: char.isprintable() and char not in "*?[\ufffd"), min_size=1
)
comms = st.builds(
    lambda name, star: name + star,
    printable.filter(lambda name: len(name.encode()) <= 15),
    st.sampled_from(["", "*"]),
)
paths = st.text(
    st.characters().filter(lambda char: char.isprintable() and char != "."), max_size=20
).map(lambda path: f"/{path}")


def tuples(element: st.SearchStrategy[object], most: int) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(element, max_size=most).map(tuple)


filters = st.builds(
    Filter,
    pids=tuples(st.integers(1, 1 << 22), 8),
    children=st.booleans(),
    comms=tuples(comms, 4),
    cgroups=tuples(paths, 4),
    cpus=tuples(st.integers(0, 20) | st.integers(0, 1023), 30),
)


@given(data=st.data(), name=names, filter_=filters)
def test_every_maskset_survives(
    catalogue: Catalogue, data: st.DataObject, name: str, filter_: Filter
) -> None:
    kinds = ["off", "record", "stack", "count", *MINE]
    handlers = {}
    for one in data.draw(st.lists(st.sampled_from(list(catalogue.events.values())))):
        numbers = [f.name for f in one.fields if f.is_number and f.type != "text"]
        choice = st.sampled_from(kinds).map(Handler)
        if numbers:
            choice |= st.sampled_from(numbers).map(lambda field: Handler("hist", field))
        handlers[one.name] = data.draw(choice)
    maskset = Maskset(name, handlers, filter_)
    text = format_maskset(maskset, catalogue)
    assert parse_maskset(text, catalogue, MINE) == maskset
    other = Maskset("b" if name == "a" else "a", {})
    both = text + format_maskset(other, catalogue)
    assert parse_masksets(both, catalogue, MINE) == [maskset, other]


@given(text=st.text(st.sampled_from('maskset filter pid,"\\#0x1\n*-\x0bä') | st.characters()))
def test_nothing_but_usage_is_raised(catalogue: Catalogue, text: str) -> None:
    for read in (parse_maskset, parse_masksets):
        try:
            read(text, catalogue, MINE)
        except Usage:
            continue


def test_an_event_that_the_catalogue_lacks_is_not_lost(catalogue: Catalogue) -> None:
    with pytest.raises(Usage, match="no event gone"):
        format_maskset(Maskset("m", {"gone": RECORD}), catalogue)


def test_all_that_is_wrong_is_told_at_once(catalogue: Catalogue) -> None:
    text = """\
sched_swich record
sched_switch recrod
sched_switch count

irq_handler_entry hist(name)
irq_handler_entry hist(irqs)
console hist(text)
block_rq_issue hist
sched_wakeup record(pid)
filter pdi 12
filter pid sh
filter
filter cpu
a b c
alone
"""
    lines = refusal(catalogue, text)
    numbers = [int(line.split(":")[1]) for line in lines[:-1]]
    assert all(line.startswith("web.mask:") for line in lines)
    assert numbers == [1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
    said = dict(zip(numbers, lines, strict=False))
    assert "no event is called 'sched_swich': did you mean sched_switch" in said[1]
    assert "no handler is called 'recrod': did you mean record" in said[2]
    assert "sched_switch is set twice, first in line 2" in said[3]
    assert (
        "irq_handler_entry.name is not a number: use hist(FIELD) with one of handler, irq"
        in (said[5])
    )
    assert "first in line 5" in said[6]
    assert "console has no numeric field" in said[7]
    assert (
        "several fields are possible: use hist(FIELD) with one of rq, sector, bytes, dev, op"
        in said[8]
    )
    assert "only hist takes a field" in said[9]
    assert "no filter is called 'pdi': use pid, comm, cgroup or cpu: did you mean pid" in said[10]
    assert "'sh' is not a pid" in said[11]
    assert "expected 'filter pid'" in said[12]
    assert "filter cpu: a value is missing" in said[13]
    assert "'a b c' is not a line of a maskset" in said[14]
    assert "'alone' is not a line of a maskset" in said[15]
    assert lines[-1] == "web.mask: has no name: add a line 'maskset NAME'"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("maskset", "expected 'maskset NAME'"),
        ("maskset a b", "expected 'maskset NAME'"),
        ("maskset 9", "'9' is not a valid name for a maskset"),
        ("filter pid 0", "0 is not a pid"),
        ("filter pid 4194305", "'4194305' is not a pid"),
        ("filter pid 1,2,3,4,5,6,7,8,9", "9 pids: at most 8"),
        ("filter pid children", "children: pids are missing"),
        ("filter pid 12 child", "is not a pid"),
        ("filter comm a,b,c,d,e", "5 task names: at most 4"),
        ("filter comm a*b", "only a whole name or a prefix can be matched"),
        ("filter comm a**", "only a whole name or a prefix"),
        ("filter comm ngin?", "only a whole name or a prefix"),
        ("filter comm *", "matches every name"),
        ('filter comm ""*', "matches every name"),
        ('filter comm "a*b"*c', "is not a list"),
        (r'filter comm "a\q"', "is not an escape"),
        (r'filter comm "a\x00"', "zero byte"),
        (r'filter comm "\ud800"', "invalid escape"),
        (r'filter comm "\xff234567890123456"', "keeps 15 bytes"),
        ("filter comm 1234567890123456", "keeps 15 bytes"),
        ("filter comm 12345678901234ä", "keeps 15 bytes"),
        ("filter comm a b", "is not a list"),
        ('filter comm "a', "is not a list"),
        ("filter comm a,,b", "is not a list"),
        ("filter comm a,", "is not a list"),
        ("filter cgroup nginx", "'nginx' is not a cgroup"),
        ("filter cgroup /a/../b", "is not a cgroup"),
        ("filter cgroup /a,/b,/c,/d,/e", "5 cgroups: at most 4"),
        ("filter cpu 1024", "'1024' is not a CPU or a range of CPUs: use 0,2-3, below 1024"),
        ("filter cpu 3-1", "'3-1' is not a CPU"),
    ],
)
def test_refused(catalogue: Catalogue, line: str, said: str) -> None:
    first, *_ = refusal(catalogue, f"\n{line}\n")
    assert first.startswith("web.mask:2: ")
    assert said in first


def test_a_filter_stands_once(catalogue: Catalogue) -> None:
    (line,) = refusal(catalogue, "maskset m\nfilter pid 1\nfilter pid 2\n")
    assert line == "web.mask:3: 'filter pid' is set twice, first in line 2"
    (line,) = refusal(catalogue, "maskset m\nmaskset n\n")
    assert line == "web.mask:2: 'maskset' is set twice, first in line 1"


def test_the_name_that_is_given_goes_first(catalogue: Catalogue) -> None:
    assert parse_maskset("maskset a", catalogue, (), "b").name == "b"
    assert parse_maskset("", catalogue, (), "b") == Maskset("b", {})
    with pytest.raises(Usage, match="is not a valid name for a maskset"):
        parse_maskset("maskset a", catalogue, (), "b c")


def test_old_names_stand_for_events(catalogue: Catalogue) -> None:
    read = parse_maskset("maskset a\nPROCESS_WAKEUP stack\n", catalogue, ())
    assert read.handlers == {"sched_wakeup": Handler("stack")}
    (line,) = refusal(catalogue, "maskset a\nPROCESS_WAKEUP off\nsched_wakeup record")
    assert "web.mask:3: sched_wakeup is set twice" in line


def test_masksets_of_the_old_system(catalogue: Catalogue) -> None:
    text = """\
# ID=2
# maskset name=RDEFAULT
# length=4096
0x001 PROCESS_CONTEXTSWITCH 0x01
0x002 PROCESS_WAKEUP 0x00
0x0aa NEVER_HEARD_OF 0x00
0x100 SYSCALL_ENTRY\t0x1
"""
    assert parse_maskset(text, catalogue, ()) == Maskset(
        "RDEFAULT", {"sched_switch": RECORD, "sys_enter": RECORD}
    )
    assert parse_maskset("maskset b\n" + text, catalogue, ()).name == "b"


def test_wrong_masksets_of_the_old_system(catalogue: Catalogue) -> None:
    text = """\
# maskset name=R/ALL
0x001 PROCESS_CONTEXTSWITCH 0x02
0x002 PROCESS_WAKUP 0x01
0x003 PROCESS_FORK 0x01
0x003 PROCESS_FORK 0x00
0x003 PROCESS_FORK
"""
    lines = refusal(catalogue, text)
    assert [line.split(":")[1] for line in lines[:-1]] == ["1", "2", "3", "5", "6"]
    assert "'R/ALL' is not a valid name for a maskset" in lines[0]
    assert (
        "PROCESS_CONTEXTSWITCH: unknown handler 0x02: use 0x00 (off) or 0x01 (record)" in lines[1]
    )
    assert "'PROCESS_WAKUP': did you mean PROCESS_WAKEUP" in lines[2]
    assert "sched_process_fork is set twice" in lines[3]


def test_old_and_new_lines_in_one_text(catalogue: Catalogue) -> None:
    text = "maskset both\n0x001 PROCESS_CONTEXTSWITCH 0x01\nirq_handler_entry count\n"
    assert parse_maskset(text, catalogue, ()).handlers == {
        "sched_switch": RECORD,
        "irq_handler_entry": Handler("count"),
    }


def test_comments_and_quotes(catalogue: Catalogue) -> None:
    text = 'maskset a#b\nfilter comm "x#\\"y\\\\","a,b"#,c\n#sched_switch record\n'
    assert parse_maskset(text, catalogue, ()) == Maskset("a", {}, Filter(comms=('x#"y\\', "a,b")))


def test_filters_of_several_kinds_together() -> None:
    merged = merge_filters(
        [
            parse_filter("pid", "1 children"),
            parse_filter("cpu", "4-7"),
            parse_filter("pid", "2"),
        ]
    )
    assert merged == Filter(pids=(2,), cpus=(4, 5, 6, 7))
    assert format_filter(merged) == ["pid 2", "cpu 4-7"]
    assert format_filter(Filter()) == []
    # Whose children, if of nobody?
    assert Filter(children=True) == Filter()


def test_built_in(catalogue: Catalogue) -> None:
    masksets = built_in(catalogue)
    assert list(masksets)[:3] == ["none", "default", "all"]
    assert masksets["none"].handlers == {}
    assert len(masksets["all"].handlers) == len(catalogue.events)
    assert set(masksets["all"].handlers) - set(masksets["default"].handlers) == {
        event.name for event in catalogue.events.values() if not event.by_default
    }
    assert masksets["module"].handlers == {"module_load": RECORD, "module_free": RECORD}
    assert set(masksets["delay"].handlers) == {
        event.name for event in catalogue.events.values() if event.category == "delay"
    }
    for name, maskset in masksets.items():
        assert maskset.name == name
        assert parse_maskset(format_maskset(maskset, catalogue), catalogue, ()) == maskset


def test_handlers(catalogue: Catalogue) -> None:
    switch = event(catalogue, "sched_switch")
    for word in ("record", "off", "stack", "count", "mine"):
        assert parse_handler(word, switch, MINE) == Handler(word)
    assert parse_handler("hist(prev_state)", switch, ()) == Handler("hist", "prev_state")
    # The only field with a unit; of a delay, the delay.
    net = event(catalogue, "net_dev_xmit")
    assert parse_handler("hist", net, ()) == Handler("hist", "len")
    delay = event(catalogue, "test_delay")
    assert parse_handler("hist", delay, ()) == Handler("hist", "delay")
    assert parse_handler("hist(since)", delay, ()) == Handler("hist", "since")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("", "no handler is called ''"),
        ("counts", "'counts': did you mean count"),
        ("mien", "'mien': did you mean mine"),
        ("Record", "'Record': did you mean record"),
        ("record()", "only hist takes a field"),
        ("mine(pid)", "only hist takes a field"),
        ("hist()", "sched_switch has no field ''"),
        ("hist(prev_comm)", "sched_switch.prev_comm is not a number"),
        ("hist(next_comm", "no handler is called 'hist(next_comm'"),
        ("hist", "hist of sched_switch: several fields are possible"),
        ("hist(pid)", "use hist(FIELD) with one of prev_state, next_pid"),
    ],
)
def test_handlers_that_are_refused(catalogue: Catalogue, word: str, said: str) -> None:
    with pytest.raises(Usage) as raised:
        parse_handler(word, event(catalogue, "sched_switch"), MINE)
    assert said in str(raised.value)


def test_assignments(catalogue: Catalogue) -> None:
    words = ["module=record", "module_f*=off", "SYSCALL_ENTRY,sys_exit=mine", "console=count"]
    assert parse_assignments(words, catalogue, MINE) == {
        "module_load": RECORD,
        "module_free": OFF,
        "sys_enter": Handler("mine"),
        "sys_exit": Handler("mine"),
        "console": Handler("count"),
    }
    assert parse_assignments([], catalogue, ()) == {}


def test_all_wrong_assignments_are_told(catalogue: Catalogue) -> None:
    words = ["sched_swich=record", "irq", "irq=recrod", "net=hist(len)", "block*=hist(len)"]
    with pytest.raises(Usage) as raised:
        parse_assignments(words, catalogue, MINE)
    lines = str(raised.value).splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("sched_swich=record: no event")
    assert "did you mean sched_switch" in lines[0]
    assert lines[1] == "irq: expected EVENT=HANDLER, such as sched_switch=record"
    assert "did you mean record" in lines[2]
    others = len(built_in(catalogue)["irq"].handlers) - 1
    assert f"(and {others} more events)" in lines[2]
    assert "kfree_skb has no field 'len'" in lines[3]
    assert "more events)" in lines[4]


def test_several_masksets_in_one_text(catalogue: Catalogue) -> None:
    text = "# both\n\nmaskset a\nsched_switch record\nmaskset b\nsched_switch stack\n"
    first, second = parse_masksets(text, catalogue, ())
    assert first == Maskset("a", {"sched_switch": RECORD})
    assert second == Maskset("b", {"sched_switch": Handler("stack")})


def test_wrong_texts_of_several(catalogue: Catalogue) -> None:
    text = "sched_switch record\nmaskset a\nx record\nmaskset a\nmaskset b\nmaskset b\nirq count\n"
    with pytest.raises(Usage) as raised:
        parse_masksets(text, catalogue, (), "all.txt")
    lines = str(raised.value).splitlines()
    assert lines[0] == "all.txt:1: expected 'maskset NAME' before this line"
    assert lines[1].startswith("all.txt:3: no event is called 'x'")
    assert lines[2].startswith("all.txt:7: no event is called 'irq'")
    with pytest.raises(Usage, match=r"all.txt:2: maskset a is defined twice"):
        parse_masksets("maskset a\nmaskset a\n", catalogue, (), "all.txt")
    with pytest.raises(Usage, match="has no maskset"):
        parse_masksets("# nothing\n", catalogue, (), "all.txt")


def test_a_handler_that_is_off_is_as_none(catalogue: Catalogue) -> None:
    assert Maskset("m", {"console": OFF}) == Maskset("m", {})
    changed = replace(Maskset("m", {"console": RECORD}), handlers={"console": OFF})
    assert changed.handlers == {}


@pytest.mark.parametrize(
    ("text", "compared"),
    [
        ("nginx", b"nginx\0"),
        ("nginx*", b"nginx"),
        ('"nginx*"', b"nginx*\0"),
        ('"Web C"*', b"Web C"),
        ('"[k]*?"', b"[k]*?\0"),
        ('"[k]*"*', b"[k]*"),
        ('"com,ma"', b"com,ma\0"),
        (r'"\xff\xfe\x80q"', b"\xff\xfe\x80q\0"),
        (r'"\xc3\xa9"', b"\xc3\xa9\0"),
        ('""', b"\0"),
    ],
)
def test_names_in_quotes_are_literal(text: str, compared: bytes) -> None:
    (comm,) = parse_filter("comm", text).comms
    assert comm_bytes(comm) == compared


@given(st.binary(max_size=15).filter(lambda raw: b"\0" not in raw), st.booleans())
def test_every_name_of_a_task_survives_in_a_maskset(
    catalogue: Catalogue, raw: bytes, start: bool
) -> None:
    if start and not raw:
        return
    filter_ = parse_filter("comm", comm_word(decode_comm(raw)) + "*" * start)
    maskset = Maskset("web", {}, filter_)
    again = parse_maskset(format_maskset(maskset, catalogue), catalogue, ())
    assert again == maskset
    assert comm_bytes(again.filter.comms[0]) == (raw if start else raw + b"\0")

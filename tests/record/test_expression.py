# SPDX-License-Identifier: GPL-2.0-or-later
"""Conditions of triggers: what they compile to, and what is refused where."""

from collections.abc import Callable
import operator

from hypothesis import given
from hypothesis import strategies as st
import pytest

from lkst.decode.catalogue import Catalogue
from lkst.errors import Usage
from lkst.record.trigger.compile import (
    MAX_CLAUSES,
    MAX_TERMS,
    Clause,
    Term,
    compile_expression,
    normalised,
)
from lkst.record.trigger.syntax import And, Comparison, Node, Not, Or, parse
from lkst.record.trigger.value_names import LiveNames

NAMES = LiveNames()

OPERATORS: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "&": lambda value, mask: value & mask != 0,
    "!&": lambda value, mask: value & mask == 0,
}


def compiled(catalogue: Catalogue, text: str) -> list[tuple[str, list[str]]]:
    """Give the clauses so that they can be read."""
    return [
        (
            clause.event.name,
            [f"{term.field.name} {term.op} {term.value!r}" for term in clause.terms],
        )
        for clause in compile_expression(text, catalogue, NAMES)
    ]


def refusal(catalogue: Catalogue, text: str) -> str:
    with pytest.raises(Usage) as raised:
        compile_expression(text, catalogue, NAMES)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def holds(clauses: tuple[Clause, ...], record: dict[str, int]) -> bool:
    """Tell whether a condition holds for a record, as the recorder's programs do."""
    return any(
        all(
            OPERATORS[term.op](record[term.field.name], term.value)
            for term in clause.terms
            if isinstance(term.value, int)
        )
        for clause in clauses
    )


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("signal_generate.sig == SIGKILL", [("signal_generate", ["sig == 9"])]),
        ("signal_generate.sig==9", [("signal_generate", ["sig == 9"])]),
        ('signal_generate.sig == "SIGRTMIN+3"', [("signal_generate", ["sig == 37"])]),
        (
            "block_rq_issue.bytes >= 1M and block_rq_issue.op == WRITE",
            [("block_rq_issue", ["bytes >= 1048576", "op == 1"])],
        ),
        ("test_delay > 50ms", [("test_delay", ["delay > 50000000"])]),
        ("test_delay.since <= 1.5us", [("test_delay", ["since <= 1500"])]),
        ("test_delay > 7", [("test_delay", ["delay > 7"])]),
        ("test_delay", [("test_delay", [])]),
        (
            'sched_switch.next_comm == "kworker/0:1"',
            [("sched_switch", ["next_comm == b'kworker/0:1'"])],
        ),
        (
            "sched_switch.next_comm != kworker/0:1",
            [("sched_switch", ["next_comm != b'kworker/0:1'"])],
        ),
        (
            r"""mark_victim.comm == "\xff\xfe\x80q\xc3\xa9\u20ac" """,
            [("mark_victim", ["comm == " + repr(b"\xff\xfe\x80q" + "é€".encode())])],
        ),
        (
            r"""mark_victim.comm == 'a "b\' \x1b\\'""",
            [("mark_victim", ["comm == " + repr(b"""a "b' \x1b\\""")])],
        ),
        ("irq_handler_entry.name == 12", [("irq_handler_entry", ["name == b'12'"])]),
        ("sys_exit.ret < 0", [("sys_exit", ["ret < 0"])]),
        ("sys_exit.ret >= 2G", [("sys_exit", ["ret >= 2147483648"])]),
        ("sys_exit.ret == -ENOMEM", [("sys_exit", ["ret == -12"])]),
        ("sys_exit.ret == ENOMEM", [("sys_exit", ["ret == -12"])]),
        ("contention_end.ret != -EINTR", [("contention_end", ["ret != -4"])]),
        ("sys_enter.nr == 257", [("sys_enter", ["nr == 257"])]),
        ("sys_enter.nr == -1", [("sys_enter", ["nr == -1"])]),
        ("sys_enter.arg0 == 0xFFFFFFFFFFFFFFFF", [("sys_enter", [f"arg0 == {2**64 - 1}"])]),
        ("sys_enter.arg2 & 0x4", [("sys_enter", ["arg2 & 4"])]),
        ("not sys_enter.arg2 & 0x4", [("sys_enter", ["arg2 !& 4"])]),
        ("not not sys_enter.arg2 & 0x4", [("sys_enter", ["arg2 & 4"])]),
        ("softirq_entry.vec == NET_RX", [("softirq_entry", ["vec == 3"])]),
        ("signal_generate.sig >= SIGRTMIN", [("signal_generate", ["sig >= 34"])]),
        ("signal_generate.result == ignored", [("signal_generate", ["result == 1"])]),
        ("signal_generate.code == SI_TKILL", [("signal_generate", ["code == -6"])]),
        (
            "signal_generate.code == SEGV_MAPERR",
            [("signal_generate", ["sig == 11", "code == 1"])],
        ),
        ("block_rq_issue.dev == 8:1", [("block_rq_issue", ["dev == 8388609"])]),
        ("block_rq_complete.status == IOERR", [("block_rq_complete", ["status == 10"])]),
        ("kfree_skb.protocol == 802.1Q", [("kfree_skb", ["protocol == 33024"])]),
        ("kfree_skb.protocol == 0x9000", [("kfree_skb", ["protocol == 36864"])]),
        ("contention_begin.flags & rt|mutex", [("contention_begin", ["flags & 40"])]),
        ("page_fault_user.error == prot|write|user", [("page_fault_user", ["error == 7"])]),
        ("sched_process_exit.exit_code == 3", [("sched_process_exit", ["exit_code == 768"])]),
        (
            "sched_process_exit.exit_code != SIGSEGV+core",
            [("sched_process_exit", ["exit_code != 139"])],
        ),
        ("sched_process_exit.exit_code & 0x7f", [("sched_process_exit", ["exit_code & 127"])]),
        ("PROCESS_CONTEXTSWITCH.next_pid == 1", [("sched_switch", ["next_pid == 1"])]),
        ("mark_victim", [("mark_victim", [])]),
        ("mark_victim or panic", [("mark_victim", []), ("panic", [])]),
        # What holds anyway need not be said.
        ("mark_victim and mark_victim.pid > 1", [("mark_victim", ["pid > 1"])]),
        ("mark_victim or mark_victim.pid > 1", [("mark_victim", [])]),
        ("mark_victim.pid > 1 or mark_victim", [("mark_victim", [])]),
        ("cpu_idle.state > 1 and cpu_idle.state > 1", [("cpu_idle", ["state > 1"])]),
        # 'and' goes before 'or', 'not' before both.
        (
            "cpu_idle.state == 1 or cpu_idle.state == 2 and not cpu_idle.cpu_id < 3",
            [("cpu_idle", ["state == 1"]), ("cpu_idle", ["state == 2", "cpu_id >= 3"])],
        ),
        (
            "(cpu_idle.state == 1 or cpu_idle.state == 2) and cpu_idle.cpu_id != 3",
            [
                ("cpu_idle", ["state == 1", "cpu_id != 3"]),
                ("cpu_idle", ["state == 2", "cpu_id != 3"]),
            ],
        ),
        (
            "not (cpu_idle.state > 1 or cpu_idle.cpu_id <= 3)",
            [("cpu_idle", ["state <= 1", "cpu_id > 3"])],
        ),
        (
            "panic or (irq_handler_exit.irq == 3 and irq_handler_exit.handled == 0)",
            [("panic", []), ("irq_handler_exit", ["irq == 3", "handled == 0"])],
        ),
    ],
)
def test_compiled(catalogue: Catalogue, text: str, clauses: list[tuple[str, list[str]]]) -> None:
    assert compiled(catalogue, text) == clauses


def test_terms_tell_their_field_and_sign(catalogue: Catalogue) -> None:
    (clause,) = compile_expression(
        "sys_exit.ret < 0 and sys_exit.compat == 0 and sys_exit.nr > 0", catalogue, NAMES
    )
    assert clause.event.name == "sys_exit"
    ret, compat, number = (clause.event.field(name) for name in ("ret", "compat", "nr"))
    assert ret and compat and number
    assert clause.terms == (
        Term(ret, "<", 0, signed=True),
        Term(compat, "==", 0, signed=False),
        Term(number, ">", 0, signed=True),
    )


def test_system_calls_by_name_are_those_of_64_bit_programs(catalogue: Catalogue) -> None:
    number = NAMES.value_of("syscall", "openat")
    if number is None:
        assert "system calls are not known on this machine: use a number" in refusal(
            catalogue, "sys_enter.nr == openat"
        )
        return
    assert number == 257
    assert compiled(catalogue, "sys_enter.nr == openat") == [
        ("sys_enter", ["nr == 257", "compat == 0"])
    ]
    assert compiled(catalogue, "sys_enter.nr != openat") == [
        ("sys_enter", ["nr != 257"]),
        ("sys_enter", ["compat != 0"]),
    ]


class Nameless:
    """A machine that knows no names."""

    def value_of(self, field_type: str, word: str) -> int | None:
        return None

    def words(self, field_type: str) -> list[str]:
        return []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("sys_enter.nr == openat", "system calls"),
        ("timer_start.function == process_timeout", "symbols"),
        ("kfree_skb.reason == NO_SOCKET", "drop reasons"),
        ("mm_page_alloc.gfp_flags & GFP_KERNEL", "allocation flags"),
    ],
)
def test_where_names_are_not_known_numbers_will_do(
    catalogue: Catalogue, text: str, what: str
) -> None:
    with pytest.raises(Usage, match=f"the names of {what} are not known on this machine"):
        compile_expression(text, catalogue, Nameless())
    number = text.rsplit(" ", 1)[0] + " 0x10"
    (clause,) = compile_expression(number, catalogue, Nameless())
    assert [term.value for term in clause.terms] == [16]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # Syntax
        ("", "column 1: expected an event or EVENT.FIELD, found the end"),
        ("   ", "column 1: expected an event"),
        ("and", "column 1: expected an event or EVENT.FIELD, found 'and'"),
        ('"panic"', 'column 1: expected an event or EVENT.FIELD, found "panic"'),
        ("cpu_idle.state ==", "column 18: expected a value after '==', found the end"),
        ("cpu_idle.state == and", "column 19: expected a value after '==', found 'and'"),
        ("cpu_idle.state = 1", "column 16: expected ==, !=, <, <=, >, >=, &, and, or, or the end"),
        ("cpu_idle.state = 1", "found '=': use '=='"),
        ("cpu_idle.state 1", "found '1'"),
        ("panic && oops", "column 7: expected"),
        ("panic && oops", "found '&&': use 'and'"),
        ("panic || oops", "found '||': use 'or'"),
        ("!panic", "column 1: expected an event or EVENT.FIELD, found '!': use 'not'"),
        ("panic oops", "column 7: expected"),
        ("cpu_idle.state == 1 oops", "column 21: expected and, or, or the end, found 'oops'"),
        ("(panic", "column 7: expected and, or, or ')' for the '(' in column 1, found the end"),
        ("panic)", "column 6: expected and, or, or the end, found ')'"),
        ('sched_switch.next_comm == "a', "column 27: the quote is not closed"),
        ("(" * 21 + "panic" + ")" * 21, "more than 20 nested parentheses"),
        ("panic or " * 200 + "panic", "the condition has 1805 characters: at most 1000"),
        # Events and fields
        ("sched_swich.next_pid == 1", "column 1: no event is called 'sched_swich': did you mean"),
        ("panic or  oop", "column 11: no event is called 'oop': did you mean oops"),
        ("irq.irq == 1", "irq is more than one event: use one of irq_handler_entry, irq_handler_"),
        (
            "signal_generate.sgi == 1",
            "column 1: signal_generate.sgi: no such field (comm, pid, sig, code, errno, group,",
        ),
        ("signal_generate. == 1", "signal_generate.: no such field"),
        ("signal_generate == 1", "signal_generate is an event: compare one of its fields (comm,"),
        ("signal_generate.sig", "column 1: signal_generate.sig: compare it with a value"),
        ("test_delay.dealy > 1s", "test_delay.dealy: no such field (comm, pid, delay, since)"),
        # Values
        ("signal_generate.sig == 5000000000", "column 24: signal_generate.sig: 5000000000 is out"),
        ("signal_generate.sig == 5000000000", "out of range: 0 to 4294967295"),
        ("signal_generate.sig == -1", "-1 is out of range: 0 to 4294967295"),
        (
            "signal_generate.sig == SIGKIL",
            "'SIGKIL' is not a value of type signal: did you mean SIGK",
        ),
        ("signal_generate.sig == 9s", "'9s' is a time, which this field is not"),
        ("signal_generate.sig == 4K", "'4K' is a size, which this field is not"),
        ("cpu_idle.state < 2147483648", "out of range: -2147483648 to 2147483647"),
        ("cpu_idle.state < two", "'two' is not a number"),
        ("cpu_idle.state < 1.5", "'1.5' is not a number"),
        ("cpu_idle.state < " + "9" * 40, "is not a number"),
        ("test_delay > 4K", "'4K' is a size"),
        ("test_delay > 0.5ns", "'0.5ns' is not a whole number of ns"),
        ("test_delay > 1d", "'1d' is not a number"),
        ("sys_enter.arg0 & 0", "0 is not a bit mask: 1 to 18446744073709551615"),
        ("cpu_idle.state & -1", "-1 is not a bit mask: 1 to 4294967295"),
        ("page_fault_user.error & not-present", "0 is not a bit mask"),
        ("sys_enter.nr == opnat", "column 17: sys_enter.nr: 'opnat'"),
        ("sys_exit.ret == ENOMEN", "is not a value of type ret: did you mean -ENOMEM"),
        ("block_rq_issue.op == write", "is not a value of type blk_op: did you mean WRITE"),
        ("sched_switch.prev_state == Q", "'Q' is not a value of type task_state"),
        ("sched_switch.prev_state < D", "such values have no order: use == or !="),
        ("sched_switch.prev_state & D", "expected a number after '&'"),
        ("sched_process_exit.exit_code > 0", "such values have no order"),
        (
            "sched_process_exit.exit_code == 256",
            "256 is out of range: 0 to 255, or the wait status",
        ),
        ("signal_deliver.code == SEGV_MAPER", "did you mean SEGV_MAPERR"),
        ("block_rq_issue.dev == 8:1048576", "'8:1048576' is not a number"),
        ("sched_switch.next_comm < a", "names can only be compared with == and !="),
        ("sched_switch.next_comm == abcdefghijklmnop", "abcdefghijklmnop' is too long: the kernel"),
        ('sched_switch.next_comm == "äääääääa1"', "is too long: the kernel keeps 15 bytes"),
        (r'sched_switch.next_comm == "a\x00"', "a name cannot contain a zero byte"),
        ("console.text == hello", "column 17: console.text: a text cannot be compared"),
        # Events that happen separately
        (
            "panic or (mark_victim and cpu_idle.state == 1)",
            "column 11: a condition is about one event at a time: mark_victim and cpu_idle happen",
        ),
        ("not (mark_victim.pid == 1 or cpu_idle.state == 1)", "column 1: a condition is about one"),
        ("not (mark_victim.pid == 1 and cpu_idle.state == 1)", "a condition is about one event"),
        ("(mark_victim.pid == 1 or panic) and mark_victim.pid == 2", "is about one event"),
        ("not panic", "column 5: not panic: a missing event cannot fire a trigger"),
    ],
)
def test_refused(catalogue: Catalogue, text: str, said: str) -> None:
    assert said in refusal(catalogue, text)


def test_limits(catalogue: Catalogue) -> None:
    terms = [f"cpu_idle.cpu_id != {number}" for number in range(MAX_TERMS + 1)]
    assert len(compile_expression(" and ".join(terms[:-1]), catalogue, NAMES)[0].terms) == 4
    assert "5 comparisons of cpu_idle combined with 'and': at most 4" in refusal(
        catalogue, " and ".join(terms)
    )
    cases = [f"cpu_idle.cpu_id == {number}" for number in range(MAX_CLAUSES + 1)]
    assert len(compile_expression(" or ".join(cases[:-1]), catalogue, NAMES)) == 8
    assert "9 alternatives: at most 8" in refusal(catalogue, " or ".join(cases))
    # However it is put: 2 * 2 * 2 * 2 cases.
    pairs = [f"(cpu_idle.state == {n} or cpu_idle.cpu_id == {n})" for n in range(4)]
    assert "alternatives: at most 8" in refusal(catalogue, " and ".join(pairs))


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("  a.b==1   and\n( not c.d<2 )", "a.b == 1 and (not c.d < 2)"),
        ('a.b == "x (  y )"', 'a.b == "x (  y )"'),
        ("a", "a"),
    ],
)
def test_normalised(text: str, normal: str) -> None:
    assert normalised(text) == normal
    assert normalised(normal) == normal


FIELDS = ("cpu_idle.state", "cpu_idle.cpu_id")
small = st.integers(0, 4)
comparison = st.builds(
    "{} {} {}".format, st.sampled_from(FIELDS), st.sampled_from(list(OPERATORS)[:6]), small
) | st.builds("{} & {}".format, st.sampled_from(FIELDS), st.integers(1, 4))
expressions = st.recursive(
    comparison,
    lambda part: st.one_of(
        st.builds("not ({})".format, part),
        st.builds("({}) and {}".format, part, part),
        st.builds("{} or ({})".format, part, part),
    ),
    max_leaves=6,
)


def meant(node: Node, record: dict[str, int]) -> bool:
    """Tell whether a condition holds, straight from its text."""
    match node:
        case Comparison():
            assert node.value
            value = record[node.subject.text.partition(".")[2]]
            return OPERATORS[node.op](value, int(node.value.text))
        case Not():
            return not meant(node.part, record)
        case And():
            return all(meant(part, record) for part in node.parts)
        case Or():
            return any(meant(part, record) for part in node.parts)


@given(text=expressions)
def test_clauses_hold_when_the_condition_does(catalogue: Catalogue, text: str) -> None:
    try:
        clauses = compile_expression(text, catalogue, NAMES)
    except Usage as error:
        assert "at most" in str(error)
        return
    assert len(clauses) <= MAX_CLAUSES
    assert all(len(clause.terms) <= MAX_TERMS for clause in clauses)
    node = parse(text)
    for state in range(6):
        for cpu in range(6):
            record = {"state": state, "cpu_id": cpu}
            assert holds(clauses, record) == meant(node, record)


@given(text=expressions)
def test_normalised_means_the_same(catalogue: Catalogue, text: str) -> None:
    def clauses(text: str) -> object:
        try:
            return compile_expression(text, catalogue, NAMES)
        except Usage:
            return None

    assert clauses(normalised(text)) == clauses(text)


words = st.sampled_from(
    ["and", "or", "not", "(", ")", "==", "&", "<", "panic", "cpu_idle.state", "1", "sched_switch"]
)


@given(text=st.lists(words).map(" ".join) | st.text())
def test_nothing_but_usage_is_raised(catalogue: Catalogue, text: str) -> None:
    try:
        compile_expression(text, catalogue, NAMES)
    except Usage as error:
        assert str(error)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Words stand for the numbers for which a replay prints them."""

from pathlib import Path

import pytest

from lkst.abi.kernel_constants import TASK_PREEMPTED
from lkst.bpf.btf import read_enums
from lkst.decode.catalogue import Catalogue
from lkst.record.trigger.compile import compile_expression
from lkst.record.trigger.value_names import LiveNames, read_symbols, read_syscalls
from lkst.replay.numbers import NAMERS
from lkst.trace.facts import Names

NAMES = LiveNames()

#: What the replay of a dump of this kernel would know.
KERNEL = Names(enums=read_enums(["req_op", "skb_drop_reason"]))


@pytest.mark.parametrize(
    "type_",
    [
        "signal",
        "sig_result",
        "sig_code",
        "softirq",
        "exit_code",
        "ret",
        "errno",
        "blk_op",
        "blk_status",
        "ethertype",
        "lock_flags",
    ],
)
def test_all_words_are_printed_for_their_numbers(type_: str) -> None:
    words = NAMES.words(type_)
    assert len(words) > 4
    for word in words:
        value = NAMES.value_of(type_, word)
        assert value is not None
        assert NAMERS[type_](value, KERNEL) == word


@pytest.mark.parametrize("type_", ["signal", "sig_result", "softirq", "blk_status", "lock_flags"])
def test_all_that_is_printed_is_known(type_: str) -> None:
    for value in range(64):
        word = NAMERS[type_](value, KERNEL)
        if isinstance(word, str) and not word.startswith("0x") and "|0x" not in word:
            assert NAMES.value_of(type_, word) == value


def test_drop_reasons_of_this_kernel() -> None:
    for word in NAMES.words("drop_reason"):
        value = NAMES.value_of("drop_reason", word)
        assert value is not None
        # Some names are no reasons: the end of the list.
        assert NAMERS["drop_reason"](value, KERNEL) == word
    if Path("/sys/kernel/btf/vmlinux").exists():
        # Of several names the first: BPF_PROG_RUN is the same.
        assert read_enums(["bpf_cmd"])["bpf_cmd"][10] == "BPF_PROG_TEST_RUN"
        assert NAMES.value_of("drop_reason", "NO_SOCKET") is not None
        assert NAMES.value_of("blk_op", "READ") == 0


@pytest.mark.parametrize("value", range(24))
def test_page_faults(value: int) -> None:
    if value & 8:
        value ^= 1 << 5
    word = NAMERS["pf_error"](value & ~2 if value & 16 else value, KERNEL)
    assert NAMES.value_of("pf_error", str(word)) == (value & ~2 if value & 16 else value)


#: Single bits of __state and exit_state, as tasks have them when they are switched away from.
STATES = [0, 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x101, 0x102, 0x104, 0x402, 0x1000, 0x8000, 0x2001]
STATES += [0x2002, 0x2102, 0x90, 0xA0, 0x401]
# Several of the lower ones at once: the highest counts.
STATES += [0x3, 0x5, 0xC, 0x14, 0x30, 0x41, 0x62]


@pytest.mark.parametrize("word", [*"RSDTtXZPI", "R+"])
def test_task_states_as_they_are_printed(catalogue: Catalogue, word: str) -> None:
    tests = {
        op: compile_expression(f"sched_switch.prev_state {op} {word}", catalogue, NAMES)
        for op in ("==", "!=")
    }
    hits = 0
    for state in [*STATES, *(state | TASK_PREEMPTED for state in STATES)]:
        shown = NAMERS["task_state"](state, KERNEL) == word
        for op, clauses in tests.items():
            holds = any(
                all(
                    (state & term.value != 0) == (term.op == "&")
                    for term in clause.terms
                    if isinstance(term.value, int)
                )
                for clause in clauses
            )
            assert holds == (shown == (op == "==")), (hex(state), op, word)
        hits += shown
    assert hits


def test_system_calls() -> None:
    names = read_syscalls()
    if names:
        # arch/x86/entry/syscalls/syscall_64.tbl
        assert (names["read"], names["openat"], names["exit_group"]) == (0, 257, 231)
        assert set(NAMES.words("syscall")) == set(names)
    assert NAMES.value_of("syscall", "no_such_call") is None


def test_symbols(tmp_path: Path) -> None:
    path = tmp_path / "kallsyms"
    path.write_text(
        "ffffffff81000000 T _text\n"
        "ffffffff81000010 t twice\n"
        "ffffffff81000020 t twice\n"
        "ffffffff81000030 T once\n"
        "ffffffffc0000000 t in_module\t[module]\n"
        "0000000000000000 t hidden\n"
        "\n"
    )
    assert read_symbols(path) == {
        "_text": 0xFFFFFFFF81000000,
        "once": 0xFFFFFFFF81000030,
        "in_module": 0xFFFFFFFFC0000000,
    }
    assert read_symbols(tmp_path / "none") == {}


def test_symbols_with_an_offset() -> None:
    symbols = read_symbols()
    if not symbols:
        assert NAMES.value_of("ksym", "_text") is None
        return
    name, address = next(iter(symbols.items()))
    assert NAMES.value_of("ksym", name) == address
    assert NAMES.value_of("ksym", f"{name}+0x12") == address + 0x12
    assert NAMES.value_of("ksym", f"{name}+12") is None
    assert NAMES.value_of("ksym", "no_such_symbol_at_all") is None


def test_unknown_types_have_no_words() -> None:
    assert NAMES.words("u32") == []
    assert NAMES.value_of("u32", "one") is None
    assert read_enums(["no_such_enum"]) == {"no_such_enum": {}}

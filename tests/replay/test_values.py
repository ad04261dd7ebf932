# SPDX-License-Identifier: GPL-2.0-or-later
"""What the values of each type look like, in text and in JSON."""

import json
import re
from typing import Any

import numpy as np
import pytest
from synthetic import EventSpec, FieldSpec, Synthetic

from lkst.replay.serialize import replay_jsonl
from lkst.replay.text import text_lines
from lkst.trace.facts import Facts, Names

NAMES = Names(
    syscalls={0: "read", 257: "openat"},
    compat_syscalls={0: "restart_syscall", 5: "open"},
    softirqs=["HI", "TIMER", "NET_TX"],
    gfp_flags=[
        (0x3, "GFP_BOTH"),
        (0x1, "__GFP_A"),
        (0x2, "__GFP_B"),
        (0x8, "__GFP_C"),
        (0, "zero"),
    ],
    enums={
        "req_op": {0: "REQ_OP_READ", 7: "REQ_OP_ZONE_APPEND"},
        "skb_drop_reason": {1: "SKB_CONSUMED", 3: "SKB_DROP_REASON_NO_SOCKET"},
        "vm_fault_reason": {1: "VM_FAULT_OOM", 4: "VM_FAULT_MAJOR", 0xF0000: "VM_FAULT_MASK"},
        "fault_flag": {1: "FAULT_FLAG_WRITE", 64: "FAULT_FLAG_USER"},
        "compact_result": {8: "COMPACT_SUCCESS"},
        "vmscan_throttle_state": {0: "VMSCAN_THROTTLE_WRITEBACK"},
        "cpuhp_state": {-1: "CPUHP_INVALID", 0: "CPUHP_OFFLINE"},
    },
    symbol={
        0xFFFFFFFF81000010: "do_it+0x10",
        0xFFFFFFFF81000000: "do_it+0x0",
        0x30: "two words",
    }.get,
)


def show(
    type_: str, value: int | str | bytes, names: Names = NAMES, size: int | None = None
) -> Any:
    """Show a value in text; and check that JSON says the same."""
    made = Synthetic(
        [EventSpec("e", fields=(FieldSpec("u8", "x", size=1), FieldSpec(type_, "v", size=size)))]
    )
    made.record(0, 1, 1, "e", v=value)
    trace = made.trace(Facts(names=names))
    (line,) = "".join(text_lines(trace)).splitlines()
    # What an event is about comes first.
    text = line.split(" v=", 1)[1].removesuffix(" x=0")
    (record,) = "".join(replay_jsonl(trace)).splitlines()
    fields = json.loads(record)["fields"]
    leading = type_ in ("syscall", "signal", "softirq")
    assert list(fields) == (["v", "x"] if leading else ["x", "v"])
    if isinstance(fields["v"], int):
        assert text == str(fields["v"])
    elif not text.startswith('"'):
        assert text == fields["v"]
    return text if isinstance(fields["v"], str) else fields["v"]


@pytest.mark.parametrize(
    ("type_", "value", "shown"),
    [
        ("bool", 1, 1),
        ("u16", 65535, 65535),
        ("u32", 4294967295, 4294967295),
        ("u64", 2**64 - 1, 2**64 - 1),
        ("s16", -1, -1),
        ("s32", -(2**31), -(2**31)),
        ("s64", -(2**63), -(2**63)),
        ("hex", 0, "0x0"),
        ("hex", 0xFFFF888627D1C6F8, "0xffff888627d1c6f8"),
        ("ksym", 0xFFFFFFFF81000010, "do_it+0x10"),
        ("ksym", 0xFFFFFFFF81000000, "do_it"),
        ("ksym", 0x30, '"two words"'),
        ("ksym", 0x1000, "0x1000"),
        ("pid", 4194303, 4194303),
        ("comm", "kworker/u8:0", "kworker/u8:0"),
        ("comm", "Web Content", '"Web Content"'),
        ("comm", b"sh\0junk", "sh"),
        ("comm", b"\x1b]0;x\x07", r'"\x1b]0;x\x07"'),
        ("comm", b"\xff\xfe", r'"\xff\xfe"'),
        ("comm", "[k]*?", '"[k]*?"'),
        ("name", "com,ma", '"com,ma"'),
        ("comm", "", '""'),
        ("name", "eth0", "eth0"),
        ("text", "/bin/sh", '"/bin/sh"'),
        ("text", 'a "b"\n\x1b[31m', r'"a \"b\"\n\x1b[31m"'),
        ("text", "x" * 500, '"' + "x" * 500 + '"'),
        ("syscall", 257, "openat"),
        ("syscall", 9999, 9999),
        ("syscall", 0xFFFFFFFF, -1),
        ("ret", 3, 3),
        ("ret", -2, "-ENOENT"),
        ("ret", -512, "-ERESTARTSYS"),
        ("ret", -11, "-EAGAIN"),
        ("ret", -95, "-EOPNOTSUPP"),
        ("ret", -4000, -4000),
        ("ret", -5000, -5000),
        ("ret", 2**31, 2**31),
        ("ret", 0x7F5B49B94000, "0x7f5b49b94000"),
        ("ret", -(2**40), "0xffffff0000000000"),
        ("errno", -4, "-EINTR"),
        ("errno", 0, 0),
        ("signal", 12, "SIGUSR2"),
        ("signal", 9, "SIGKILL"),
        ("signal", 31, "SIGSYS"),
        ("signal", 0, 0),
        ("signal", 33, 33),
        ("signal", 34, "SIGRTMIN"),
        ("signal", 64, "SIGRTMIN+30"),
        ("signal", 65, 65),
        ("sig_code", 0, "SI_USER"),
        ("sig_code", 0x80, "SI_KERNEL"),
        ("sig_code", -1, "SI_QUEUE"),
        ("sig_code", -2, "SI_TIMER"),
        ("sig_code", -6, "SI_TKILL"),
        ("sig_code", 1, 1),
        ("sig_result", 0, "delivered"),
        ("sig_result", 4, "lose_info"),
        ("sig_result", 5, 5),
        ("task_state", 0, "R"),
        ("task_state", 1, "S"),
        ("task_state", 2, "D"),
        ("task_state", 0x102, "D"),
        ("task_state", 0x104, "T"),
        ("task_state", 8, "t"),
        ("task_state", 0x10, "X"),
        ("task_state", 0x20, "Z"),
        ("task_state", 0x40, "P"),
        ("task_state", 0x80, "X"),
        ("task_state", 0x402, "I"),
        ("task_state", 0x1000, "D"),
        ("task_state", 0x80000000, "R+"),
        ("task_state", 0x80000001, "R+"),
        ("softirq", 1, "TIMER"),
        ("softirq", 77, 77),
        ("exit_code", 0, 0),
        ("exit_code", 3 << 8, 3),
        ("exit_code", 9, "SIGKILL"),
        ("exit_code", 11 | 0x80, "SIGSEGV+core"),
        ("exit_code", 0x12345678, "0x12345678"),
        ("gfp", 0, "none"),
        ("gfp", 0x3, "GFP_BOTH"),
        ("gfp", 0x9, "__GFP_A|__GFP_C"),
        ("gfp", 0x1B, "GFP_BOTH|__GFP_C|0x10"),
        ("pf_error", 0, "not-present|read|kernel"),
        ("pf_error", 7, "prot|write|user"),
        ("pf_error", 0x14, "not-present|instr|user"),
        ("pf_error", 1 | 1 << 5 | 1 << 9, "prot|read|kernel|pk|0x200"),
        ("dev", 254 << 20 | 16, "254:16"),
        ("blk_op", 0, "READ"),
        ("blk_op", 7, "ZONE_APPEND"),
        ("blk_op", 3, "DISCARD"),
        ("blk_op", 200, 200),
        ("blk_status", 0, "OK"),
        ("blk_status", 10, "IOERR"),
        ("blk_status", 2, "TIMEOUT"),
        ("blk_status", 16, 16),
        ("ethertype", 0x0800, "IPv4"),
        ("ethertype", 0x86DD, "IPv6"),
        ("ethertype", 0x1234, "0x1234"),
        ("drop_reason", 3, "NO_SOCKET"),
        ("drop_reason", 1, "CONSUMED"),
        ("drop_reason", 0x10003, 0x10003),
        ("vm_fault", 0, 0),
        ("vm_fault", 0x30005, "OOM|MAJOR|0x30000"),
        ("fault_flag", 65, "WRITE|USER"),
        ("compact_result", 8, "SUCCESS"),
        ("compact_result", 9, 9),
        ("vmscan_throttle", 0, "WRITEBACK"),
        ("cpuhp_state", -1, "INVALID"),
        ("cpuhp_state", 0, "OFFLINE"),
        ("cpuhp_state", 7, 7),
        ("ipc_kind", 0, "sem"),
        ("ipc_kind", 2, "shm"),
        ("ipc_kind", 3, 3),
        ("ipv4", 0x0100007F, "127.0.0.1"),
        ("ipv4", 0xFFFFFFFF, "255.255.255.255"),
        ("af", 2, "INET"),
        ("af", 10, "INET6"),
        ("af", 38, 38),
        ("tcp_state", 1, "ESTABLISHED"),
        ("tcp_state", 10, "LISTEN"),
        ("tcp_state", 0, 0),
        ("tcp_state", 14, 14),
        ("lock_flags", 0, 0),
        ("lock_flags", 3, "spin|read"),
        ("lock_flags", 0x60, "mutex|0x40"),
    ],
)
def test_value(type_: str, value: int | str | bytes, shown: int | str) -> None:
    assert show(type_, value) == shown


@pytest.mark.parametrize(
    ("type_", "value", "shown"),
    [
        ("softirq", 9, "RCU"),
        ("syscall", 1, 1),
        ("blk_op", 1, "WRITE"),
        ("blk_op", 13, 13),
        ("gfp", 0xCC0, "0xcc0"),
        ("drop_reason", 2, 2),
        ("vm_fault", 5, "0x5"),
        ("compact_result", 8, 8),
        ("cpuhp_state", -1, -1),
        ("ksym", 0xFFFFFFFF81000010, "0xffffffff81000010"),
    ],
)
def test_value_of_a_kernel_whose_names_are_not_known(
    type_: str, value: int, shown: int | str
) -> None:
    assert show(type_, value, Names()) == shown


@pytest.mark.parametrize(
    ("type_", "size", "value", "shown"),
    [
        ("u33", 1, 255, 255),
        ("u33", 8, 2**64 - 1, 2**64 - 1),
        ("u33", 3, 0x010203, "0x010203"),
        ("u33", 16, 1, "0x" + "0" * 31 + "1"),
        ("text", 16, 0x41, "0x" + "0" * 30 + "41"),
        ("comm", 4, b"abcd", "abcd"),
        ("comm", 2, b"ab", "ab"),
        ("ret", 2, -2, "-ENOENT"),
        ("hex", 1, 0x1F, "0x1f"),
        ("ksym", 4, 0x30, '"two words"'),
        ("syscall", 8, 257, "openat"),
        ("signal", 3, 1, "0x000001"),
    ],
)
def test_value_of_an_unknown_type_or_size(
    type_: str, size: int, value: int | bytes, shown: int | str
) -> None:
    assert show(type_, value, size=size) == shown


def test_32_bit_system_calls_have_their_own_numbers() -> None:
    made = Synthetic()
    made.record(0, 1, 1, "sys_enter", nr=0, compat=0)
    made.record(0, 2, 1, "sys_enter", nr=0, compat=1)
    made.record(0, 3, 1, "sys_exit", nr=5, compat=1)
    trace = made.trace(Facts(names=NAMES))
    records = [json.loads(line) for line in "".join(replay_jsonl(trace)).splitlines()]
    assert [r["fields"]["nr"] for r in records] == ["read", "restart_syscall", "open"]


def test_x32_system_calls_are_named_and_marked() -> None:
    made = Synthetic()
    made.record(0, 1, 1, "sys_enter", nr=1 << 30, compat=2)
    made.record(0, 2, 1, "sys_enter", nr=1 << 30 | 16, compat=2)
    made.record(0, 3, 1, "sys_exit", nr=2**32 - 1, compat=0)
    lines = "".join(text_lines(made.trace(Facts(names=NAMES)))).splitlines()
    assert [re.findall("(?:nr|compat)=([^ ]+)", line) for line in lines] == [
        ["read", "2"],
        [str(1 << 30 | 16), "2"],
        ["-1"],
    ]


@pytest.mark.parametrize(
    ("family", "address", "shown"),
    [
        (2, 0x0600007F, "127.0.0.6"),
        (2, 0, "0.0.0.0"),
        (10, 0x0600007F, "IPv6"),
        (10, 0, "IPv6"),
        (10, 0x0100007F, "127.0.0.1"),
    ],
)
def test_an_ipv6_address_is_not_shown_as_an_ipv4_address(
    family: int, address: int, shown: str
) -> None:
    made = Synthetic()
    made.record(0, 1, 1, "tcp_receive_reset", saddr=address, family=family, daddr=0x0100007F)
    (line,) = "".join(replay_jsonl(made.trace())).splitlines()
    fields = json.loads(line)["fields"]
    assert (fields["saddr"], fields["daddr"]) == (shown, "127.0.0.1")


@pytest.mark.parametrize(
    ("sig", "code", "shown"),
    [
        (11, 10, "SEGV_CPERR"),
        (11, 11, 11),
        (17, 1, "CLD_EXITED"),
        (17, 6, "CLD_CONTINUED"),
        (17, 7, 7),
        (11, 2, "SEGV_ACCERR"),
        (11, 0x80, "SI_KERNEL"),
        (9, -6, "SI_TKILL"),
        (9, 3, 3),
        (2**31, 1, 1),
    ],
)
def test_codes_depend_on_the_signal(sig: int, code: int, shown: int | str) -> None:
    made = Synthetic()
    made.record(0, 1, 1, "signal_generate", sig=sig, code=code)
    (line,) = "".join(replay_jsonl(made.trace())).splitlines()
    assert json.loads(line)["fields"]["code"] == shown


def test_a_symbol_is_looked_up_once() -> None:
    asked = []

    def symbol(address: int) -> None:
        asked.append(address)

    made = Synthetic(nr_slots=2048)
    for ts in range(1500):
        made.record(0, 1 + ts, 1, "timer_expire_entry", function=0x1000 + ts % 3)
    trace = made.trace(Facts(names=Names(symbol=symbol)))
    assert sum(len(text.splitlines()) for text in text_lines(trace)) == 1500
    assert sorted(asked) == [0x1000, 0x1001, 0x1002]


def test_columns_of_many_values_are_right_row_by_row() -> None:
    rng = np.random.default_rng(3)
    made = Synthetic(nr_slots=4096)
    want = []
    for ts in range(3000):
        ret = int(rng.choice([0, -2, 5, 2**40 + ts, -(2**62) + ts]))
        made.record(ts % 2, 1 + ts, 1 + ts % 5, "sys_exit", ret=ret, nr=257 if ts % 3 else 1)
        shown = ret if abs(ret) < 2**31 else f"{ret & 2**64 - 1:#x}"
        want.append(("openat" if ts % 3 else 1, "-ENOENT" if ret == -2 else shown))
    trace = made.trace(Facts(names=NAMES))
    records = [json.loads(line) for line in "".join(replay_jsonl(trace)).splitlines()]
    assert [(r["fields"]["nr"], r["fields"]["ret"]) for r in records] == want


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_events_are_named_by_the_catalogue(size: int) -> None:
    fields = (FieldSpec("event", "on", size=size), FieldSpec("event", "off", size=size))
    made = Synthetic([EventSpec("fired", fields=fields), EventSpec("other")])
    for ts, id_ in enumerate((1, 2, 0, 77), 1):
        made.record(0, ts, 1, "fired", on=id_)
    records = [json.loads(line) for line in "".join(replay_jsonl(made.trace())).splitlines()]
    assert [record["fields"]["on"] for record in records] == ["fired", "other", 0, 77]
    lines = "".join(text_lines(made.trace())).splitlines()
    assert [line.split()[-2] for line in lines] == ["on=fired", "on=other", "on=0", "on=77"]

# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of system calls of 32-bit and x32 programs."""

from pathlib import Path
import re

import pytest

from lkst.abi.syscalls import X32_BIT, i386_names, x32_name

HEADERS = Path("/usr/include/x86_64-linux-gnu/asm")


def numbers_of(header: str) -> dict[int, str]:
    text = (HEADERS / header).read_text()
    found = re.findall(r"#define __NR_(\w+) \(?(?:__X32_SYSCALL_BIT \+ )?(\d+)\)?$", text, re.M)
    return {int(number): name for name, number in found}


@pytest.fixture(scope="module")
def native() -> dict[int, str]:
    return numbers_of("unistd_64.h")


def test_names_of_32_bit_calls_are_those_of_the_interface(native: dict[int, str]) -> None:
    theirs = numbers_of("unistd_32.h")
    ours = i386_names(native)
    assert {number: theirs.get(number, name) for number, name in ours.items()} == ours
    # No kernel has these any more.
    gone = {theirs[number] for number in theirs.keys() - ours.keys()}
    assert gone == set(
        "break stty gtty ftime prof lock mpx ulimit profil idle vm86old create_module"
        " get_kernel_syms bdflush afs_syscall _sysctl vm86 query_module nfsservctl getpmsg putpmsg"
        " vserver".split()
    )


def test_a_call_that_the_kernel_lacks_stays_a_number(native: dict[int, str]) -> None:
    assert (i386_names(native)[253], i386_names(native)[449]) == ("lookup_dcookie", "futex_waitv")
    without = {
        n: name for n, name in native.items() if name not in ("lookup_dcookie", "futex_waitv")
    }
    assert not i386_names(without).keys() & {253, 449}
    # What 64-bit programs never had says nothing about that.
    assert i386_names(without)[102] == "socketcall"
    # Nothing is known of calls that are newer than all of the table.
    assert i386_names({}).keys() == {number for number in i386_names(native) if number < 424}


def test_names_of_x32_calls_are_those_of_the_interface(native: dict[int, str]) -> None:
    theirs = numbers_of("unistd_x32.h")
    ours = {number: x32_name(number, native) for number in range(1024)}
    assert {number: name for number, name in ours.items() if name} == theirs
    assert X32_BIT not in ours
    assert x32_name(39, {}) is None
    assert x32_name(512, {39: "getpid"}) is None

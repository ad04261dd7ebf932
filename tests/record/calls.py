# SPDX-License-Identifier: GPL-2.0-or-later
"""
Make system calls that are easily told from all others: getppid() with arguments.

Runs in a guest: ``calls.py FIRST COUNT [comm=NAME] [cpu=N] [cgroup=PATH] [wait] [children]``.
The n-th call has the arguments FIRST + n and 7777. With "wait" it writes its pid and waits
for a line on standard input; with "children", a child and its child make calls as well, 100
and 200 higher.
"""

import ctypes
import os
from pathlib import Path
import sys

PR_SET_NAME = 15  # include/uapi/linux/prctl.h
GETPPID = 110  # of x86-64
OURS = 7777  # the second argument; other programs' registers hold whatever they do

libc = ctypes.CDLL(None)


def call(first: int, count: int) -> None:
    for number in range(first, first + count):
        libc.syscall(GETPPID, ctypes.c_long(number), ctypes.c_long(OURS))


def main() -> None:
    first, count, *words = sys.argv[1:]
    for word in words:
        key, _, value = word.partition("=")
        if key == "comm":
            libc.prctl(PR_SET_NAME, value.encode())
        elif key == "cpu":
            os.sched_setaffinity(0, {int(value)})
        elif key == "cgroup":
            Path("/sys/fs/cgroup", value, "cgroup.procs").write_text(str(os.getpid()))
        elif key == "wait":
            print(os.getpid(), flush=True)
            sys.stdin.readline()
    call(int(first), int(count))
    if "children" in words and os.fork() == 0:
        call(int(first) + 100, int(count))
        if os.fork() == 0:
            call(int(first) + 200, int(count))
            os._exit(0)
        os.wait()
        os._exit(0)
    if "children" in words:
        os.wait()


main()

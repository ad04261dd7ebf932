# SPDX-License-Identifier: GPL-2.0-or-later
"""
Do things that a recorder sees, one after the other, and log what was done.

The log, /out/story.json, is a list of steps in the order they were done. Each
has ``step`` (its name), ``start`` and ``end`` (CLOCK_MONOTONIC, ns), ``pid``
(of the process that did it) and what is known of it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import ctypes
from functools import partial
import json
import os
from pathlib import Path
import signal
import socket
import time
from typing import Any, NoReturn

LOG = "/out/story.json"
DATA = "/out/story.dat"
MISSING = "/nonexistent"
WRITTEN_BYTES = 123456
CHILDREN = 5
FIRST_EXIT_CODE = 10
ROUNDS = 10
UDP_PORT = 47474
UDP_SIZES = (100, 200, 300)
SLEEP_SECONDS = 0.02
KMSG = "lkst-story: line of text " + "0123456789" * 30

PR_SET_NAME = 15
libc = ctypes.CDLL(None, use_errno=True)
Facts = dict[str, Any]
steps: list[Facts] = []


@contextmanager
def step(name: str, **facts: Any) -> Iterator[Facts]:
    """Log what the block does; it may add to the facts."""
    entry: Facts = {"step": name, "pid": os.getpid(), **facts}
    entry["start"] = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    yield entry
    entry["end"] = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    steps.append(entry)


def set_comm(name: str) -> None:
    """Set the calling thread's name."""
    libc.prctl(PR_SET_NAME, name.encode(), 0, 0, 0)


def fork(comm: str, body: Callable[[], int]) -> int:
    """
    Start a child that runs a function and exits with what it returns.

    :return: its PID
    """
    pid = os.fork()
    if pid == 0:
        status = 127
        try:
            set_comm(comm)
            status = body()
        finally:
            os._exit(status)
    return pid


def reap(pid: int) -> Facts:
    """Wait for a child and return how it ended."""
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return {"child": pid, "signal": os.WTERMSIG(status)}
    return {"child": pid, "exit_code": os.WEXITSTATUS(status)}


def make_system_calls() -> None:
    with step("getppid", count=3):
        for _ in range(3):
            os.getppid()
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with step("openat", path=DATA, flags=flags) as facts:
        fd = facts["result"] = os.open(DATA, flags, 0o644)
    with step("write", fd=fd, count=WRITTEN_BYTES) as facts:
        facts["result"] = os.write(fd, b"s" * WRITTEN_BYTES)
    with step("fsync", fd=fd):
        os.fsync(fd)
    with step("close", fd=fd):
        os.close(fd)
    with step("openat", path=MISSING, flags=os.O_RDONLY) as facts:
        try:
            os.open(MISSING, os.O_RDONLY)
        except FileNotFoundError as error:
            facts["errno"] = error.errno


def start_children() -> None:
    for number in range(CHILDREN):
        comm = f"story-c{number}"
        code = FIRST_EXIT_CODE + number
        with step("fork", comm=comm) as facts:
            facts |= reap(fork(comm, partial(int, code)))

    def execute() -> NoReturn:
        os.execv("/bin/true", ["true"])

    with step("exec", comm="story-exec", path="/bin/true", comm_after="true") as facts:
        facts |= reap(fork("story-exec", execute))


def send_signals() -> None:
    signal.signal(signal.SIGUSR1, lambda number, frame: None)
    with step("signal", number=int(signal.SIGUSR1), target=os.getpid()):
        os.kill(os.getpid(), signal.SIGUSR1)
    # Blocked before the fork, so the child cannot miss it.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    pid = fork("story-usr2", lambda: int(signal.sigwait([signal.SIGUSR2])))
    with step("signal", number=int(signal.SIGUSR2), target=pid) as facts:
        os.kill(pid, signal.SIGUSR2)
        facts |= reap(pid)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR2])

    def sleep() -> int:
        time.sleep(60)
        return 0

    pid = fork("story-victim", sleep)
    with step("signal", number=int(signal.SIGKILL), target=pid) as facts:
        os.kill(pid, signal.SIGKILL)
        facts |= reap(pid)


def take_exception() -> None:
    def dereference_null() -> int:
        return len(ctypes.string_at(0))

    with step("exception", comm="story-segv", address=0) as facts:
        facts |= reap(fork("story-segv", dereference_null))


def wake_each_other() -> None:
    to_child, from_parent = os.pipe()
    to_parent, from_child = os.pipe()

    def answer() -> int:
        for _ in range(ROUNDS):
            os.write(from_child, os.read(to_child, 1))
        return 0

    pid = fork("story-pong", answer)
    with step("wakeups", comm="story-pong", rounds=ROUNDS) as facts:
        for _ in range(ROUNDS):
            os.write(from_parent, b"x")
            os.read(to_parent, 1)
        facts |= reap(pid)
    for fd in (to_child, from_parent, to_parent, from_child):
        os.close(fd)


def send_packets() -> None:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", UDP_PORT))
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for size in UDP_SIZES:
        with step("udp", port=UDP_PORT, bytes=size):
            sender.sendto(b"u" * size, ("127.0.0.1", UDP_PORT))
            receiver.recv(size)
    sender.close()
    receiver.close()


def migrate() -> None:
    # To CPU 0 first, so that the way to the last one is a migration.
    target = (os.cpu_count() or 1) - 1
    os.sched_setaffinity(0, {0})
    with step("migrate", from_cpu=libc.sched_getcpu(), to_cpu=target) as facts:
        os.sched_setaffinity(0, {target})
        facts["cpu"] = libc.sched_getcpu()


def main() -> None:
    set_comm("story")
    with step("begin", comm="story"):
        pass
    make_system_calls()
    start_children()
    send_signals()
    take_exception()
    wake_each_other()
    send_packets()
    migrate()
    with step("sleep", ns=int(SLEEP_SECONDS * 1e9)):
        time.sleep(SLEEP_SECONDS)
    with step("printk", text=KMSG), Path("/dev/kmsg").open("w") as kmsg:
        kmsg.write(KMSG)
    with step("end"):
        pass
    with Path(LOG).open("w") as log:
        json.dump(steps, log, indent=1)
        log.flush()
        os.fsync(log.fileno())


if __name__ == "__main__":
    main()

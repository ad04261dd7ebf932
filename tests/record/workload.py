# SPDX-License-Identifier: GPL-2.0-or-later
"""
Make each event happen that can be made to happen, and log what was done.

Runs in a guest, as root. The log, /out/workload.json, has for each step ``step``
(its name), ``start`` and ``end`` (CLOCK_MONOTONIC, ns), ``pid`` and what is
known of it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
import ctypes
import errno
import json
import mmap
import os
from pathlib import Path
import select
import signal
import socket
import struct
import subprocess
import time
from typing import Any

KEY = 0x4C4B5354
IPC_CREAT, IPC_NOWAIT, IPC_RMID, IPC_PRIVATE = 0o1000, 0o4000, 0, 0
SERVER, CLIENT, CLOSED, ABORTED, FULL, UDP = range(47501, 47507)
MESSAGE = struct.pack("q", 7) + b"m" * 100

libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
libc.shmat.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
libc.shmdt.argtypes = (ctypes.c_void_p,)
libc.shmget.argtypes = (ctypes.c_int, ctypes.c_size_t, ctypes.c_int)
libc.msgrcv.argtypes = (
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_long,
    ctypes.c_int,
)

workload: list[dict[str, Any]] = []


@contextmanager
def step(name: str, **facts: Any) -> Iterator[dict[str, Any]]:
    """Log what the block does; it may add to the facts."""
    entry = {"step": name, "pid": os.getpid(), **facts}
    entry["start"] = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    yield entry
    entry["end"] = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    workload.append(entry)


def fork(body: Callable[[], object]) -> int:
    """Start a child that runs a function and exits."""
    pid = os.fork()
    if pid == 0:
        try:
            body()
        finally:
            os._exit(0)
    return pid


def semaphores() -> None:
    with step("sem", key=KEY, nsems=3) as facts:
        id_ = facts["id"] = libc.semget(KEY, 3, IPC_CREAT | 0o600)
        up = struct.pack("HhhHhh", 2, 5, 0, 0, 1, 0)
        assert libc.semop(id_, up, 2) == 0
        timeout = struct.pack("qq", 0, 20_000_000)
        assert libc.semtimedop(id_, struct.pack("Hhh", 1, -1, 0), 1, timeout) == -1
        assert ctypes.get_errno() == errno.EAGAIN
        assert libc.semctl(id_, 0, IPC_RMID) == 0


def messages() -> None:
    with step("msg", key=KEY, type=7, size=100) as facts:
        id_ = facts["id"] = libc.msgget(KEY, IPC_CREAT | 0o600)
        buffer = ctypes.create_string_buffer(300)
        assert libc.msgsnd(id_, MESSAGE, 100, 0) == 0
        assert libc.msgrcv(id_, buffer, 200, 7, 0) == 100
        assert libc.msgrcv(id_, buffer, 200, -3, IPC_NOWAIT) == -1
        assert ctypes.get_errno() == errno.ENOMSG
        assert libc.msgctl(id_, IPC_RMID, None) == 0


def shared_memory() -> None:
    with step("shm", size=12345) as facts:
        id_ = facts["id"] = libc.shmget(IPC_PRIVATE, 12345, IPC_CREAT | 0o600)
        address = facts["address"] = libc.shmat(id_, None, 0)
        assert libc.shmdt(address) == 0
        assert libc.shmctl(id_, IPC_RMID, None) == 0


def faults() -> None:
    with step("fault") as facts:
        memory = mmap.mmap(-1, 1 << 16, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        facts["address"] = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + 3 * mmap.PAGESIZE
        memory[3 * mmap.PAGESIZE] = 1
    with step("segv", address=16) as facts:
        child = facts["child"] = fork(lambda: ctypes.string_at(16))
        os.waitpid(child, 0)


def waits() -> None:
    reader, writer = os.pipe()
    with step("poll"):
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        poll.poll(20)
    with step("epoll"):
        select.epoll().close()

    parent = Path(f"/proc/{os.getpid()}/stat")

    def write_late() -> None:
        while parent.read_text().rpartition(")")[2].split()[0] != "S":
            time.sleep(0.01)
        os.write(writer, b"x")

    with step("read"):
        child = fork(write_late)
        os.read(reader, 1)
    os.waitpid(child, 0)
    os.close(reader)
    os.close(writer)


def timers() -> None:
    with step("itimer"):
        signal.setitimer(signal.ITIMER_REAL, 100)
        signal.setitimer(signal.ITIMER_REAL, 0)
    with step("timeout"):
        ours, _theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("qq", 0, 20_000))
        with suppress(BlockingIOError):
            ours.recv(1)
    with step("long timeout", seconds=1000) as facts:

        def wait_long() -> None:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("qq", 1000, 0))
            ours.recv(1)

        child = facts["child"] = fork(wait_long)
        stat = Path(f"/proc/{child}/stat")
        while stat.read_text().rpartition(")")[2].split()[0] != "S":
            time.sleep(0.01)
        time.sleep(0.1)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def connections() -> None:
    server = socket.create_server(("127.0.0.1", SERVER))
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("127.0.0.1", CLIENT))
    with step("connect", sport=CLIENT, dport=SERVER):
        client.connect(("127.0.0.1", SERVER))
        accepted, _ = server.accept()
        accepted.close()
        client.recv(1)
        client.close()
    with step("refused", dport=CLOSED):
        client = socket.socket()
        assert client.connect_ex(("127.0.0.1", CLOSED)) == errno.ECONNREFUSED
    with step("abort", sport=ABORTED, dport=SERVER):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.bind(("127.0.0.1", ABORTED))
        client.connect(("127.0.0.1", SERVER))
        client.close()

    # One connection waits to be accepted; who comes next gets no answer.
    full = socket.socket()
    full.bind(("127.0.0.1", FULL))
    full.listen(0)
    with step("retransmit", dport=FULL):
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", FULL))
        time.sleep(1.5)


def datagrams() -> None:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    receiver.bind(("127.0.0.1", UDP))
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with step("udp", port=UDP):
        for _ in range(20):
            sender.sendto(b"u" * 1000, ("127.0.0.1", UDP))
        receiver.recv(1000)
    Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 0")
    ping = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    ping.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    with step("ping") as facts:
        facts["rcvbuf"] = ping.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        for number in range(20):
            echo = struct.pack("!BBHHH", 8, 0, 0, 0, number) + bytes(500)
            ping.sendto(echo, ("127.0.0.1", 0))
        facts["port"] = ping.getsockname()[1]


def signals() -> None:
    """Signal a task that goes to sleep again and again: now and then between the two."""
    reader, writer = os.pipe()

    def sleep() -> None:
        os.sched_setaffinity(0, {1})
        signal.signal(signal.SIGUSR1, lambda *_: None)
        os.write(writer, b"x")
        while True:
            libc.usleep(100)

    with step("signals") as facts:
        child = facts["child"] = fork(sleep)
        os.read(reader, 1)
        for number in range(2000):
            os.kill(child, signal.SIGUSR1)
            until = time.monotonic_ns() + number * 7919 % 300_000
            while time.monotonic_ns() < until:
                pass
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def disk() -> None:
    with step("disk", size=4096 * 3) as facts:
        fd = os.open("/out/data", os.O_WRONLY | os.O_CREAT)
        dev = os.fstat(fd).st_dev
        facts["dev"] = f"{os.major(dev)}:{os.minor(dev)}"
        os.write(fd, b"d" * facts["size"])
        os.fsync(fd)
        os.close(fd)


def ram_disk() -> None:
    """Write to a device whose driver takes bios and makes no requests of them."""
    subprocess.run(["modprobe", "brd", "rd_nr=1", "rd_size=1024"], check=True)
    with step("ram disk", size=4096 * 2) as facts:
        fd = os.open("/dev/ram0", os.O_WRONLY)
        dev = os.fstat(fd).st_rdev
        facts["dev"] = f"{os.major(dev)}:{os.minor(dev)}"
        os.write(fd, b"r" * facts["size"])
        os.fsync(fd)
        os.close(fd)


def compaction() -> None:
    with step("compact"):
        Path("/proc/sys/vm/compact_memory").write_text("1")


def kernel_thread() -> None:
    enabled = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    enabled.write_text("never")
    with step("kthread"):
        enabled.write_text("always")


def interrupts() -> None:
    os.sched_setaffinity(0, {0})
    reader, writer = os.pipe()

    def spin() -> None:
        os.sched_setaffinity(0, {1})
        os.write(writer, b"x")
        while True:
            pass

    child = fork(spin)
    os.read(reader, 1)
    with step("ipi", cpu=1):
        # Moves a task that runs: its CPU is asked to let go of it.
        os.sched_setaffinity(child, {0})
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def hotplug() -> None:
    online = Path("/sys/devices/system/cpu/cpu1/online")
    with step("offline", cpu=1):
        online.write_text("0")
    with step("online", cpu=1):
        online.write_text("1")


def wrap_log() -> None:
    """Write to the kernel's log until its ring has been round."""
    Path("/proc/sys/kernel/printk_devkmsg").write_text("on\n")
    size = 0
    with step("log") as facts, Path("/dev/kmsg").open("wb", buffering=0) as log:
        lines = facts["lines"] = []
        # CONFIG_LOG_BUF_SHIFT is 17 or 18; a record takes 16 bytes more than its text, or less.
        while size < 3 << 17:
            number = len(lines)
            lines.append(f"line {number}: " + "abcdefghijklm" * (number * 7 % 60))
            log.write(lines[-1].encode())
            size += len(lines[-1])


def other_abis() -> None:
    for name in ("abi32", "abi64"):
        program = Path("/lab/files", name)
        if program.exists():
            with step(name) as facts:
                child = subprocess.Popen([program])
                assert child.wait() == 0
                facts["child"] = child.pid


def main() -> None:
    with step("begin"):
        pass
    for do in (
        wrap_log,
        semaphores,
        messages,
        shared_memory,
        faults,
        waits,
        timers,
        connections,
        datagrams,
        signals,
        disk,
        ram_disk,
        compaction,
        kernel_thread,
        interrupts,
        other_abis,
        hotplug,
    ):
        do()
    Path("/out/workload.json").write_text(json.dumps(workload, indent=1))


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""
Do things that probes see, and write down what they must have seen.

Runs in a guest: ``hits.py truth FILE`` does each thing once; ``hits.py calls COUNT CPU`` makes
system calls whose arguments are numbers; ``hits.py churn COUNT FILE`` adds and removes a
probe so often while these go on, on all CPUs, and writes down what that left behind.
"""

import ctypes
import json
import mmap
import os
from pathlib import Path
import socket
import subprocess
import sys
import time

PR_SET_NAME = 15  # include/uapi/linux/prctl.h
GETPPID = 110  # of x86-64
SIZE = 5000
CALLS = 1500  # while a probe is added and removed
FILE = Path("/tmp/letters-of-a-name-that-takes-more-than-one-slot-of-a-ring-to-be-kept")

libc = ctypes.CDLL(None)


def connect() -> dict[str, int]:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 4711))
        sock.settimeout(20)
        try:
            sock.connect(("127.0.0.1", 4242))
        except ConnectionRefusedError:
            return {"port": 4242, "sport": 4711}
    raise SystemExit("something listens there")


def read_disk() -> dict[str, int]:
    buffer = mmap.mmap(-1, 12288)
    disk = os.open("/dev/vda", os.O_RDONLY | os.O_DIRECT)
    os.preadv(disk, [buffer], 24576)
    os.close(disk)
    return {"bytes": 12288, "sector": 48}


def write_way() -> int:
    way = os.open("/sys/kernel/debug/lkst_crash", os.O_WRONLY)
    try:
        os.write(way, b"nothing")
    except OSError as error:
        return error.errno or 0
    finally:
        os.close(way)
    raise SystemExit("it was taken")


def truth(target: Path) -> None:
    libc.prctl(PR_SET_NAME, b"hits")
    FILE.write_text("x" * SIZE)
    file = os.open(FILE, os.O_RDONLY)
    sizes = [len(os.read(file, count)) for count in (4096, 8192)]
    os.lseek(file, 1000, os.SEEK_SET)
    sizes.append(len(os.read(file, 700)))
    os.close(file)
    missing = "/tmp/there-is-no-such-file"
    try:
        os.open(missing, os.O_RDONLY)
    except FileNotFoundError as error:
        errno = error.errno
    told = {
        "pid": os.getpid(),
        "file": FILE.name,
        "ino": FILE.stat().st_ino,
        "reads": list(zip((4096, 8192, 700), (0, 4096, 1000), sizes, strict=True)),
        "missing": missing,
        "errno": errno,
        "connect": connect(),
        "disk": read_disk(),
        "way": write_way(),
    }
    target.write_text(json.dumps(told))


def calls(count: int, cpu: int) -> None:
    os.sched_setaffinity(0, {cpu})
    for number in range(count):
        libc.syscall(GETPPID, ctypes.c_long(number), ctypes.c_long(7777))


def objects() -> list[int]:
    """Count the kernel's BPF programs, maps and links."""
    from lkst.bpf.libbpf import library

    counts = []
    for kind in ("prog", "map", "link"):
        id_, count = ctypes.c_uint32(0), 0
        next_id = getattr(library(), f"bpf_{kind}_get_next_id")
        while next_id(id_, ctypes.byref(id_)) == 0:
            count += 1
        counts.append(count)
    return counts


def settled(before: list[int]) -> list[int]:
    """Count them when the kernel has freed what it frees later."""
    for _ in range(100):
        if objects() == before:
            break
        time.sleep(0.2)
    return objects()


def churn(count: int, target: Path) -> None:
    from lkst.record.lifecycle.changes import change_recorder
    from lkst.record.maskset.store import open_store
    from lkst.record.probe.definition import Probe
    from lkst.record.probe.registry import add_probe, handler_lookup, remove_probe

    probes = [
        Probe("churn_a", "vfs_read", ("count", "file->f_inode->i_ino")),
        Probe("churn_b", "vfs_read", ("count", "ret"), returns=True),
        Probe("churn_c", "vfs_read+0", ("%dx",)),
    ]
    with change_recorder() as recorder:
        before = objects()
        said = handler_lookup(open_store(recorder.catalogue))
        took = []
        load = [sys.executable, __file__, "calls", str(CALLS * count)]
        children = [subprocess.Popen([*load, str(cpu)]) for cpu in os.sched_getaffinity(0)]
        for number in range(count):
            probe = probes[number % len(probes)]
            begun = time.monotonic()
            add_probe(recorder, probe, said)
            took.append(time.monotonic() - begun)
            remove_probe(recorder, probe.name)
        failed = [child.pid for child in children if child.wait()]
        after = settled(before)
    told = {
        "pids": [child.pid for child in children],
        "failed": failed,
        "calls": CALLS * count,
        "before": before,
        "after": after,
        "took": took,
    }
    target.write_text(json.dumps(told))


def main() -> None:
    match sys.argv[1:]:
        case "truth", target:
            truth(Path(target))
        case "calls", count, cpu:
            calls(int(count), int(cpu))
        case "churn", count, target:
            churn(int(count), Path(target))


if __name__ == "__main__":
    main()

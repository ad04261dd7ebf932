# SPDX-License-Identifier: GPL-2.0-or-later
"""
Run a guest in QEMU, without KVM: only its processor is emulated by software.

Two sockets lead to it: the monitor (QMP) and the channel, the guest's second
serial line, on which guest/init tells how far it is.
"""

from collections import deque
from collections.abc import Iterator, Sequence
import contextlib
from dataclasses import dataclass, field
import os
from pathlib import Path
import selectors
import socket
import subprocess
import time
from typing import IO

from kernels import Kernel
from qmp import Framer, Qmp
from tools import LabError, require

__all__ = ("Disk", "Exited", "Guest", "GuestOptions", "Panicked", "Said", "StdinClosed")


@dataclass(frozen=True)
class Disk:
    """One of the guest's disks."""

    name: str
    """Its serial, by which guest/boot finds it."""
    path: Path
    options: str = ""


@dataclass(frozen=True)
class GuestOptions:
    """What to boot."""

    kernel: Kernel
    cpus: int
    memory: int
    """In MiB."""
    console: Path
    disks: Sequence[Disk]
    append: str = ""
    """More of the kernel's command line."""
    possible_cpus: int | None = None
    """None: no more than `cpus`."""
    one_thread: bool = False
    """Whether to emulate all processors in one thread, in turns."""
    qmp: Path | None = None
    """Socket of a second monitor, for others to connect to."""


@dataclass(frozen=True)
class Said:
    """The guest told something on the channel."""

    text: str


@dataclass(frozen=True)
class Panicked:
    """The guest's kernel panicked; the guest stands still."""


@dataclass(frozen=True)
class Exited:
    """QEMU ended."""


@dataclass(frozen=True)
class StdinClosed:
    """Our own standard input ended."""


Event = Said | Panicked | Exited | StdinClosed


@dataclass
class Guest:
    """A running guest."""

    process: "subprocess.Popen[bytes]"
    qmp: Qmp
    channel: socket.socket
    log: IO[bytes]
    """What QEMU itself complains about."""
    _framer: Framer = field(default_factory=Framer)
    _events: deque[Event] = field(default_factory=deque)
    _stdin: IO[str] | None = None

    def watch_stdin(self, stdin: IO[str]) -> None:
        """Let :meth:`wait` report when a stream ends."""
        self._stdin = stdin

    def answer(self, text: str) -> None:
        """Send the guest a line on the channel."""
        with contextlib.suppress(OSError):
            self.channel.sendall(text.encode() + b"\n")

    def wait(self, seconds: float) -> Event | None:
        """Return the next event, or None if there is none in this time."""
        end = time.monotonic() + seconds
        while not self._events:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self._receive(left)
        return self._events.popleft()

    def _receive(self, seconds: float) -> None:
        self._take_monitor_events()
        if self._events:
            return
        with selectors.DefaultSelector() as selector:
            selector.register(self.qmp.socket, selectors.EVENT_READ)
            selector.register(self.channel, selectors.EVENT_READ)
            if self._stdin is not None:
                selector.register(self._stdin, selectors.EVENT_READ)
            ready = [key.fileobj for key, _ in selector.select(seconds)]
        if self.channel in ready:
            for line in self._framer.feed(_recv(self.channel)):
                # A script may print to the line as well; that is not for us.
                prefix, found, text = line.partition("lab: ")
                if found and not prefix:
                    self._events.append(Said(text.strip()))
        if self.qmp.socket in ready and not self._take_monitor():
            self._events.append(Exited())
        stdin = self._stdin
        if stdin is not None and stdin in ready and not os.read(stdin.fileno(), 4096):
            self._stdin = None
            self._events.append(StdinClosed())

    def _take_monitor(self) -> bool:
        try:
            alive = self.qmp.receive()
        except OSError:
            alive = False
        self._take_monitor_events()
        return alive

    def _take_monitor_events(self) -> None:
        while self.qmp.events:
            if self.qmp.events.popleft()["event"] == "GUEST_PANICKED":
                self._events.append(Panicked())

    def complaint(self) -> str:
        """Return what QEMU itself has said, if anything."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace").strip()

    def stop(self) -> None:
        """End QEMU."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.qmp.socket.close()
        self.channel.close()


def _recv(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1 << 16)
    except OSError:
        return b""


def _arguments(options: GuestOptions, monitor: int, channel: int) -> list[str]:
    arguments = [
        # Even a lab that is killed leaves no QEMU behind.
        *(require("setpriv"), "--pdeathsig", "KILL", require("qemu-system-x86_64")),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        # If the processor says that its string instructions are fast (ERMS, FSRM), the kernel
        # and libc copy byte by byte with them, and each byte takes a turn of the emulator.
        # From QEMU 10 on, Linux 6.1 does not boot with FSRM alone.
        *("-cpu", "max,erms=off,fsrm=off"),
        *("-accel", "tcg,thread=single" if options.one_thread else "tcg,thread=multi"),
        *("-smp", f"{options.cpus},maxcpus={options.possible_cpus or options.cpus}"),
        *("-m", str(options.memory)),
        *("-device", "vmcoreinfo", "-device", "pvpanic", "-action", "panic=pause"),
        *("-serial", f"file:{options.console}"),
        *("-chardev", f"socket,id=channel,fd={channel}", "-serial", "chardev:channel"),
        *("-chardev", f"socket,id=monitor,fd={monitor}"),
        *("-mon", "chardev=monitor,mode=control"),
        *("-kernel", str(options.kernel.vmlinuz)),
        *("-initrd", str(options.kernel.initrd)),
        # The processors' TSCs are one; if the kernel does not believe it, each reading of the
        # clock is one of an emulated device.
        *("-append", f"console=ttyS0 panic=0 quiet tsc=reliable {options.append}".strip()),
    ]
    for disk in options.disks:
        drive = f"if=none,id={disk.name},format=raw,cache=unsafe,file={disk.path}"
        arguments += ["-drive", drive + disk.options]
        arguments += ["-device", f"virtio-blk-pci,drive={disk.name},serial={disk.name}"]
    if options.qmp is not None:
        arguments += ["-qmp", f"unix:{options.qmp},server=on,wait=off"]
    return arguments


@contextlib.contextmanager
def start(options: GuestOptions, temporary: Path) -> Iterator[Guest]:
    """
    Boot a guest, which ends with the block.

    :param temporary: folder for what QEMU keeps while it runs
    """
    ours, theirs = zip(socket.socketpair(), socket.socketpair(), strict=True)
    with (temporary / "qemu.log").open("w+b") as log:
        process = subprocess.Popen(
            _arguments(options, theirs[0].fileno(), theirs[1].fileno()),
            pass_fds=[end.fileno() for end in theirs],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "TMPDIR": str(temporary)},
            # Ctrl-C is for us: we end QEMU when we are ready.
            start_new_session=True,
        )
        for end in theirs:
            end.close()
        guest = Guest(process, Qmp(ours[0]), ours[1], log)
        try:
            try:
                guest.qmp.execute("qmp_capabilities")
            except LabError as error:
                process.wait()
                raise LabError(f"QEMU: {guest.complaint() or error}") from None
            yield guest
        finally:
            guest.stop()
            if options.qmp is not None:
                options.qmp.unlink(missing_ok=True)

# SPDX-License-Identifier: GPL-2.0-or-later
"""
The bridge to crash(8)
----------------------

The client of the protocol of crash_ext/PROTOCOL.md, over a pair of file descriptors.
"""

from collections.abc import Iterator
import contextlib
import os
import socket
import stat
import struct
from typing import NamedTuple

from lkst.errors import Damaged, LkstError

__all__ = ("MAX_READ", "Bridge", "CrashFacts")

VERSION = 1
MAGIC = 0x687361726374736B
MAX_READ = 1 << 20
MAX_ANSWER = 1 << 20

HELLO, READ, NEXT, BYE = range(1, 5)

REQUEST = struct.Struct("=IIQQ")
REPLY = struct.Struct("=IIQ")
NR_FILES = 3


class CrashFacts(NamedTuple):
    """Facts from crash about the open dump."""

    #: crash's name of the architecture: ``X86_64``, ``ARM64``, ...
    arch: str
    release: str
    #: As typed, possibly relative; empty for a live system.
    dumpfile: str
    #: Path of the kernel's debug info.
    namelist: str
    live: bool
    #: The text of VMCOREINFO; empty if crash cannot find it.
    vmcoreinfo: bytes
    #: First and last address of each node's physical memory.
    memory: list[tuple[int, int]]


class Bridge:
    """The client."""

    def __init__(self, reading: int, writing: int) -> None:
        """
        Take over the file descriptors: a socket twice, or two pipes.

        :raises OSError: if they are invalid
        """
        self._reading, self._writing = reading, writing
        self._busy = self._interrupted = False
        for fd in (reading, writing):
            os.set_inheritable(fd, False)
        self._socket = socket.socket(fileno=reading) if _is_socket(reading) else None

    def hello(self) -> CrashFacts:
        """
        Exchange versions and facts.

        :raises LkstError: if the other end speaks another version of the protocol
        :raises EOFError: here and below, if the other end has closed
        """
        self._send(HELLO, MAGIC, 0)
        version, size = self._header(HELLO, self._receive(REPLY.size))
        if version != VERSION:
            raise LkstError(
                f"crash speaks version {version} of the protocol, and this LKST version {VERSION}:"
                " use the extension and LKST of the same release"
            )
        return _parse_facts(self._receive(size))

    def read_into(self, address: int, data: memoryview) -> int:
        """
        Read physical memory.

        :param data: buffer, at most ``MAX_READ`` bytes
        :return: number of bytes that could be read from *address* on
        """
        with self._whole():
            self._send(READ, address, len(data))
            _, got = self._header(READ, self._receive(REPLY.size))
            if got > len(data):
                raise _nonsense()
            self._receive_into(data[:got])
            return got

    def next(self, status: int) -> tuple[list[str], list[int]]:
        """
        Send the status of the last command, and wait for the next.

        :param status: exit status; 0 before the first
        :return: its words; file descriptors for its standard input, output and error, or none
        to keep the current ones
        """
        self._send(NEXT, status, 0)
        files: list[int] = []
        if self._socket is None:
            header = self._receive(REPLY.size)
        else:
            header, files, _, _ = socket.recv_fds(self._socket, REPLY.size, NR_FILES)
            header += self._receive(REPLY.size - len(header))
        _, size = self._header(NEXT, header)
        words = self._receive(size).split(b"\0")
        return [os.fsdecode(word) for word in words[:-1]], files

    def bye(self, status: int) -> None:
        """Say goodbye; the reason has been printed."""
        self._send(BYE, status, 0)

    def interrupt(self, number: int, frame: object) -> None:
        """
        Handle SIGINT: raise KeyboardInterrupt, but leave no answer unread.

        The next request would get it. Blocking the signal does not help: another thread may take
        it, and the handler still runs in this one.
        """
        if self._busy:
            self._interrupted = True
        else:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
        else:
            os.close(self._reading)
            os.close(self._writing)

    def _send(self, kind: int, address: int, size: int) -> None:
        request = REQUEST.pack(kind, VERSION, address, size)
        try:
            os.write(self._writing, request)
        except ConnectionError:
            raise _gone() from None

    def _header(self, kind: int, data: bytes) -> tuple[int, int]:
        got, version, size = REPLY.unpack(data)
        if got != kind or size > MAX_ANSWER:
            raise _nonsense()
        return version, size

    def _receive(self, size: int) -> bytes:
        data = bytearray(size)
        self._receive_into(memoryview(data))
        return bytes(data)

    def _receive_into(self, data: memoryview) -> None:
        while data:
            try:
                count = os.readv(self._reading, [data])
            except ConnectionError:
                raise _gone() from None
            if not count:
                raise _gone()
            data = data[count:]


def _is_socket(fd: int) -> bool:
    return stat.S_ISSOCK(os.fstat(fd).st_mode)


def _gone() -> EOFError:
    return EOFError("crash closed the connection")


def _nonsense() -> LkstError:
    return Damaged("invalid answer from crash")


def _parse_facts(data: bytes) -> CrashFacts:
    facts: dict[bytes, bytes] = {}
    memory = []
    for entry in data.split(b"\0")[:-1]:
        name, _, value = entry.partition(b"=")
        if name == b"memory":
            try:
                start, size = (int(number, 16) for number in value.split())
            except ValueError:
                raise _nonsense() from None
            if size > 0 and 0 <= start <= (1 << 64) - size:
                memory.append((start, start + size - 1))
        else:
            facts[name] = value

    def text(name: bytes) -> str:
        return os.fsdecode(facts.get(name, b""))

    return CrashFacts(
        arch=text(b"arch"),
        release=text(b"release"),
        dumpfile=text(b"dumpfile"),
        namelist=text(b"namelist"),
        live=text(b"live") == "1",
        vmcoreinfo=facts.get(b"vmcoreinfo", b""),
        memory=sorted(memory),
    )

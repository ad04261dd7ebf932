# SPDX-License-Identifier: GPL-2.0-or-later
"""
The command ``lkst`` inside crash(8)
------------------------------------

The process that the extension of crash_ext/ starts: it takes commands from crash, and runs
them on crash's memory. The traces of a dump are kept for the next command.
"""

from collections.abc import Iterator, Sequence
import contextlib
import io
import os
from pathlib import Path
import select
import signal
import sys
import threading
import time

from drgn import Architecture, BadDataError, Platform, PlatformFlags, Program

from lkst.cli.main import run
from lkst.errors import Damaged, LkstError
from lkst.hosts.crash_bridge import Bridge, CrashFacts
from lkst.hosts.crash_memory import Memory
from lkst.locate.ranges import set_dump
from lkst.source.host import Host

__all__ = ("main", "make_host")

#: crash's names of the architectures that drgn supports.
_MACHINES = {
    "X86_64": Architecture.X86_64,
    "ARM64": Architecture.AARCH64,
    "PPC64": Architecture.PPC64,
    "RISCV64": Architecture.RISCV64,
    "S390X": Architecture.S390X,
}

_MAX_PHYSICAL = 1 << 52

_FAILED = 1
_INTERRUPTED = 130
_BROKEN_PIPE = 128 + signal.SIGPIPE
_GRACE = 2.0  # s, to clean up when crash is gone


def main(reading: int, writing: int) -> None:
    """
    Run commands until crash exits, and end the process.

    :param reading: file descriptor to read crash's answers from
    :param writing: file descriptor to write requests to; may be the same
    """
    threading.Thread(target=_watch, args=(reading,), daemon=True).start()
    status = _FAILED
    with contextlib.suppress(EOFError):
        bridge = Bridge(reading, writing)
        try:
            status = _serve(bridge)
        except KeyboardInterrupt:
            status = _INTERRUPTED
        except LkstError as error:
            print(f"lkst: {error}", file=sys.stderr)
            status = error.status
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        bridge.bye(status)
    # Do not wait for threads of scripts or for unread output.
    os._exit(status)


def _watch(fd: int) -> None:
    """End the process when crash exits, even during a command."""
    gone = select.poll()
    gone.register(fd, 0)
    gone.poll()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_GRACE)
    os._exit(_FAILED)


def _serve(bridge: Bridge) -> int:
    facts = bridge.hello()
    host: Host | None = None
    status = 0
    while True:
        words, files = bridge.next(status)
        words = unquoted(words)
        with _stdio(files):
            try:
                if host is None:
                    host = make_host(facts, Memory(bridge.read_into, facts.live))
                status = _run(bridge, words, host, facts)
            except LkstError as error:
                print(f"lkst: {error}", file=sys.stderr)
                status = error.status
            except Exception:
                sys.excepthook(*sys.exc_info())
                return _FAILED
        # Without files, for one command only. After Ctrl-C a read may be incomplete.
        if not files or status == _INTERRUPTED:
            return status


def _run(bridge: Bridge, words: Sequence[str], host: Host, facts: CrashFacts) -> int:
    try:
        signal.signal(signal.SIGINT, bridge.interrupt)
        if words[:1] == ["drgn"]:
            from lkst.hosts.prompt import run_drgn

            return run_drgn(host, words[1:], facts.namelist)
        # Long output goes through crash's pager, if it is enabled.
        os.environ["PAGER"] = "cat"
        return run(words, context=host, usage=False)
    except (BrokenPipeError, SystemExit):
        # The reader closed the output; click exits on it.
        return _BROKEN_PIPE
    except KeyboardInterrupt:
        return _INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def make_host(facts: CrashFacts, memory: Memory) -> Host:
    """
    Create a drgn.Program for crash's memory.

    :raises LkstError: if the kernel cannot be found in it
    """
    name = "kcore" if facts.live else facts.dumpfile
    machine = _MACHINES.get(facts.arch)
    if machine is None:
        raise LkstError(f"{name}: the architecture {facts.arch} is not supported by drgn")
    if not facts.vmcoreinfo:
        raise Damaged(f"{name}: crash found no VMCOREINFO, which is needed to find the kernel")
    flags = PlatformFlags.IS_64_BIT
    if sys.byteorder == "little":
        flags |= PlatformFlags.IS_LITTLE_ENDIAN
    prog = Program(Platform(machine, flags))
    prog.add_memory_segment(0, _MAX_PHYSICAL, memory.read, physical=True)
    try:
        prog.set_linux_kernel_custom(facts.vmcoreinfo, facts.live)
    except (BadDataError, LookupError, ValueError) as error:
        raise Damaged(f"{name}: {error}") from error
    set_dump(prog, None if facts.live else Path(name), facts.memory)
    return Host(prog, name)


def unquoted(words: Sequence[str]) -> list[str]:
    """Remove single quotes, which crash does not remove, unlike a shell."""
    result: list[str] = []
    parts: list[str] = []
    for word in words:
        if parts:
            parts.append(word)
        elif word.startswith("'"):
            parts = [word[1:]]
        else:
            result.append(word)
            continue
        if parts[-1].endswith("'"):
            result.append(" ".join(parts)[:-1])
            parts = []
    return result + ([f"'{' '.join(parts)}"] if parts else [])


class _Ordered(io.TextIOWrapper):
    """Standard error that flushes standard output first."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        return super().write(text)


@contextlib.contextmanager
def _stdio(files: Sequence[int]) -> Iterator[None]:
    """Use files as standard input, output and error."""
    if not files:
        yield
        return
    for target, fd in enumerate(files):
        os.dup2(fd, target)
        os.close(fd)
    output = io.TextIOWrapper(os.fdopen(os.dup(1), "wb"), errors="surrogateescape")
    errors = _Ordered(os.fdopen(os.dup(2), "wb"), errors="backslashreplace", line_buffering=True)
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = output, errors
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in (output, errors):
            with contextlib.suppress(OSError):
                stream.close()
        # Flush the output for its reader.
        nowhere = os.open(os.devnull, os.O_RDWR)
        for target in range(3):
            os.dup2(nowhere, target)
        os.close(nowhere)

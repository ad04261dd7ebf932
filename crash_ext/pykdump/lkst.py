# SPDX-License-Identifier: GPL-2.0-or-later
"""
The command ``lkst`` of crash(8), as a PyKdump program
-------------------------------------------------------

It serves the protocol of PROTOCOL.md with PyKdump's ``readmem``, as lkst.so does with
crash's own. Load it once, say in ~/.crashrc, with PYKDUMPPATH naming the folder
``pykdump`` beside it, where PyKdump finds it by the name of its command::

    extend mpykdump.so
    epython lkst.py

PyKdump's own interpreter may lack most of the standard library, and be as old as Python
3.6; LKST runs in another one, which $LKST_PYTHON names.
"""

import os
import signal
import struct
import sys
import time

import crash

VERSION = 1
MAGIC = 0x687361726374736B
MAX_READ = 1 << 20
HELLO, READ, NEXT, BYE = range(1, 5)
REQUEST = struct.Struct("=IIQQ")
REPLY = struct.Struct("=IIQ")

PAGE = 4096
MAX_VMCOREINFO = 65536
MAX_FD = 4096
END_SECONDS = 3.0
DIED = -1
USAGE = 2

SHORT = "replay the kernel's events up to the panic"
SYNOPSIS = "COMMAND [ARGUMENT ...]"
HELP = """
  lkst drgn [SCRIPT [ARGUMENT ...]]

  This command shows what a recorder of the Linux Kernel State Tracer has left in
  memory: the newest events of each CPU. The words are those of the program lkst,
  without SOURCE; "lkst --help" shows them. "lkst drgn" starts drgn on the memory that
  crash has open, or runs a script in it.

  The environment variable LKST_PYTHON names the interpreter that has LKST installed.
"""


#: crash's names of machines, by the kernel's.
MACHINES = {"x86_64": "X86_64", "aarch64": "ARM64", "ppc64": "PPC64", "ppc64le": "PPC64"}
LIVE = ("/proc/", "/dev/")


def read(address, size, kind):
    """Read memory; None if it is not all there. PyKdump takes 0 for a null pointer."""
    try:
        return crash.readmem(address, size, kind)
    except (crash.error, IndexError, OverflowError, ValueError):
        return None


def read_memory(address, size):
    """Read physical memory, as much as there is from an address on."""
    data = read(address, size, crash.PHYSADDR)
    if data is not None:
        return data
    parts = []
    end = address + size
    while address < end:
        part = read(address, min(PAGE - address % PAGE, end - address), crash.PHYSADDR)
        if part is None:
            break
        parts.append(part)
        address += len(part)
    return b"".join(parts)


def read_variable(name):
    """Read a variable of 8 bytes; 0 if it is not there."""
    data = read(crash.sym2addr(name), 8, crash.KVADDR)
    return struct.unpack("=Q", data)[0] if data else 0


def read_vmcoreinfo():
    """
    Read the text of VMCOREINFO: kernel/crash_core.c, or vmcore_info.c.

    The note comes first: after a panic with a crash kernel loaded, the text itself lies
    where that kernel runs, which is in no dump.
    """
    address = read_variable("vmcoreinfo_note")
    header = read(address, 12, crash.KVADDR)
    if header:
        name_size, size, _ = struct.unpack("=III", header)
        if name_size <= MAX_VMCOREINFO and 0 < size <= MAX_VMCOREINFO:
            text = read(address + 12 + (name_size + 3) // 4 * 4, size, crash.KVADDR)
            if text:
                return text
    size = read_variable("vmcoreinfo_size")
    if not 0 < size <= MAX_VMCOREINFO:
        return b""
    return read(read_variable("vmcoreinfo_data"), size, crash.KVADDR) or b""


def read_facts():
    """Tell what crash knows about what it has open."""
    info = {}
    for line in crash.exec_crash_command("sys").splitlines():
        name, _, value = line.partition(": ")
        # Such as "[PARTIAL DUMP]" may follow.
        info[name.strip()] = value.strip().split("  ")[0]
    machine = info.get("MACHINE", "")
    dumpfile = info.get("DUMPFILE", "")
    live = dumpfile.startswith(LIVE)
    facts = {
        "arch": MACHINES.get(machine, machine),
        "release": info.get("RELEASE", ""),
        "dumpfile": "" if live else dumpfile,
        "namelist": info.get("DEBUG KERNEL", info.get("KERNEL", "")),
        "live": "1" if live else "0",
        "vmcoreinfo": read_vmcoreinfo().split(b"\0")[0],
    }
    return b"".join(
        os.fsencode(name) + b"=" + os.fsencode(value) + b"\0" for name, value in facts.items()
    )


class Child:
    """The Python process that does the work, for one command."""

    def __init__(self):
        answers, self.writing = os.pipe()
        self.reading, questions = os.pipe()
        self.greeted = False
        sys.stdout.flush()
        files = (sys.stdout.fileno(), sys.stderr.fileno(), answers, questions)
        self.pid = os.fork()
        if not self.pid:
            try:
                become_python(files)
            finally:
                os._exit(127)
        os.close(answers)
        os.close(questions)

    def receive(self):
        """Wait for a question; None if there will be no more."""
        data = b""
        while len(data) < REQUEST.size:
            part = os.read(self.reading, REQUEST.size - len(data))
            if not part:
                return None
            data += part
        self.greeted = True
        return REQUEST.unpack(data)

    def answer(self, kind, data):
        """Answer a question."""
        data = REPLY.pack(kind, VERSION, len(data)) + data
        while data:
            data = data[os.write(self.writing, data) :]

    def end(self):
        """End it; it does so itself when its pipes are closed."""
        os.close(self.reading)
        os.close(self.writing)
        last = time.time() + END_SECONDS
        while os.waitpid(self.pid, os.WNOHANG)[0] == 0:
            if time.time() > last:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.002)


def become_python(files):
    """Turn this process into the one that does the work."""
    python = os.environ.get("LKST_PYTHON") or "python3"
    # Until it is ready for it, Ctrl-C is not for it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # First out of the way of each other, then where they belong.
    for place, fd in enumerate([high(fd, len(files)) for fd in files], 1):
        os.dup2(fd, place)
        os.set_inheritable(place, True)
    os.closerange(len(files) + 1, MAX_FD)
    if not os.isatty(0):
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    # crash is often run where a dump lies; nothing there is to be imported.
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        os.execvp(python, [python, "-m", "lkst.hosts.crash", "3", "4"])
    except OSError as error:
        os.write(2, ("lkst: cannot run %s: %s\n" % (python, error.strerror)).encode())


def high(fd, least):
    """Duplicate a file descriptor so that its number is above another."""
    while fd <= least:
        fd = os.dup(fd)
    return fd


def serve(child, words):
    """
    Have the child run a command, and answer it until that is done.

    :return: exit status, or DIED
    """
    while True:
        question = child.receive()
        if question is None:
            return DIED
        kind, version, address, size = question
        if kind == HELLO and version != VERSION:
            child.answer(HELLO, b"")
        elif kind == HELLO and address == MAGIC:
            child.answer(HELLO, read_facts())
        elif kind == READ and 0 < size <= MAX_READ:
            child.answer(READ, read_memory(address, size))
        elif kind == NEXT:
            child.answer(NEXT, b"".join(os.fsencode(word) + b"\0" for word in words))
        elif kind == BYE:
            return address & 0xFF
        else:
            return DIED


def run(words):
    """Run a command."""
    if words == ["drgn"] and not (os.isatty(0) and sys.stdout.isatty()):
        print("lkst: drgn's prompt needs a terminal; lkst drgn SCRIPT does not")
        return
    child = Child()
    status = 0
    try:
        status = serve(child, words)
    except KeyboardInterrupt:
        pass
    except OSError:  # It does not read what it has asked for.
        status = DIED
    finally:
        child.end()
    if status == DIED and child.greeted:
        print("lkst: the Python process died before it was done")
    elif status == DIED:
        print(
            "lkst: Python has not answered: install Python 3.11 and LKST, or name an"
            " interpreter that has it in LKST_PYTHON"
        )
    elif status == USAGE and words[0] != "drgn":
        show_usage()


def show_usage():
    """Show the usage as crash does."""
    print('Usage:\n  lkst %s\nEnter "help lkst" for details.' % SYNOPSIS)


def main():
    """Register the command when it is loaded, run it afterwards."""
    words = sys.argv[1:]
    # The module crash stays when this program ends.
    if not getattr(crash, "lkst_registered", False):
        crash.lkst_registered = True
        crash.register_epython_prog("lkst", SHORT, SYNOPSIS, HELP)
    elif not words:
        show_usage()
    if words:
        run(words)
    # PyKdump leaves what is buffered.
    sys.stdout.flush()


main()

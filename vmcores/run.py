# SPDX-License-Identifier: GPL-2.0-or-later
"""One run of the lab: boot, record, run the script, panic, keep the dump."""

from collections.abc import Callable, Sequence
import compileall
from dataclasses import dataclass, replace
from pathlib import Path
import re
import shlex
import shutil
import sys
import tempfile
import time

import disks
import elf
import guest as guests
from guest import Disk, Exited, Guest, GuestOptions, Panicked, Said, StdinClosed
from headers import crash_module
from image import PYTHON_VERSION, get_image
from kernels import Kernel, debug_vmlinux, get_kernel
from scenario import SCENARIOS, needs_crash_module
from tools import LabError, call

__all__ = ("Options", "make_tree", "makedumpfile_command", "panic_message", "run")

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
# The parts of the checkout that run in the guest.
PROJECT_FOLDERS = ("lkst", "drgn_plugins", "kdump")
GRAB = "lkst/hook/lkst-grab"

OUT_MIB = 256
CRASHKERNEL_MIB = 256
# The kernel prints that it panics before it tells the panic device; a panic
# that never reaches the device is captured after this time.
PANIC_SECONDS = 15


# QEMU's processors run in threads, and now and then one runs into a breakpoint that another
# has taken back: the kernel sets them while it patches its own code.
_STALE = re.compile(r"int3: 0000 \[#1\]")


class _EmulatorError(LabError):
    # The kernel died before it ran anything of ours, or of what only an emulator does to it.
    pass


@dataclass(frozen=True)
class Options:
    """What `lab.py run` was asked for."""

    out: Path
    kernel: str
    script: Path
    capture: str = "memory"
    cpus: int = 2
    possible_cpus: int | None = None
    memory: int = 256
    record: str | None = ""
    """Arguments of `lkst start`; None: do not record."""
    debuginfo: bool = False
    dump_format: str = "elf"
    dump_level: int | None = None
    timeout: float = 400
    hold: bool = False
    one_thread: bool = False
    """Whether to emulate all processors in one thread: then no breakpoint is stale."""
    qmp: Path | None = None
    files: Sequence[Path] = ()
    append: str = ""
    """More of the kernel's command line."""
    before_dump: Path | None = None
    """Script that the capture kernel runs; what it leaves in /dump/out becomes ``out/capture``."""


def makedumpfile_command(dump_format: str, level: int | None, source: str, target: str) -> str:
    """
    Return the shell command that turns one dump into another.

    :param dump_format: ``elf``, ``kdump`` or ``flattened``
    :param level: which pages to leave out, 31 being all that can be
    """
    source, target = shlex.quote(source), shlex.quote(target)
    pages = f"-d {31 if level is None else level}"
    if dump_format == "flattened":
        return f"makedumpfile -F -c {pages} {source} >{target}"
    kind = "-E" if dump_format == "elf" else "-c"
    return f"makedumpfile {kind} {pages} {source} {target}"


def panic_message(console: str) -> str | None:
    """Return why the kernel panicked, from the console's text."""
    found = re.search(r"Kernel panic - not syncing: (.*)", console)
    return found[1].strip() if found else None


def run(options: Options, say: Callable[[str], None] = print) -> None:
    """
    Run a guest to its panic and leave what came of it in ``options.out``.

    :raises LabError: if the guest did not do what was asked
    """
    out = options.out
    out.mkdir(parents=True, exist_ok=True)
    for name in ("vmcore", "grab", "console.log", "vmlinux"):
        (out / name).unlink(missing_ok=True)
    # The latter is what a run that was killed leaves.
    for folder in (out / "out", *out.glob(".lab-*")):
        shutil.rmtree(folder, ignore_errors=True)

    kernel = get_kernel(options.kernel, options.debuginfo)
    say(f"kernel {kernel.version}")
    if options.debuginfo:
        _link(debug_vmlinux(kernel), out / "vmlinux")
    if needs_crash_module(options.script):
        options = replace(options, files=(*options.files, crash_module(kernel.version)))
    root = get_image()
    try:
        _run_once(options, kernel, root, say)
    except _EmulatorError as error:
        say(f"{error}; booting once more")
        _run_once(options, kernel, root, say)


def _run_once(options: Options, kernel: Kernel, root: Path, say: Callable[[str], None]) -> None:
    out = options.out
    with tempfile.TemporaryDirectory(prefix=".lab-", dir=out) as name:
        temporary = Path(name)
        _make_job(options, temporary)
        guest_disks = [
            Disk("root", root, ",snapshot=on"),
            Disk("kernel", kernel.disk, ",readonly=on"),
            Disk("job", temporary / "job"),
            Disk("out", temporary / "out"),
        ]
        disks.make_disk(temporary / "out", OUT_MIB, journal=True)
        append = options.append
        if options.capture == "kdump":
            append = f"crashkernel={CRASHKERNEL_MIB}M {append}"
            disks.make_disk(temporary / "dump", options.memory + 64)
            guest_disks.append(Disk("dump", temporary / "dump"))
        boot = GuestOptions(
            kernel=kernel,
            cpus=options.cpus,
            possible_cpus=options.possible_cpus,
            memory=options.memory,
            console=out / "console.log",
            disks=guest_disks,
            append=append,
            one_thread=options.one_thread,
            qmp=options.qmp,
        )
        try:
            with guests.start(boot, temporary) as guest:
                course = _Course(options, guest, temporary, say)
                course.follow()
        finally:
            if (out / "console.log").exists():
                disks.recover(temporary / "out")
                disks.copy_tree(temporary / "out", out / "out")
        if options.capture == "kdump" and (course.captured or not options.hold):
            disks.copy_file(temporary / "dump", "/vmcore", out / "vmcore")
            if options.record is not None:
                disks.copy_file(temporary / "dump", "/grab", out / "grab")
            if options.before_dump is not None:
                disks.copy_tree(temporary / "dump", temporary / "capture")
                shutil.move(temporary / "capture" / "out", out / "out" / "capture")


class _Course:
    # Follows one guest from event to event. What comes next depends on who
    # speaks first: the guest, QEMU, or the clock.

    def __init__(
        self,
        options: Options,
        guest: Guest,
        temporary: Path,
        say: Callable[[str], None],
    ) -> None:
        self.options = options
        self.guest = guest
        self.temporary = temporary
        self.started = time.monotonic()
        self.deadline = self.started + options.timeout
        self.stage = "boot"
        self.captured = False
        self.panic_seen: float | None = None
        self._say = say

    def say(self, text: str) -> None:
        self._say(f"{time.monotonic() - self.started:5.1f} s  {text}")

    def console(self) -> str:
        path = self.options.out / "console.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def follow(self) -> None:
        try:
            self._follow()
        except SystemExit:
            # SIGTERM is one of the ways to end a guest that is held.
            if self.stage != "hold":
                raise

    def _follow(self) -> None:
        while True:
            event = self.guest.wait(0.5)
            match event:
                case Said(text):
                    self._heard(text)
                case Panicked():
                    self._capture()
                    return
                case StdinClosed():
                    return
                case Exited():
                    self._ended()
                    return
                case None:
                    if self._overdue():
                        self._capture()
                        return

    def _heard(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        match word:
            case "booted":
                self.stage = "lkst start" if self.options.record is not None else "script"
                self.say("booted")
            case "recording":
                self.stage = "script"
                self.say("recording")
            case "ended":
                self._script_ended(rest)
            case "failed":
                raise LabError(rest)
            case "nmi":
                self.guest.qmp.execute("inject-nmi")
                self.guest.answer("ok")
            case "dump":
                self._live_dump(rest)
            case "capturing":
                self.stage = "capture"
                self.say(f"panic: {panic_message(self.console())}; capturing")
            case "captured":
                if rest != "0":
                    raise LabError(f"makedumpfile failed in the capture kernel ({rest})")
                self.captured = True

    def _script_ended(self, status: str) -> None:
        if status != "0":
            raise LabError(f"the script failed with status {status}")
        self.say("script ended")
        if self.options.hold:
            self.stage = "hold"
            self.guest.watch_stdin(sys.stdin)
            print("ready", flush=True)
        else:
            self.stage = "panic"
            self.guest.answer("panic")

    def _live_dump(self, name: str) -> None:
        taken = ("vmcore", "vmlinux", "out", "console.log")
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name) or name in taken:
            self.guest.answer("not a name for a dump")
            return
        self._dump(self.options.out / name)
        self.say(f"live dump {name}")
        self.guest.answer("ok")

    def _dump(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self.guest.qmp.execute(
            "dump-guest-memory", paging=False, protocol=f"file:{path}", format="elf"
        )
        path.chmod(0o644)
        elf.normalize(path)

    def _overdue(self) -> bool:
        # A panic that never reached the panic device; and the time limit.
        now = time.monotonic()
        if self.panic_seen is None and panic_message(self.console()):
            self.panic_seen = now
        kdump = self.options.capture == "kdump"
        if self.panic_seen is not None and not kdump:
            if now - self.panic_seen > PANIC_SECONDS:
                return True
        elif now > self.deadline and self.stage != "hold":
            raise LabError(f"not done after {self.options.timeout:g} s, in stage: {self.stage}")
        return False

    def _capture(self) -> None:
        options = self.options
        console = self.console()
        message = panic_message(console)
        silent = self.stage == "lkst start" and message is None
        if self.stage == "boot" or silent or _STALE.search(console):
            raise _EmulatorError(f"panic in stage {self.stage}: {message or 'without a message'}")
        if options.capture == "kdump":
            raise LabError("a panic, but the capture kernel did not start")
        if self.stage not in ("script", "panic", "hold"):
            raise LabError(f"a panic in stage: {self.stage}: {message}")
        target = options.out / "vmcore"
        if options.dump_format == "elf" and options.dump_level is None:
            self._dump(target)
        else:
            whole = self.temporary / "vmcore"
            self._dump(whole)
            command = makedumpfile_command(
                options.dump_format, options.dump_level, str(whole), str(target)
            )
            call(["sh", "-c", command])
        message = self._drain_console()
        if _STALE.search(self.console()):
            # What it says of an exception in an interrupt came behind the panic device's word.
            raise _EmulatorError(f"panic in stage {self.stage}: {message}")
        self.say(f"panic: {message or 'without a message'}")

    def _drain_console(self) -> str | None:
        # A panic in an NMI prints only after the panic device was told.
        message = panic_message(self.console())
        if message is None:
            self.guest.qmp.execute("cont")
        for _ in range(20):
            if message is not None:
                break
            time.sleep(0.1)
            message = panic_message(self.console())
        return message

    def _ended(self) -> None:
        if self.captured:
            return
        complaint = self.guest.complaint()
        raise LabError(
            f"the guest ended in stage: {self.stage}" + (f": {complaint}" * bool(complaint))
        )


def make_tree(tree: Path, init: Path) -> None:
    """
    Make the folder that becomes a guest's /lab, with the checkout's Python.

    :param init: what is started there
    """
    tree.mkdir()
    shutil.copyfile(init, tree / "init")
    (tree / "init").chmod(0o755)
    shutil.copytree(SCENARIOS, tree / "scenarios")
    # Compiling is slow in a guest without KVM. It is done in the checkout, once for all runs,
    # and in the copy what could not be written there.
    is_theirs = ".".join(map(str, sys.version_info[:2])) == PYTHON_VERSION
    for name in PROJECT_FOLDERS:
        if (PROJECT / name).is_dir():
            if is_theirs:
                compileall.compile_dir(PROJECT / name, quiet=2)
            shutil.copytree(PROJECT / name, tree / "project" / name)
            if is_theirs:
                compileall.compile_dir(tree / "project" / name, quiet=2)


def _make_job(options: Options, temporary: Path) -> None:
    # The disk that tells the guest what to do.
    tree = temporary / "tree"
    make_tree(tree, HERE / "guest" / "init")
    shutil.copyfile(options.script, tree / "script")
    (tree / "files").mkdir()
    for file in options.files:
        shutil.copy2(file, tree / "files" / file.name)
    if options.record is not None:
        words = shlex.join(shlex.split(options.record))
        # Where there are dumps, the recorder leaves a list of its pages.
        (tree / "record").write_text(f"mkdir -p /var/crash\nexec lkst start {words}\n")
    if options.capture == "kdump":
        (tree / "kexec").write_text(
            "exec kexec -p /kernel/vmlinuz --initrd=/kernel/initrd "
            "--append='console=ttyS0 nr_cpus=1 reset_devices no_timer_check panic=1 quiet'\n"
        )
        command = makedumpfile_command(
            options.dump_format, options.dump_level, "/proc/vmcore", "/dump/vmcore"
        )
        grab = ""
        if options.record is not None:
            if not (PROJECT / GRAB).exists():
                raise LabError("lkst-grab is not there: 'pip install -e .' compiles it")
            grab = f"/lab/project/{GRAB} -l /var/crash/lkst/pages -o /dump/grab\n"
        script = ""
        if options.before_dump is not None:
            shutil.copyfile(options.before_dump, tree / "before-dump")
            script = "mkdir /dump/out\n/bin/sh /lab/before-dump\n"
        (tree / "capture").write_text(f"{grab}{script}exec {command}\n")
    disks.make_disk(temporary / "job", free_mib=8, tree=tree)
    shutil.rmtree(tree)


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)

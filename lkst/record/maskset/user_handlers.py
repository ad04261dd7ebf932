# SPDX-License-Identifier: GPL-2.0-or-later
"""
Handlers that users write
-------------------------

A handler is a BPF program that replaces a function of the recorder's programs
(BPF_PROG_TYPE_EXT). It is compiled once, against ``recorder/handler.h``, and kept
under /etc/lkst/handlers; it is loaded again for each hook that it is set for.
"""

from importlib import resources
from pathlib import Path
import platform
import shutil
import struct
import subprocess
import tempfile

from lkst.abi import layout
from lkst.abi.control import Control
from lkst.bpf.libbpf import BPFError, pinned
from lkst.bpf.object import Object
from lkst.bpf.programs import program_by_id
from lkst.errors import LkstError, NotFound, Usage
from lkst.live.recorder import Recorder
from lkst.record.maskset.loaded import loaded_masksets
from lkst.record.names import check_name
from lkst.record.programs.attach import object_path, pin_name, programs_of, sections
from lkst.util.files import replacing
from lkst.util.nearest import nearest

__all__ = (
    "FOLDER",
    "attach_handlers",
    "events_of",
    "kept_handlers",
    "load_handler",
    "loaded_handlers",
    "register_handlers",
    "unload_handler",
)

FOLDER = Path("/etc/lkst/handlers")

_SUFFIX = ".bpf.o"
_FLAGS = "-O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -Wall -Wno-unused-parameter".split()

#: Name of the program in a handler's object.
_PROGRAM = "lkst_handler"


def loaded_handlers(control: Control) -> dict[str, int]:
    """Return the loaded handlers: name -> number."""
    return {name.text.decode(): n for n, name in enumerate(control.user_handler) if name.text}


def kept_handlers(folder: Path = FOLDER) -> list[str]:
    """Return the names of the user's handlers."""
    return sorted(path.name.removesuffix(_SUFFIX) for path in folder.glob(f"*{_SUFFIX}"))


def events_of(recorder: Recorder, number: int) -> list[str]:
    """Return the events for which a loaded maskset sets a handler."""
    control = recorder.read_control()
    rows = [control.handler[index] for index in loaded_masksets(control).values()]
    return [
        event.name
        for event in recorder.catalogue.events.values()
        if any(row[event.id] & layout.HANDLER_MASK == layout.HANDLER_USER + number for row in rows)
    ]


def compile_handler(source: Path, target: Path) -> None:
    """
    Compile a handler.

    :raises LkstError: with the compiler's output
    """
    clang = shutil.which("clang")
    if not clang:
        raise LkstError(f"{source}: clang is needed to compile it; a compiled .o needs no clang")
    headers = Path(str(resources.files("lkst.record") / "include"))
    include = [f"-I{headers}", f"-I/usr/include/{platform.machine()}-linux-gnu"]
    result = subprocess.run(
        [clang, *_FLAGS, *include, "-c", str(source), "-o", str(target)],
        capture_output=True,
        text=True,
    )
    if result.returncode:
        raise LkstError(f"{source}: cannot be compiled:\n{result.stderr.rstrip()}")


def load_handler(recorder: Recorder, name: str, file: Path, folder: Path = FOLDER) -> None:
    """
    Load a handler, or a new version of it.

    :param file: ``.bpf.c``, or ``.o``
    :param folder: where the compiled handler is kept
    :raises LkstError: if the compiler or the kernel refuses it; then nothing has changed
    """
    check_name("handler", name)
    control = recorder.live
    numbers = loaded_handlers(control)
    number = numbers.get(name)
    if number is None:
        number = next((n for n, user in enumerate(control.user_handler) if not user.text), None)
    if number is None:
        raise LkstError(
            f"{layout.MAX_USER} handlers are loaded ({', '.join(numbers)}): unload one first"
        )
    if not file.exists():
        raise NotFound(f"file not found: {file}")
    with tempfile.TemporaryDirectory() as scratch:
        object_ = file
        if file.suffix == ".c":
            object_ = Path(scratch, "handler.bpf.o")
            compile_handler(file, object_)
        # Verify it against a program that is always loaded.
        with pinned(recorder.pins / "run" / "lkst_start") as target:
            _open(recorder.pins, object_, target, number).close()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(folder / f"{name}{_SUFFIX}") as new:
            new.write(object_.read_bytes())
    control.user_handler[number].text = name.encode()
    for link in (recorder.pins / "links").glob(f"*-user{number}"):
        link.unlink()
    attach_handlers(recorder, folder)


def unload_handler(recorder: Recorder, name: str, folder: Path = FOLDER) -> None:
    """
    Unload a handler and delete its file.

    :raises LkstError: if a loaded maskset uses it
    """
    control = recorder.live
    numbers = loaded_handlers(control)
    if name not in numbers:
        raise NotFound(f"no handler {name!r} is loaded{nearest(name, numbers)}")
    if events := events_of(recorder, numbers[name]):
        raise LkstError(f"the handler {name!r} is in use by {', '.join(events)}")
    control.user_handler[numbers[name]].text = b""
    (folder / f"{name}{_SUFFIX}").unlink(missing_ok=True)


def register_handlers(recorder: Recorder, folder: Path = FOLDER) -> None:
    """Register the handlers of the folder with a recorder that starts."""
    control = recorder.live
    for user, name in zip(control.user_handler, kept_handlers(folder), strict=False):
        user.text = name.encode()


def _open(pins: Path, object_: Path, target: int, number: int) -> Object:
    """Load a handler as a replacement of a program's function, without attaching it."""
    bpf = Object(object_)
    try:
        if list(bpf.programs()) != [_PROGRAM]:
            raise Usage(f"{object_}: is not a handler: see recorder/handler.h")
        for map_ in list(bpf.maps()):
            name = pin_name(map_)
            if name and (pins / name).exists():
                bpf.reuse_map(map_, pins / name)
            elif map_ == ".rodata.number":
                bpf.initial_value(map_)[:4] = struct.pack("<I", number)
        bpf.replace_function(_PROGRAM, target, f"lkst_user_{number}")
        bpf.load("the kernel refused the handler")
    except BaseException:
        bpf.close()
        raise
    return bpf


def attach_handlers(recorder: Recorder, folder: Path = FOLDER) -> None:
    """
    Attach users' handlers to the programs of their events.

    :raises LkstError: if the kernel refuses one
    """
    control = recorder.live
    links = recorder.pins / "links"
    names = {number: name for name, number in loaded_handlers(control).items()}
    wanted: dict[str, tuple[int, int]] = {}
    programs: list[str] | None = None
    for number in names:
        for event_name in events_of(recorder, number):
            if programs is None:
                with Object(object_path()) as bpf:
                    programs = list(sections(bpf))
            event = next(e for e in recorder.catalogue.events.values() if e.name == event_name)
            own = programs_of(event, programs)
            if own and control.prog_id[event.id]:
                wanted[f"{own[-1]}-user{number}"] = (control.prog_id[event.id], number)
    for link in links.glob("*-user*"):
        if link.name not in wanted:
            link.unlink()
    for pin, (prog_id, number) in wanted.items():
        if (links / pin).exists():
            continue
        path = folder / f"{names[number]}{_SUFFIX}"
        if not path.exists():
            raise NotFound(
                f"the handler {names[number]!r} cannot be set: its file {path} is missing"
            )
        with program_by_id(prog_id) as target:
            try:
                bpf = _open(recorder.pins, path, target, number)
            except BPFError as error:
                raise LkstError(
                    f"the handler {names[number]!r} cannot be set for {pin.partition('-')[0]}:"
                    f" {error}"
                ) from None
            with bpf:
                bpf.attach(_PROGRAM, links / pin, replaces=(target, f"lkst_user_{number}"))

# SPDX-License-Identifier: GPL-2.0-or-later
"""
libbpf
------

The few calls of libbpf.so.1 that loading, pinning and reading a recorder take.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
import contextlib
import ctypes
import ctypes.util
import errno
import mmap
import os
from pathlib import Path
import re
from typing import Any

from lkst.errors import LkstError
from lkst.record.refusals import explain, read_policy

__all__ = (
    "BPFError",
    "ForbiddenError",
    "Object",
    "RingBuffer",
    "create_ring_map",
    "hooks_present",
    "map_id",
    "map_pinned",
    "pin_fd",
    "pinned",
    "pinned_program",
    "prog_info",
    "programs_named",
    "run_pinned",
    "update_map",
)

_BTF_KIND_TYPEDEF, _BTF_KIND_FUNC = 8, 12  # include/uapi/linux/btf.h

# Kind of an ELF section -> what the kernel's BTF has for the hook that it names.
_HOOKS = {
    "tp_btf": (_BTF_KIND_TYPEDEF, "btf_trace_"),
    "raw_tp": (_BTF_KIND_TYPEDEF, "btf_trace_"),
    "fentry": (_BTF_KIND_FUNC, ""),
    "fexit": (_BTF_KIND_FUNC, ""),
}
# include/uapi/linux/bpf.h
_MAP_TYPE_ARRAY = 2
_MMAPABLE, _INNER_MAP = 1 << 10, 1 << 12
_STATS_RUN_TIME = 0
_INSN_SIZE = 8  # struct bpf_insn
_LIBBPF_INFO = 1  # enum libbpf_print_level
_MAX_MESSAGE = 1 << 18  # the verifier's log comes in one
_Sample = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_Print = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


class BPFError(LkstError):
    """libbpf or the kernel refused something."""

    #: Whether it was the verifier.
    by_verifier = False


class ForbiddenError(BPFError):
    """A policy of the machine forbids it, whatever is loaded."""


class _TestRunOpts(ctypes.Structure):
    # struct bpf_test_run_opts, tools/lib/bpf/bpf.h
    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("data_in", ctypes.c_void_p),
        ("data_out", ctypes.c_void_p),
        ("data_size_in", ctypes.c_uint32),
        ("data_size_out", ctypes.c_uint32),
        ("ctx_in", ctypes.c_void_p),
        ("ctx_out", ctypes.c_void_p),
        ("ctx_size_in", ctypes.c_uint32),
        ("ctx_size_out", ctypes.c_uint32),
        ("retval", ctypes.c_uint32),
        ("repeat", ctypes.c_int),
        ("duration", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("cpu", ctypes.c_uint32),
        ("batch_size", ctypes.c_uint32),
    )


class _MapCreateOpts(ctypes.Structure):
    # struct bpf_map_create_opts, tools/lib/bpf/bpf.h
    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("btf_fd", ctypes.c_uint32),
        ("btf_key_type_id", ctypes.c_uint32),
        ("btf_value_type_id", ctypes.c_uint32),
        ("btf_vmlinux_value_type_id", ctypes.c_uint32),
        ("inner_map_fd", ctypes.c_uint32),
        ("map_flags", ctypes.c_uint32),
        ("map_extra", ctypes.c_uint64),
        ("numa_node", ctypes.c_uint32),
        ("map_ifindex", ctypes.c_uint32),
    )


class _KprobeOpts(ctypes.Structure):
    # struct bpf_kprobe_opts, tools/lib/bpf/libbpf.h
    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("bpf_cookie", ctypes.c_uint64),
        ("offset", ctypes.c_size_t),
        ("retprobe", ctypes.c_bool),
    )


class _MapInfo(ctypes.Structure):
    # struct bpf_map_info, include/uapi/linux/bpf.h
    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("key_size", ctypes.c_uint32),
        ("value_size", ctypes.c_uint32),
        ("max_entries", ctypes.c_uint32),
        ("map_flags", ctypes.c_uint32),
    )


class _ProgInfo(ctypes.Structure):
    # struct bpf_prog_info, include/uapi/linux/bpf.h
    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("middle", ctypes.c_uint8 * 56),
        ("name", ctypes.c_char * 16),
        ("rest", ctypes.c_uint8 * 112),
        ("run_time_ns", ctypes.c_uint64),
        ("run_cnt", ctypes.c_uint64),
        ("recursion_misses", ctypes.c_uint64),
        ("tail", ctypes.c_uint32 * 4),
    )


class _LinkInfo(ctypes.Structure):
    # struct bpf_link_info, include/uapi/linux/bpf.h
    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("prog_id", ctypes.c_uint32),
        ("tail", ctypes.c_uint32 * 13),
    )


_lib: ctypes.CDLL | None = None
_log: list[str] = []


def _collect(level: int, format_: bytes, arguments: int) -> int:
    if level <= _LIBBPF_INFO:
        buffer = ctypes.create_string_buffer(_MAX_MESSAGE)
        ctypes.CDLL(None).vsnprintf(buffer, len(buffer), format_, ctypes.c_void_p(arguments))
        _log.append(buffer.value.decode(errors="replace").rstrip())
    return 0


# Kept, since libbpf calls it for as long as it is loaded.
_print = _Print(_collect)


def library() -> ctypes.CDLL:
    """
    Load libbpf.

    :raises BPFError: if the machine has none
    """
    global _lib
    if _lib is None:
        try:
            lib = ctypes.CDLL("libbpf.so.1", use_errno=True)
        except OSError:
            raise BPFError("libbpf.so.1 is missing: install libbpf1 (Debian) or libbpf") from None
        for name in (
            "bpf_object__open_file",
            "bpf_object__next_program",
            "bpf_object__next_map",
            "bpf_object__find_map_by_name",
            "bpf_object__find_program_by_name",
            "bpf_program__attach",
            "bpf_program__attach_freplace",
            "bpf_program__attach_kprobe_opts",
            "bpf_program__insns",
            "bpf_map__initial_value",
            "btf__load_vmlinux_btf",
            "ring_buffer__new",
        ):
            getattr(lib, name).restype = ctypes.c_void_p
        for name in ("bpf_map__name", "bpf_program__name", "bpf_program__section_name"):
            getattr(lib, name).restype = ctypes.c_char_p
        lib.bpf_program__insn_cnt.restype = ctypes.c_size_t
        lib.libbpf_set_print.argtypes = (_Print,)
        lib.libbpf_set_print(_print)
        _lib = lib
    return _lib


def _check(result: int, what: str) -> int:
    if result < 0:
        raise BPFError(f"{what}: {os.strerror(-result)}" + _hint())
    return result


def _hint() -> str:
    # libbpf's last words are the verifier's statistics; the reason stands before.
    lines = [line for entry in _log for line in entry.splitlines() if line.strip()]
    return "".join(f"\n  {line}" for line in lines[-30:])


class Object:
    """A BPF object file, from opening it until its programs are loaded and pinned."""

    def __init__(self, path: Path) -> None:
        """:param path: compiled BPF object"""
        self._lib = library()
        _log.clear()
        self._object = ctypes.c_void_p(
            self._lib.bpf_object__open_file(os.fsencode(path), ctypes.c_void_p())
        )
        if not self._object.value:
            raise BPFError(f"{path}: {os.strerror(ctypes.get_errno())}" + _hint())
        self._links: list[ctypes.c_void_p] = []
        #: Program -> the one of the file that it means.
        self._stand_ins: dict[str, str] = {}

    def close(self) -> None:
        """Let go of all that is not pinned."""
        for link in self._links:
            self._lib.bpf_link__destroy(link)
        self._links.clear()
        self._lib.bpf_object__close(self._object)

    def __enter__(self) -> "Object":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def programs(self) -> Iterator[str]:
        """Name every program, but for stand-ins that are in use."""
        program = ctypes.c_void_p()
        while True:
            program = ctypes.c_void_p(self._lib.bpf_object__next_program(self._object, program))
            if not program.value:
                return
            name = self._lib.bpf_program__name(program).decode()
            if name not in self._stand_ins.values():
                yield name

    def stand_in(self, program: str, other: str) -> None:
        """Load ``other`` wherever ``program`` is named from now on."""
        self.set_autoload(program, False)
        self._stand_ins[program] = other

    def _program(self, name: str) -> ctypes.c_void_p:
        name = self._stand_ins.get(name, name)
        return ctypes.c_void_p(
            self._lib.bpf_object__find_program_by_name(self._object, name.encode())
        )

    def section(self, program: str) -> str:
        """Name the ELF section of a program, which says what it is attached to."""
        name: bytes = self._lib.bpf_program__section_name(self._program(program))
        return name.decode()

    def _map(self, name: str) -> ctypes.c_void_p:
        return ctypes.c_void_p(self._lib.bpf_object__find_map_by_name(self._object, name.encode()))

    def maps(self) -> Iterator[str]:
        """Name every map."""
        map_ = ctypes.c_void_p()
        while True:
            map_ = ctypes.c_void_p(self._lib.bpf_object__next_map(self._object, map_))
            if not map_.value:
                return
            yield self._lib.bpf_map__name(map_).decode()

    def reuse_map(self, map_: str, pin: Path) -> None:
        """Take a map that is pinned instead of making one."""
        with pinned(pin) as fd:
            _check(self._lib.bpf_map__reuse_fd(self._map(map_), fd), f"reuse {pin}")

    def leave_out_map(self, map_: str) -> None:
        """Make no such map: no program that is loaded uses it."""
        _check(self._lib.bpf_map__set_autocreate(self._map(map_), False), map_)

    def set_autoload(self, program: str, load: bool) -> None:
        """Say whether :meth:`load` loads a program."""
        _check(self._lib.bpf_program__set_autoload(self._program(program), load), program)

    def set_entries(self, map_: str, entries: int) -> None:
        """Set the number of entries of a map, before it is loaded."""
        _check(self._lib.bpf_map__set_max_entries(self._map(map_), entries), map_)

    def set_value_size(self, map_: str, size: int) -> None:
        """Set the size of a map's values in bytes, before it is loaded."""
        _check(self._lib.bpf_map__set_value_size(self._map(map_), size), map_)

    def initial_value(self, map_: str) -> memoryview:
        """Give what a data section will hold when it is loaded, to be changed."""
        size = ctypes.c_size_t()
        address = self._lib.bpf_map__initial_value(self._map(map_), ctypes.byref(size))
        if not address:
            raise BPFError(f"the BPF object has no {map_}")
        return memoryview((ctypes.c_char * size.value).from_address(address)).cast("B")

    def load(self, refusal: str = "the kernel refused the recorder") -> None:
        """
        Load maps and programs into the kernel.

        :raises BPFError: that begins with the refusal, and has the verifier's reason
        """
        _log.clear()
        result = self._lib.bpf_object__load(self._object)
        if -result in (1, 13) and os.geteuid() != 0:
            raise BPFError("only root may load the recorder")
        if result:
            policy = explain("\n".join((os.strerror(-result), *_log)), read_policy())
            if policy:
                raise ForbiddenError(f"{refusal}: {policy}")
        _check(result, refusal)

    def refused(self) -> tuple[str, str]:
        """
        Tell which program made :meth:`load` fail.

        :return: its name or "", and the verifier's last words about it; "": the kernel has
            refused it before the verifier saw it
        """
        text = "\n".join(_log)
        found = re.search(r"prog '(\w+)': BPF program load failed", text)
        if not found:
            return "", ""
        said = text.partition("-- BEGIN PROG LOAD LOG --")[2].partition("-- END PROG LOAD LOG --")
        lines = [line for line in said[0].splitlines() if line and "processed " not in line]
        named = {other: program for program, other in self._stand_ins.items()}
        return named.get(found[1], found[1]), lines[-1] if lines else ""

    def prog_id(self, program: str) -> int:
        """Give the id of a loaded program."""
        return prog_info(self._lib.bpf_program__fd(self._program(program)))[0]

    def replace_function(self, program: str, target: int, function: str) -> None:
        """
        Say, before it is loaded, which function of which program another one replaces.

        :param target: file descriptor of the program that has the function
        """
        _check(
            self._lib.bpf_program__set_attach_target(
                self._program(program), target, function.encode()
            ),
            program,
        )

    def instructions(self, program: str) -> bytes:
        """Give the instructions of a program."""
        handle = self._program(program)
        count = self._lib.bpf_program__insn_cnt(handle)
        return ctypes.string_at(self._lib.bpf_program__insns(handle), count * _INSN_SIZE)

    def set_instructions(self, program: str, instructions: bytes) -> None:
        """
        Put other instructions in the place of those of a program, before it is loaded.

        :param instructions: as many; those that libbpf relocates where they were
        """
        count = ctypes.c_size_t(len(instructions) // _INSN_SIZE)
        _check(
            self._lib.bpf_program__set_insns(self._program(program), instructions, count), program
        )

    def set_target(self, program: str, hook: str) -> None:
        """
        Say, before it is loaded, which function or tracepoint a program is for.

        :raises BPFError: if the kernel's BTF has none of this name
        """
        _log.clear()
        _check(
            self._lib.bpf_program__set_attach_target(self._program(program), 0, hook.encode()), hook
        )

    def attach_kprobe(self, program: str, pin: Path, function: str, offset: int) -> None:
        """
        Attach a program as kprobe or, if its section says so, as kretprobe, and pin the link.

        :param function: or ``module:function``
        :raises BPFError: if the kernel does not have it
        """
        _log.clear()
        options = _KprobeOpts(
            sz=ctypes.sizeof(_KprobeOpts),
            offset=offset,
            retprobe=self.section(program) == "kretprobe",
        )
        link = self._lib.bpf_program__attach_kprobe_opts(
            self._program(program), function.encode(), ctypes.byref(options)
        )
        self._pin_link(program, link, pin)

    def attach(self, program: str, pin: Path, replaces: tuple[int, str] | None = None) -> None:
        """
        Attach a program and pin the link.

        :param replaces: the program, by file descriptor, and its function that this replaces
        :raises BPFError: if the kernel does not have it
        """
        _log.clear()
        if replaces:
            link = self._lib.bpf_program__attach_freplace(
                self._program(program), replaces[0], replaces[1].encode()
            )
        else:
            link = self._lib.bpf_program__attach(self._program(program))
        self._pin_link(program, link, pin)

    def _pin_link(self, program: str, link: int | None, pin: Path) -> None:
        if not link:
            raise BPFError(f"{program}: {os.strerror(ctypes.get_errno())}")
        handle = ctypes.c_void_p(link)
        self._links.append(handle)
        _check(self._lib.bpf_link__pin(handle, os.fsencode(pin)), f"pin {pin}")

    def pin_map(self, map_: str, pin: Path) -> None:
        """Pin a map."""
        _check(self._lib.bpf_map__pin(self._map(map_), os.fsencode(pin)), f"pin {pin}")

    def pin_program(self, program: str, pin: Path) -> None:
        """Pin a program."""
        _check(self._lib.bpf_program__pin(self._program(program), os.fsencode(pin)), f"pin {pin}")


def hooks_present(sections: Mapping[str, str]) -> set[str]:
    """
    Tell which programs the running kernel has a hook for, by its BTF.

    :param sections: program -> its ELF section: ``tp_btf/NAME`` or ``raw_tp/NAME`` for a
        tracepoint, ``fentry/NAME`` or ``fexit/NAME`` for a function
    :raises BPFError: if the kernel has no BTF
    """
    lib = library()
    btf = ctypes.c_void_p(lib.btf__load_vmlinux_btf())
    if not btf.value:
        raise BPFError(f"the kernel's BTF cannot be read: {os.strerror(ctypes.get_errno())}")
    try:
        present = set()
        for program, section in sections.items():
            kind, _, name = section.partition("/")
            btf_kind, prefix = _HOOKS[kind]
            if lib.btf__find_by_name_kind(btf, (prefix + name).encode(), btf_kind) > 0:
                present.add(program)
        return present
    finally:
        lib.btf__free(btf)


@contextlib.contextmanager
def pinned(pin: Path) -> Iterator[int]:
    """
    Open what is pinned, as a file descriptor.

    :raises OSError: if it is not there or must not be used
    """
    fd = library().bpf_obj_get(os.fsencode(pin))
    if fd < 0:
        error = -fd if fd != -1 else ctypes.get_errno()
        raise OSError(error, os.strerror(error), str(pin))
    try:
        yield fd
    finally:
        os.close(fd)


class RingBuffer:
    """The reading end of a pinned BPF ring buffer."""

    def __init__(self, pin: Path, take: Callable[[bytes], None]) -> None:
        """
        Open it.

        :param take: gets what comes
        :raises OSError: if it is not there or must not be used
        :raises BPFError: if it is none
        """

        def sample(_: object, data: int, size: int) -> int:
            take(ctypes.string_at(data, size))
            return 0

        # Kept, since libbpf calls it for as long as the buffer is open.
        self._sample = _Sample(sample)
        with pinned(pin) as fd:
            self._ring = ctypes.c_void_p(library().ring_buffer__new(fd, self._sample, None, None))
        if not self._ring.value:
            raise BPFError(f"{pin}: {os.strerror(ctypes.get_errno())}")

    def poll(self, milliseconds: int) -> None:
        """Wait for something to come, and take all that is there."""
        library().ring_buffer__poll(self._ring, milliseconds)

    def close(self) -> None:
        """Let go of it."""
        library().ring_buffer__free(self._ring)


def map_pinned(pin: Path, *, writable: bool = False) -> mmap.mmap:
    """
    Map a pinned, mmapable array map into this process.

    :raises OSError: if it is not there or must not be used
    """
    with pinned(pin) as fd:
        info = _MapInfo()
        _get_info(fd, info)
        size = (info.value_size + 7) // 8 * 8 * info.max_entries
        size = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        return mmap.mmap(fd, size, mmap.MAP_SHARED, protection)


def run_pinned(pin: Path, context: bytes = b"") -> int:
    """
    Run a pinned program once, with these bytes as its context.

    :return: what it returned
    """
    with pinned(pin) as fd:
        given = ctypes.create_string_buffer(context, len(context))
        options = _TestRunOpts(
            sz=ctypes.sizeof(_TestRunOpts),
            ctx_in=ctypes.addressof(given) if context else None,
            ctx_size_in=len(context),
        )
        _check(library().bpf_prog_test_run_opts(fd, ctypes.byref(options)), f"run {pin.name}")
        return int(options.retval)


def create_ring_map(entries: int, slot_size: int) -> int:
    """
    Make a map that can be a buffer.

    :param entries: slots
    :param slot_size: in bytes
    :return: file descriptor
    :raises BPFError: if there is not enough memory
    """
    options = _MapCreateOpts(sz=ctypes.sizeof(_MapCreateOpts), map_flags=_MMAPABLE | _INNER_MAP)
    fd: int = library().bpf_map_create(
        _MAP_TYPE_ARRAY, b"lkst_ring", 4, slot_size, entries, ctypes.byref(options)
    )
    return _check(fd, f"make a buffer of {entries * slot_size >> 10} KiB")


def update_map(pin: Path, key: int, value: int | None) -> None:
    """
    Set or delete an entry of a pinned map whose keys and values are 32 bits.

    When it returns, no program uses what was there before in a map of maps
    (synchronize_rcu in maybe_wait_bpf_programs, kernel/bpf/syscall.c).

    :param value: None: delete it
    """
    raw_key = ctypes.c_uint32(key)
    with pinned(pin) as fd:
        if value is None:
            result = library().bpf_map_delete_elem(fd, ctypes.byref(raw_key))
            if result == -errno.ENOENT:
                return
        else:
            raw_value = ctypes.c_uint32(value)
            result = library().bpf_map_update_elem(
                fd, ctypes.byref(raw_key), ctypes.byref(raw_value), ctypes.c_uint64(0)
            )
    _check(result, f"write to {pin.name}")


def map_keys(pin: Path) -> list[int]:
    """Give the keys of a pinned hash map whose keys are 32 bits."""
    keys: list[int] = []
    key = ctypes.c_uint32()
    last: Any = None
    with pinned(pin) as fd:
        while library().bpf_map_get_next_key(fd, last, ctypes.byref(key)) == 0:
            keys.append(key.value)
            last = ctypes.byref(ctypes.c_uint32(key.value))
    return keys


def look_up(pin: Path, key: int) -> int | None:
    """Give an entry of a pinned map whose keys and values are 32 bits."""
    value = ctypes.c_uint32()
    with pinned(pin) as fd:
        result = library().bpf_map_lookup_elem(
            fd, ctypes.byref(ctypes.c_uint32(key)), ctypes.byref(value)
        )
    return None if result else value.value


def pin_fd(fd: int, pin: Path) -> None:
    """Pin what a file descriptor stands for."""
    _check(library().bpf_obj_pin(fd, os.fsencode(pin)), f"pin {pin}")


def map_id(fd: int) -> int:
    """Give the id of a map."""
    info = _MapInfo()
    _get_info(fd, info)
    return int(info.id)


@contextlib.contextmanager
def program_by_id(prog_id: int) -> Iterator[int]:
    """
    Open a loaded program, as a file descriptor.

    :raises BPFError: if there is none
    """
    fd = library().bpf_prog_get_fd_by_id(prog_id)
    _check(fd, f"program {prog_id}")
    try:
        yield fd
    finally:
        os.close(fd)


def _get_info(fd: int, info: Any) -> None:
    size = ctypes.c_uint32(ctypes.sizeof(info))
    _check(
        library().bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(size)),
        "bpf_obj_get_info_by_fd",
    )


def prog_info(fd: int) -> tuple[int, int]:
    """
    Ask the kernel about a program.

    :return: its id, and how often it was not run because it was running already
    """
    info = _ProgInfo()
    _get_info(fd, info)
    return int(info.id), int(info.recursion_misses)


def pinned_program(pin: Path) -> int | None:
    """Return the id of a pinned program; None: it is no longer there."""
    try:
        with pinned(pin) as fd:
            return prog_info(fd)[0]
    except (OSError, BPFError):
        return None


def programs_named(name: str) -> list[int]:
    """
    Return the ids of all loaded programs of a name, whoever loaded them.

    :raises BPFError: if this process may not ask
    """
    found = []
    id_ = ctypes.c_uint32()
    while not (result := library().bpf_prog_get_next_id(id_, ctypes.byref(id_))):
        info = _ProgInfo()
        # It may be unloaded just now.
        with contextlib.suppress(BPFError), program_by_id(id_.value) as fd:
            _get_info(fd, info)
            if info.name == name.encode():
                found.append(int(info.id))
    if result != -errno.ENOENT:
        _check(result, "bpf_prog_get_next_id")
    return found


@contextlib.contextmanager
def run_time_statistics() -> Iterator[None]:
    """
    Have the kernel measure how long programs run (BPF_ENABLE_STATS, since Linux 5.8).

    :raises BPFError: if it does not
    """
    fd = _check(library().bpf_enable_stats(_STATS_RUN_TIME), "bpf_enable_stats")
    try:
        yield
    finally:
        os.close(fd)


def run_statistics(prog_id: int) -> tuple[int, int, int]:
    """
    Tell how a program ran while statistics were kept.

    :return: time in ns, runs, and runs that were skipped because it was running already
    """
    info = _ProgInfo()
    with program_by_id(prog_id) as fd:
        _get_info(fd, info)
    return int(info.run_time_ns), int(info.run_cnt), int(info.recursion_misses)


def linked_programs(folder: Path, names: Iterable[str] | None = None) -> dict[str, int]:
    """
    Give the ids of the programs whose links are pinned in a folder, by the pins' names.

    :param names: of the pins; None: all
    """
    programs = {}
    for pin in folder.iterdir() if names is None else map(folder.joinpath, names):
        info = _LinkInfo()
        # It may be detached just now.
        with contextlib.suppress(FileNotFoundError), pinned(pin) as fd:
            _get_info(fd, info)
            programs[pin.name] = int(info.prog_id)
    return programs


def recursion_misses(prog_id: int) -> int:
    """Count how often the kernel skipped a program because it was running already."""
    try:
        with program_by_id(prog_id) as fd:
            return prog_info(fd)[1]
    except BPFError:
        return 0

# SPDX-License-Identifier: GPL-2.0-or-later
"""
Objects
-------

BPF object files, from opening them until their programs are loaded and pinned.
"""

from collections.abc import Iterator, Mapping
import ctypes
import os
from pathlib import Path
import re

from lkst.bpf.libbpf import BPFError, ForbiddenError, check, last_words, library, log, pinned
from lkst.bpf.programs import prog_info
from lkst.bpf.refusals import explain, read_policy

__all__ = ("Object", "hooks_present")

_BTF_KIND_TYPEDEF, _BTF_KIND_FUNC = 8, 12  # include/uapi/linux/btf.h

# Kind of an ELF section -> BTF kind and name prefix of its hook.
_HOOKS = {
    "tp_btf": (_BTF_KIND_TYPEDEF, "btf_trace_"),
    "raw_tp": (_BTF_KIND_TYPEDEF, "btf_trace_"),
    "fentry": (_BTF_KIND_FUNC, ""),
    "fexit": (_BTF_KIND_FUNC, ""),
}
_INSN_SIZE = 8  # struct bpf_insn


class _KprobeOpts(ctypes.Structure):
    # struct bpf_kprobe_opts, tools/lib/bpf/libbpf.h
    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("bpf_cookie", ctypes.c_uint64),
        ("offset", ctypes.c_size_t),
        ("retprobe", ctypes.c_bool),
    )


class Object:
    """A BPF object file, from opening it until its programs are loaded and pinned."""

    def __init__(self, path: Path) -> None:
        """:param path: compiled BPF object"""
        self._lib = library()
        log.clear()
        self._object = ctypes.c_void_p(
            self._lib.bpf_object__open_file(os.fsencode(path), ctypes.c_void_p())
        )
        if not self._object.value:
            raise BPFError(f"{path}: {os.strerror(ctypes.get_errno())}" + last_words())
        self._links: list[ctypes.c_void_p] = []
        #: Program -> the program of the file that is used for it.
        self._stand_ins: dict[str, str] = {}

    def close(self) -> None:
        """Close it. Objects that are not pinned are freed."""
        for link in self._links:
            self._lib.bpf_link__destroy(link)
        self._links.clear()
        self._lib.bpf_object__close(self._object)

    def __enter__(self) -> "Object":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def programs(self) -> Iterator[str]:
        """Return the names of all programs, without stand-ins."""
        program = ctypes.c_void_p()
        while True:
            program = ctypes.c_void_p(self._lib.bpf_object__next_program(self._object, program))
            if not program.value:
                return
            name = self._lib.bpf_program__name(program).decode()
            if name not in self._stand_ins.values():
                yield name

    def stand_in(self, program: str, other: str) -> None:
        """Use ``other`` for ``program`` from now on."""
        self.set_autoload(program, False)
        self._stand_ins[program] = other

    def _program(self, name: str) -> ctypes.c_void_p:
        name = self._stand_ins.get(name, name)
        return ctypes.c_void_p(
            self._lib.bpf_object__find_program_by_name(self._object, name.encode())
        )

    def section(self, program: str) -> str:
        """Return the ELF section of a program, which names its hook."""
        name: bytes = self._lib.bpf_program__section_name(self._program(program))
        return name.decode()

    def _map(self, name: str) -> ctypes.c_void_p:
        return ctypes.c_void_p(self._lib.bpf_object__find_map_by_name(self._object, name.encode()))

    def maps(self) -> Iterator[str]:
        """Return the names of all maps."""
        map_ = ctypes.c_void_p()
        while True:
            map_ = ctypes.c_void_p(self._lib.bpf_object__next_map(self._object, map_))
            if not map_.value:
                return
            yield self._lib.bpf_map__name(map_).decode()

    def reuse_map(self, map_: str, pin: Path) -> None:
        """Reuse a pinned map instead of creating one."""
        with pinned(pin) as fd:
            check(self._lib.bpf_map__reuse_fd(self._map(map_), fd), f"reuse {pin}")

    def leave_out_map(self, map_: str) -> None:
        """Do not create a map: no program that is loaded uses it."""
        check(self._lib.bpf_map__set_autocreate(self._map(map_), False), map_)

    def set_autoload(self, program: str, load: bool) -> None:
        """Set whether :meth:`load` loads a program."""
        check(self._lib.bpf_program__set_autoload(self._program(program), load), program)

    def set_entries(self, map_: str, entries: int) -> None:
        """Set the number of entries of a map, before it is loaded."""
        check(self._lib.bpf_map__set_max_entries(self._map(map_), entries), map_)

    def set_value_size(self, map_: str, size: int) -> None:
        """Set the size of a map's values in bytes, before it is loaded."""
        check(self._lib.bpf_map__set_value_size(self._map(map_), size), map_)

    def initial_value(self, map_: str) -> memoryview:
        """Return the initial value of a data section, which may be changed before loading."""
        size = ctypes.c_size_t()
        address = self._lib.bpf_map__initial_value(self._map(map_), ctypes.byref(size))
        if not address:
            raise BPFError(f"the BPF object has no {map_}")
        return memoryview((ctypes.c_char * size.value).from_address(address)).cast("B")

    def load(self, refusal: str = "the kernel refused it") -> None:
        """
        Load maps and programs into the kernel.

        :raises BPFError: starts with the refusal, and has the verifier's reason
        """
        log.clear()
        result = self._lib.bpf_object__load(self._object)
        if -result in (1, 13) and os.geteuid() != 0:
            raise BPFError("only root may load BPF programs")
        if result:
            policy = explain("\n".join((os.strerror(-result), *log)), read_policy())
            if policy:
                raise ForbiddenError(f"{refusal}: {policy}")
        check(result, refusal)

    def refused(self) -> tuple[str, str]:
        """
        Return the program that made :meth:`load` fail.

        :return: its name or "", and the verifier's last message; "": the kernel refused it
        before the verifier ran
        """
        text = "\n".join(log)
        found = re.search(r"prog '(\w+)': BPF program load failed", text)
        if not found:
            return "", ""
        said = text.partition("-- BEGIN PROG LOAD LOG --")[2].partition("-- END PROG LOAD LOG --")
        lines = [line for line in said[0].splitlines() if line and "processed " not in line]
        named = {other: program for program, other in self._stand_ins.items()}
        return named.get(found[1], found[1]), lines[-1] if lines else ""

    def prog_id(self, program: str) -> int:
        """Return the id of a loaded program."""
        return prog_info(self._lib.bpf_program__fd(self._program(program)))[0]

    def replace_function(self, program: str, target: int, function: str) -> None:
        """
        Set, before loading, which function of which program this program replaces.

        :param target: file descriptor of the program that has the function
        """
        check(
            self._lib.bpf_program__set_attach_target(
                self._program(program), target, function.encode()
            ),
            program,
        )

    def instructions(self, program: str) -> bytes:
        """Return the instructions of a program."""
        handle = self._program(program)
        count = self._lib.bpf_program__insn_cnt(handle)
        return ctypes.string_at(self._lib.bpf_program__insns(handle), count * _INSN_SIZE)

    def set_instructions(self, program: str, instructions: bytes) -> None:
        """
        Replace the instructions of a program, before it is loaded.

        :param instructions: the same number; those that libbpf relocates keep their place
        """
        count = ctypes.c_size_t(len(instructions) // _INSN_SIZE)
        check(
            self._lib.bpf_program__set_insns(self._program(program), instructions, count), program
        )

    def set_target(self, program: str, hook: str) -> None:
        """
        Set the function or tracepoint of a program, before it is loaded.

        :raises BPFError: if the kernel's BTF has none of this name
        """
        log.clear()
        check(
            self._lib.bpf_program__set_attach_target(self._program(program), 0, hook.encode()), hook
        )

    def attach_kprobe(self, program: str, pin: Path, function: str, offset: int) -> None:
        """
        Attach a program as kprobe or, if its section says so, as kretprobe, and pin the link.

        :param function: or ``module:function``
        :raises BPFError: if the kernel refuses it
        """
        log.clear()
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
        :raises BPFError: if the kernel refuses it
        """
        log.clear()
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
        check(self._lib.bpf_link__pin(handle, os.fsencode(pin)), f"pin {pin}")

    def pin_map(self, map_: str, pin: Path) -> None:
        """Pin a map."""
        check(self._lib.bpf_map__pin(self._map(map_), os.fsencode(pin)), f"pin {pin}")

    def pin_program(self, program: str, pin: Path) -> None:
        """Pin a program."""
        check(self._lib.bpf_program__pin(self._program(program), os.fsencode(pin)), f"pin {pin}")


def hooks_present(sections: Mapping[str, str]) -> set[str]:
    """
    Return the programs for which the running kernel has a hook, by its BTF.

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

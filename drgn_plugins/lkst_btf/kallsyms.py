# SPDX-License-Identifier: GPL-2.0-or-later
"""
Symbols
-------

Those of the kernel and of its modules, from kallsyms (:linux:`kernel/kallsyms.c`).
"""

from collections.abc import Callable, Sequence
import logging
import re
import struct
from typing import TYPE_CHECKING

from drgn import (
    FaultError,
    PlatformFlags,
    Program,
    ProgramFlags,
    Symbol,
    SymbolBinding,
    SymbolIndex,
    SymbolKind,
)
from drgn.helpers.linux.kallsyms import load_vmlinux_kallsyms, module_kallsyms
from drgn.helpers.linux.module import for_each_module

from .btf import MAX_SIZE, BTFError

try:
    import numpy as np
except ImportError:
    # It takes more time then.
    np = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("NAME", "Kallsyms", "Symbols", "load_module_symbols", "load_symbols")

logger = logging.getLogger("drgn.lkst_btf")

#: Of the plugin and of its finders.
NAME = "lkst_btf"

# Finds symbols by name, address and how many, as a SymbolIndex does.
Symbols = Callable[[Program, str | None, int | None, bool], list[Symbol]]

# Of symbols in kallsyms, as drgn has it: more is a gap behind it.
_MAX_SYMBOL = 1 << 16
# Of so many names in kallsyms one is marked.
_MARKED = 256


def load_symbols(prog: Program) -> "Symbols":
    live = ProgramFlags.IS_LIVE | ProgramFlags.IS_LOCAL
    if np is not None and prog.flags & live != live:
        try:
            return Kallsyms(prog)
        except Exception as e:
            # Unusual, or damaged; drgn says what is wrong.
            logger.debug("cannot read kallsyms at once: %s", e)
    try:
        symbols: Symbols = load_vmlinux_kallsyms(with_buffered_kallsyms(prog))
        return symbols
    except Exception as e:
        raise BTFError(f"cannot read the kernel's symbols: {e}") from e


def with_buffered_kallsyms(prog: Program) -> Program:
    # drgn reads kallsyms_names byte by byte, each through the kernel's page
    # tables. Read it at once, into another program, which takes a fourth of the
    # time.
    vmcoreinfo = prog["VMCOREINFO"].string_()
    try:
        symbols = vmcoreinfo_symbols(prog)
        start = symbols["kallsyms_names"]
        size = symbols["kallsyms_token_table"] - start
        if not 0 < size < MAX_SIZE:
            return prog
        names: bytes = prog.read(start, size)
        buffered = Program(prog.platform)
        buffered.cache[NAME] = None  # This one is not for finding things in.
        buffered.set_linux_kernel_custom(vmcoreinfo, False)
    except (AttributeError, FaultError, KeyError, ValueError):
        # Old versions of drgn cannot, old kernels do not say.
        return prog

    def read(address: int, count: int, offset: int, physical: bool) -> bytes:
        data: bytes = prog.read(address, count)
        return data

    def read_names(address: int, count: int, offset: int, physical: bool) -> bytes:
        return names[offset : offset + count]

    buffered.add_memory_segment(0, (1 << 64) - 1, read)
    buffered.add_memory_segment(start, size, read_names)
    return buffered


def vmcoreinfo_symbols(prog: Program) -> dict[str, int]:
    found = re.findall(rb"^SYMBOL\((\w+)\)=(\w+)$", prog["VMCOREINFO"].string_(), re.MULTILINE)
    return {name.decode(): int(value, 16) for name, value in found}


class Kallsyms:
    # The kernel's symbols, of which a name is only spelt out when it is asked for.
    # drgn spells out all of them, and makes an index, which takes most of the time
    # that it takes to open a dump.
    #
    # See kernel/kallsyms.c: a name is a number of tokens, the first of which begins
    # with the letter of its type, after one or two bytes with that number;
    # kallsyms_markers says where each 256th name begins.

    def __init__(self, prog: Program) -> None:
        # Raises whatever happens if a table is not as it is expected to be.
        flags = PlatformFlags.IS_64_BIT | PlatformFlags.IS_LITTLE_ENDIAN
        if not prog.platform or prog.platform.flags & flags != flags:
            raise ValueError("not a 64-bit little-endian kernel")
        at = vmcoreinfo_symbols(prog)
        (self._count,) = struct.unpack("<I", prog.read(at["kallsyms_num_syms"], 4))
        table = at["kallsyms_token_table"]
        if not 0 < 2 * self._count < table - at["kallsyms_names"]:
            raise ValueError(f"there cannot be {self._count} symbols")
        index = struct.unpack("<256H", prog.read(at["kallsyms_token_index"], 512))
        spelt = _read_between(prog, table, at["kallsyms_token_index"])
        self._tokens = [spelt[start : spelt.index(b"\0", start)] for start in index]
        self._names = _read_between(prog, at["kallsyms_names"], table)
        bytes_ = np.frombuffer(self._names, np.uint8)
        starts = self._starts(bytes_)
        # A byte that is not the first of a number of two has no upper bit.
        first = starts + np.where(bytes_[starts] & 0x80, 2, 1) if self._long else starts + 1
        ends = first + self._lengths(bytes_, starts)
        if not (first < ends).all():
            raise ValueError("a name without tokens")
        self._first, self._end = first, ends
        sizes = np.array([len(token) for token in self._tokens], np.uint32)
        # To find a name: how long each is, with its type, and the symbols by their last
        # token, and where each one's begin.
        spelt_to = np.cumsum(sizes.take(bytes_), dtype=np.uint32)
        self._size_of_name = spelt_to[ends - 1] - spelt_to[first - 1]
        if (self._size_of_name < 2).any():
            raise ValueError("a symbol without a name")
        last = bytes_[ends - 1]
        self._by_last = np.argsort(last, kind="stable")
        self._bounds = np.searchsorted(last[self._by_last], np.arange(257)).tolist()
        self._first_token = bytes_[first]
        self._addresses = self._read_addresses(prog, at)
        if (self._addresses[1:] < self._addresses[:-1]).any():
            raise ValueError("addresses are not in order")

    def _starts(self, names: "NDArray[np.uint8]") -> "NDArray[np.int64]":
        count = -(-self._count // _MARKED)
        for self._long in (True, False):
            begin = self._names.find(struct.pack("<III", 0, *self._first_markers()))
            end = begin + 4 * count
            if begin < 0 or end > len(names):
                continue
            # All runs of names at once. What is beyond the end is never used.
            places = np.empty((_MARKED + 1, count), np.int64)
            places[0] = markers = names[begin:end].view("<u4")
            if not (markers < begin).all():
                continue
            for step in range(_MARKED):
                here = np.minimum(places[step], begin - 2)
                places[step + 1] = here + self._step(names, here)
            starts: NDArray[np.int64] = places[:-1].T.reshape(-1)[: self._count]
            # Each run ends where the next one begins, and the last before the markers.
            if (places[-1, :-1] == markers[1:]).all() and starts[-1] < begin - 2:
                return starts
        raise ValueError("it does not say where names begin")

    def _first_markers(self) -> list[int]:
        place, markers = 0, []
        for number in range(1, 2 * _MARKED + 1):
            length = self._names[place]
            if length & 0x80 and self._long:
                length = length & 0x7F | self._names[place + 1] << 7
                place += 1
            place += length + 1
            if number % _MARKED == 0:
                markers.append(place)
        return markers

    def _lengths(
        self, names: "NDArray[np.uint8]", starts: "NDArray[np.int64]"
    ) -> "NDArray[np.int64]":
        short = names[starts].astype(np.int64)
        if not self._long:
            return short
        # Since Linux 6.1 (73bbb94466fd3).
        return np.where(short & 0x80, short & 0x7F | names[starts + 1].astype(np.int64) << 7, short)

    def _step(self, names: "NDArray[np.uint8]", starts: "NDArray[np.int64]") -> "NDArray[np.int64]":
        lengths = self._lengths(names, starts) + 1
        return lengths + (names[starts] >> 7) if self._long else lengths

    def _read_addresses(self, prog: Program, at: dict[str, int]) -> "NDArray[np.uint64]":
        table = at["kallsyms_offsets"]
        offsets = np.frombuffer(prog.read(table, 4 * self._count), "<u4").astype(np.uint64)
        signed = offsets.astype(np.uint32).view(np.int32).astype(np.int64)
        number = self._find("_stext")[0]
        encodings = []
        if "kallsyms_relative_base" in at:
            base = np.uint64(prog.read_u64(at["kallsyms_relative_base"]))
            encodings = [
                base + offsets,
                np.where(signed >= 0, offsets, base - np.uint64(1) - signed.view(np.uint64)),
            ]
        else:
            # Since Linux 7.0 (a081b5789255d) relative to where they are.
            places = np.arange(self._count, dtype=np.uint64) * np.uint64(4)
            encodings = [np.uint64(table) + places + signed.view(np.uint64)]
        for addresses in encodings:
            if int(addresses[number]) == at["_stext"]:
                return addresses
        raise ValueError("addresses are encoded in a way that is not known")

    def _spell(self, number: int) -> bytes:
        tokens = self._names[self._first[number] : self._end[number]]
        return b"".join([self._tokens[token] for token in tokens])

    def _find(self, name: str) -> list[int]:
        wanted = name.encode()
        begins = np.array([wanted.startswith(token[1:]) for token in self._tokens])
        found = []
        for token, text in enumerate(self._tokens):
            if text and wanted.endswith(text[-len(wanted) :]):
                own = self._by_last[self._bounds[token] : self._bounds[token + 1]]
                own = own[self._size_of_name[own] == len(wanted) + 1]
                own = own[begins[self._first_token[own]]]
                found += [number for number in own.tolist() if self._spell(number)[1:] == wanted]
        return sorted(found)

    def _symbol(self, number: int) -> Symbol:
        spelt = self._spell(number)
        return Symbol(
            spelt[1:].decode("utf-8", "replace"),
            int(self._addresses[number]),
            self._size(number),
            *_binding_and_kind(chr(spelt[0])),
        )

    def _size(self, number: int) -> int:
        if number + 1 == self._count:
            return 0
        size = int(self._addresses[number + 1]) - int(self._addresses[number])
        return size if size < _MAX_SYMBOL else 0

    def __call__(
        self, prog: Program, name: str | None, address: int | None, one: bool
    ) -> list[Symbol]:
        if address is not None:
            number = int(np.searchsorted(self._addresses, np.uint64(address), side="right")) - 1
            if number < 0 or address >= int(self._addresses[number]) + self._size(number):
                return []
            symbol = self._symbol(number)
            return [symbol] if name in (None, symbol.name) else []
        if name is None:
            numbers: Sequence[int] = range(self._count)
        else:
            numbers = self._find(name)
        return [self._symbol(number) for number in (numbers[:1] if one else numbers)]


def _binding_and_kind(letter: str) -> tuple[SymbolBinding, SymbolKind]:
    # As nm(1) has them; that a small letter means a local symbol is not certain.
    small = letter.lower()
    if letter == "u":
        binding = SymbolBinding.UNIQUE
    elif small in "vw":
        binding = SymbolBinding.WEAK
    else:
        binding = SymbolBinding.GLOBAL if letter.isupper() else SymbolBinding.UNKNOWN
    if small in "bcdgrv":
        return binding, SymbolKind.OBJECT
    return binding, SymbolKind.FUNC if small == "t" else SymbolKind.UNKNOWN


def _read_between(prog: Program, start: int, end: int) -> bytes:
    if not 0 < end - start < MAX_SIZE:
        raise ValueError("a table of a size that makes no sense")
    data: bytes = prog.read(start, end - start)
    return data


def load_module_symbols(prog: Program) -> SymbolIndex:
    symbols: list[Symbol] = []
    seen = set()
    try:
        for module in for_each_module(prog):
            if module.value_() in seen:
                break
            seen.add(module.value_())
            try:
                symbols.extend(module_kallsyms(module))
            except Exception as e:
                logger.debug("cannot read the symbols of a module: %s", e)
    except Exception as e:
        logger.debug("cannot read the list of modules: %s", e)
    return SymbolIndex(symbols)

# SPDX-License-Identifier: GPL-2.0-or-later
"""
Finders
-------

What drgn asks for types, objects and symbols.
"""

from collections.abc import Sequence
import contextlib
import logging
from pathlib import Path

from drgn import (
    FaultError,
    FindObjectFlags,
    MainModule,
    Module,
    ModuleFileStatus,
    Object,
    Program,
    ProgramFlags,
    Symbol,
    SymbolBinding,
    SymbolIndex,
    Type,
    TypeKindSet,
    sizeof,
)

from .btf import BTF, KIND_FUNC, KIND_VAR, MAX_SIZE, BTFError
from .drgn_types import Types
from .globals import UNTAGGED, declarations
from .kallsyms import NAME, Symbols, load_module_symbols, load_symbols

__all__ = ("attach_btf", "drgn_prog_set", "find_kallsyms", "register")

logger = logging.getLogger("drgn.lkst_btf")


class Kernel:
    # The finders of one program, with the arguments that drgn gives to finders,
    # and what they have read so far.

    def __init__(self) -> None:
        self.force = False
        self.error: BTFError | None = None
        self._loading = False
        self._deferred = False
        self._types: Types | None = None
        self._symbols: Symbols | None = None
        self._module_symbols: SymbolIndex | None = None
        self._objects: dict[tuple[str, FindObjectFlags], Object | None] = {}

    def find_type(
        self, prog: Program, kinds: TypeKindSet, name: str, filename: str | None
    ) -> Type | None:
        if filename is not None or (name == "module" and self._defer(prog)):
            return None
        types = self.load(prog, name == "char")
        return None if types is None else types.find(name, kinds)

    def find_object(
        self, prog: Program, name: str, flags: FindObjectFlags, filename: str | None
    ) -> Object | None:
        types = None if filename is not None else self.load(prog)
        if types is None or self._symbols is None:
            return None
        try:
            return self._objects[name, flags]
        except KeyError:
            pass
        found = None
        if flags & FindObjectFlags.VARIABLE:
            found = _find_variable(prog, types, self._symbols, name)
        if found is None and flags & FindObjectFlags.FUNCTION:
            found = _find_function(prog, types, self._symbols, name)
        if found is None and flags & FindObjectFlags.CONSTANT:
            found = _find_constant(prog, types, name)
        self._objects[name, flags] = found
        return found

    def find_symbols(
        self, prog: Program, name: str | None, address: int | None, one: bool
    ) -> Sequence[Symbol]:
        types = self.load(prog)
        if self._loading:
            return []
        # Debug info has the symbols of the kernel, and not always of modules.
        has_debug_info = types is None and self.error is None
        vmlinux = None if has_debug_info else self._symbols
        return self._find_symbols(prog, vmlinux, name, address, one)

    def find_kallsyms(
        self, prog: Program, name: str | None, address: int | None, one: bool
    ) -> Sequence[Symbol]:
        self.load(prog)
        if self._symbols is None:
            try:
                self._symbols = load_symbols(prog)
            except BTFError as e:
                logger.debug("%s", e)
                self._symbols = SymbolIndex(())
        return self._find_symbols(prog, self._symbols, name, address, one)

    def _find_symbols(
        self,
        prog: Program,
        vmlinux: Symbols | None,
        name: str | None,
        address: int | None,
        one: bool,
    ) -> list[Symbol]:
        symbols: list[Symbol] = []
        if vmlinux is not None:
            symbols = vmlinux(prog, name, address, one)
        if not symbols or (not one and address is None):
            if self._module_symbols is None:
                self._module_symbols = SymbolIndex(())  # In case it is asked for.
                self._module_symbols = load_module_symbols(prog)
            symbols = symbols + self._module_symbols(prog, name, address, one)
        return symbols

    def load(self, prog: Program, for_char: bool = False) -> Types | None:
        """
        Read symbols and types, unless that has been done or is not needed.

        :param for_char: Whether drgn is looking for the kernel's char.
        :return: ``None`` if there are none; then ``error`` tells why, unless
            debug info takes their place or they are being read.
        """
        if self._types is not None or self.error is not None or self._loading:
            return self._types
        if not self.force and _has_debug_info(prog):
            return None
        if not for_char:
            # Reading VMCOREINFO takes a char. drgn makes one up, since BTF has
            # yet to be read, and keeps it. When all this happens while it looks
            # for a char, then it keeps what it finds in the end, which is right.
            with contextlib.suppress(BTFError):
                prog.type("char")
            if self._types is not None or self.error is not None:
                return self._types

        self._loading = True
        try:
            if self._symbols is None:
                self._symbols = load_symbols(prog)
            self._types = Types(prog, BTF(_read_btf(prog, self._symbols)))
        except BTFError as e:
            logger.debug("%s", e)
            self.error = e
        finally:
            self._loading = False
        return self._types

    def _defer(self, prog: Program) -> bool:
        # drgn looks up struct module before it loads debug info, and loads it
        # first if there is none. Answering would anticipate that.
        try:
            wanted = prog.main_module().wants_debug_file()
        except LookupError:
            wanted = False
        first = wanted and not self._deferred
        self._deferred = True
        return first

    def place_kernel(self, modules: Sequence[Module]) -> None:
        """Set the main module's address range, where debug info has not."""
        for module in modules:
            if not isinstance(module, MainModule) or module.address_ranges is not None:
                continue
            try:
                bounds = [
                    symbol.address
                    for name in ("_text", "_end")
                    for symbol in self.find_kallsyms(module.prog, name, None, True)
                ]
                if len(bounds) == 2 and bounds[0] < bounds[1]:
                    module.address_range = bounds[0], bounds[1]
            except Exception as e:
                logger.debug("cannot tell where the kernel lies: %s", e)


def _has_debug_info(prog: Program) -> bool:
    try:
        return bool(prog.main_module().debug_file_status == ModuleFileStatus.HAVE)
    except LookupError:
        return False


def _read_btf(prog: Program, symbols: Symbols) -> bytes:
    bounds = [
        symbol.address
        for name in ("__start_BTF", "__stop_BTF")
        for symbol in symbols(prog, name, None, True)
    ]
    if len(bounds) != 2:
        raise BTFError("the kernel has no BTF (CONFIG_DEBUG_INFO_BTF)")
    start, stop = bounds
    if not 0 < stop - start < MAX_SIZE:
        raise BTFError(f"the kernel's BTF has a size of {stop - start} bytes")
    live = ProgramFlags.IS_LIVE | ProgramFlags.IS_LOCAL
    try:
        try:
            data: bytes = prog.read(start, stop - start)
        except FaultError:
            if prog.flags & live != live:
                raise
            data = Path("/sys/kernel/btf/vmlinux").read_bytes()
    except (FaultError, OSError) as e:
        raise BTFError(f"cannot read the kernel's BTF: {e}") from e
    return data


def _find_variable(prog: Program, types: Types, symbols: Symbols, name: str) -> Object | None:
    symbol = _find_symbol(prog, symbols, name)
    if symbol is None:
        return None
    type_id = types.btf.find(name, KIND_VAR)
    if type_id is None and name in UNTAGGED:
        type_id = types.btf.find_untagged(*UNTAGGED[name])
    if type_id is not None:
        if types.btf.kind(type_id) == KIND_VAR:
            type_id = types.btf.target(type_id)
        return Object(prog, types.sized_type(type_id), address=symbol.address)
    for declaration in declarations().get(name, ()):
        try:
            type_ = prog.type(declaration.type_name)
            if declaration.length is not None:
                room = symbol.size // max(sizeof(type_), 1)
                length = _array_length(prog, declaration.length) or room or None
                type_ = prog.array_type(type_, length)
        except LookupError:
            continue
        # Aliases of the next symbol, and symbols of 64 KiB or more, have size 0.
        if not symbol.size or not type_.is_complete() or sizeof(type_) <= symbol.size:
            return Object(prog, type_, address=symbol.address)
    return None


def _array_length(prog: Program, length: str) -> int:
    if length and not length.isdecimal():
        return int(prog.constant(length))
    return int(length or 0)


def _find_function(prog: Program, types: Types, symbols: Symbols, name: str) -> Object | None:
    type_id = types.btf.find(name, KIND_FUNC)
    symbol = None if type_id is None else _find_symbol(prog, symbols, name)
    if type_id is None or symbol is None:
        return None
    return Object(prog, types.type(types.btf.target(type_id)), address=symbol.address)


def _find_constant(prog: Program, types: Types, name: str) -> Object | None:
    found = types.btf.find_enumerator(name)
    if found is None:
        return None
    type_id, value = found
    return Object(prog, types.type(type_id), value)


def _find_symbol(prog: Program, symbols: Symbols, name: str) -> Symbol | None:
    # Static symbols may share a name. Then nothing tells them apart.
    found = symbols(prog, name, None, False)
    if len(found) > 1:
        found = [s for s in found if s.binding == SymbolBinding.GLOBAL]
    return found[0] if len(found) == 1 else None


def attach_btf(prog: Program, *, force: bool = False) -> None:
    """
    Find types, objects and symbols of a Linux kernel in its BTF and kallsyms.

    Debug info of the kernel, loaded before or later, takes precedence. Doing
    this again does nothing.

    :param force: Prefer BTF to debug info.
    :raises BTFError: if the kernel has neither debug info nor BTF that can be
        read
    """
    kernel = register(prog)
    if force and not kernel.force:
        kernel.force = True
        prog.set_enabled_type_finders(_first(prog.enabled_type_finders()))
        prog.set_enabled_object_finders(_first(prog.enabled_object_finders()))
    if kernel.load(prog) is None and kernel.error is not None:
        raise BTFError(str(kernel.error)) from kernel.error


def find_kallsyms(
    prog: Program, name: str | None, address: int | None, one: bool
) -> Sequence[Symbol]:
    """
    Look symbols up in kallsyms, whether there is debug info or not.

    Symbols of the same address have other names in a vmlinux: whoever wants the
    same answer with and without one asks here.

    :param name: Name to find, or ``None``.
    :param address: Address to find, or ``None``.
    :param one: Whether to give one at most.
    """
    return register(prog).find_kallsyms(prog, name, address, one)


def drgn_prog_set(prog: Program) -> None:
    """Prepare a Linux kernel program for doing without debug info."""
    if prog.flags & ProgramFlags.IS_LINUX_KERNEL and NAME not in prog.cache:
        register(prog)


# Plugins that read the kernel come after this one.
drgn_prog_set.drgn_priority = 10  # type: ignore[attr-defined]


def register(prog: Program) -> Kernel:
    """Give a program its finders, once."""
    kernel: Kernel | None = prog.cache.get(NAME)
    if kernel is None:
        prog.cache[NAME] = kernel = Kernel()
        prog.register_type_finder(NAME, kernel.find_type, enable_index=-1)
        prog.register_object_finder(NAME, kernel.find_object, enable_index=-1)
        prog.register_symbol_finder(NAME, kernel.find_symbols, enable_index=-1)
        prog.register_debug_info_finder(NAME, kernel.place_kernel, enable_index=-1)
    return kernel


def _first(names: list[str]) -> list[str]:
    return [NAME, *(name for name in names if name != NAME)]

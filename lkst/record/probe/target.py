# SPDX-License-Identifier: GPL-2.0-or-later
"""
Targets of probes
-----------------

Finds a function or tracepoint of the running kernel, or the reason why it cannot be
probed.
"""

from collections import Counter
from collections.abc import Iterator
import contextlib
from dataclasses import dataclass
from pathlib import Path
import re

from lkst.bpf import btf as kinds
from lkst.bpf.btf import Btf, open_btf
from lkst.bpf.libbpf import BPFError
from lkst.bpf.tracepoints import is_unsafe
from lkst.errors import LkstError, NotFound, Usage
from lkst.live import machine
from lkst.record.probe.access_path import Signature
from lkst.util.files import replacing
from lkst.util.nearest import nearest

__all__ = ("Target", "TargetText", "is_target", "open_target", "parse_target", "why_refused")

_TARGET = re.compile(
    r"(?:(?P<module>[\w-]+):)?(?P<name>[\w.]+)(?:\+(?P<offset>0[xX][0-9a-fA-F]+|[0-9]+))?"
)
_TRACEPOINT = "tracepoint"

_KALLSYMS = Path("/proc/kallsyms")
#: In /run, like the lock: valid until the next boot.
_AMBIGUOUS = Path("/run/lkst-ambiguous")
_TRACING = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))
_KPROBES = Path("/sys/bus/event_source/devices/kprobe")
_BLACKLIST = Path("/sys/kernel/debug/kprobes/blacklist")
#: Suffixes of functions that compilers have cloned.
_VERSION = r"\.(?:isra|constprop|part|cold)[.0-9]*"


@dataclass(frozen=True)
class TargetText:
    """The parsed text of a target."""

    text: str
    #: ``tracepoint``, or "".
    module: str
    name: str
    #: None: not given.
    offset: int | None

    @property
    def is_tracepoint(self) -> bool:
        """Return whether the user asked for a tracepoint."""
        return self.module == _TRACEPOINT


@dataclass(frozen=True)
class Target:
    """A target that was found."""

    text: TargetText
    tracepoint: bool
    #: Its module, or "".
    module: str
    btf: Btf
    #: Its type id in BTF; 0: none.
    id: int

    def signature(self, returns: bool) -> Signature:
        """Return the values that are available there."""
        parameters = []
        word = 0
        for name, type_ in self.btf.parameters(self.id) if self.id else []:
            if type_ == 0:
                break  # "..."
            parameters.append((name, type_, word))
            word += max(-(-self.btf.size(type_) // 8), 1)
        if self.tracepoint:
            # The first parameter is the tracepoint's private data.
            parameters = [(name, type_, word - 1) for name, type_, word in parameters[1:]]
        return Signature(
            parameters=tuple(parameters),
            result=self.btf.result(self.id) if self.id and not self.tracepoint else None,
            has_arguments=self.text.offset is None,
            has_registers=self.text.offset is not None,
            returns=returns,
        )


def parse_target(text: str) -> TargetText:
    """
    Parse a target.

    :raises Usage: if it is none
    """
    match = _TARGET.fullmatch(text)
    if not match:
        raise Usage(f"{text!r} is not a target: use [MODULE:]FUNCTION[+OFFSET], or a tracepoint")
    offset = match["offset"]
    found = TargetText(
        text, match["module"] or "", match["name"], None if offset is None else int(offset, 0)
    )
    if found.is_tracepoint and offset is not None:
        raise Usage(f"{text}: a tracepoint has no offset")
    return found


def is_target(text: str) -> bool:
    """Return whether there is such a function or tracepoint, by a quick check."""
    try:
        target = parse_target(text)
    except Usage:
        return False
    with open_btf() as btf:
        if btf.find(target.name, kinds.FUNC) or _tracepoint(btf, target.name):
            return True
    return bool(target.module) or bool(_symbols(target.name))


def _tracepoint(btf: Btf, name: str) -> int:
    """Return the BTF id of the function with a tracepoint's named parameters."""
    if not btf.find(f"btf_trace_{name}", kinds.TYPEDEF):
        return 0
    return btf.find(f"__traceiter_{name}", kinds.FUNC) or btf.find(
        f"__bpf_trace_{name}", kinds.FUNC
    )


@contextlib.contextmanager
def open_target(text: TargetText) -> Iterator[Target]:
    """
    Find a target.

    :raises NotFound: if it does not exist
    :raises LkstError: if it is ambiguous, or cannot be probed
    """
    with contextlib.ExitStack() as stack:
        btf = stack.enter_context(open_btf())
        own = "" if text.is_tracepoint else text.module
        tracepoint = 0 if own or text.offset is not None else _tracepoint(btf, text.name)
        known = 0 if own or tracepoint else btf.find(text.name, kinds.FUNC)
        if text.is_tracepoint:
            modules = []
        elif known and not own and not _is_ambiguous(text.name):
            # A module may have a function of the same name; the kernel's takes precedence.
            modules = [""]
        else:
            modules = _symbols(text.name)
        if own:
            modules = [module for module in modules if module == own]
        if tracepoint and (text.is_tracepoint or not modules):
            if is_unsafe(text.name):
                raise LkstError(
                    f"the tracepoint {text.name} must not be enabled on this kernel: it may warn"
                    f" when it is called in an NMI; record the event {text.name} instead"
                )
            yield Target(text, True, "", btf, tracepoint)
            return
        if not modules:
            found = None if own or text.offset is not None else _of_module(stack, text.name)
            if found is None:
                raise _absent(text)
            yield Target(text, True, *found)
            return
        if tracepoint:
            raise LkstError(
                f"{text.name} is a function and a tracepoint: use {_TRACEPOINT}:{text.name}, or"
                " the name of another function"
            )
        if len(modules) > 1:
            places = ", ".join(module or "the kernel" for module in modules)
            several = sorted(set(modules) - {""})
            hint = (
                f": use {several[0]}:{text.name}"
                if several and modules.count(several[0]) == 1
                else ""
            )
            raise LkstError(
                f"{text.name} is ambiguous: there are {len(modules)} of this name ({places}){hint}"
            )
        if _is_blacklisted(text.name):
            raise LkstError(f"{text.name} is on the kernel's kprobe blacklist: it cannot be probed")
        module = modules[0]
        if module:
            with contextlib.suppress(BPFError):
                btf = stack.enter_context(open_btf(module))
        yield Target(text, False, module, btf, btf.find(text.name, kinds.FUNC))


def _of_module(stack: contextlib.ExitStack, name: str) -> tuple[str, Btf, int] | None:
    """Find a tracepoint of a module."""
    for module in kinds.modules_with_btf():
        try:
            with open_btf(module) as btf:
                found = _tracepoint(btf, name)
        except BPFError:
            continue
        if found:
            return module, stack.enter_context(open_btf(module)), found
    return None


def _read(path: Path) -> bytes:
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""


def _symbols(name: str) -> list[str]:
    """Return the modules that have a function of this name, "" for vmlinux."""
    pattern = rb" [tTwW] " + re.escape(name.encode()) + rb"(?:\t\[([^\]]+)\])?$"
    found = re.findall(pattern, _read(_KALLSYMS), re.MULTILINE)
    return [module.decode() for module in found]


def _is_ambiguous(name: str) -> bool:
    """
    Return whether vmlinux has several functions of a name.

    Reading all symbols takes long, and they do not change: cache the ambiguous ones.
    """
    boot = machine.boot_id().hex().encode()
    several = _read(_AMBIGUOUS)
    if not several.startswith(boot):
        counts = Counter(re.findall(rb" [tTwW] (\S+)$", _read(_KALLSYMS), re.MULTILINE))
        several = b"\n".join([boot, *(name for name, count in counts.items() if count > 1), b""])
        with contextlib.suppress(LkstError, OSError), replacing(_AMBIGUOUS) as file:
            file.write(several)
    return b"\n" + name.encode() + b"\n" in several


def _is_blacklisted(name: str) -> bool:
    # "0xffffffff81000000-0xffffffff81000020\tname"
    return bool(re.search(rb"\t" + re.escape(name.encode()) + rb"$", _read(_BLACKLIST), re.M))


def _absent(text: TargetText) -> LkstError:
    """Return the error for a function without a symbol."""
    symbols = _read(_KALLSYMS)
    name = re.escape(text.name.encode())
    if versions := sorted(set(re.findall(rb" [tT] (" + name + _VERSION.encode() + rb")", symbols))):
        return NotFound(
            f"{text.name} was changed by the compiler: there is only"
            f" {', '.join(v.decode() for v in versions)}, whose arguments may be others"
        )
    with open_btf() as btf:
        # A function that is inlined everywhere may still be in BTF.
        known = btf.find(text.name, kinds.FUNC)
    if known:
        return NotFound(f"{text.name} was inlined, or belongs to a module that is not loaded")
    if text.module and not text.is_tracepoint and not Path("/sys/module", text.module).is_dir():
        return NotFound(f"the module {text.module} is not loaded")
    what = "tracepoint" if text.is_tracepoint else "function or tracepoint"
    names = {match.decode() for match in re.findall(rb" [tT] (\S+)", symbols)}
    where = f" in {text.module}" if text.module and not text.is_tracepoint else ""
    near = nearest(text.name, names) or ": it may be inlined"
    return NotFound(f"no {what} is called {text.name!r}{where}{near}")


def why_refused(target: Target, said: str) -> str:
    """
    Return the reason why the kernel refuses to probe a function.

    :param said: the kernel's error for the last mechanism that was tried
    """
    name = target.text.name
    if not target.tracepoint and not _KPROBES.is_dir():
        return f"this kernel has no kprobes, and refused to attach to {name} by other means"
    functions = b""
    if not target.tracepoint and not _symbols(name):
        return str(_absent(target.text))
    for folder in _TRACING:
        functions = functions or _read(folder / "available_filter_functions")
    pattern = rb"^" + re.escape(name.encode()) + rb"(?:$|[ \t])"
    if functions and not target.tracepoint and not re.search(pattern, functions, re.MULTILINE):
        return f"{name} is notrace: the kernel does not let it be probed"
    return f"the kernel does not let {name} be probed: {said}"

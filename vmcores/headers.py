# SPDX-License-Identifier: GPL-2.0-or-later
"""
Build the crash module against Debian's headers of a kernel.

The headers are unpacked beside the lab's kernels, and nothing is installed. Their
makefiles name each other below /usr/src, so make is told where they are instead.
"""

from pathlib import Path
import shutil
import subprocess

import archive
import cache
from kernels import FLAVOURS
from tools import call

__all__ = ("crash_module",)

MODULE = Path(__file__).resolve().parent / "module"
NAME = "lkst_crash"

#: Programs that the build runs.
TOOLS = ("tools/objtool/objtool", "scripts/mod/modpost", "scripts/basic/fixdep")

#: Needs the kernel's vmlinux and pahole; needs gcc 14.
LEFT_OUT = ("CONFIG_DEBUG_INFO_BTF_MODULES", "CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT")


def crash_module(version: str) -> Path:
    """
    Return the crash module for a kernel, built if need be.

    :param version: what `uname -r` prints
    :raises LabError: if the archive has no headers for it, or it does not compile
    """
    sources = [MODULE / f"{NAME}.c", MODULE / "Kbuild"]
    key = cache.digest(version, Path(__file__), *sources)

    def make(path: Path) -> None:
        _build(version, sources, path)

    return cache.entry("module", key, make) / f"{NAME}.ko"


def _build(version: str, sources: list[Path], path: Path) -> None:
    work = path / "work"
    bare = version
    for flavour in FLAVOURS.values():
        bare = bare.removesuffix(f"-{flavour}")
    # linux-kbuild is named by the series until 6.1, later by the version.
    kbuild = f"linux-kbuild-{bare}"
    if kbuild not in archive.package_names():
        kbuild = f"linux-kbuild-{'.'.join(bare.split('.')[:2])}"
    names = [f"linux-headers-{version}", f"linux-headers-{bare}-common", kbuild]
    for deb in archive.download(names, work / "deb"):
        archive.unpack(deb, work / "tree")
    headers = work / "tree" / "usr" / "src"
    objects = headers / f"linux-headers-{version}"
    common = headers / f"linux-headers-{bare}-common"
    # Both belong to the installed place: the compiler's name, and the way to common.
    (objects / ".kernelvariables").unlink(missing_ok=True)
    (objects / "Makefile").write_text(f"include {common}/Makefile\n")
    _let_run(objects, work)
    module = work / "module"
    module.mkdir()
    for source in sources:
        shutil.copyfile(source, module / source.name)
    call(
        [
            *("make", "-s", "-C", objects, f"KBUILD_OUTPUT={objects}", f"M={module}"),
            # What a module can do without, and this machine may not have.
            *(f"{option}=" for option in LEFT_OUT),
            "modules",
        ]
    )
    shutil.move(module / f"{NAME}.ko", path / f"{NAME}.ko")
    shutil.rmtree(work)


def _let_run(objects: Path, work: Path) -> None:
    # These are programs of the suite that the kernel is from, and may want a newer libc.
    for program in (path for tool in TOOLS for path in sorted(objects.glob(f"{tool}*"))):
        if not program.is_file() or program.read_bytes()[:4] != b"\x7fELF":
            continue  # objtool may be a script that starts the one of the architecture
        done = subprocess.run([program, "--help"], capture_output=True)
        if b"GLIBC_" not in done.stderr:
            continue
        for deb in archive.download(["libc6"], work / "libc", "apt-trixie"):
            archive.unpack(deb, work / "libc")
        libraries = work / "libc" / "usr" / "lib" / "x86_64-linux-gnu"
        start = f"{libraries / 'ld-linux-x86-64.so.2'} --library-path {libraries}"
        binary = program.with_name(f"newer-{program.name}")
        program.rename(binary)
        program.write_text(f'#!/bin/sh\nexec {start} {binary} "$@"\n')
        program.chmod(0o755)

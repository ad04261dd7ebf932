# SPDX-License-Identifier: GPL-2.0-or-later
"""Compile the BPF programs when the package is built. All else is in pyproject.toml."""

from pathlib import Path
import platform
import shutil
import subprocess
import sys

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
SOURCE = ROOT / "recorder" / "lkst.bpf.c"
OBJECT = Path("lkst", "record", "lkst.bpf.o")
#: What users' handlers are compiled against.
HEADERS = Path("lkst", "record", "include")

FLAGS = (
    "-O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_x86"
    # BPF_PROG() makes parameters of all of a tracepoint's arguments.
    " -Wall -Wextra -Werror -Wno-unused-parameter"
).split()


def compile_programs(target: Path) -> None:
    """Compile the programs, unless there is no clang: then lkst reads, but does not record."""
    clang = shutil.which("clang")
    if not clang:
        print("no clang: the BPF programs are left out, and 'lkst start' will say so")
        return
    # Debian's clang does not look there for asm/types.h when it compiles for BPF.
    include = f"-I/usr/include/{platform.machine()}-linux-gnu"
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_suffix(".new")
    result = subprocess.run([clang, *FLAGS, include, "-c", str(SOURCE), "-o", str(new)])
    if result.returncode:
        sys.exit("the BPF programs do not compile: are the headers there (libbpf-dev)?")
    if strip := shutil.which("llvm-strip"):
        # Of the debug info, only BTF is needed.
        subprocess.run([strip, "-g", str(new)], check=True)
    new.replace(target)


def copy_headers(target: Path) -> None:
    """Take the headers along."""
    target.mkdir(parents=True, exist_ok=True)
    for header in SOURCE.parent.glob("*.h"):
        shutil.copy(header, target)


class Build(build_py):
    """build_py, and the BPF programs."""

    def run(self) -> None:
        """Compile and copy, then go on as usual."""
        compile_programs(ROOT / OBJECT)
        copy_headers(ROOT / HEADERS)
        super().run()


setup(cmdclass={"build_py": Build})

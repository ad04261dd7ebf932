# SPDX-License-Identifier: GPL-2.0-or-later
"""
Compile what runs outside Python when the package is built: the BPF programs, and
the program of the capture kernel. All else is in pyproject.toml.
"""

from pathlib import Path
import platform
import shutil
import subprocess
import sys

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
RECORDER = ROOT / "recorder"
#: The recorder's programs, and the templates of probes.
OBJECTS = ("lkst.bpf.o", "probe.bpf.o")
RECORD = Path("lkst", "record")
#: What users' handlers are compiled against.
HEADERS = Path("lkst", "record", "include")
KDUMP = ROOT / "kdump"
#: The program of the capture kernel, and the files that are installed with it.
GRAB = Path("lkst", "hook", "lkst-grab")
HOOKS = Path("lkst", "hook", "files")

FLAGS = (
    "-O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_x86"
    # BPF_PROG() makes parameters of all of a tracepoint's arguments.
    " -Wall -Wextra -Werror -Wno-unused-parameter"
).split()

GRAB_FLAGS = (
    "-static -s -Os -Wall -Wextra -Werror -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64"
    # Nothing that a dump holds may lead astray what reads it.
    " -fstack-protector-strong -D_FORTIFY_SOURCE=2"
).split()


def compile_programs(target: Path) -> None:
    """Compile the programs, unless there is no clang: then lkst reads, but does not record."""
    clang = shutil.which("clang")
    if not clang:
        print("no clang: the BPF programs are left out, and 'lkst start' will say so")
        return
    # Debian's clang does not look there for asm/types.h when it compiles for BPF.
    include = f"-I/usr/include/{platform.machine()}-linux-gnu"
    source = RECORDER / target.with_suffix(".c").name
    new = target.with_suffix(".new")
    result = subprocess.run([clang, *FLAGS, include, "-c", str(source), "-o", str(new)])
    if result.returncode:
        sys.exit("the BPF programs do not compile: are the headers there (libbpf-dev)?")
    if strip := shutil.which("llvm-strip"):
        # Of the debug info, only BTF is needed.
        subprocess.run([strip, "-g", str(new)], check=True)
    new.replace(target)


def copy_headers(target: Path) -> None:
    """Take the headers along."""
    target.mkdir(parents=True, exist_ok=True)
    for header in RECORDER.glob("*.h"):
        shutil.copy(header, target)


def compile_grab(target: Path) -> None:
    """Compile lkst-grab, unless there is no compiler: then there are no hooks."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler or platform.machine() != "x86_64":
        print("no C compiler: lkst-grab is left out, and 'lkst hook install' will say so")
        return
    new = target.with_suffix(".new")
    sources = sorted(map(str, KDUMP.glob("*.c")))
    result = subprocess.run([compiler, *GRAB_FLAGS, *sources, "-o", str(new)])
    if result.returncode:
        print("lkst-grab is left out: it needs the static C library (libc6-dev, glibc-static)")
        return
    new.replace(target)


def copy_hooks(target: Path) -> None:
    """Take along what 'lkst hook install' installs."""
    target.mkdir(parents=True, exist_ok=True)
    for path in KDUMP.iterdir():
        if path.suffix not in (".c", ".h"):
            shutil.copy(path, target)


class Build(build_py):
    """build_py, and what runs outside Python."""

    def run(self) -> None:
        """Compile and copy, then go on as usual."""
        for name in OBJECTS:
            compile_programs(ROOT / RECORD / name)
        copy_headers(ROOT / HEADERS)
        compile_grab(ROOT / GRAB)
        copy_hooks(ROOT / HOOKS)
        super().run()


setup(cmdclass={"build_py": Build})

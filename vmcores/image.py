# SPDX-License-Identifier: GPL-2.0-or-later
"""
Build the guest's Debian: the disk that every guest boots from.

It holds what the recorder and the scenarios need, and nothing of this
checkout, which reaches the guest on a disk of its own.
"""

from pathlib import Path
import shutil
import sys

import archive
import cache
import disks
from tools import LabError, call, require

__all__ = ("get_image", "get_system")

SUITE = "bookworm"
PACKAGES = (
    "dmsetup",
    "e2fsprogs",
    "iproute2",
    "kexec-tools",
    "kmod",
    "libbpf1",
    "linux-perf",
    "makedumpfile",
    "procps",
    "python3",
    "trace-cmd",
)
# What makes it a system that boots and dumps by itself.
SYSTEM_PACKAGES = ("dbus", "kdump-tools", "systemd-sysv", "udev")
# click and libbpf are enough to record; the others read a trace on the spot.
PYTHON_PACKAGES = ("click", "drgn", "numpy", "tabulate")
PYTHON_VERSION = "3.11"
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")

GUEST = Path(__file__).resolve().parent / "guest"
# What a guest never reads; without it the disk is half as large.
UNUSED = (
    "usr/share/doc",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/man",
    "var/cache/apt",
    "var/cache/debconf",
    "var/lib/apt/lists",
)


def get_image() -> Path:
    """Return the guest's root disk, built if need be (about a minute)."""
    key = cache.digest(Path(__file__), Path(disks.__file__), GUEST / "lab", GUEST / "lkst")
    return cache.entry("image", key, _build) / "disk"


def get_system() -> Path:
    """Return the root disk of a Debian with systemd and kdump-tools."""
    files = (Path(__file__), Path(disks.__file__), GUEST / "lab", GUEST / "lkst")
    key = cache.digest("system", *files)
    return cache.entry("system", key, _build_system) / "disk"


def _build_system(path: Path) -> None:
    _build(path, SYSTEM_PACKAGES)


def _build(path: Path, more: tuple[str, ...] = ()) -> None:
    root = path / "root"
    try:
        call(
            [
                # What it mounts and starts goes away with it, however it ends.
                *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
                require("debootstrap"),
                "--variant=minbase",
                f"--include={','.join(PACKAGES + more)}",
                *(SUITE, root, archive.MIRROR),
            ]
        )
        _add_python_packages(root)
        for name in ("lab", "lkst"):
            command = root / "usr/local/bin" / name
            shutil.copyfile(GUEST / name, command)
            command.chmod(0o755)
        for name in ("dump", "kernel", "lab", "out", "usr/lib/modules"):
            (root / name).mkdir()
        for name in UNUSED:
            shutil.rmtree(root / name, ignore_errors=True)
        (root / "etc/hostname").write_text("lkst-lab\n")
        (root / "etc/resolv.conf").write_text("")
        if more:
            # The checkout's lkst, for units that start the interpreter by its name.
            (_site(root) / "lab.pth").write_text("/lab/project\n")
        # A system is read again after it has panicked.
        disks.make_disk(path / "disk", free_mib=128, tree=root, journal=bool(more))
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _site(root: Path) -> Path:
    return root / "usr/local/lib" / f"python{PYTHON_VERSION}" / "dist-packages"


def _add_python_packages(root: Path) -> None:
    target = _site(root)
    target.mkdir(parents=True, exist_ok=True)
    try:
        call(
            [
                *("env", sys.executable, "-m", "pip", "install", "-q", "--no-compile"),
                *("--target", target, "--only-binary=:all:"),
                *("--implementation", "cp", "--python-version", PYTHON_VERSION),
                *(word for name in PLATFORMS for word in ("--platform", name)),
                *PYTHON_PACKAGES,
            ]
        )
    except LabError as error:
        raise LabError(f"no Python packages for the guest: {error}") from None
    shutil.rmtree(target / "bin", ignore_errors=True)
    # Compiling is slow in a guest without KVM.
    call(
        [
            *(require("chroot"), root, "python3", "-m", "compileall", "-q"),
            f"/usr/local/lib/python{PYTHON_VERSION}/dist-packages",
        ],
        accept=(0, 1),
    )

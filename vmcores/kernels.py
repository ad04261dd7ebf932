# SPDX-License-Identifier: GPL-2.0-or-later
"""
Choose, download and unpack Debian's kernels for virtual machines.

A version vanishes from the archive when a security update replaces it, so the
newest of a series is chosen when the lab runs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
import re
import shutil
import sys

import archive
import cache
import disks
import initrd
from tools import LabError, call

__all__ = (
    "FLAVOURS",
    "KERNELS",
    "SERIES",
    "Kernel",
    "Release",
    "choose",
    "debug_vmlinux",
    "get_kernel",
)

SERIES = ("6.1", "6.12", "7")

#: Debian's flavours, by what follows the series in a kernel's name.
FLAVOURS = {"": "cloud-amd64", "-rt": "rt-amd64"}

#: What a kernel can be called: a series, or a series built with PREEMPT_RT.
KERNELS = tuple(series + suffix for suffix in FLAVOURS for series in SERIES)
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Release:
    """One kernel of the archive."""

    version: str
    """What `uname -r` prints."""
    packages: tuple[str, ...]
    debug_package: str | None


@dataclass(frozen=True)
class Kernel:
    """One kernel, ready to boot."""

    version: str
    vmlinuz: Path
    initrd: Path
    disk: Path
    """Image that holds /vmlinuz, /initrd and /modules/VERSION."""


def choose(names: Iterable[str], kernel: str) -> list[Release]:
    """
    Return the kernels of a series, the newest first.

    :param names: all package names of the archive
    :param kernel: the first numbers of the version, ``-rt`` behind them for PREEMPT_RT:
        ``6.12``, ``7``, ``6.12-rt``
    """
    have = set(names)
    series, flavour = _series_and_flavour(kernel)
    pattern = re.compile(
        rf"linux-(?:image|binary)-({re.escape(series)}\.[0-9][^-]*(?:-[0-9]+)?-{flavour})"
        r"(?:-unsigned)?"
    )
    versions = {found[1] for name in have if (found := pattern.fullmatch(name))}
    releases = []
    for version in sorted(versions, key=_numbers, reverse=True):
        # Since 6.19 or so, the image package is a mere list of these three.
        packages: tuple[str, ...] = tuple(
            f"linux-{part}-{version}" for part in ("base", "binary", "modules")
        )
        if packages[1] not in have or packages[2] not in have:
            image = f"linux-image-{version}"
            packages = (image if image in have else f"{image}-unsigned",)
        if have.issuperset(packages):
            debug = f"linux-image-{version}-dbg"
            releases.append(Release(version, packages, debug if debug in have else None))
    return releases


def get_kernel(name: str, debuginfo: bool = False) -> Kernel:
    """
    Return the newest kernel of a series, downloaded if need be.

    Without a network it is the one of those in the cache that was used last.

    :param name: one of KERNELS
    :param debuginfo: only a kernel for which :func:`debug_vmlinux` has one
    """
    try:
        return _newest(name, debuginfo)
    except LabError as error:
        kept = sorted(
            cache.folder().glob(f"kernel-{name}-{'[0-9a-f]' * 12}"),
            key=lambda path: path.stat().st_mtime,
        )
        if not kept:
            raise
        kernel = _load(kept[-1])
        print(f"lab: {error}\nlab: taking {kernel.version} from the cache", file=sys.stderr)
        return kernel


def debug_vmlinux(kernel: Kernel) -> Path:
    """
    Return the kernel's vmlinux with DWARF, downloaded if need be.

    :raises NotInArchiveError: if the archive has none for this very version
    """
    package = f"linux-image-{kernel.version}-dbg"

    def make(path: Path) -> None:
        (deb,) = archive.download([package], path / "deb")
        archive.extract(deb, "*/vmlinux*", path / "tree")
        found = [
            file
            for file in (path / "tree").rglob("vmlinux*")
            if file.is_file() and not file.is_symlink()
        ]
        shutil.move(max(found, key=lambda file: file.stat().st_size), path / "vmlinux")
        shutil.rmtree(path / "deb")
        shutil.rmtree(path / "tree")
        # As some distributions ship it; crash(8) starts in half the time.
        call(["gdb-add-index", path / "vmlinux"])

    return cache.entry("debuginfo", cache.digest(package, "indexed"), make) / "vmlinux"


def _series_and_flavour(kernel: str) -> tuple[str, str]:
    series, dash, suffix = kernel.partition("-")
    return series, FLAVOURS[dash + suffix]


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _newest(name: str, debuginfo: bool) -> Kernel:
    releases = choose(archive.package_names(), name)
    if debuginfo:
        releases = [release for release in releases if release.debug_package]
    if not releases:
        wanted = f"{name} with debug information" if debuginfo else name
        raise LabError(f"the archive has no kernel {wanted}")
    # The archive may have dropped the newest one and still list it.
    for release in releases[:4]:
        try:
            return _prepare(name, release)
        except archive.NotInArchiveError as error:
            missing = error
    raise missing


def _prepare(name: str, release: Release) -> Kernel:
    key = cache.digest(
        *release.packages,
        Path(__file__),
        Path(initrd.__file__),
        Path(disks.__file__),
        HERE / "guest" / "boot",
    )
    return _load(cache.entry(f"kernel-{name}", key, lambda path: _build(release, path)))


def _load(path: Path) -> Kernel:
    return Kernel(
        version=(path / "version").read_text().strip(),
        vmlinuz=path / "vmlinuz",
        initrd=path / "initrd",
        disk=path / "disk",
    )


def _build(release: Release, path: Path) -> None:
    work, version = path / "work", release.version
    for deb in archive.download((*release.packages, "busybox-static"), work / "deb"):
        archive.unpack(deb, work / "tree")
    tree = work / "tree"
    modules = next(
        folder
        for folder in (tree / "lib/modules" / version, tree / "usr/lib/modules" / version)
        if (folder / "kernel").is_dir()
    )
    vmlinuz = modules / "vmlinuz"
    if not vmlinuz.exists():
        vmlinuz = tree / "boot" / f"vmlinuz-{version}"
    shutil.copyfile(vmlinuz, path / "vmlinuz")
    (modules / "vmlinuz").unlink(missing_ok=True)

    base = work / "depmod" / "lib" / "modules"
    base.mkdir(parents=True)
    shutil.move(modules, base / version)
    call(["depmod", "-b", work / "depmod", version])
    modules = base / version
    files = {
        "init": (HERE / "guest" / "boot").read_bytes(),
        "bin/busybox": (tree / "bin/busybox").read_bytes(),
    }
    chain = initrd.module_chain((modules / "modules.dep").read_text())
    for number, name in enumerate(chain):
        short = name.rsplit("/", 1)[-1].split(".ko")[0]
        files[f"modules/{number:02}-{short}.ko"] = initrd.read_module(modules / name)
    (path / "initrd").write_bytes(initrd.cpio(files))

    disk = work / "disk"
    disk.mkdir()
    shutil.move(base, disk / "modules")
    for name in ("vmlinuz", "initrd"):
        shutil.copyfile(path / name, disk / name)
    disks.make_disk(path / "disk", free_mib=4, tree=disk)
    (path / "version").write_text(version + "\n")
    shutil.rmtree(work)

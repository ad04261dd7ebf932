# SPDX-License-Identifier: GPL-2.0-or-later
"""
Make the initial RAM disk that leads a kernel to the guest's disks.

It holds a busybox, the few modules without which there is no disk and no
panic report, and guest/boot as its /init.
"""

import lzma
from pathlib import Path
import stat

__all__ = ("BOOT_MODULES", "cpio", "module_chain", "read_module")

# virtio_blk, ext4: the disks. qemu_fw_cfg: tells QEMU where the vmcoreinfo note is.
# pvpanic: tells QEMU of the panic.
# crc32c_generic: ext4 asks for it by its algorithm's name.
BOOT_MODULES = (
    "virtio_pci",
    "virtio_blk",
    "crc32c_generic",
    "ext4",
    "qemu_fw_cfg",
    "pvpanic_mmio",
    "pvpanic",
)


def module_chain(dependencies: str, names: tuple[str, ...] = BOOT_MODULES) -> list[str]:
    """
    Return the modules to load, each after those it needs.

    :param dependencies: text of modules.dep
    :param names: those that are wanted; the ones that are built in are left out
    :return: paths as modules.dep gives them
    """
    needs: dict[str, list[str]] = {}
    paths: dict[str, str] = {}
    for line in dependencies.splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
        name = path.rsplit("/", 1)[-1].split(".ko")[0]
        paths[name.replace("-", "_")] = path
    order: list[str] = []

    def add(path: str) -> None:
        # modules.dep lists the farthest dependency last.
        for needed in reversed(needs[path]):
            add(needed)
        if path not in order:
            order.append(path)

    for name in names:
        if name in paths:
            add(paths[name])
    return order


def read_module(path: Path) -> bytes:
    """Return a module's ELF file, unpacked if the kernel package compresses it."""
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def cpio(files: dict[str, bytes]) -> bytes:
    """
    Return an archive in the kernel's "newc" format.

    :param files: content by path; every file is executable, folders are implied
    """
    folders = {str(parent) for name in files for parent in Path(name).parents} - {"."}
    out = bytearray()
    entries = [(name, stat.S_IFDIR | 0o755, b"") for name in sorted(folders)]
    entries += [(name, stat.S_IFREG | 0o755, data) for name, data in files.items()]
    entries.append(("TRAILER!!!", 0, b""))
    for inode, (name, mode, data) in enumerate(entries, 1):
        label = name.encode() + b"\0"
        numbers = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(label), 0)
        out += b"070701" + b"".join(b"%08X" % number for number in numbers) + label
        out += bytes(-len(out) % 4)
        out += data
        out += bytes(-len(out) % 4)
    return bytes(out)

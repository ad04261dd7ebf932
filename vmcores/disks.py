# SPDX-License-Identifier: GPL-2.0-or-later
"""Make disk images and read them, without mounting anything on this machine."""

from pathlib import Path
import shutil

from tools import LabError, call

__all__ = ("copy_file", "copy_tree", "make_disk", "recover")

MIB = 1 << 20


def make_disk(path: Path, free_mib: int, tree: Path | None = None, journal: bool = False) -> None:
    """
    Make a sparse ext4 image.

    :param free_mib: room to leave, in MiB
    :param tree: folder whose content it holds
    :param journal: keep what was synced readable after a panic
    """
    used, count = 0, 0
    if tree is not None:
        for file in tree.rglob("*"):
            count += 1
            if file.is_file() and not file.is_symlink():
                used += file.stat().st_size + 4096
    # Inode tables and the like take an eighth at most.
    size = (used + used // 8) // MIB + count // 2048 + free_mib + 8
    call(
        [
            "mke2fs",
            *("-q", "-F", "-t", "ext4", "-m", "0", "-b", "4096"),
            *("-N", str(count + 4096)),
            *("-O", "has_journal" if journal else "^has_journal"),
            *("-E", "lazy_itable_init=1,nodiscard"),
            *(() if tree is None else ("-d", tree)),
            *(path, f"{size}M"),
        ]
    )


def recover(disk: Path) -> None:
    """Replay an image's journal; 1 and 2 are e2fsck's words for "repaired"."""
    call(["e2fsck", "-fy", disk], accept=(0, 1, 2))


def copy_tree(disk: Path, into: Path) -> None:
    """Copy all files of an image into a folder, which is made."""
    into.mkdir(parents=True, exist_ok=True)
    call(["debugfs", "-R", f'rdump / "{into}"', disk])
    shutil.rmtree(into / "lost+found", ignore_errors=True)


def copy_file(disk: Path, name: str, into: Path) -> None:
    """
    Copy one file of an image.

    :raises LabError: if it is not there
    """
    # debugfs succeeds whatever happens.
    call(["debugfs", "-R", f'dump {name} "{into}"', disk])
    if not into.exists() or into.stat().st_size == 0:
        raise LabError(f"no {name} on the guest's disk")

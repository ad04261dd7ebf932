# SPDX-License-Identifier: GPL-2.0-or-later
"""
A guest that is a whole Debian: systemd, kdump-tools, and a disk that lasts from
one boot to the next. What it does at each boot is a script, which ends in a panic
or not; after a panic, its own kdump service dumps and starts it anew.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
import shutil
import time

import disks
import guest as guests
from guest import Disk, Exited, Guest, GuestOptions, Panicked, Said
from image import get_system
from kernels import Kernel, get_kernel
from run import CRASHKERNEL_MIB, OUT_MIB, make_tree, panic_message
from tools import LabError, call

__all__ = ("System",)

HERE = Path(__file__).resolve().parent
MEMORY_MIB = 768


@dataclass
class System:
    """A system that keeps its disks in a folder."""

    folder: Path
    kernel: Kernel
    timeout: float = 900

    @classmethod
    def make(cls, folder: Path, series: str) -> "System":
        """Make one that has not been booted yet."""
        kernel = get_kernel(series)
        folder.mkdir(parents=True, exist_ok=True)
        call(["cp", "--sparse=always", get_system(), folder / "root"])
        return cls(folder, kernel)

    def boot(self, step: str, name: str, say: Callable[[str], None] = print) -> Path:
        """
        Boot it and let it run a step: to its end, or to the restart after a panic.

        :param step: shell script, run as root when the system is up
        :param name: of the folder that is left: console.log, and out/ with what the guest wrote
            to /out
        :raises LabError: if it does not end, or the step fails
        """
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        self._make_disks(step)
        options = GuestOptions(
            kernel=self.kernel,
            cpus=2,
            memory=MEMORY_MIB,
            console=place / "console.log",
            disks=[
                Disk("root", self.folder / "root"),
                Disk("kernel", self.kernel.disk, ",readonly=on"),
                Disk("job", self.folder / "job"),
                Disk("out", self.folder / "out"),
            ],
            append=f"crashkernel={CRASHKERNEL_MIB}M systemd.show_status=0",
        )
        try:
            with guests.start(options, self.folder) as guest:
                self._follow(guest, place, say)
        finally:
            disks.recover(self.folder / "out")
            disks.copy_tree(self.folder / "out", place / "out")
        return place

    def _make_disks(self, step: str) -> None:
        tree = self.folder / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        make_tree(tree, HERE / "guest" / "system")
        (tree / "step").write_text(step)
        disks.make_disk(self.folder / "job", free_mib=8, tree=tree)
        disks.make_disk(self.folder / "out", OUT_MIB, journal=True)

    def _follow(self, guest: Guest, place: Path, say: Callable[[str], None]) -> None:
        start = time.monotonic()
        while time.monotonic() - start < self.timeout:
            match guest.wait(0.5):
                case Said(text):
                    say(f"{time.monotonic() - start:5.1f} s  {text}")
                    word, _, status = text.partition(" ")
                    if word == "ended":
                        if status != "0":
                            raise LabError(f"the step failed with status {status}")
                        guest.answer("off")
                        return
                case Panicked():
                    raise LabError(f"no dump: {self._message(place)}")
                case Exited():
                    say(f"{time.monotonic() - start:5.1f} s  restart: {self._message(place)}")
                    return
        raise LabError(f"not done after {self.timeout:g} s")

    def _message(self, place: Path) -> str | None:
        return panic_message((place / "console.log").read_text(errors="replace"))

# SPDX-License-Identifier: GPL-2.0-or-later
"""
Pins
----

Where a recorder is pinned, and the recorder that is.

``/sys/fs/bpf/lkst`` holds the maps, the programs that the control side runs, and
``links/``, one link for each program that is attached. Unlinking all of it is
what stops a recorder.
"""

from pathlib import Path
import shutil
from types import TracebackType

from lkst import layout
from lkst.decode.catalogue import Catalogue, parse_catalogue
from lkst.errors import Damaged, LkstError, NotFound
from lkst.record import libbpf

__all__ = ("PINS", "Recorder", "remove_pins")

PINS = Path("/sys/fs/bpf/lkst")


class Recorder:
    """The recorder that runs on this machine, through its pinned maps."""

    def __init__(self, pins: Path = PINS, *, writable: bool = False) -> None:
        """
        Open it.

        :raises NotFound: if none runs
        :raises LkstError: if it must not be opened
        """
        self.pins = pins
        try:
            if not pins.is_dir():
                raise NotFound("no recorder runs on this machine: start one with 'lkst start'")
            self._catalogue = libbpf.map_pinned(pins / "catalogue")
            self._control = libbpf.map_pinned(pins / "control", writable=writable)
            self._cpus = libbpf.map_pinned(pins / "cpus")
            self._ring = libbpf.map_pinned(pins / "ring")
        except PermissionError:
            raise LkstError("only root may read the recorder of this machine") from None
        except OSError as error:
            raise Damaged(f"the recorder is incomplete: {error}") from None
        self.catalogue: Catalogue = parse_catalogue(self._catalogue[:])
        self.header = self.catalogue.header

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        for map_ in (self._catalogue, self._control, self._cpus, self._ring):
            map_.close()

    def heads(self) -> list[int]:
        """Read how many slots each CPU has claimed so far."""
        return layout.heads(self.cpus(), self.header.cpu_size)

    def cpus(self) -> bytes:
        """Copy struct lkst_cpu of all CPUs."""
        return self._cpus[: self.header.cpu_size * self.header.nr_cpus]

    def rings(self) -> bytes:
        """Copy all rings."""
        return self._ring[: self.header.rings_size]

    def control(self) -> bytes:
        """Copy struct lkst_control."""
        return self._control[: self.header.control_size]

    def misses(self) -> dict[int, int]:
        """Count, by event, how often its program was skipped because it was running."""
        programs = layout.prog_ids(self.control(), self.header.control)
        return {event: libbpf.recursion_misses(prog) for event, prog in programs.items()}


def remove_pins(pins: Path) -> None:
    """Unpin a recorder: the links first, so that nothing is written any more."""
    shutil.rmtree(pins / "links", ignore_errors=True)
    shutil.rmtree(pins)

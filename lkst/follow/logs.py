# SPDX-License-Identifier: GPL-2.0-or-later
"""
Logs
----

Saves the rings of the running recorder repeatedly, before they are overwritten. A log
is a folder of saved files, each with the records since the last one. When enough have
accumulated, the small files are merged.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
import re
import time

from lkst.decode.segment import cut_segment
from lkst.errors import Damaged
from lkst.live.recorder import Recorder
from lkst.source.live import live_clock, live_facts, read_image
from lkst.source.saved import name_symbols, name_tasks, read_saved, save_image
from lkst.trace.trace import build_trace

__all__ = ("Log", "keep_log")

#: Interval of checks of the rings, in seconds.
_PERIOD = 0.1

#: Longest time before new records are saved, in seconds.
_LATEST = 5.0

#: Share of a ring at which new records are saved.
_FULL = 1 / 4

_PIECE = re.compile(r"(.+)-(\d{6})\.new\.lkst")


@dataclass
class Log:
    """Statistics of a log."""

    records: int = 0
    #: Slots that were overwritten before they could be saved.
    lost: int = 0


class _Writer:
    def __init__(self, folder: Path, rotate: int, keep: int) -> None:
        self._folder, self._rotate, self._keep = folder, rotate, keep
        self._facts = live_facts()
        self._tag = 0
        #: By number of buffer and CPU: the first slot that is not saved.
        self._lows: dict[int, list[int]] = {}
        self.log = Log()
        self._merge_pieces()

    def due(self, recorder: Recorder, saved_at: float) -> bool:
        """Return whether new records should be saved now."""
        if recorder.header.tag != self._tag:
            return True
        new = full = 0.0
        for buffer in recorder.buffers():
            places = recorder.places(buffer.number)
            lows = self._lows.get(buffer.number, [0] * len(places))
            for place, low in zip(places, lows, strict=True):
                new += place.head - low
                full = max(full, (place.head - low) / buffer.nr_slots)
        return full > _FULL or (new > 0 and time.monotonic() - saved_at > _LATEST)

    def save(self, recorder: Recorder) -> None:
        """Save new records."""
        if recorder.header.tag != self._tag:
            self._tag, self._lows = recorder.header.tag, {}
            first = True
        else:
            first = False
        image = read_image(recorder)
        facts = replace(self._facts, clock=live_clock())
        segments = []
        for buffer in image.buffers:
            lows = self._lows.get(buffer.number, [0] * len(buffer.places))
            # A buffer that was deleted and created again starts at 0.
            lows = [
                low if low <= place.head else 0
                for low, place in zip(lows, buffer.places, strict=True)
            ]
            segment = cut_segment(buffer, lows)
            if segment is None:
                continue
            if not first:
                self.log.lost += sum(
                    max(0, have - low) for have, low in zip(segment.lows or (), lows, strict=True)
                )
            self._lows[buffer.number] = [place.head for place in segment.places]
            segments.append(segment)
        if not segments:
            return
        trace = build_trace(replace(image, buffers=segments), facts)
        self.log.records += len(trace)
        save_image(trace.image, facts, self._next_piece(), name_tasks(trace), name_symbols(trace))
        if sum(path.stat().st_size for path in self._pieces()) >= self._rotate:
            self._merge_pieces()

    def _pieces(self) -> list[Path]:
        return sorted(path for path in self._folder.iterdir() if _PIECE.fullmatch(path.name))

    def _wholes(self) -> list[Path]:
        pieces = set(self._pieces())
        return sorted(path for path in self._folder.glob("*.lkst") if path not in pieces)

    def _next_piece(self) -> Path:
        pieces = self._pieces()
        number = 0
        if pieces:
            match = _PIECE.fullmatch(pieces[-1].name)
            assert match
            number = int(match[2]) + 1
        return self._folder / f"{self._stem()}-{number:06}.new.lkst"

    def _stem(self) -> str:
        pieces = self._pieces()
        if pieces:
            return pieces[0].name[: -len("-000000.new.lkst")]
        return time.strftime("%Y%m%d-%H%M%S", time.gmtime()) + f"-{self._tag:04x}"

    def _merge_pieces(self) -> None:
        """Merge the small files, and remove the oldest merged ones."""
        pieces = self._pieces()
        saved = []
        for path in pieces:
            try:
                saved.append(read_saved(path))
            except Damaged:
                # Keep the file: readers of the log report it.
                path.rename(path.with_name(path.name.replace(".new.", ".")))
        if saved:
            newest = saved[-1]
            tasks: dict[int, str] = {}
            symbols: dict[int, str] = {}
            for each in saved:
                tasks |= each.tasks
                symbols |= each.symbols
            image = replace(newest.image, buffers=[b for each in saved for b in each.image.buffers])
            whole = self._folder / f"{self._stem()}.lkst"
            save_image(image, newest.facts, whole, tasks, symbols)
            for path in pieces:
                path.unlink(missing_ok=True)
        for path in self._wholes()[: -self._keep or None] if self._keep else []:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        self._merge_pieces()


def keep_log(
    folder: Path, rotate: int, keep: int, go_on: Callable[[], bool], report: Callable[[str], None]
) -> Log:
    """
    Log all records.

    :param rotate: size of a complete file, in bytes
    :param keep: number of complete files to keep; 0: all
    :param go_on: called regularly; False: stop
    :param report: called with a message if slots were lost
    :raises NotFound: if no recorder runs
    :raises LkstError: if the files cannot be written
    """
    with Recorder():
        pass
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    writer = _Writer(folder, rotate, keep)
    lost, saved_at = 0, time.monotonic()
    recorder = Recorder()
    try:
        while go_on():
            if writer.due(recorder, saved_at):
                writer.save(recorder)
                saved_at = time.monotonic()
            if writer.log.lost != lost:
                report(f"{writer.log.lost - lost} slots were overwritten before they were saved")
                lost = writer.log.lost
            time.sleep(_PERIOD)
            if not recorder.runs():
                # Save what is left of the old recorder; another one may run now.
                writer.save(recorder)
                recorder = Recorder()
        writer.save(recorder)
    finally:
        writer.close()
    return writer.log

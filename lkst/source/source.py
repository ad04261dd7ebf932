# SPDX-License-Identifier: GPL-2.0-or-later
"""
Opening a source
----------------

From what a user typed to the traces of the recorders that are there.
"""

from pathlib import Path

from lkst.errors import Damaged, NotFound
from lkst.trace.trace import Trace

__all__ = ("is_source", "open_source")


def is_source(text: str) -> bool:
    """Tell whether a word can only mean a source."""
    return text in ("live", "kcore") or text.startswith("qemu:") or "/" in text or _exists(text)


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:
        return False


def open_source(source: str) -> list[Trace]:
    """
    Read the traces of a source, the newest recorder's first.

    :param source: path of a vmcore, a saved trace or a folder of them, ``live``, ``kcore``,
        ``qemu:ADDRESS``
    :raises NotFound: if it holds no recorder
    :raises Damaged: if it cannot be read
    """
    # Each kind needs other libraries; none pays for those of the others.
    if source == "live":
        from lkst.source.live import open_live

        traces = open_live()
    elif source == "kcore" or source.startswith("qemu:"):
        traces = _open_program(source)
    elif _is_folder(Path(source)):
        from lkst.source.log import open_log

        traces = open_log(Path(source))
    elif _is_saved(Path(source)):
        from lkst.source.saved import open_saved

        traces = open_saved(Path(source))
    else:
        traces = _open_program(source)
    if not traces:
        raise NotFound(f"{source}: no recorder in it")
    return traces


def _open_program(source: str) -> list[Trace]:
    from lkst.source.program import open_program, read_traces

    return read_traces(open_program(source), source)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _is_saved(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\3\4"
    except OSError as error:
        raise Damaged(f"{path}: {error.strerror}") from None

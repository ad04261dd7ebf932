# SPDX-License-Identifier: GPL-2.0-or-later
"""
Opening a source
----------------

Open a source that a user named, and read the traces of its recorders.
"""

from collections.abc import Sequence
from pathlib import Path

from lkst.dump import is_dump
from lkst.errors import Damaged, NotFound
from lkst.trace.trace import Trace

__all__ = ("Source", "is_source", "name_of_source", "open_source", "take_source")

#: What a user typed: one word, or the paths of parts of a split dump.
Source = str | tuple[str, ...]


def is_source(text: str) -> bool:
    """Return whether a word can only mean a source."""
    return text in ("live", "kcore") or text.startswith("qemu:") or "/" in text or _exists(text)


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:
        return False


def take_source(words: Sequence[str]) -> tuple[Source, list[str]]:
    """
    Remove a source from the words of a command line: one word, or all parts of a dump.

    :param words: at least one
    :return: the source, and the other words
    """
    count = 1
    if is_dump(Path(words[0])):
        while count < len(words) and is_dump(Path(words[count])):
            count += 1
    source = words[0] if count == 1 else tuple(words[:count])
    return source, list(words[count:])


def name_of_source(source: Source) -> str:
    """Return the name of a source for messages."""
    return source if isinstance(source, str) else " ".join(source)


def open_source(source: Source) -> list[Trace]:
    """
    Read the traces of a source, the newest recorder's first.

    :param source: path of a vmcore, a saved trace or a folder of them, ``live``, ``kcore``,
        ``qemu:ADDRESS``, or the paths of parts of a split vmcore
    :raises NotFound: if it holds no recorder
    :raises Damaged: if it cannot be read
    """
    # Each kind needs other libraries: import only those.
    if not isinstance(source, str):
        traces = _open_program(source)
    elif source == "live":
        from lkst.source.live import open_live

        traces = open_live()
    elif source == "kcore" or source.startswith("qemu:"):
        traces = _open_program(source)
    elif _is_folder(Path(source)):
        parts = _dumps_in(Path(source))
        if parts:
            traces = _open_program(parts)
        else:
            from lkst.source.log import open_log

            traces = open_log(Path(source))
    elif _is_saved(Path(source)):
        from lkst.source.saved import open_saved

        traces = open_saved(Path(source))
    else:
        traces = _open_program(source)
    if not traces:
        raise NotFound(f"{name_of_source(source)}: contains no recorder")
    return traces


def _open_program(source: Source) -> list[Trace]:
    from lkst.source.program import open_program, read_traces

    return read_traces(open_program(source), name_of_source(source))


def _dumps_in(folder: Path) -> tuple[str, ...]:
    """Find the dumps in a folder without saved traces."""
    try:
        files = sorted(folder.iterdir())
    except OSError:
        return ()
    if any(file.suffix == ".lkst" for file in files):
        return ()
    return tuple(str(file) for file in files if file.is_file() and is_dump(file))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _is_saved(path: Path) -> bool:
    try:
        if path.is_fifo():  # Nobody else could read its first bytes.
            return False
        with path.open("rb") as file:
            return file.read(4) == b"PK\3\4"
    except OSError as error:
        raise Damaged(f"{path}: {error.strerror}") from None

# SPDX-License-Identifier: GPL-2.0-or-later
"""
Files
-----

Write a file so that a failure leaves the old one.
"""

from collections.abc import Iterator
import contextlib
import os
from pathlib import Path
import tempfile
from typing import IO

from lkst.errors import LkstError

__all__ = ("replacing",)


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[IO[bytes]]:
    """
    Write a file that takes the place of an old one once it is complete.

    :param mode: what a dump holds is for those who may read the dump
    :raises LkstError: if it cannot be written; then the old one stays
    """
    if path.exists() and not path.is_file():
        raise LkstError(f"{path}: is not a file")
    name = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            name = Path(file.name)
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        name.chmod(mode & ~umask)
        name.replace(path)
        name = None
    except OSError as error:
        raise LkstError(f"{path}: {error.strerror or error}") from error
    finally:
        if name is not None:
            name.unlink(missing_ok=True)

# SPDX-License-Identifier: GPL-2.0-or-later
"""
The store of masksets
---------------------

Each maskset of a user is a file, which may also be edited by hand.
"""

from collections.abc import Collection
from pathlib import Path

from lkst.decode.catalogue import Catalogue
from lkst.errors import LkstError, NotFound, Usage
from lkst.record.maskset.text import (
    Maskset,
    built_in,
    format_maskset,
    parse_maskset,
    parse_masksets,
)
from lkst.record.maskset.user_handlers import kept_handlers
from lkst.record.names import check_name
from lkst.record.programs.catalogue import known_catalogue
from lkst.util.files import replacing
from lkst.util.nearest import nearest

__all__ = ("FOLDER", "MasksetStore", "open_store")

FOLDER = Path("/etc/lkst/masksets")

_SUFFIX = ".mask"


class MasksetStore:
    """The built-in masksets, and those of a folder."""

    def __init__(
        self,
        folder: Path,
        catalogue: Catalogue,
        user_handlers: Collection[str] = (),
    ) -> None:
        """
        Open a folder, which need not exist.

        :param user_handlers: names of the user's handlers
        """
        self.folder = folder
        self.catalogue = catalogue
        self.user_handlers = user_handlers
        self.built_in = built_in(catalogue)

    def names(self) -> list[str]:
        """Return the names of all masksets, built-in ones first."""
        return [*self.built_in, *self._saved()]

    def load(self, name: str) -> Maskset:
        """
        Return a maskset.

        :raises NotFound: if there is none of this name
        :raises Usage: if its file is invalid: one line for each of its invalid lines
        """
        if name in self.built_in:
            return self.built_in[name]
        path = self._path(name)
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            raise Usage(f"{path}: is not a text file") from None
        except OSError as error:
            raise LkstError(f"{path}: {error.strerror}") from None
        return parse_maskset(text, self.catalogue, self.user_handlers, name, str(path))

    def save(self, maskset: Maskset) -> Path:
        """
        Save a maskset; replace an old one of the same name.

        :return: its file
        :raises Usage: if the name is not valid
        :raises LkstError: if it cannot be written; the old one is kept
        """
        self._check_own(check_name("maskset", maskset.name))
        text = format_maskset(maskset, self.catalogue)
        path = self.folder / f"{maskset.name}{_SUFFIX}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LkstError(f"{self.folder}: {error.strerror}") from None
        with replacing(path) as file:
            file.write(text.encode())
        return path

    def delete(self, name: str) -> None:
        """
        Remove a maskset.

        :raises Usage: if it is built in
        :raises NotFound: if there is none of this name
        """
        self._check_own(name)
        path = self._path(name)
        try:
            path.unlink()
        except OSError as error:
            raise LkstError(f"{path}: {error.strerror}") from None

    def export_all(self) -> str:
        """Return the text of all masksets of the user."""
        return "\n".join(format_maskset(self.load(name), self.catalogue) for name in self._saved())

    def import_text(self, text: str, where: str) -> list[Maskset]:
        """
        Save the masksets of a text from :meth:`export_all`.

        :param where: name of the text in messages, such as a file
        :raises Usage: one line for each invalid line; then none is saved
        """
        masksets = parse_masksets(text, self.catalogue, self.user_handlers, where)
        for maskset in masksets:
            self._check_own(maskset.name)
        for maskset in masksets:
            self.save(maskset)
        return masksets

    def _saved(self) -> list[str]:
        names = []
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            name = path.name.removesuffix(_SUFFIX)
            # Files with invalid names cannot be loaded; built-in masksets take precedence.
            if name not in self.built_in and _is_name(name):
                names.append(name)
        return names

    def _path(self, name: str) -> Path:
        if name not in self._saved():
            raise NotFound(f"no maskset is called {name!r}{nearest(name, self.names())}")
        return self.folder / f"{name}{_SUFFIX}"

    def _check_own(self, name: str) -> None:
        if name in self.built_in:
            raise Usage(f"maskset {name} is built in: use another name")


def _is_name(name: str) -> bool:
    try:
        return bool(check_name("maskset", name))
    except Usage:
        return False


def open_store(catalogue: Catalogue | None = None) -> MasksetStore:
    """Open the masksets of this machine."""
    return MasksetStore(FOLDER, catalogue or known_catalogue(), kept_handlers())

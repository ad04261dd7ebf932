# SPDX-License-Identifier: GPL-2.0-or-later
"""The store of masksets, in a real folder."""

from pathlib import Path
import re
import resource
import signal

import pytest

from lkst.decode.catalogue import Catalogue
from lkst.errors import LkstError, NotFound, Usage
from lkst.record.maskset.store import MasksetStore
from lkst.record.maskset.text import Filter, Handler, Maskset

WEB = Maskset("web", {"sched_switch": Handler("record")}, Filter(comms=("nginx*",)))


@pytest.fixture
def store(tmp_path: Path, catalogue: Catalogue) -> MasksetStore:
    return MasksetStore(tmp_path / "etc" / "masksets", catalogue, ("mine",))


def test_what_is_saved_can_be_loaded(store: MasksetStore) -> None:
    path = store.save(WEB)
    assert path == store.folder / "web.mask"
    assert store.load("web") == WEB
    assert store.names()[:3] == ["none", "default", "all"]
    assert store.names()[-1] == "web"
    changed = Maskset("web", {"console": Handler("mine")})
    store.save(changed)
    assert store.load("web") == changed
    assert [path.name for path in store.folder.iterdir()] == ["web.mask"]


def test_a_folder_that_is_not_there_has_none(store: MasksetStore) -> None:
    assert store.names() == list(store.built_in)
    assert store.load("all") == store.built_in["all"]
    assert store.export_all() == ""
    assert not store.folder.exists()


def test_the_name_is_that_of_the_file(store: MasksetStore) -> None:
    path = store.save(WEB)
    path.rename(path.with_name("copy.mask"))
    assert store.load("copy").name == "copy"
    assert "web" not in store.names()


def test_files_that_are_none_are_left_alone(store: MasksetStore) -> None:
    store.folder.mkdir(parents=True)
    for name in ("a b.mask", ".hidden.mask", "web.mask~", "all.mask", "9.mask"):
        (store.folder / name).write_text("nonsense\n")
    assert store.names() == list(store.built_in)
    assert store.load("all") == store.built_in["all"]


def test_unknown(store: MasksetStore) -> None:
    store.save(WEB)
    for use in (store.load, store.delete):
        with pytest.raises(NotFound, match=r"no maskset is called 'wbe': did you mean web"):
            use("wbe")
    with pytest.raises(NotFound, match="did you mean default"):
        store.load("defualt")
    with pytest.raises(NotFound):
        store.load("../masksets/web")


def test_built_in_ones_stay(store: MasksetStore) -> None:
    for name in ("none", "default", "all", "sched"):
        with pytest.raises(Usage, match=f"maskset {name} is built in"):
            store.save(Maskset(name, {}))
        with pytest.raises(Usage, match=f"maskset {name} is built in"):
            store.delete(name)
    assert not store.folder.exists()


def test_delete(store: MasksetStore) -> None:
    store.save(WEB)
    store.delete("web")
    assert store.names() == list(store.built_in)
    with pytest.raises(NotFound):
        store.delete("web")


def test_bad_names_and_events_are_not_saved(store: MasksetStore) -> None:
    with pytest.raises(Usage, match="is not a valid name for a maskset"):
        store.save(Maskset("a/b", {}))
    with pytest.raises(Usage, match="no event gone"):
        store.save(Maskset("a", {"gone": Handler("record")}))
    assert not store.folder.exists()


def test_a_wrong_file_is_told_with_its_lines(store: MasksetStore) -> None:
    path = store.save(WEB)
    path.write_text("maskset web\n\nsched_swich record\n")
    with pytest.raises(Usage, match=rf"^{re.escape(str(path))}:3: no event is called"):
        store.load("web")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(Usage, match="is not a text"):
        store.load("web")


def test_a_full_disk_leaves_the_old_one(store: MasksetStore) -> None:
    store.save(WEB)
    # To a process with a limit, the disk is full after so many bytes.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(LkstError, match=r"web\.mask: File too large"):
            store.save(Maskset("web", {"console": Handler("count")}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert store.load("web") == WEB
    assert [path.name for path in store.folder.iterdir()] == ["web.mask"]


def test_a_folder_that_cannot_be_made(tmp_path: Path, catalogue: Catalogue) -> None:
    (tmp_path / "file").write_text("")
    store = MasksetStore(tmp_path / "file" / "masksets", catalogue)
    with pytest.raises(LkstError, match=r"file/masksets: Not a directory"):
        store.save(WEB)


def test_all_out_and_in_again(store: MasksetStore, tmp_path: Path, catalogue: Catalogue) -> None:
    other = Maskset("other", {"console": Handler("mine")})
    store.save(WEB)
    store.save(other)
    text = store.export_all()
    assert text.count("maskset ") == 2
    empty = MasksetStore(tmp_path / "new", catalogue, ("mine",))
    assert empty.import_text(text, "all.txt") == [other, WEB]
    assert empty.names()[-2:] == ["other", "web"]
    assert empty.export_all() == text


def test_an_import_with_a_fault_saves_nothing(store: MasksetStore) -> None:
    with pytest.raises(Usage, match=r"all.txt:3: no handler is called 'nope'"):
        store.import_text("maskset a\nmaskset b\nconsole nope\n", "all.txt")
    with pytest.raises(Usage, match="maskset sched is built in"):
        store.import_text("maskset a\nmaskset sched\n", "all.txt")
    assert not store.folder.exists()

# SPDX-License-Identifier: GPL-2.0-or-later
"""What users say of probes, as it is kept, configured, and turned off in masksets."""

from dataclasses import replace
from pathlib import Path

import pytest

from lkst.decode.catalogue import Catalogue, Event, Field
from lkst.errors import LkstError, NotFound, Usage
from lkst.record.lifecycle.config import parse_config
from lkst.record.maskset.handlers import OFF_PROBE, Handler
from lkst.record.maskset.store import MasksetStore
from lkst.record.maskset.text import built_in, format_maskset, parse_assignments, parse_maskset
from lkst.record.probe.definition import Probe, check_probe, delete_probe, kept_probes, save_probe
from lkst.record.probe.registry import handler_lookup
from lkst.record.probe.target import parse_target

PROBE = Probe(
    "reads",
    "nf_tables:nft_do_chain",
    ("count", "n=file->f_path.dentry->d_name.name:str", "ret"),
    returns=True,
    stack=True,
    condition='n != "a b"',
    limit=7,
)

EVENT = Event(
    id=200,
    name="reads",
    category="probe",
    old_name="",
    hook="fexit/vfs_read",
    description="",
    by_default=True,
    fields=(Field("count", "u64", "", 0, 8),),
)


@pytest.fixture
def with_probe(catalogue: Catalogue) -> Catalogue:
    return replace(catalogue, events={**catalogue.events, EVENT.id: EVENT})


@pytest.mark.parametrize("probe", [PROBE, Probe("simple", "vfs_read")])
def test_what_is_kept_is_what_was_said(tmp_path: Path, probe: Probe) -> None:
    save_probe(probe, tmp_path / "probes")
    assert dict(kept_probes(tmp_path / "probes")) == {probe.name: probe}
    delete_probe(probe.name, tmp_path / "probes")
    assert not dict(kept_probes(tmp_path / "probes"))
    with pytest.raises(NotFound):
        delete_probe(probe.name, tmp_path / "probes")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "target: is missing"),
        ("target = 3", "target: 3 is not a text"),
        ('target = "a"\nfields = "b"', "fields: is not a list of texts"),
        ('target = "a"\nreturn = 1', "return: 1 is not true or false"),
        ('target = "a"\nlimit = -1', "limit: -1 per ms is out of range"),
        ('target = "a"\nfields = ["b:c:d"]', "is not a field"),
        ('target = "a"\nfields = ["b->"]', "expected a name"),
        ('target = "a"\nif = "b =="', "--if: column"),
        ('target = "a"\nfeilds = []', "feilds: no such key: did you mean fields?"),
        ("target = ", "Invalid value"),
    ],
)
def test_files_that_are_wrong_are_reported(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "wrong.probe").write_text(text)
    ((name, error),) = kept_probes(tmp_path)
    assert name == "wrong"
    assert isinstance(error, LkstError)
    assert why in str(error)
    assert str(tmp_path / "wrong.probe") in str(error)


@pytest.mark.parametrize("name", ["", "a-b", "a b", "1a", "a" * 30, "a__b"])
def test_names_that_no_event_can_have(name: str) -> None:
    with pytest.raises(Usage):
        check_probe(Probe(name, "vfs_read"))


def test_the_configuration_may_name_probes() -> None:
    text = """
        [[probe]]
        name = "reads"
        target = "nf_tables:nft_do_chain"
        fields = ["count", "n=file->f_path.dentry->d_name.name:str", "ret"]
        return = true
        stack = true
        if = 'n != "a b"'
        limit = 7
    """
    assert parse_config(text, "x").probes == (PROBE,)
    with pytest.raises(Usage, match=r"x: probe\[1\].target: is missing"):
        parse_config('[[probe]]\nname = "a"', "x")


@pytest.mark.parametrize(
    ("text", "module", "name", "offset"),
    [
        ("vfs_read", "", "vfs_read", None),
        ("vfs_read+0x10", "", "vfs_read", 16),
        ("vfs_read+0", "", "vfs_read", 0),
        ("nf_tables:nft_do_chain", "nf_tables", "nft_do_chain", None),
        ("tracepoint:sched_switch", "tracepoint", "sched_switch", None),
    ],
)
def test_targets(text: str, module: str, name: str, offset: int | None) -> None:
    target = parse_target(text)
    assert (target.module, target.name, target.offset) == (module, name, offset)


@pytest.mark.parametrize("text", ["", "a b", "a+", "a+x", ":a", "a:b:c", "tracepoint:a+1"])
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(Usage):
        parse_target(text)


def test_a_probe_is_on_where_a_maskset_says_nothing(with_probe: Catalogue) -> None:
    masksets = built_in(with_probe)
    assert "reads" not in masksets["default"].handlers
    assert "reads" not in masksets["irq"].handlers
    assert masksets["none"].handlers == {"reads": OFF_PROBE}


def test_a_maskset_can_turn_one_off(with_probe: Catalogue, tmp_path: Path) -> None:
    store = MasksetStore(tmp_path, with_probe)
    changed = parse_assignments(["reads=off"], with_probe, ())
    mine = replace(built_in(with_probe)["sched"], name="mine")
    mine = replace(mine, handlers={**mine.handlers, **changed})
    text = format_maskset(mine, with_probe)
    assert "\nprobe reads  off\n" in text
    assert parse_maskset(text, with_probe, ()) == mine
    store.save(mine)
    assert handler_lookup(store)("mine", "reads") == OFF_PROBE
    assert handler_lookup(store)("mine", "other") is None
    assert handler_lookup(store)("sched", "reads") is None
    assert handler_lookup(store)("none", "reads") == OFF_PROBE


def test_what_is_said_of_a_probe_that_is_gone_is_kept(
    catalogue: Catalogue, with_probe: Catalogue
) -> None:
    text = "maskset mine\nsched_switch record\nprobe reads  hist(count)\n"
    without = parse_maskset(text, catalogue, ())
    assert without.absent == (("reads", "hist(count)"),)
    again = format_maskset(without, catalogue)
    assert "probe reads  hist(count)" in again
    assert parse_maskset(again, with_probe, ()).handlers["reads"] == Handler("hist", "count")

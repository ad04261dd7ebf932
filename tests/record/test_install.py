# SPDX-License-Identifier: GPL-2.0-or-later
"""Installing into another system's root."""

from pathlib import Path
import sys

from dumps import Run

from lkst.record.config import Config, load_config


def test_installed_once_and_removed(lkst: Run, tmp_path: Path) -> None:
    first = lkst("install", "--root", tmp_path)
    assert first.status == 0
    config = tmp_path / "etc/lkst/lkst.toml"
    unit = tmp_path / "etc/systemd/system/lkst.service"
    link = tmp_path / "etc/systemd/system/sysinit.target.wants/lkst.service"
    assert load_config(config) == Config()
    assert f"ExecStart={sys.executable} -m lkst start --config\n" in unit.read_text()
    assert link.resolve() == unit
    assert (tmp_path / "etc/lkst/handlers").stat().st_mode & 0o777 == 0o700

    config.write_text('maskset = "all"\n')
    assert lkst("install", "--root", tmp_path).stdout == ""
    assert config.read_text() == 'maskset = "all"\n'

    assert lkst("uninstall", "--root", tmp_path).status == 0
    assert not unit.exists()
    assert not link.is_symlink()
    assert config.exists()
    assert lkst("uninstall", "--root", tmp_path, "--purge").status == 0
    assert not config.parent.exists()
    assert lkst("uninstall", "--root", tmp_path, "--purge").stdout == ""


def test_a_root_that_cannot_be_written(lkst: Run, tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("in the way")
    result = lkst("install", "--root", tmp_path)
    assert result.status == 1
    assert str(tmp_path / "etc/lkst") in result.stderr

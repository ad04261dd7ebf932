# SPDX-License-Identifier: GPL-2.0-or-later
"""Installing into another system's root."""

import configparser
from pathlib import Path
import resource
import shutil
import signal
import subprocess
import sys

from dumps import Run
import pytest

from lkst.errors import LkstError
from lkst.record.lifecycle.config import Config, load_config
from lkst.record.lifecycle.install import UNITS, Unit, unit_text


def test_installed_once_and_removed(lkst: Run, tmp_path: Path) -> None:
    first = lkst("install", "--root", tmp_path)
    assert first.status == 0
    config = tmp_path / "etc/lkst/lkst.toml"
    unit = tmp_path / "etc/systemd/system/lkst.service"
    link = tmp_path / "etc/systemd/system/sysinit.target.wants/lkst.service"
    beating = tmp_path / "etc/systemd/system/multi-user.target.wants/lkst-heartbeat.service"
    assert f"ExecStart={sys.executable} -m lkst heartbeat --config\n" in beating.read_text()
    assert load_config(config) == Config()
    assert f"ExecStart={sys.executable} -m lkst start --config --replace\n" in unit.read_text()
    # systemd tells of units that not everybody may read.
    assert {path.stat().st_mode & 0o777 for path in (config, unit)} == {0o644}
    assert link.resolve() == unit
    assert (tmp_path / "etc/lkst/handlers").stat().st_mode & 0o777 == 0o700

    config.write_text('maskset = "all"\n')
    assert lkst("install", "--root", tmp_path).stdout == ""
    assert config.read_text() == 'maskset = "all"\n'

    assert lkst("uninstall", "--root", tmp_path).status == 0
    left = [path for path in (tmp_path / "etc/systemd").rglob("*") if not path.is_dir()]
    assert left == []
    assert config.exists()
    assert lkst("uninstall", "--root", tmp_path, "--purge").status == 0
    assert not config.parent.exists()
    assert lkst("uninstall", "--root", tmp_path, "--purge").stdout == ""


def test_a_root_that_cannot_be_written(lkst: Run, tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("in the way")
    result = lkst("install", "--root", tmp_path)
    assert result.status == 1
    assert str(tmp_path / "etc/lkst") in result.stderr


def test_a_write_that_fails_leaves_the_old_unit(lkst: Run, tmp_path: Path) -> None:
    assert lkst("install", "--root", tmp_path).status == 0
    unit = tmp_path / "etc/systemd/system/lkst.service"
    unit.write_text("# an older one\n")
    # No file is larger than this, which the old one is not.
    result = lkst("install", "--root", tmp_path, preexec_fn=_no_large_files)
    assert result.status == 1
    assert str(unit) in result.stderr
    assert unit.read_text() == "# an older one\n"
    units = [path.name for path in unit.parent.iterdir() if path.is_file()]
    assert sorted(units) == sorted(unit.name for unit in UNITS)
    assert lkst("install", "--root", tmp_path).stdout == f"wrote {unit}\n"


def _no_large_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))


@pytest.mark.parametrize("folder", ["plain", "two words", "100%n"])
@pytest.mark.parametrize("unit", UNITS, ids=[unit.name for unit in UNITS])
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path: Path, unit: Unit, folder: str) -> None:
    python = tmp_path / folder / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    path = tmp_path / unit.name
    path.write_text(unit_text(unit, str(python)))
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", path],
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_a_python_that_systemd_does_not_take() -> None:
    with pytest.raises(LkstError, match="quotes"):
        unit_text(UNITS[0], '/opt/"quoted"/python')


def test_the_recorder_outlives_the_shutdown() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.read_string(unit_text(UNITS[0], "/usr/bin/python3"))
    assert unit["Unit"]["DefaultDependencies"] == "no"
    assert "Conflicts" not in unit["Unit"]

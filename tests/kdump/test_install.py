# SPDX-License-Identifier: GPL-2.0-or-later
"""The hooks installed into systems of all kinds, and taken out again."""

import configparser
from pathlib import Path
import stat
import subprocess
import sys

from dumps import Result, Run
from grabs import GRAB
import pytest

RELEASES = {
    "debian": "ID=debian\n",
    "ubuntu": 'ID=ubuntu\nID_LIKE="debian"\n',
    "fedora": "ID=fedora\n",
    "rocky": 'ID="rocky"\nID_LIKE="rhel centos fedora"\n',
    "suse": 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\n',
    "sles": 'ID="sles"\n',
}
KDUMP_CONF = "path /var/crash\n# extra_bins /no\ncore_collector makedumpfile -l -d 31\n"
SYSCONFIG = '# a comment\nKDUMP_SAVEDIR="/var/crash"\nKDUMP_PRESCRIPT=""\nKDUMP_POSTSCRIPT=""\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a system that has every kdump service."""
    for name, text in (("etc/kdump.conf", KDUMP_CONF), ("etc/sysconfig/kdump", SYSCONFIG)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "var/crash").mkdir(parents=True)
    (tmp_path / "etc/kdump.conf").chmod(0o640)
    return tmp_path


def _tree(root: Path) -> dict[str, tuple[int, bytes | None]]:
    return {
        str(path.relative_to(root)): (
            stat.S_IMODE(path.lstat().st_mode),
            path.read_bytes() if path.is_file() else None,
        )
        for path in sorted(root.rglob("*"))
    }


def _install(lkst: Run, root: Path, *words: str) -> Result:
    result = lkst("hook", "install", "--root", root, *words)
    assert result.status == 0, result.stderr
    return result


@pytest.mark.parametrize("name", RELEASES)
def test_installed_and_put_back(name: str, root: Path, lkst: Run) -> None:
    (root / "etc/os-release").write_text(f"NAME=x\n{RELEASES[name]}")
    before = _tree(root)
    dry = _install(lkst, root, "--dry-run")
    assert _tree(root) == before

    first = _install(lkst, root)
    written = [line.split()[1] for line in first.stdout.splitlines() if line.startswith("wrote")]
    assert written
    for path in written:
        assert path in dry.stdout
    assert (root / "usr/local/lib/lkst/lkst-grab").read_bytes() == GRAB.read_bytes()
    after = _tree(root)
    assert not _install(lkst, root).stdout
    assert _tree(root) == after

    assert lkst("hook", "uninstall", "--root", root).status == 0
    assert _tree(root) == before
    gone = lkst("hook", "uninstall", "--root", root)
    assert gone.status == 1
    assert "not installed" in gone.stderr


def test_what_debian_gets(root: Path, lkst: Run) -> None:
    _install(lkst, root, "--distro", "debian")
    drop_in = root / "etc/systemd/system/kdump-tools-dump.service.d/lkst.conf"
    hook = "/usr/local/lib/lkst/before-dump"
    assert f"ExecStartPre=-{hook}\n" in drop_in.read_text()
    assert stat.S_IMODE((root / hook[1:]).stat().st_mode) == 0o755
    unit = configparser.ConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read(root / "etc/systemd/system/lkst-crash.service")
    assert unit["Service"]["ExecStart"] == f"{sys.executable} -m lkst hook process"
    assert unit["Service"]["MemoryMax"]
    assert unit["Unit"]["ConditionPathExists"] == "!/proc/vmcore"
    wanted = root / "etc/systemd/system/multi-user.target.wants/lkst-crash.service"
    assert wanted.resolve() == root / "etc/systemd/system/lkst-crash.service"


def test_what_fedora_gets(root: Path, lkst: Run) -> None:
    conf = root / "etc/kdump.conf"
    result = _install(lkst, root, "--distro", "fedora")
    assert "kdumpctl" in result.stdout
    assert conf.read_text() == KDUMP_CONF + "extra_bins /usr/local/lib/lkst/lkst-grab\n"
    assert stat.S_IMODE(conf.stat().st_mode) == 0o640
    for folder, when in (("pre.d", "before"), ("post.d", "after")):
        assert f"\nwhen={when}\n" in (root / f"etc/kdump/{folder}/50-lkst.sh").read_text()


def test_a_list_of_programs_is_added_to(root: Path, lkst: Run) -> None:
    """Since kdumpctl takes each word of kdump.conf once."""
    conf = root / "etc/kdump.conf"
    conf.write_text("extra_bins /bin/a /bin/b\npath /x")
    _install(lkst, root, "--distro", "fedora")
    assert conf.read_text() == "extra_bins /bin/a /bin/b /usr/local/lib/lkst/lkst-grab\npath /x"
    assert lkst("hook", "uninstall", "--root", root).status == 0
    assert conf.read_text() == "extra_bins /bin/a /bin/b\npath /x"


def test_what_suse_gets(root: Path, lkst: Run) -> None:
    _install(lkst, root, "--distro", "suse")
    script = f'. {root}/etc/sysconfig/kdump; echo "$KDUMP_PRESCRIPT|$KDUMP_POSTSCRIPT"'
    script += '; echo "$KDUMP_REQUIRED_PROGRAMS|$KDUMP_SAVEDIR"'
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    folder = "/usr/local/lib/lkst"
    assert said.splitlines() == [
        f"{folder}/before-dump|{folder}/after-dump",
        f"{folder}/before-dump {folder}/after-dump {folder}/lkst-grab|/var/crash",
    ]


def test_a_script_of_the_user_is_not_pushed_out(root: Path, lkst: Run) -> None:
    config = root / "etc/sysconfig/kdump"
    config.write_text('KDUMP_PRESCRIPT="/root/mine"\n')
    before = _tree(root)
    result = lkst("hook", "install", "--root", root, "--distro", "suse")
    assert result.status == 1
    assert "KDUMP_PRESCRIPT" in result.stderr
    assert "/root/mine" in result.stderr
    assert _tree(root) == before


def test_what_was_edited_since_stays(root: Path, lkst: Run) -> None:
    _install(lkst, root, "--distro", "suse")
    config = root / "etc/sysconfig/kdump"
    config.write_text(config.read_text().replace("# a comment", "# another") + 'KDUMP_X="1"\n')
    assert lkst("hook", "uninstall", "--root", root).status == 0
    edited = SYSCONFIG.replace("# a comment", "# another")
    assert config.read_text() == edited + 'KDUMP_X="1"\n'


def test_settings_are_taken_over(root: Path, lkst: Run) -> None:
    (root / "etc/lkst").mkdir()
    (root / "etc/lkst/hook.conf").write_text("DUMPS=/srv/dumps\nSECONDS=7  # enough\n")
    _install(lkst, root, "--distro", "debian")
    hook = (root / "usr/local/lib/lkst/before-dump").read_text()
    assert "\ndumps=/srv/dumps\n" in hook
    assert "\nseconds=7\n" in hook
    assert (root / "srv/dumps").is_dir()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SECOND=7", "SECOND=7"),
        ("SECONDS=soon", "whole number"),
        ("KEEP_SIZE=much", "not a size"),
        ("DUMPS=here", "absolute path"),
        ("DUMPS='/a b'", "without blanks"),
        ("EXEC='", "quotation"),
        ("words", "not a setting"),
    ],
)
def test_settings_that_make_no_sense(text: str, said: str, root: Path, lkst: Run) -> None:
    (root / "etc/lkst").mkdir()
    (root / "etc/lkst/hook.conf").write_text(f"# first\n{text}\n")
    result = lkst("hook", "install", "--root", root, "--distro", "debian")
    assert result.status == 2
    assert "hook.conf:2: " in result.stderr
    assert said in result.stderr


def test_systems_that_it_does_not_know(root: Path, lkst: Run) -> None:
    (root / "etc/os-release").write_text("ID=plan9\n")
    result = lkst("hook", "install", "--root", root)
    assert result.status == 2
    assert "--distro" in result.stderr
    (root / "etc/kdump.conf").unlink()
    result = lkst("hook", "install", "--root", root, "--distro", "fedora")
    assert result.status == 1
    assert "is the kdump service installed?" in result.stderr


def test_one_distribution_at_a_time(root: Path, lkst: Run) -> None:
    _install(lkst, root, "--distro", "debian")
    result = lkst("hook", "install", "--root", root, "--distro", "suse")
    assert result.status == 1
    assert "installed for debian" in result.stderr

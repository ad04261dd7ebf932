# SPDX-License-Identifier: GPL-2.0-or-later
"""
Installing
----------

Installs systemd units that start the recorder early at each boot and send its heartbeat,
and the folders under /etc/lkst.
"""

from collections.abc import Iterator
from pathlib import Path
import re
import shutil
import subprocess
import sys
from typing import NamedTuple

from lkst.errors import LkstError
from lkst.live.recorder import PINS
from lkst.record.lifecycle.config import DEFAULT_CONFIG_TEXT
from lkst.record.lifecycle.start import stop
from lkst.util.files import replacing

__all__ = ("UNITS", "Unit", "install", "uninstall", "unit_text")

_ETC = Path("etc/lkst")
_UNITS = Path("etc/systemd/system")


class Unit(NamedTuple):
    """A systemd unit."""

    name: str
    #: Target that wants it.
    target: str
    #: Text, with ``{python}`` for the interpreter.
    text: str


# Nothing of it needs to be running later: what it has set up lives in the kernel, and
# goes on recording while the system shuts down, hence no Conflicts=shutdown.target.
# What protects /sys, kernel logs or executable memory would keep BPF, names of symbols
# or ctypes from working.
_RECORDER = """\
[Unit]
Description=LKST, the Linux Kernel State Tracer
# Not in the capture kernel of a dump, which has little memory.
ConditionPathExists=!/proc/vmcore
DefaultDependencies=no
RequiresMountsFor=/sys/fs/bpf /etc /run
After=local-fs.target systemd-modules-load.service
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={python} -m lkst start --config --replace
ExecReload={python} -m lkst start --config --replace
ExecStop={python} -m lkst stop
TimeoutStartSec=2min
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX
RestrictRealtime=yes
UMask=0077

[Install]
WantedBy=sysinit.target
"""

# When it is killed it beats on; if that fails as well, the kernel side notices.
_HEARTBEAT = """\
[Unit]
Description=LKST heartbeat
After=lkst.service
PartOf=lkst.service
ConditionPathExists=/sys/fs/bpf/lkst

[Service]
ExecStart={python} -m lkst heartbeat --config
Restart=on-failure
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX
UMask=0077

[Install]
WantedBy=multi-user.target
"""

UNITS = (
    Unit("lkst.service", "sysinit.target", _RECORDER),
    Unit("lkst-heartbeat.service", "multi-user.target", _HEARTBEAT),
)


def unit_text(unit: Unit, python: str) -> str:
    """
    Return the text of a unit.

    :param python: path of the interpreter that has this software
    :raises LkstError: if systemd does not accept the path
    """
    if re.search(r"[\"'\\]", python):
        raise LkstError(f"systemd cannot start {python}: its path contains quotes")
    escaped = python.replace("%", "%%")
    return unit.text.format(python=f'"{escaped}"' if " " in escaped else escaped)


def _systemd_runs() -> bool:
    return Path("/run/systemd/system").is_dir() and shutil.which("systemctl") is not None


def _is_active(unit: Unit) -> bool:
    return subprocess.run(["systemctl", "is-active", "--quiet", unit.name]).returncode == 0


def _link(unit: Unit) -> Path:
    return _UNITS / f"{unit.target}.wants" / unit.name


def _systemctl(*words: str) -> None:
    result = subprocess.run(["systemctl", *words], capture_output=True, text=True)
    if result.returncode:
        raise LkstError(f"systemctl {' '.join(words)}: {result.stderr.strip()}")


def install(root: Path, *, start: bool) -> Iterator[str]:
    """
    Install units and folders; existing files of the user are kept.

    :param root: of the system to install into
    :param start: whether to start the recorder, if systemd runs and the root is this system's
    :return: what was done, line by line
    :raises LkstError: if a file cannot be written
    """
    here = root == Path("/") and _systemd_runs()
    for folder, mode in (
        (_ETC, 0o755),
        (_ETC / "masksets", 0o755),
        (_ETC / "handlers", 0o700),
        (_ETC / "probes", 0o755),
    ):
        path = root / folder
        if not path.is_dir():
            try:
                path.mkdir(mode=mode, parents=True)
            except OSError as error:
                raise LkstError(f"{path}: {error.strerror}") from None
            yield f"created {path}"
    config = root / _ETC / "lkst.toml"
    if not config.exists():
        _write(config, DEFAULT_CONFIG_TEXT)
        yield f"wrote {config}"
    for unit in UNITS:
        yield from _install_unit(root, unit)
    if here:
        _systemctl("daemon-reload")
        for unit in UNITS:
            if start and not _is_active(unit):
                _systemctl("start", unit.name)
                yield f"started {unit.name}"
    elif start and root == Path("/"):
        yield "not started: systemd is not running"


def _install_unit(root: Path, unit: Unit) -> Iterator[str]:
    path = root / _UNITS / unit.name
    text = unit_text(unit, sys.executable)
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, text)
        yield f"wrote {path}"
    wanted = root / _link(unit)
    if not wanted.is_symlink():
        wanted.parent.mkdir(parents=True, exist_ok=True)
        wanted.symlink_to(f"../{unit.name}")
        yield f"enabled {unit.name}"


def _write(path: Path, text: str) -> None:
    with replacing(path, 0o644) as file:
        file.write(text.encode())


def uninstall(root: Path, *, purge: bool) -> Iterator[str]:
    """
    Remove what :func:`install` installed, and stop the recorder.

    :param purge: whether to remove the user's files under /etc/lkst, too
    :return: what was done, line by line
    """
    here = root == Path("/") and _systemd_runs()
    for unit in reversed(UNITS):
        if here and (root / _UNITS / unit.name).exists() and _is_active(unit):
            _systemctl("stop", unit.name)
            yield f"stopped {unit.name}"
    # systemd may not know the unit.
    if root == Path("/") and PINS.exists():
        stop()
        yield "stopped the recorder"
    for unit in UNITS:
        for path in (root / _link(unit), root / _UNITS / unit.name):
            if path.is_symlink() or path.exists():
                path.unlink()
                yield f"removed {path}"
    if here:
        _systemctl("daemon-reload")
    etc = root / _ETC
    if purge and etc.is_dir():
        shutil.rmtree(etc)
        yield f"removed {etc}"

# SPDX-License-Identifier: GPL-2.0-or-later
"""
Installing
----------

Has the recorder started at each boot, as early as it can be: a systemd unit and
the folders under /etc/lkst.
"""

from collections.abc import Iterator
from pathlib import Path
import re
import shutil
import subprocess
import sys

from lkst.errors import LkstError
from lkst.files import replacing
from lkst.record.config import DEFAULT_CONFIG_TEXT
from lkst.record.pins import PINS
from lkst.record.recorder import stop

__all__ = ("UNIT", "install", "uninstall", "unit_text")

UNIT = "lkst.service"

_ETC = Path("etc/lkst")
_UNITS = Path("etc/systemd/system")
_WANTS = _UNITS / "sysinit.target.wants"

# Nothing of it needs to be running later: what it has set up lives in the kernel, and
# goes on recording while the system shuts down, hence no Conflicts=shutdown.target.
# What protects /sys, kernel logs or executable memory would keep BPF, names of symbols
# or ctypes from working.
_TEXT = """\
[Unit]
Description=LKST, the Linux Kernel State Tracer
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


def unit_text(python: str) -> str:
    """
    Write the unit.

    :param python: path of the interpreter that has this software
    :raises LkstError: if systemd takes no such path
    """
    if re.search(r"[\"'\\]", python):
        raise LkstError(f"systemd cannot start {python}: there are quotes in its path")
    escaped = python.replace("%", "%%")
    return _TEXT.format(python=f'"{escaped}"' if " " in escaped else escaped)


def _systemd_runs() -> bool:
    return Path("/run/systemd/system").is_dir() and shutil.which("systemctl") is not None


def _is_active() -> bool:
    return subprocess.run(["systemctl", "is-active", "--quiet", UNIT]).returncode == 0


def _systemctl(*words: str) -> None:
    result = subprocess.run(["systemctl", *words], capture_output=True, text=True)
    if result.returncode:
        raise LkstError(f"systemctl {' '.join(words)}: {result.stderr.strip()}")


def install(root: Path, *, start: bool) -> Iterator[str]:
    """
    Install it; what is there already stays.

    :param root: of the system to install into
    :param start: whether to start the recorder, if systemd runs and the root is this system's
    :return: what was done, line by line
    :raises LkstError: if a file cannot be written
    """
    here = root == Path("/") and _systemd_runs()
    for folder, mode in ((_ETC, 0o755), (_ETC / "masksets", 0o755), (_ETC / "handlers", 0o700)):
        path = root / folder
        if not path.is_dir():
            try:
                path.mkdir(mode=mode, parents=True)
            except OSError as error:
                raise LkstError(f"{path}: {error.strerror}") from None
            yield f"made {path}"
    config = root / _ETC / "lkst.toml"
    if not config.exists():
        _write(config, DEFAULT_CONFIG_TEXT)
        yield f"wrote {config}"
    unit = root / _UNITS / UNIT
    text = unit_text(sys.executable)
    if not unit.exists() or unit.read_text() != text:
        unit.parent.mkdir(parents=True, exist_ok=True)
        _write(unit, text)
        yield f"wrote {unit}"
    wanted = root / _WANTS / UNIT
    if not wanted.is_symlink():
        wanted.parent.mkdir(parents=True, exist_ok=True)
        wanted.symlink_to(f"../{UNIT}")
        yield f"enabled {UNIT}"
    if here:
        _systemctl("daemon-reload")
        if start and not _is_active():
            _systemctl("start", UNIT)
            yield f"started {UNIT}"
    elif start and root == Path("/"):
        yield "not started: systemd does not run here"


def _write(path: Path, text: str) -> None:
    with replacing(path, 0o644) as file:
        file.write(text.encode())


def uninstall(root: Path, *, purge: bool) -> Iterator[str]:
    """
    Remove what :func:`install` has installed, and stop the recorder.

    :param purge: whether what a user has written under /etc/lkst goes as well
    :return: what was done, line by line
    """
    unit = root / _UNITS / UNIT
    here = root == Path("/") and _systemd_runs()
    if here and unit.exists() and _is_active():
        _systemctl("stop", UNIT)
        yield f"stopped {UNIT}"
    # One that systemd knows nothing of, or no longer.
    if root == Path("/") and PINS.exists():
        stop()
        yield "stopped the recorder"
    for path in (root / _WANTS / UNIT, unit):
        if path.is_symlink() or path.exists():
            path.unlink()
            yield f"removed {path}"
    if here:
        _systemctl("daemon-reload")
    etc = root / _ETC
    if purge and etc.is_dir():
        shutil.rmtree(etc)
        yield f"removed {etc}"

# SPDX-License-Identifier: GPL-2.0-or-later
"""
Settings
--------

``/etc/lkst/hook.conf``: settings of the crash hooks and of the service at the next
boot. One ``NAME=value`` per line, which systemd's EnvironmentFile= and a shell can
read, since the hooks run without Python.
"""

from dataclasses import dataclass, fields
from pathlib import Path
import re
import shlex

from lkst.errors import Usage

__all__ = ("CONFIG", "Settings", "page_list", "read_settings", "settings_text")

CONFIG = Path("/etc/lkst/hook.conf")

_SIZE = re.compile(r"(\d+)([KMG]?)")
_FACTORS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True)
class Settings:
    """All settings, with their defaults."""

    #: Folder where kdump writes dumps.
    DUMPS: str = "/var/crash"
    #: Time limit of the hook, in seconds.
    SECONDS: int = 20
    #: Length of the printed replay before the end, in seconds.
    LAST: int = 10
    #: Number of results to keep, and their total size; 0: no limit.
    KEEP: int = 20
    KEEP_SIZE: str = "1G"
    #: Command to run with the folder of each new result, or "".
    EXEC: str = ""

    @property
    def keep_bytes(self) -> int:
        """KEEP_SIZE in bytes."""
        match = _SIZE.fullmatch(self.KEEP_SIZE)
        assert match
        return int(match[1]) * _FACTORS[match[2]]


_COMMENTS = {
    "DUMPS": "Folder in which kdump leaves dumps, and lkst the list of the recorder's pages.",
    "SECONDS": "Longest time in s that the hook may take before the dump begins.",
    "LAST": "Seconds before the end that the replay beside a dump shows.",
    "KEEP": "Number of results to keep, and their size in all (K, M, G); 0: no limit.",
    "KEEP_SIZE": "",
    "EXEC": "Command to run for each new result, with its folder as the last argument.",
}


def settings_text(settings: Settings | None = None) -> str:
    """Format settings, each with a comment."""
    settings = settings or Settings()
    lines = ["# Settings of lkst's hooks around a crash: see hook.conf(5)."]
    for name, comment in _COMMENTS.items():
        lines += [f"\n# {comment}"] if comment else []
        lines.append(f"{name}={shlex.quote(str(getattr(settings, name)))}")
    return "\n".join(lines) + "\n"


def read_settings(path: Path = CONFIG) -> Settings:
    """
    Read the file; missing settings have their defaults.

    :raises Usage: if a setting is invalid
    :raises OSError: if it exists and cannot be read
    """
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return Settings()
    types = {field.name: field.type for field in fields(Settings)}
    values: dict[str, str | int] = {}
    for number, line in enumerate(lines, 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise Usage(f"{path}:{number}: {error}") from None
        if not words:
            continue
        name, equals, value = words[0].partition("=")
        if len(words) > 1 or not equals or name not in types:
            raise Usage(f"{path}:{number}: {line.strip()!r} is not a setting")
        values[name] = _value(name, value, types[name], f"{path}:{number}")
    return Settings(**values)  # type: ignore[arg-type]


def _value(name: str, value: str, type_: object, where: str) -> str | int:
    if type_ is int:
        if not re.fullmatch(r"\d{1,9}", value):
            raise Usage(f"{where}: {name} must be a whole number")
        if name == "SECONDS" and int(value) < 2:
            raise Usage(f"{where}: SECONDS must be at least 2")
        return int(value)
    if name == "KEEP_SIZE" and not _SIZE.fullmatch(value):
        raise Usage(f"{where}: {value!r} is not a size: use 512M, 1G")
    if name == "DUMPS" and not re.fullmatch(r"(/[\w.+@:-]+)+", value):
        raise Usage(f"{where}: DUMPS must be an absolute path without blanks")
    return value


def page_list(settings: Settings) -> Path:
    """Return the path of the list of the recorder's pages."""
    return Path(settings.DUMPS) / "lkst" / "pages"

# SPDX-License-Identifier: GPL-2.0-or-later
"""
Distributions
-------------

The hooks of each distribution's kdump service, and the steps to get them into the capture
kernel.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
import re
import shlex
import subprocess
import sys

from lkst.errors import LkstError, Usage
from lkst.hook.files import Change
from lkst.record.lifecycle.hook_settings import CONFIG, Settings, settings_text

__all__ = (
    "DISTROS",
    "GRAB",
    "HOOK",
    "Distro",
    "changes_for",
    "detect",
    "image_has_hook",
    "program",
)

_HERE = Path(__file__).parent

#: Path of the program.
GRAB = "/usr/local/lib/lkst/lkst-grab"
#: Path of the hook, if the service calls it by path.
HOOK = "/usr/local/lib/lkst/{when}"

_UNIT = "etc/systemd/system/lkst-crash.service"
_WANTED = "etc/systemd/system/multi-user.target.wants/lkst-crash.service"

_DROP_IN = """\
# Written by 'lkst hook install'. The dump is taken even if this fails.
[Service]
ExecStartPre=-{hook}
"""


@dataclass(frozen=True)
class Distro:
    """A family of distributions with the same kdump service."""

    name: str
    #: Names in os-release(5).
    ids: tuple[str, ...]
    #: Returns the changes for a root folder.
    changes: Callable[[Path, Settings], list[Change]]
    #: Command that adds the hook to the capture image, or "".
    rebuild: str
    #: Capture images below /boot, with {release} of the kernel.
    images: tuple[str, ...] = ()


def program() -> bytes:
    """
    Read the program of the capture kernel.

    :raises LkstError: if it was not compiled
    """
    try:
        return (_HERE / "lkst-grab").read_bytes()
    except OSError:
        raise LkstError(
            "lkst-grab is missing: no C compiler was found when lkst was installed"
            " (apt install gcc libc6-dev, then install lkst again)"
        ) from None


def _template(name: str, **values: str | int) -> bytes:
    text = (_HERE / "files" / name).read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    return text.encode()


def _hook(path: str, when: str, settings: Settings) -> Change:
    content = _template(
        "hook.sh",
        WHEN=when,
        GRAB=GRAB,
        DUMPS=shlex.quote(settings.DUMPS),
        SECONDS=settings.SECONDS,
    )
    return Change(path.lstrip("/"), content, 0o755)


def _edited(root: Path, path: str, edit: Callable[[str], str], why: str) -> list[Change]:
    file = root / path
    if not file.is_file():
        raise LkstError(f"{file} is missing: is the kdump service installed?")
    text = file.read_bytes().decode("utf-8", "surrogateescape")
    return [Change(path, edit(text).encode("utf-8", "surrogateescape"), why=why)]


def _debian(root: Path, settings: Settings) -> list[Change]:
    hook = HOOK.format(when="before-dump")
    drop_in = "etc/systemd/system/kdump-tools-dump.service.d/lkst.conf"
    return [
        _hook(hook, "before", settings),
        Change(drop_in, _DROP_IN.format(hook=hook).encode()),
    ]


def _fedora(root: Path, settings: Settings) -> list[Change]:
    def edit(text: str) -> str:
        lines = text.split("\n")
        for index, line in enumerate(lines):
            if re.match(r"\s*extra_bins\s", line):
                if GRAB not in line.split():
                    lines[index] = f"{line} {GRAB}"
                return "\n".join(lines)
        return text + "\n" * (text != "" and not text.endswith("\n")) + f"extra_bins {GRAB}\n"

    return [
        _hook("etc/kdump/pre.d/50-lkst.sh", "before", settings),
        _hook("etc/kdump/post.d/50-lkst.sh", "after", settings),
        *_edited(root, "etc/kdump.conf", edit, "extra_bins"),
    ]


def _suse(root: Path, settings: Settings) -> list[Change]:
    before, after = (HOOK.format(when=when) for when in ("before-dump", "after-dump"))

    def edit(text: str) -> str:
        text = _assign(text, "KDUMP_PRESCRIPT", before, alone=True)
        text = _assign(text, "KDUMP_POSTSCRIPT", after, alone=True)
        for path in (before, after, GRAB):
            text = _assign(text, "KDUMP_REQUIRED_PROGRAMS", path, alone=False)
        return text

    return [
        _hook(before, "before", settings),
        _hook(after, "after", settings),
        *_edited(root, "etc/sysconfig/kdump", edit, "KDUMP_PRESCRIPT and others"),
    ]


def _assign(text: str, name: str, word: str, *, alone: bool) -> str:
    """Add a word to a variable of a sysconfig file."""
    found = re.search(rf'^{name}=(["\']?)(.*?)\1[ \t]*$', text, re.MULTILINE)
    if not found:
        return text + "\n" * (text != "" and not text.endswith("\n")) + f'{name}="{word}"\n'
    words = found[2].split()
    if word in words:
        return text
    if alone and words:
        raise LkstError(
            f"{name} in /etc/sysconfig/kdump is already {found[2]!r}: call {word} from there"
        )
    return f'{text[: found.start()]}{name}="{" ".join([*words, word])}"{text[found.end() :]}'


DISTROS = {
    "debian": Distro("debian", ("debian", "ubuntu"), _debian, ""),
    "fedora": Distro(
        "fedora",
        ("fedora", "rhel", "centos"),
        _fedora,
        "kdumpctl rebuild && kdumpctl restart",
        ("initramfs-{release}kdump.img",),
    ),
    "suse": Distro(
        "suse",
        ("suse", "opensuse", "sles", "opensuse-tumbleweed", "opensuse-leap"),
        _suse,
        "mkdumprd -f && systemctl restart kdump",
        ("initrd-{release}-kdump",),
    ),
}


def detect(root: Path) -> Distro:
    """
    Return the distribution of a system.

    :raises Usage: if it is not known
    """
    names: list[str] = []
    for path in ("etc/os-release", "usr/lib/os-release"):
        if (root / path).is_file():
            for line in (root / path).read_text(errors="replace").splitlines():
                key, _, value = line.partition("=")
                if key in ("ID", "ID_LIKE"):
                    names += value.strip("\"'").split()
            break
    for name in names:
        for distro in DISTROS.values():
            if name in distro.ids:
                return distro
    raise Usage(
        f"no kdump service is known for {names[0] if names else 'this system'}:"
        f" choose one with --distro {'|'.join(DISTROS)}"
    )


def changes_for(distro: Distro, root: Path, settings: Settings) -> list[Change]:
    """
    Return all files that an installation writes.

    :raises LkstError: if the kdump service is missing, or its settings conflict
    """
    python = sys.executable
    if re.search(r"[\s\"'\\%]", python):
        raise LkstError(f"systemd cannot start {python}: its path contains special characters")
    changes = [
        Change(GRAB.lstrip("/"), program(), 0o755),
        *distro.changes(root, settings),
        Change(_UNIT, _template("lkst-crash.service", PYTHON=python, DUMPS=settings.DUMPS)),
        Change(_WANTED, b"", link="../lkst-crash.service"),
    ]
    config = str(CONFIG).lstrip("/")
    if not (root / config).exists():
        changes.insert(0, Change(config, settings_text(settings).encode()))
    return changes


def image_has_hook(image: Path) -> bool | None:
    """
    Return whether a capture image has the program.

    :return: None: not known, because lsinitrd is missing
    """
    try:
        done = subprocess.run(["lsinitrd", str(image)], capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return GRAB.lstrip("/") in done.stdout

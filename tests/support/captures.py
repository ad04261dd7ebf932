# SPDX-License-Identifier: GPL-2.0-or-later
"""A dump that a machine takes of itself, after the hooks have run in its capture kernel."""

from pathlib import Path
import shutil

from dumps import ROOT, Once, run_lkst

__all__ = ("capture_words",)

SCRIPT = ROOT / "tests" / "kdump" / "capture.sh"


def capture_words(once: Once) -> list[str]:
    """Give words for the lab; ``out/capture`` is what SCRIPT has left."""
    hooks = once("hooks", _write_hooks)
    words = ["--scenario", "story", "--capture", "kdump", "--dump-format", "flattened"]
    words += ["--before-dump", str(SCRIPT), "--timeout", "600"]
    for name in ("before.sh", "after.sh"):
        words += ["--file", str(hooks / name)]
    return words


def _write_hooks(folder: Path) -> None:
    root = folder / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/kdump.conf").write_text("path /var/crash\n")
    result = run_lkst("hook", "install", "--root", root, "--distro", "fedora")
    assert result.status == 0, result.stderr
    for when, name in (("pre.d", "before.sh"), ("post.d", "after.sh")):
        shutil.copy(root / "etc/kdump" / when / "50-lkst.sh", folder / name)

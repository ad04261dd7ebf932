# SPDX-License-Identifier: GPL-2.0-or-later
"""Documents say what the commands do, and lead somewhere."""

import itertools
import os
from pathlib import Path
import re
import shlex
import subprocess
import sys

from dumps import ROOT, run_here
import pytest

from lkst.record.lifecycle.config import DEFAULT_CONFIG_TEXT, Config, parse_config
from lkst.record.lifecycle.hook_settings import Settings, read_settings

pytestmark = pytest.mark.slow

#: A command of ours at a prompt, and what it prints, in a fenced block.
EXAMPLE = re.compile(r"^```\n\$ lkst (.*)\n((?:.*\n)*?)```$", re.MULTILINE)

DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]


def examples(document: str) -> list[tuple[str, str]]:
    return EXAMPLE.findall((ROOT / document).read_text())


def pattern_of(shown: str) -> str:
    """Return a regular expression in which each line "..." stands for any lines."""
    return "(?:.*\n)*?".join(re.escape(part) for part in re.split(r"^\.\.\.\n", shown, flags=re.M))


@pytest.mark.parametrize("document", ["README.md", "docs/jsonl.md", "docs/reading.md"])
def test_examples_print_what_the_document_says(
    document: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    found = examples(document)
    assert found
    for command, shown in found:
        result = run_here(capsys, *shlex.split(command))
        assert (result.status, result.stderr) == (0, ""), command
        # A document leaves out blank lines at the end.
        assert re.fullmatch(pattern_of(shown), result.stdout.rstrip() + "\n"), command


def prose(path: Path) -> str:
    """Return a document without its blocks of code."""
    return re.sub(r"^ *```.*?^ *```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)


def links(path: Path) -> list[tuple[Path, str]]:
    """Return the file and the anchor of each link and image that stays in the project."""
    targets = re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", prose(path))
    return [((path.parent / file).resolve() if file else path, anchor) for file, anchor in targets]


def anchors(path: Path) -> set[str]:
    """Return the anchors that headings get when the document is shown as HTML."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        numbers = itertools.chain([anchor], (f"{anchor}-{n}" for n in itertools.count(1)))
        found.add(next(name for name in numbers if name not in found))
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    for target, anchor in links(path):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), f"{target}#{anchor}"


def test_every_document_is_reached_from_the_readme() -> None:
    reached, left = set[Path](), [ROOT / "README.md"]
    while left:
        path = left.pop()
        if path in reached or path.suffix != ".md":
            continue
        reached.add(path)
        left += [target for target, _ in links(path)]
    assert {path.name for path in ROOT.glob("docs/*.md")} <= {path.name for path in reached}


def reference(folder: Path) -> dict[str, str]:
    """Return the text of the generated pages."""
    pages = [folder / "cli.md", *folder.glob("man/*.1")]
    return {str(page.relative_to(folder)): page.read_text() for page in pages}


def test_reference_pages_are_those_of_the_help_texts(tmp_path: Path) -> None:
    # They do not depend on the terminal, the user, or a package that is missing.
    extras = "cramjam duckdb jinja2 lz4 matplotlib plotly pyarrow rich zstandard".split()
    script = (
        f"import runpy, sys; sys.modules.update(dict.fromkeys({extras}));"
        f"runpy.run_path({str(ROOT / 'docs' / 'generate.py')!r}, run_name='__main__')"
    )
    environment = {**os.environ, "COLUMNS": "40", "LC_ALL": "C", "HOME": "/"}
    subprocess.run([sys.executable, "-c", script, tmp_path], env=environment, check=True)
    written, kept = reference(tmp_path), reference(ROOT / "docs")
    assert written.keys() == kept.keys(), "run ./dev docs"
    for name, text in written.items():
        assert text == kept[name], f"{name} is out of date: run ./dev docs"


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/man/*")), ids=lambda page: page.name)
def test_manual_pages_are_read_without_a_warning(page: Path) -> None:
    groff = ["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-z", str(page)]
    assert subprocess.run(groff, capture_output=True, text=True, check=True).stderr == ""
    sections = re.findall(r"^\.SH (.*)$", page.read_text(), re.MULTILINE)
    assert sections[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"]
    assert sections[-1] == "SEE ALSO"


def example(page: str) -> tuple[str, str]:
    """Return the source of a manual page, and the file that it shows."""
    text = (ROOT / "docs" / "man" / page).read_text()
    match = re.search(r"^\.nf\n(.*?)^\.fi", text, re.MULTILINE | re.DOTALL)
    assert match
    return text, match[1].replace(r"\-", "-").replace(r"\(aq", "'")


def test_manual_page_of_the_configuration_names_each_key() -> None:
    text, shown = example("lkst.toml.5")
    assert parse_config(shown, "lkst.toml") != Config()
    keys = set(re.findall(r"^#\[*(\w+)", DEFAULT_CONFIG_TEXT, re.MULTILINE))
    assert keys and keys <= set(re.findall(r"^\.B \[*(\w+)", text, re.MULTILINE))


def test_manual_page_of_the_hooks_has_each_default(tmp_path: Path) -> None:
    text, shown = example("hook.conf.5")
    file = tmp_path / "hook.conf"
    file.write_text(shown)
    assert read_settings(file) != Settings()
    told = dict(
        re.findall(r"^\.B (\w+)\n(?:[^.\n].*\n|\.I.*\n)*Default: (\S+)\.$", text, re.MULTILINE)
    )
    assert told == {name: str(value) or "none" for name, value in vars(Settings()).items()}

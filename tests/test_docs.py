# SPDX-License-Identifier: GPL-2.0-or-later
"""Examples in the documents say what the commands print."""

from pathlib import Path
import re
import shlex

from dumps import ROOT, run_here
import pytest

#: A command of ours at a prompt, and what it prints, in a fenced block.
EXAMPLE = re.compile(r"^```\n\$ lkst (.*)\n((?:.*\n)*?)```$", re.MULTILINE)


def examples(document: str) -> list[tuple[str, str]]:
    return EXAMPLE.findall((ROOT / document).read_text())


@pytest.mark.parametrize("document", ["docs/jsonl.md"])
def test_examples_print_what_the_document_says(
    document: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    found = examples(document)
    assert found
    for command, printed in found:
        assert run_here(capsys, *shlex.split(command)).stdout == printed, command


def links(path: Path) -> list[str]:
    """Give the targets of a document's links to other files."""
    prose = re.sub(r"^ *```.*?^ *```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose)


def test_links_between_documents_lead_somewhere() -> None:
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for target in links(path):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_every_document_is_reached_from_the_readme() -> None:
    reached, left = set[Path](), [ROOT / "README.md"]
    while left:
        path = left.pop()
        if path in reached or path.suffix != ".md":
            continue
        reached.add(path)
        left += [(path.parent / target).resolve() for target in links(path)]
    assert {path.name for path in ROOT.glob("docs/*.md")} <= {path.name for path in reached}

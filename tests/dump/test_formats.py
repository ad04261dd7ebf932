# SPDX-License-Identifier: GPL-2.0-or-later
"""Formats that drgn's libraries refuse, and kernels that have to be looked for in memory."""

from collections.abc import Callable
import os
from pathlib import Path
import struct
import subprocess
import sys
from typing import Any
import zlib

from dumpfiles import Layout, flatten, hide_note, repack
from dumps import RECORDS, ROOT, SAMPLE, Run
import pytest

from lkst.dump import open_dump
from lkst.dump.vmcoreinfo import find_vmcoreinfo
from lkst.slice.kdump import Dump as Contents
from lkst.slice.kdump import Uts, write_dump
from lkst.source import open_source

pytestmark = pytest.mark.slow


def lzo(page: bytes) -> bytes:
    made: Any = pytest.importorskip("lzallright").LZOCompressor()
    return bytes(made.compress(page))


def snappy(page: bytes) -> bytes:
    return bytes(pytest.importorskip("cramjam").snappy.compress_raw(page))


def zstd(page: bytes) -> bytes:
    return bytes(pytest.importorskip("zstandard").compress(page))


CODECS: dict[int, Callable[[bytes], bytes]] = {
    0: bytes,
    1: zlib.compress,
    2: lzo,
    4: snappy,
    32: zstd,
}


def like_qemu(data: bytes) -> bytes:
    """Leave of the kernel's names what QEMU writes, the machine's; libkdumpfile wants more."""
    return data[:12] + bytes(260) + data[272:]


@pytest.mark.parametrize("flags", CODECS)
@pytest.mark.parametrize("flat", [False, True])
def test_by_qemu(sample: bytes, tmp_path: Path, lkst: Run, flags: int, flat: bool) -> None:
    data = like_qemu(repack(sample, flags, CODECS[flags]))
    path = tmp_path / "vmcore"
    path.write_bytes(flatten(data) if flat else data)
    result = lkst("replay", path, "--format", "jsonl")
    assert (result.status, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) == RECORDS


def test_state_knows_the_registers(sample: bytes, tmp_path: Path) -> None:
    path = tmp_path / "vmcore"
    path.write_bytes(like_qemu(sample))
    (trace,), (meant,) = open_source(str(path)), open_source(str(SAMPLE))
    end, wanted = trace.facts.end(), meant.facts.end()
    assert end is not None and wanted is not None
    assert end.panic_cpu == wanted.panic_cpu
    assert [end.cpu_stack(cpu) for cpu in end.current] == [
        wanted.cpu_stack(cpu) for cpu in wanted.current
    ]
    assert any(end.cpu_stack(cpu) for cpu in end.current)


@pytest.mark.parametrize("module", ["lzallright", "cramjam", "zstandard"])
def test_a_library_that_is_missing_is_asked_for(
    sample: bytes, tmp_path: Path, lkst: Run, module: str
) -> None:
    flags = {"lzallright": 2, "cramjam": 4, "zstandard": 32}[module]
    path = tmp_path / "vmcore"
    path.write_bytes(like_qemu(repack(sample, flags, CODECS[flags])))
    (tmp_path / f"{module}.py").write_text("raise ImportError\n")
    result = lkst("replay", path, env=os.environ | {"PYTHONPATH": str(tmp_path)})
    assert result.status == 3
    assert f"needs the Python package {module}: pip install 'lkst[dumps]'" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_pipe(sample: bytes, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["sh", "-c", f"cat {SAMPLE} >{pipe}"]) as writer:
        command = [sys.executable, "-m", "lkst", "list", str(pipe)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        assert writer.wait() == 0
    assert (done.returncode, done.stderr) == (0, "")


def with_text(text: bytes, sample: Path, *more: bytes) -> bytes:
    """Write a dump anew that has further pages of text in its memory, and no note."""
    dump = open_dump([sample])
    pages = {
        first // 4096 + index: dump.read(first + 4096 * index, 4096)
        for first, last in dump.ranges()
        for index in range((last + 1 - first) // 4096)
    }
    free = (number for number in range(1, 1 << 20) if number not in pages)
    for page in more:
        pages[next(free)] = page.ljust(4096, b"\0")
    from io import BytesIO

    file = BytesIO()
    contents = Contents(pages, 4096, "<", Uts(machine="x86_64", release="6", version="1"), text)
    write_dump(file, contents)
    return hide_note(file.getvalue())


class TestNoteless:
    @pytest.fixture
    def text(self) -> bytes:
        return open_dump([SAMPLE]).vmcoreinfo

    def test_stale_texts_are_not_believed(self, text: bytes, tmp_path: Path, lkst: Run) -> None:
        """Of another kernel, which crashed later; of this one, moved; and cut off."""
        other = text.replace(b"OSRELEASE=6", b"OSRELEASE=5") + b"CRASHTIME=9999999999\n"
        moved = text.replace(b"SYMBOL(init_uts_ns)=ffffffff", b"SYMBOL(init_uts_ns)=fffffffe")
        path = tmp_path / "vmcore"
        path.write_bytes(with_text(text, SAMPLE, other, moved, text[:300]))
        texts = [found for _, found in find_vmcoreinfo(open_dump([path]))]
        assert set(texts) >= {other, moved}
        assert text[:300] not in texts
        result = lkst("replay", path, "--format", "jsonl")
        assert result.status == 3
        assert f"one of {len(texts)}" in result.stderr
        assert "carved" not in result.stderr
        assert len(result.stdout.splitlines()) == RECORDS

    def test_no_text_at_all(self, text: bytes, tmp_path: Path, lkst: Run) -> None:
        data = with_text(text, SAMPLE)
        dump = tmp_path / "vmcore"
        dump.write_bytes(data)
        # Pages are compressed: make one whose memory has no such text.
        contents = open_dump([dump])
        pages = {}
        for first, last in contents.ranges():
            for address in range(first, last, 4096):
                page = contents.read(address, 4096)
                pages[address // 4096] = page.replace(b"OSRELEASE=", b"OSRELEASEX")
        with dump.open("wb") as file:
            names = Uts(machine="x86_64", release="6", version="1")
            write_dump(file, Contents(pages, 4096, "<", names, b"OSRELEASE=0\n"))
        result = lkst("replay", dump, "--format", "jsonl")
        assert result.status == 3
        assert "has no VMCOREINFO" in result.stderr
        assert "carved out of physical memory" in result.stderr
        assert len(result.stdout.splitlines()) == RECORDS

    def test_a_note_that_does_not_fit(self, text: bytes, sample: bytes, tmp_path: Path) -> None:
        path = tmp_path / "vmcore"
        layout = Layout(sample)
        (offset,) = struct.unpack_from("<Q", sample, layout.block + 32)
        data = bytearray(like_qemu(sample))
        data[offset : offset + 12] = b"OSRELEASE=5."
        path.write_bytes(data)
        (trace,) = open_source(str(path))
        assert len(trace) == RECORDS
        assert any("no usable VMCOREINFO" in note for note in trace.facts.notes)

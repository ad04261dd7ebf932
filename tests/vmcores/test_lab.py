# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's parts that need no guest, and the lab itself with one."""

import json
import os
from pathlib import Path
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

import cache
import elf
import initrd
import kernels
import lab
import pytest
from qmp import Framer, Qmp, QmpError
import run
from scenario import scenarios
from tools import LabError

pytestmark = pytest.mark.slow

LAB = Path(lab.__file__).resolve()

NAMES = [
    "linux-image-6.1.0-9-cloud-amd64-unsigned",
    "linux-image-6.1.0-10-cloud-amd64",
    "linux-image-6.1.0-10-cloud-amd64-unsigned",
    "linux-image-6.1.0-10-cloud-amd64-dbg",
    "linux-image-6.1.0-11-rt-amd64",
    "linux-image-6.12.9+deb12-cloud-amd64-unsigned",
    "linux-image-6.12.57+deb12-cloud-amd64-unsigned",
    "linux-image-7.0.4+deb13-cloud-amd64",
    "linux-binary-7.0.4+deb13-cloud-amd64",
    "linux-modules-7.0.4+deb13-cloud-amd64",
    "linux-base-7.0.4+deb13-cloud-amd64",
    "linux-binary-7.3.1+deb13-cloud-amd64",
    "linux-image-cloud-amd64",
    "linux-image-6.12-cloud-amd64",
]


def test_choose_takes_the_highest_number_not_the_last_name() -> None:
    newest, older = kernels.choose(NAMES, "6.1")
    assert newest.version == "6.1.0-10-cloud-amd64"
    assert newest.packages == ("linux-image-6.1.0-10-cloud-amd64",)
    assert newest.debug_package == "linux-image-6.1.0-10-cloud-amd64-dbg"
    assert older.packages == ("linux-image-6.1.0-9-cloud-amd64-unsigned",)
    assert older.debug_package is None
    assert kernels.choose(NAMES, "6.12")[0].version == "6.12.57+deb12-cloud-amd64"
    (only,) = kernels.choose(NAMES, "6.1-rt")
    assert only.version == "6.1.0-11-rt-amd64"


def test_choose_wants_all_parts_of_a_split_kernel() -> None:
    (only,) = kernels.choose(NAMES, "7")
    assert only.version == "7.0.4+deb13-cloud-amd64"
    assert {name.split("-")[1] for name in only.packages} == {"base", "binary", "modules"}


def test_module_chain_loads_what_is_needed_first() -> None:
    dependencies = """
kernel/virtio_ring.ko:
kernel/virtio.ko: kernel/virtio_ring.ko
kernel/virtio_blk.ko.xz: kernel/virtio.ko kernel/virtio_ring.ko
kernel/other.ko: kernel/virtio.ko
kernel/pvpanic-mmio.ko:
""".strip()
    assert initrd.module_chain(dependencies, ("virtio_blk", "built_in", "pvpanic_mmio")) == [
        "kernel/virtio_ring.ko",
        "kernel/virtio.ko",
        "kernel/virtio_blk.ko.xz",
        "kernel/pvpanic-mmio.ko",
    ]


@pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio is not installed")
def test_cpio_is_what_cpio_reads(tmp_path: Path) -> None:
    archive = initrd.cpio({"init": b"abc", "bin/busybox": b"\0" * 5})
    subprocess.run(["cpio", "-i", "--quiet"], input=archive, cwd=tmp_path, check=True)
    assert (tmp_path / "init").read_bytes() == b"abc"
    assert (tmp_path / "bin/busybox").read_bytes() == b"\0" * 5
    assert os.access(tmp_path / "init", os.X_OK)


def test_framer_joins_pieces() -> None:
    framer = Framer()
    assert framer.feed(b'{"a"') == []
    assert framer.feed(b': 1}\r\n{"b": 2}\n{') == ['{"a": 1}', '{"b": 2}']
    assert framer.feed(b"}\n") == ["{}"]


def test_qmp_tells_answers_from_events() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b'{"QMP": {}}\n{"event": "GUEST_PANICKED"}\n{"return": {"x": 1}}\n')
        qmp = Qmp(ours)
        assert qmp.execute("query", path="p") == {"x": 1}
        assert json.loads(theirs.recv(999)) == {"execute": "query", "arguments": {"path": "p"}}
        assert [event["event"] for event in qmp.events] == ["GUEST_PANICKED"]
        theirs.sendall(b'{"error": {"desc": "no such thing"}}\n')
        with pytest.raises(QmpError, match="no such thing"):
            qmp.execute("query")
        theirs.close()
        with pytest.raises(QmpError):
            qmp.execute("query")


def test_panic_message() -> None:
    console = "[ 1.0] x\n[ 2.0] Kernel panic - not syncing: sysrq triggered crash\r\n[ 2.0] y"
    assert run.panic_message(console) == "sysrq triggered crash"
    assert run.panic_message("[ 1.0] all is well") is None


@pytest.mark.parametrize(
    ("dump_format", "level", "command"),
    [
        ("kdump", None, "makedumpfile -c -d 31 /proc/vmcore '/o ut'"),
        ("elf", 1, "makedumpfile -E -d 1 /proc/vmcore '/o ut'"),
        ("flattened", None, "makedumpfile -F -c -d 31 /proc/vmcore >'/o ut'"),
    ],
)
def test_makedumpfile_command(dump_format: str, level: int | None, command: str) -> None:
    assert run.makedumpfile_command(dump_format, level, "/proc/vmcore", "/o ut") == command


def test_normalize_puts_program_headers_first(tmp_path: Path) -> None:
    # As QEMU writes it: two section headers between the two tables.
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = elf.HEADER.pack(ident, 4, 62, 1, 0, 192, 64, 0, 8, 56, 3, 64, 2, 1)
    programs = b"".join(struct.pack("<7Q", 4, number, 0, 0, 0, 0, 0) for number in range(3))
    dump = tmp_path / "dump"
    dump.write_bytes(header + b"s" * 128 + programs + b"data")
    elf.normalize(dump)
    after = dump.read_bytes()
    fields = elf.HEADER.unpack_from(after)
    assert fields[5:] == (64, 0, 0, 64, 56, 3, 0, 0, 0)
    assert after[64 : 64 + len(programs)] == programs
    assert after.endswith(b"data")
    dump.write_bytes(b"no dump")
    with pytest.raises(LabError):
        elf.normalize(dump)


def test_cache_makes_an_entry_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKST_CACHE", str(tmp_path))
    made: list[Path] = []

    def make(path: Path) -> None:
        made.append(path)
        time.sleep(0.05)
        (path / "file").write_text("x")

    def fail(path: Path) -> None:
        (path / "half").write_text("x")
        raise LabError("no")

    with pytest.raises(LabError):
        cache.entry("thing", "0" * 12, fail)
    assert not list((tmp_path / "lab").glob("*thing*0*"))
    threads = [
        threading.Thread(target=cache.entry, args=("thing", "0" * 12, make)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert (cache.entry("thing", "0" * 12, make) / "file").read_text() == "x"


def test_every_scenario_says_what_it_does() -> None:
    found = scenarios()
    assert "sysrq" in found
    assert "story" in found
    assert all(scenario.about for scenario in found.values())


def test_at_least_fourteen_deaths_have_a_truth() -> None:
    assert sum(scenario.has_truth for scenario in scenarios().values()) >= 14


def lab_run(out: Path, script: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run a script in a guest with Linux 6.1 and no recorder."""
    file = out.with_suffix(".sh")
    file.write_text(script)
    return subprocess.run(
        [
            *(sys.executable, str(LAB), "run", "--kernel", "6.1", "--no-record"),
            *("--script", str(file), "--out", str(out), *options),
        ],
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_run_leaves_a_dump_that_drgn_opens(tmp_path: Path) -> None:
    out = tmp_path / "run"
    script = """
grep -q tracefs /proc/mounts && grep -q ' bpf ' /proc/mounts || exit 9
uname -r >/out/release
lab dump live
# Not synced by hand: what was written must outlive the panic all the same.
echo after >/out/after
"""
    done = lab_run(out, script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(str(out / "vmcore"))
    assert (out / "out" / "after").read_text() == "after\n"
    release = (out / "out" / "release").read_text().strip()
    assert "Kernel panic - not syncing: sysrq triggered" in (out / "console.log").read_text()
    assert sorted(path.name for path in out.iterdir()) == ["console.log", "live", "out", "vmcore"]

    import drgn

    for name in ("vmcore", "live"):
        prog = drgn.Program()
        prog.set_core_dump(out / name)
        assert prog["UTS_RELEASE"].string_().decode() == release
    dmesg = out / "dmesg"
    for name, panicked in (("vmcore", True), ("live", False)):
        # The log's place is known from the dump's VMCOREINFO alone.
        subprocess.run(
            ["makedumpfile", "-f", "--dump-dmesg", str(out / name), str(dmesg)],
            check=True,
            capture_output=True,
        )
        text = dmesg.read_text(errors="replace")
        assert f"Linux version {release}" in text
        assert ("Kernel panic - not syncing: sysrq triggered" in text) is panicked


def test_run_fails_with_the_script(tmp_path: Path) -> None:
    done = lab_run(tmp_path / "run", "echo this went wrong; echo kept >/out/kept; exit 7")
    assert done.returncode == 1
    assert "the script failed with status 7" in done.stderr
    assert "this went wrong" in done.stderr
    assert (tmp_path / "run" / "out" / "kept").read_text() == "kept\n"
    assert not (tmp_path / "run" / "vmcore").exists()

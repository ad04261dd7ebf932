# SPDX-License-Identifier: GPL-2.0-or-later
"""
What a probe costs beside a static event and bpftrace's, and how long adding one takes.

Needs root. What this kernel cannot do, a guest does whose processor is emulated: there,
an instruction takes about as long as any other, and only ratios say something.
"""

from collections.abc import Collection, Iterator
import json
from pathlib import Path
import re
import shutil
import subprocess
import sys
import tempfile

from bench.probes import PROBES, Taken, compare
from bench.result import Result
from bench.ways import mounted, needs

HERE = Path(__file__).parent
LAB = HERE.parents[1] / "vmcores" / "lab.py"
KERNEL = "6.12"

#: What is measured, against what, and what is to be reached.
RATIOS = (
    ("tracepoint", "static", "a static event", 1.3),
    ("fentry", "static", "a static event", 1.3),
    ("kprobe", "bpftrace", "bpftrace's", 1.0),
)
MOST_MS = 100

ROUNDS = 11
#: bpftrace alone takes half a minute there.
GUEST_ROUNDS = 5

#: bpftrace is this machine's own, with the libraries that the guest lacks.
SCRIPT = """
mkdir -p /tmp/tools/bench
cd /tmp/tools
cp /lab/files/*.py bench
cp /lab/files/syscalls .
tar -xf /lab/files/bpftrace.tar
printf '#!/bin/sh\nLD_LIBRARY_PATH=/tmp/tools/lib exec /tmp/tools/lib/bpftrace "$@"\n' >bpftrace
chmod +x bpftrace syscalls
export PATH=/tmp/tools:$PATH PYTHONPATH=/lab/project:/tmp/tools
python3 -m bench.probes ./syscalls GUEST_ROUNDS >/out/taken.json
"""


def measure() -> Iterator[Result]:
    """Compare probes with a static event, and with bpftrace's, in turns."""
    needs("bpftrace")
    mounted()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = folder / "syscalls"
        flags = ["-O2", "-pthread", "-static"]
        subprocess.run(["clang", *flags, HERE / "syscalls.c", "-o", program], check=True)
        here = compare(program, ROUNDS)
        yield from _results(here, PROBES.keys() - here.reasons.keys(), "")
        if here.reasons:
            there = _in_guest(program, folder)
            yield from _results(there, here.reasons, f", emulated {KERNEL}")


def _results(taken: Taken, ways: Collection[str], where: str) -> Iterator[Result]:
    for way, base, against, most in RATIOS:
        if way not in ways:
            continue
        name = f"{way} probe{where}"
        why = taken.reasons.get(way) or taken.reasons.get(base, "")
        if why:
            yield Result(name, [], "ns", why=why)
            continue
        over = {
            key: [a - none for a, none in zip(taken.calls[key], taken.calls["none"], strict=True)]
            for key in (way, base)
        }
        yield Result(name, over[way], "ns", most, against=against, others=over[base])
        # How fast an emulated processor is says nothing of real ones.
        yield Result(f"adding a {name}", taken.adding[way], "ms", None if where else MOST_MS)


def _in_guest(program: Path, folder: Path) -> Taken:
    """Measure where the kernel has fentry and kprobes."""
    script = folder / "script.sh"
    script.write_text(SCRIPT.replace("GUEST_ROUNDS", str(GUEST_ROUNDS)))
    files = [program, _packed(folder), *(HERE / name for name in ("probes.py", "ways.py"))]
    out = folder / "guest"
    words = ["--kernel", KERNEL, "--no-record", "--memory", "1024", "--timeout", "1800"]
    words += [f"--file={file}" for file in files]
    words += [f"--script={script}", f"--out={out}"]
    subprocess.run([sys.executable, LAB, "run", *words], check=True, stdout=sys.stderr)
    return Taken(**json.loads((out / "out" / "taken.json").read_text()))


def _packed(folder: Path) -> Path:
    """Pack bpftrace and the libraries that it needs."""
    program = shutil.which("bpftrace")
    assert program
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    libraries = re.findall(r"=> (/\S+)", said)
    tools = folder / "tools" / "lib"
    tools.mkdir(parents=True)
    shutil.copy(program, tools)
    for library in libraries:
        # Those of the guest fit its loader.
        if not re.match(r"lib(c|m|dl|rt|pthread)\.so", Path(library).name):
            shutil.copy(library, tools)
    archive = folder / "bpftrace.tar"
    subprocess.run(["tar", "-C", tools.parent, "-cf", archive, "lib"], check=True)
    return archive

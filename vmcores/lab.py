# SPDX-License-Identifier: GPL-2.0-or-later
"""
The lab: real kernels, real panics, real dumps, on any machine with QEMU.

`./dev lab run` boots a small Debian guest, starts the recorder in it, runs a
scenario that ends in a panic, and leaves the dump.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import shutil
import signal
import sys
import tempfile
from types import FrameType

import click
from image import get_image
from kernels import KERNELS, SERIES, get_kernel
from run import CRASHKERNEL_MIB, Options, run
from scenario import scenarios
from score import FIRST, score
from tools import LabError

TAIL_LINES = 30


@click.group()
def main() -> None:
    """Make real dumps of real kernels."""


@main.command("scenarios")
def list_scenarios() -> None:
    """List the scenarios."""
    for name, scenario in scenarios().items():
        click.echo(f"{name:14} {scenario.about}")


@main.command()
@click.argument("kernels", nargs=-1, type=click.Choice(KERNELS))
def prepare(kernels: tuple[str, ...]) -> None:
    """Fetch kernels (those named, or one of each series) and build the guest."""
    with _told():
        for name in kernels or SERIES:
            click.echo(f"kernel {get_kernel(name).version}")
        get_image()
        click.echo("image")


@main.command("run")
@click.option("--kernel", type=click.Choice(KERNELS), required=True)
@click.option("--scenario", help="What to run, by name.  [default: sysrq]")
@click.option(
    "--script",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Shell script to run as root instead.",
)
@click.option(
    "--capture",
    type=click.Choice(["memory", "kdump"]),
    default="memory",
    show_default=True,
    help="Who dumps: QEMU, or a capture kernel, which leaves DIR/grab, too.",
)
@click.option("--cpus", type=click.IntRange(1, 64), default=2, show_default=True)
@click.option(
    "--possible-cpus",
    type=click.IntRange(1, 255),
    metavar="N",
    help="CPUs that could be plugged in, those of --cpus among them.  [default: --cpus]",
)
@click.option(
    "--memory",
    type=click.IntRange(min=128),
    metavar="MIB",
    help="[default: 256, with --capture kdump 640]",
)
@click.option("--record", default="", metavar="ARGS", help="Arguments of `lkst start`.")
@click.option("--no-record", is_flag=True, help="Do not start the recorder.")
@click.option("--debuginfo", is_flag=True, help="Leave DIR/vmlinux with DWARF, too.")
@click.option(
    "--dump-format",
    type=click.Choice(["elf", "kdump", "flattened"]),
    help="[default: elf, with --capture kdump kdump]",
)
@click.option(
    "--dump-level",
    type=click.IntRange(0, 31),
    help="Pages to leave out, as makedumpfile -d.  [default: 31; memory elf: none]",
)
@click.option(
    "--one-thread/--thread-per-cpu",
    help="Emulate the CPUs in turns: no code that one patches is stale on another.",
)
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File for the guest, which finds it in /lab/files.  May be repeated.",
)
@click.option("--append", default="", metavar="WORDS", help="More of the kernel's command line.")
@click.option(
    "--before-dump",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Shell script that the capture kernel runs first; it leaves /dump/out as DIR/out/capture.",
)
@click.option("--timeout", type=float, default=400, show_default=True, metavar="S")
@click.option(
    "--qmp",
    type=click.Path(path_type=Path),
    help="Socket for others to talk to the guest's monitor.",
)
@click.option(
    "--hold",
    is_flag=True,
    help='Instead of the panic: print "ready" and run on until standard input ends.',
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for vmcore, console.log and out/.",
)
def run_command(
    kernel: str,
    scenario: str | None,
    script: Path | None,
    capture: str,
    cpus: int,
    possible_cpus: int | None,
    memory: int | None,
    record: str,
    no_record: bool,
    debuginfo: bool,
    dump_format: str | None,
    dump_level: int | None,
    one_thread: bool,
    files: tuple[Path, ...],
    append: str,
    before_dump: Path | None,
    timeout: float,
    qmp: Path | None,
    hold: bool,
    out: Path,
) -> None:
    """Boot a guest, record, run a scenario to its panic, and keep the dump."""
    if scenario is not None and script is not None:
        raise click.UsageError("--scenario and --script exclude each other")
    if script is None:
        scenario = scenario or "sysrq"
        if scenario not in scenarios():
            raise click.UsageError(f"no scenario {scenario!r}; there are: {', '.join(scenarios())}")
        script = scenarios()[scenario].script
    if possible_cpus is not None and possible_cpus < cpus:
        raise click.UsageError("--possible-cpus is less than --cpus")
    kdump = capture == "kdump"
    if before_dump and not kdump:
        raise click.UsageError("--before-dump goes with --capture kdump")
    if memory is None:
        memory = 640 if kdump else 256
    elif kdump and memory < 2 * CRASHKERNEL_MIB:
        raise click.UsageError(f"--capture kdump needs {2 * CRASHKERNEL_MIB} MiB")
    out = out.resolve()
    options = Options(
        out=out,
        kernel=kernel,
        script=script,
        capture=capture,
        cpus=cpus,
        possible_cpus=possible_cpus,
        memory=memory,
        record=None if no_record else record,
        debuginfo=debuginfo,
        dump_format=dump_format or ("kdump" if kdump else "elf"),
        dump_level=dump_level,
        timeout=timeout,
        hold=hold,
        qmp=qmp.resolve() if qmp else None,
        one_thread=one_thread,
        files=files,
        append=append,
        before_dump=before_dump,
    )
    with _told(out / "console.log"):
        run(options, click.echo)
    vmcore = out / "vmcore"
    if vmcore.exists():
        click.echo(f"{vmcore} ({vmcore.stat().st_size >> 20} MiB)")
    else:  # a guest that was held
        click.echo(f"{out}")


@main.command("score")
@click.option(
    "--kernel",
    "kernels",
    type=click.Choice(KERNELS),
    multiple=True,
    help="[default: one of each series]",
)
@click.option("--scenario", "names", multiple=True, help="[default: all that know their culprit]")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to keep the dumps in, 256 MiB each.  [default: they are removed]",
)
def score_command(kernels: tuple[str, ...], names: tuple[str, ...], out: Path | None) -> None:
    """
    Tell whether `lkst state` names the culprit of each scenario, on each kernel.

    The exit status is 1 if it does not, or a run fails.
    """
    known = {name: scenario for name, scenario in scenarios().items() if scenario.has_truth}
    for name in names:
        if name not in known:
            raise click.UsageError(f"no scenario {name!r} with a truth: {', '.join(known)}")
    results = []
    with _told(), tempfile.TemporaryDirectory(prefix="lkst-score-") as temporary:
        for kernel in kernels or SERIES:
            for name in names or known:
                folder = (out or Path(temporary)).resolve() / f"{kernel}-{name}"
                results.append(score(kernel, known[name], folder, lambda text: None))
                click.echo(str(results[-1]))
                if out is None:
                    shutil.rmtree(folder, ignore_errors=True)
    right = sum(result.is_right for result in results)
    click.echo(f"{right} of {len(results)} culprits are among the first {FIRST} suspicions")
    if right < len(results):
        sys.exit(1)


@contextmanager
def _told(console: Path | None = None) -> Iterator[None]:
    # Turns what goes wrong into words and an exit status.
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except LabError as error:
        if console is not None and console.exists():
            lines = console.read_text(errors="replace").splitlines()
            for line in lines[-TAIL_LINES:]:
                click.echo(line, err=True)
        click.echo(f"lab: {error}", err=True)
        sys.exit(1)


def _terminate(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""``lkst`` as a command of crash: help, usage, redirection, files of commands."""

from pathlib import Path

from crashes import Crash, lines_of
from dumps import Run
import pytest

pytestmark = pytest.mark.slow


def test_commands(crash: Crash, lkst: Run) -> None:
    said = crash.run(
        "help lkst",
        "lkst list > list",
        "lkst events 'sched_*' > events",
        "lkst replay --event sched_switch,irq --last 20 --format csv > csv",
        "lkst replay --event 'sched_switch, irq' --last 20 --format csv > quoted",
        "lkst counts",
        "lkst measure softirq-time > measure",
        "lkst sql 'SELECT count(*) AS n, max(duration_ns) AS longest FROM softirqs' > sql",
        "lkst replay | head -n 1",
        "lkst replay | tail -n 1",
        "lkst save -o trace.lkst",
        "lkst slice -o slice",
        "lkst replay --comm nobody",
        "extend -u lkst.so",
        "lkst list",
    )
    vmcore = crash.dump.vmcore
    read = {name: (crash.folder / name).read_text() for name in ("list", "events", "csv")}
    assert read["list"] == lkst("list", vmcore).stdout
    assert read["events"] == lkst("events", vmcore, "sched_*").stdout
    words = ("--event", "sched_switch,irq", "--last", "20", "--format", "csv")
    assert read["csv"] == lkst("replay", vmcore, *words).stdout
    assert (crash.folder / "quoted").read_text() == read["csv"]
    assert (crash.folder / "measure").read_text() == lkst("measure", vmcore, "softirq-time").stdout
    query = "SELECT count(*) AS n, max(duration_ns) AS longest FROM softirqs"
    assert (crash.folder / "sql").read_text() == lkst("sql", vmcore, query).stdout
    for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES"):
        assert said.splitlines().count(heading) == 1
    assert f"source     {vmcore} (vmcore)" in said.splitlines()
    assert "panic  sysrq triggered crash" in said
    whole = lkst("replay", vmcore).stdout.partition("\n")[2]
    for name in ("trace.lkst", "slice"):
        assert lkst("replay", crash.folder / name).stdout.partition("\n")[2] == whole
    assert "lkst: nothing was counted" in said
    assert "lkst: no record matched" in said
    assert "shared object unloaded" in said
    assert "command not found: lkst" in said
    # One process did all of that.
    assert len(crash.pids()) == 1


def test_usage(crash: Crash) -> None:
    said = crash.run("lkst", "lkst replay --nonsense", "lkst replay other", "lkst nonsense")
    assert said.count("Usage:\n  lkst COMMAND [ARGUMENT ...]") == 4
    assert "lkst: No such option '--nonsense'" in said
    assert f"lkst: SOURCE cannot be given here: it is {crash.dump.vmcore}" in said
    assert "lkst: No such command 'nonsense'" in said


def test_errors_stay_out_of_a_file(crash: Crash) -> None:
    said = crash.run("lkst replay --comm nobody > file", "set error redirect", "lkst x > other")
    assert "lkst: no record matched" in said
    assert "no record matched" not in (crash.folder / "file").read_text()
    assert "No such command 'x'" in (crash.folder / "other").read_text()


def test_files_of_commands(crash: Crash) -> None:
    """Read commands from ~/.crashrc and a file, where crash waits for all its children."""
    home = Path(crash.environment()["HOME"])
    (home / ".crashrc").write_text("extend lkst.so\nlkst replay | head -n 3 | tail -n 1\n")
    commands = crash.folder / "commands"
    commands.write_text("lkst replay | tail -n 9 | tail -n 1\nlkst list > list\n")
    said = crash.run("lkst list | head -n 1", options=("-i", commands), load=None)
    assert len(lines_of(said, "machine    lkst-lab")) == 1
    assert len(lines_of(said, "panic  sysrq triggered crash")) == 1
    assert len(lines_of(said, "source")) == 1
    assert (crash.folder / "list").read_text().startswith("source")
    assert len(crash.pids()) == 1


def test_drgn_scripts(crash: Crash) -> None:
    script = crash.folder / "script.py"
    script.write_text(
        "import sys\n"
        "from drgn import FaultError\n"
        "print(sys.argv, __name__, prog['init_task'].comm.string_().decode())\n"
        "try:\n"
        "    prog.read(1 << 50, 8, True)\n"
        "except FaultError as error:\n"
        "    print('no such memory:', hex(error.address))\n"
        "((first, last),) = prog.cache['lkst_dump'].ranges\n"
        "print('memory of', round((last + 1 - first) / (1 << 20)), 'MiB')\n"
        "sys.exit('the end')\n"
    )
    wrong = crash.folder / "wrong.py"
    wrong.write_text("import sys\nsys.exit(2)\n")
    said = crash.run(
        f"lkst drgn {wrong}",
        f"lkst drgn {script} -x y",
        "lkst drgn none.py",
        "lkst drgn",
        "sys > sys",
    )
    assert f"['{script}', '-x', 'y'] __main__ swapper/0" in said
    assert "no such memory: 0x4000000000000" in said
    # As told by crash; what makes holes in it, the dump's own index tells.
    assert "memory of 256 MiB" in said or "memory of 255 MiB" in said
    assert "the end" in said
    assert "lkst: none.py: no such script" in said
    assert "drgn's prompt needs a terminal" in said
    # A status of 2 is the script's own business.
    assert "Usage" not in said
    assert "RELEASE" in (crash.folder / "sys").read_text()

# SPDX-License-Identifier: GPL-2.0-or-later
"""At a terminal: the prompts of drgn and of ``lkst sql``, and crash's pager."""

import time

from crashes import Crash
from dumps import ENDLESS, Run
import pytest

pytestmark = pytest.mark.slow


def test_prompt(crash: Crash) -> None:
    with crash.terminal(pager=True) as terminal:
        terminal.type("extend lkst.so")
        terminal.send("lkst drgn\n")
        terminal.expect("from drgn.helpers.linux import *\r\n>>> ")
        terminal.send("print(6 * 7, prog['init_task'].comm.string_())\n")
        terminal.expect("42 b'swapper/0'\r\n>>> ")
        # Ctrl-C is the prompt's, and what is asked after it is answered.
        # (Python may not see one that comes between two lines before the next key.)
        terminal.send("address = prog['init_task'].address_\n")
        loop = "for n in range(1 << 60): x = prog.read(address, 1 << 15), n or print('reads')"
        terminal.send(loop + "\n\n")
        terminal.expect("reads\r\n")
        terminal.send("\x03")
        terminal.expect("KeyboardInterrupt\r\n>>> ")
        terminal.send("%lkst replay --last 1 | tail -n 1\n")
        terminal.expect("panic  sysrq triggered crash")
        terminal.send("exit()\n")
        terminal.expect("crash> ")
        terminal.type("sym panic", "(T) panic")


@pytest.mark.parametrize("pager", [False, True])
def test_sql_prompt(crash: Crash, lkst: Run, pager: bool) -> None:
    query = "SELECT count(*) AS n FROM events WHERE event = 'panic' OR cpu = 0;"
    answer = lkst("sql", crash.dump.vmcore, query).stdout.replace("\n", "\r\n")
    assert answer.split()[-1].isdigit()
    with crash.terminal(pager=pager) as terminal:
        terminal.type("extend lkst.so")
        terminal.send("lkst sql --format text\n")
        terminal.expect("lkst> ")
        terminal.send(f"{query}\n")
        terminal.expect(answer)
        terminal.expect("lkst> ")
        # Ctrl-C drops what was typed, and ends a query; the prompt stays.
        terminal.send("SELECT 1 +\n")
        terminal.expect("..> ")
        terminal.send("\x03")
        terminal.expect("lkst> ")
        terminal.send(f"SELECT 'begun' AS w; {ENDLESS};\n")
        terminal.expect("\nbegun\r\n")
        time.sleep(0.5)
        terminal.send("\x03")
        terminal.expect("interrupted\r\n")
        terminal.expect("lkst> ")
        terminal.send(".quit\n")
        terminal.expect("crash> ")
        terminal.type("sym panic", "(T) panic")
        # One that has a query, or an output that is not the terminal, does not ask.
        terminal.type("lkst sql 'SELECT 6 * 7 AS n'", "42\r\n")
        terminal.type("lkst sql > out", "QUERY is missing")


def test_sql_without_a_query_and_a_terminal(crash: Crash) -> None:
    said = crash.run("lkst sql")
    assert said.count("lkst: QUERY is missing") == 1


def test_pager(crash: Crash) -> None:
    with crash.terminal(pager=True) as terminal:
        terminal.type("extend lkst.so")
        terminal.send("lkst replay\n")
        terminal.expect("-- MORE --")
        assert terminal.seen.count("\n") < 200
        terminal.send("q")
        terminal.expect("crash> ")
        terminal.send("lkst replay --comm nobody\n")
        terminal.expect("lkst: no record matched")
        terminal.expect("crash> ")
        assert len(crash.pids()) == 1

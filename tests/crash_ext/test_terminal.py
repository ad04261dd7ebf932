# SPDX-License-Identifier: GPL-2.0-or-later
"""At a terminal: drgn's prompt, and crash's pager."""

from crashes import Crash


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

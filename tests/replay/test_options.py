# SPDX-License-Identifier: GPL-2.0-or-later
"""Filters on the command line."""

import click
from click.testing import CliRunner
import pytest

from lkst.cli.filter_options import filter_options
from lkst.errors import Usage
from lkst.trace.filters import Filters


def read(*words: str) -> Filters:
    """Give what a command gets for the words after its name."""
    got: list[Filters] = []

    @click.command()
    @click.argument("source")
    @filter_options
    @click.option("--other", is_flag=True)
    def command(source: str, filters: Filters, other: bool) -> None:
        assert source == "vmcore"
        got.append(filters)

    result = CliRunner().invoke(command, ["vmcore", *words], standalone_mode=False)
    if result.exception:
        raise result.exception
    return got[0]


def test_none() -> None:
    assert read() == Filters()


def test_all() -> None:
    assert read(
        *("--cpu", "0,2-3", "--pid", "12,34", "--comm", "sh", "--event", "sched_*,irq"),
        *("--last", "5", "--since", "-2s", "--until", "-0.5s", "--other"),
        *("--buffer", "main,spare*"),
    ) == Filters(
        cpus=frozenset({0, 2, 3}),
        pids=frozenset({12, 34}),
        comms=("sh",),
        events=("sched_*", "irq"),
        buffers=("main", "spare*"),
        last=5,
        since=-2_000_000_000,
        until=-500_000_000,
    )


def test_given_twice() -> None:
    assert read("--cpu", "0", "--cpu", "2", "--event", "a", "--event", "b") == Filters(
        cpus=frozenset({0, 2}), events=("a", "b")
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--cpu", "x"), "--cpu: 'x' is not a CPU"),
        (("--cpu", ""), "--cpu: a CPU is missing"),
        (("--pid", "sh"), "--pid: 'sh' is not a pid"),
        (("--comm", ""), "--comm: a name is missing"),
        (("--event", "a,,b"), "--event: a name is missing"),
        (("--last", "0"), "--last: '0' is not a number"),
        (("--since", "yesterday"), "--since: 'yesterday' is not a time"),
        (("--until", ""), "--until: '' is not a time"),
        (("--since", "-1s", "--until", "-2s"), "--since is after --until"),
    ],
)
def test_nonsense(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(Usage, match=message):
        read(*words)


def test_quotes_do_not_reach_into_the_next_option() -> None:
    assert read("--comm", '"a,b"', "--comm", "c*").comms == ("a,b", "c*")
    with pytest.raises(Usage, match=r"^--comm: .* is not a list of names"):
        read("--comm", '"a', "--comm", 'b"')


def test_names_in_quotes_are_literal() -> None:
    assert read("--comm", '"[k]*?", sh*').comms == ("[[]k][*][?]", "sh*")
    assert read("--comm", '""').comms == ("",)
    for text in (r'"\q"', r'"\x00"', r'"\ud800"', r'"\U00110000"', '"a" b', '"a"**'):
        with pytest.raises(Usage, match=r"^--comm: "):
            read("--comm", text)

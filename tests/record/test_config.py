# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration: what it says, and what is told about one that is wrong."""

from pathlib import Path
import re

from hypothesis import given
from hypothesis import strategies as st
import pytest

from lkst.decode.catalogue import Catalogue
from lkst.errors import LkstError, Usage
from lkst.record.buffers import DEFAULT_RING_BYTES
from lkst.record.lifecycle.config import (
    DEFAULT_CONFIG_TEXT,
    BufferConfig,
    Config,
    Heartbeat,
    Trigger,
    UserHandler,
    load_config,
    parse_config,
)
from lkst.record.trigger.actions import Actions
from lkst.record.trigger.compile import compile_expression
from lkst.record.trigger.value_names import LiveNames
from lkst.util.units import Rate

SECOND = 10**9

FULL = """\
maskset = "web"
size = "512K"
save_old = ""

[[buffer]]
name = "spare"
size = "1M"

[[buffer]]
name = "other"
size = "4KiB"

[[trigger]]
name = "oom"
when = "mark_victim  or panic"
do = "stack, notify, mask=all for 5s"
at_most = "10/min"

[[trigger]]
name = "slow"
when = "test_delay > 50ms"
do = "freeze"

[[handler]]
name = "mine"
file = "/etc/lkst/handlers/mine.bpf.o"

[heartbeat]
every = "500ms"
miss = "1min"
do = "freeze after 100"
"""


def refusal(text: str) -> list[str]:
    with pytest.raises(Usage) as raised:
        parse_config(text, "lkst.toml")
    return str(raised.value).splitlines()


def test_nothing_said() -> None:
    assert parse_config("", "lkst.toml") == Config()
    assert Config() == Config("default", None, Path("/var/lib/lkst"))
    assert parse_config("[heartbeat]\n", "lkst.toml").heartbeat == Heartbeat(
        SECOND, 5 * SECOND, Actions(notify=True)
    )


def test_the_default_file_says_the_defaults() -> None:
    assert parse_config(DEFAULT_CONFIG_TEXT, "lkst.toml") == Config()
    # What it says to be the case anyway, is.
    uncommented = re.sub(r"^#(?! )", "", DEFAULT_CONFIG_TEXT, flags=re.MULTILINE)
    assert uncommented.count("\n#") < DEFAULT_CONFIG_TEXT.count("\n#")
    config = parse_config(uncommented, "lkst.toml")
    assert (config.maskset, config.size, config.save_old) == (
        Config().maskset,
        DEFAULT_RING_BYTES,
        Config().save_old,
    )
    assert config.heartbeat == Heartbeat()
    assert [len(part) for part in (config.buffers, config.triggers, config.handlers)] == [1, 1, 1]


def test_the_default_file_s_trigger_can_be_compiled(catalogue: Catalogue) -> None:
    (when,) = re.findall(r'^#when = "(.*)"$', DEFAULT_CONFIG_TEXT, re.MULTILINE)
    (clause,) = compile_expression(when, catalogue, LiveNames())
    assert clause.event.name == "mark_victim"


def test_everything_said() -> None:
    assert parse_config(FULL, "lkst.toml") == Config(
        maskset="web",
        size=512 << 10,
        save_old=None,
        buffers=(BufferConfig("spare", 1 << 20), BufferConfig("other", 4096)),
        triggers=(
            Trigger(
                "oom",
                "mark_victim or panic",
                Actions(notify=True, stack=True, maskset="all", duration=5 * SECOND),
                Rate(10, 60 * SECOND),
            ),
            Trigger("slow", "test_delay > 50ms", Actions(freeze=0)),
        ),
        handlers=(UserHandler("mine", Path("/etc/lkst/handlers/mine.bpf.o")),),
        heartbeat=Heartbeat(SECOND // 2, 60 * SECOND, Actions(freeze=100)),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('maskst = "a"', "maskst: no such key: did you mean maskset?"),
        ("xyzzy = 1", "xyzzy: no such key"),
        ("maskset = 5", 'maskset: 5 is not a text: use "..."'),
        ("maskset = true", "maskset: true is not a text"),
        ("maskset = []", "maskset: [] is not a text"),
        ('maskset = "a b"', "maskset: 'a b' is not a valid name for a maskset"),
        ("size = 1048576", "size: 1048576 is not a text"),
        ('size = "big"', "size: 'big' is not a size: use 512K, 1M, 1G"),
        ('size = "0"', "size: a size of 0 holds no record"),
        (f'size = "{"9" * 5000}"', "size: not a size"),
        ('save_old = "var"', "save_old: 'var' is not an absolute path"),
        ('save_old = "/a\\u0000"', "is not an absolute path"),
        ("buffer = 5", "buffer: is not a list of tables: use [[buffer]]"),
        ("buffer = [5]", "buffer: is not a list of tables"),
        ("[buffer]", "buffer: is not a list of tables"),
        ('[[buffer]]\nsize = "1M"', "buffer[1].name: is missing"),
        ('[[buffer]]\nname = "a"', "buffer[1].size: is missing"),
        (
            '[[buffer]]\nname = "a"\nsize = "1M"\nsise = "2M"',
            "buffer[1].sise: no such key: did you mean size?",
        ),
        (
            '[[buffer]]\nname = "a"\nsize = "1M"\n' * 2,
            "buffer[2].name: buffer 1 has the same name 'a'",
        ),
        ('[[handler]]\nname = "a"\nfile = "a.o"', "handler[1].file: 'a.o' is not an absolute path"),
        (
            '[[handler]]\nname = "record"\nfile = "/a.o"',
            "handler[1].name: 'record' is not a valid name for a handler: a built-in",
        ),
        (
            '[[trigger]]\nname = "a"\nwhen = "panic &&"\ndo = "notify"',
            "trigger[1].when: column 7: expected",
        ),
        (
            '[[trigger]]\nname = "a"\nwhen = "panic"\ndo = "notfy"',
            "trigger[1].do: no action is called 'notfy'",
        ),
        (
            '[[trigger]]\nname = "a"\nwhen = "panic"\ndo = "notify"\nat_most = "10"',
            "trigger[1].at_most: '10' is not a rate: use 10/s",
        ),
        ("[[heartbeat]]", "heartbeat: is not a table: use [heartbeat]"),
        ('[heartbeat]\nevery = "1"', "heartbeat.every: '1' is not a duration"),
        ('[heartbeat]\nevery = "1us"', "heartbeat.every: '1us' is too short: at least 1ms"),
        ('[heartbeat]\nevery = "5s"', "heartbeat.miss: must be longer than 'every'"),
        ('[heartbeat]\nmis = "5s"', "heartbeat.mis: no such key: did you mean miss?"),
        ("a = \nb = 5", "(at line 1, column 5)"),
        ('a = "1"\na = "2"\n', "(at line 2, column 8)"),
        (f"a = {'9' * 5000}", "lkst.toml: "),
        ("a = " + "[" * 5000, "lkst.toml: "),
    ],
)
def test_refused(text: str, said: str) -> None:
    (line,) = refusal(text)
    assert line.startswith("lkst.toml: ")
    assert said in line


def test_all_that_is_wrong_is_told_at_once() -> None:
    text = """\
size = "big"
save_odl = ""
[[trigger]]
when = "and"
[[trigger]]
name = "a"
do = 5
[heartbeat]
every = 1
"""
    assert [line.split(": ")[1] for line in refusal(text)] == [
        "size",
        "trigger[1].when",
        "trigger[1].name",
        "trigger[1].do",
        "trigger[2].do",
        "trigger[2].when",
        "heartbeat.every",
        "save_odl",
    ]


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "lkst.toml"
    assert load_config(path) == Config()
    path.write_text(FULL)
    assert load_config(path) == parse_config(FULL, "")
    path.write_text("size = 5\n")
    with pytest.raises(Usage, match=f"^{re.escape(str(path))}: size: "):
        load_config(path)
    path.write_bytes(b"\xff")
    with pytest.raises(Usage, match="is not a text"):
        load_config(path)
    with pytest.raises(LkstError, match="Is a directory"):
        load_config(tmp_path)


values = st.recursive(
    st.none().map(lambda _: "1979-05-27") | st.integers() | st.booleans() | st.just('"a"'),
    lambda inner: st.lists(inner, max_size=2),
)
keys = st.sampled_from(["maskset", "size", "buffer", "trigger", "heartbeat", "handler", "x"])
lines = st.one_of(
    st.builds("{} = {}".format, keys, values),
    st.builds("[{}]".format, keys),
    st.builds("[[{}]]".format, keys),
    st.sampled_from(['name = "a"', 'do = "notify"', 'when = "panic"', 'file = "/a"', "#"]),
)


@given(st.lists(lines).map("\n".join) | st.text())
def test_nothing_but_usage_is_raised(text: str) -> None:
    try:
        assert isinstance(parse_config(text, "lkst.toml"), Config)
    except Usage as error:
        assert str(error).startswith("lkst.toml: ")

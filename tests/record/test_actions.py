# SPDX-License-Identifier: GPL-2.0-or-later
"""Actions of triggers, and the times and rates in them."""

from hypothesis import given
from hypothesis import strategies as st
import pytest

from lkst.errors import Usage
from lkst.record.trigger.actions import Actions, format_actions, parse_actions
from lkst.util.units import Rate, format_duration, format_rate, parse_duration, parse_rate

SECOND = 10**9


@pytest.mark.parametrize(
    ("text", "actions", "canonical"),
    [
        ("notify", Actions(notify=True), "notify"),
        ("stack,notify", Actions(notify=True, stack=True), "notify, stack"),
        ("switch", Actions(switch=True), "switch"),
        ("freeze", Actions(freeze=0), "freeze"),
        ("freeze after 0", Actions(freeze=0), "freeze"),
        (" freeze  after 2000 ", Actions(freeze=2000), "freeze after 2000"),
        ("mask=all", Actions(maskset="all"), "mask=all"),
        ("mask = all  for 5 s", Actions(maskset="all", duration=5 * SECOND), "mask=all for 5s"),
        (
            "freeze after 5,mask=m-1 for 1500us,notify",
            Actions(notify=True, freeze=5, maskset="m-1", duration=1_500_000),
            "notify, freeze after 5, mask=m-1 for 1500us",
        ),
    ],
)
def test_actions(text: str, actions: Actions, canonical: str) -> None:
    assert parse_actions(text) == actions
    assert format_actions(actions) == canonical
    assert parse_actions(canonical) == actions


@given(
    st.builds(
        Actions,
        notify=st.booleans(),
        stack=st.booleans(),
        switch=st.booleans(),
        freeze=st.none() | st.integers(0, (1 << 32) - 1),
        maskset=st.from_regex(r"([A-Za-z][A-Za-z0-9_-]{0,29})?", fullmatch=True),
        duration=st.just(0) | st.integers(1_000_000, (1 << 63) - 1),
    )
)
def test_all_actions_survive(actions: Actions) -> None:
    if not actions.maskset and actions.duration:
        return
    text = format_actions(actions)
    if not text or (actions.switch and actions.freeze is not None):
        with pytest.raises(Usage):
            parse_actions(text)
        return
    assert parse_actions(text) == actions


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no action is given: use one or several of notify, stack, switch, freeze, mask"),
        ("  ", "no action is given"),
        ("notify,", "a word is missing"),
        ("notfy", "no action is called 'notfy': use notify, stack, switch, freeze, mask: did you"),
        ("!", "no action is called '!'"),
        ("notify, notify", "notify is given twice"),
        ("mask=a, mask=b", "mask is given twice"),
        ("notify now", "unexpected 'now' after notify"),
        ("stack=5", "unexpected '=5' after stack"),
        ("freeze, switch", "freeze and switch exclude each other"),
        ("switch, freeze after 5", "freeze and switch exclude each other"),
        ("freeze 5", "use 'freeze', or 'freeze after 2000'"),
        ("freeze after", "use 'freeze', or"),
        ("freeze after -1", "use 'freeze', or"),
        ("freeze after 4294967296", "use 'freeze', or"),
        ("mask", "use 'mask=NAME' or 'mask=NAME for 5s'"),
        ("mask=", "use 'mask=NAME'"),
        ("mask=a for", "use 'mask=NAME'"),
        ("mask=a during 5s", "use 'mask=NAME'"),
        ("mask=a.b", "'a.b' is not a valid name for a maskset"),
        ("mask=a for 5", "'5' is not a duration"),
        ("mask=a for 999us", "'999us' is too short: at least 1ms"),
        ("mask=a for 0s", "too short"),
    ],
)
def test_refused(text: str, said: str) -> None:
    with pytest.raises(Usage) as raised:
        parse_actions(text)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("5s", 5 * SECOND),
        ("1.5ms", 1_500_000),
        ("0.001us", 1),
        ("20us", 20_000),
        ("7ns", 7),
        ("10min", 600 * SECOND),
        (" 2 h ", 7200 * SECOND),
        ("9223372036854775807ns", (1 << 63) - 1),
    ],
)
def test_durations(text: str, ns: int) -> None:
    assert parse_duration(text) == ns


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a duration"),
        ("5", "is not a duration"),
        ("s", "is not a duration"),
        ("-5s", "is not a duration"),
        ("5 S", "is not a duration"),
        ("1e3s", "is not a duration"),
        (".5s", "is not a duration"),
        ("٣s", "is not a duration"),
        ("0.5ns", "not a whole number of ns"),
        ("1.0000000001s", "not a whole number of ns"),
        ("9223372036854775808ns", "too long"),
        ("9999999999999999999.9999999999999999999h", "not a whole number of ns"),
        ("9999999999999999999h", "too long"),
    ],
)
def test_no_durations(text: str, said: str) -> None:
    with pytest.raises(Usage, match=said):
        parse_duration(text)


@given(st.integers(0, (1 << 63) - 1) | st.integers(0, 10**6).map(lambda n: n * 10**9))
def test_durations_survive(ns: int) -> None:
    assert parse_duration(format_duration(ns)) == ns


def test_durations_are_written_in_the_longest_unit() -> None:
    assert [format_duration(ns) for ns in (0, 1, 1000, 90 * SECOND, 120 * SECOND)] == [
        "0s",
        "1ns",
        "1us",
        "90s",
        "2min",
    ]


def test_rates() -> None:
    assert parse_rate("10/s") == Rate(10, SECOND)
    assert parse_rate(" 5 / min") == Rate(5, 60 * SECOND)
    for text in ("10/s", "5/min", "1/h"):
        assert format_rate(parse_rate(text)) == text


@pytest.mark.parametrize("text", ["", "10", "0/s", "/s", "-1/s", "1/ms", "1/2s", "1.5/s"])
def test_no_rates(text: str) -> None:
    with pytest.raises(Usage, match="is not a rate: use 10/s"):
        parse_rate(text)

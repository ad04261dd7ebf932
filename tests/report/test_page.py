# SPDX-License-Identifier: GPL-2.0-or-later
"""A report in a browser: it opens, it moves, it finds, and it runs nothing out of a dump."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from browser import Page, browser
from dumps import SAMPLE
import numpy as np
from plenty import plenty
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from synthetic import Synthetic

from lkst.report.build import write_report
from lkst.source import open_source
from lkst.trace.facts import Facts, Names
from lkst.trace.trace import Trace

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def sample() -> Trace:
    return open_source(str(SAMPLE))[0]


@pytest.fixture(scope="module")
def report(sample: Trace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "sample.html"
    write_report(sample, path)
    return path


@pytest.fixture
def opened(page: Page, report: Path) -> Iterator[Page]:
    page.open(report)
    yield page
    assert page.complaints() == []


def _canvas(page: Page) -> WebElement:
    return page.driver.find_element(By.ID, "lanes")


def _view(page: Page) -> tuple[float, float]:
    begin, end = page.run("[lkst.app.view.from, lkst.app.view.to]")
    return begin, end


def _press(page: Page, *keys: str) -> None:
    page.run("lkst.byId('lanes').focus()")
    _canvas(page).send_keys(*keys)


def _selected(page: Page, trace: Trace) -> int:
    """Give the row of the record that is selected, once the page shows what it has."""
    page.wait("document.querySelector('#list [aria-selected]') && lkst.app.list.busy === false")
    row = int(page.run("lkst.app.selected"))
    assert page.run("document.querySelector('#list [aria-selected]').dataset.row") == str(row)
    assert page.run("lkst.app.trace.time[arguments[0]]", row) == trace.ts[row] - trace.end
    return row


def test_it_holds_the_trace(opened: Page, sample: Trace) -> None:
    numbers = opened.run("['cpu', 'event', 'task'].map((name) => Array.from(lkst.app.trace[name]))")
    cpu, event, task = map(np.array, numbers)
    times = np.array(opened.run("Array.from(lkst.app.trace.time)")).astype(np.int64)
    assert (times + sample.end == sample.ts).all()
    assert (cpu == sample.cpu).all()
    names = opened.run("lkst.app.trace.data.events.map(({name}) => name)")
    known = sample.catalogue.events
    assert [names[code] for code in event] == [known[id_].name for id_ in sample.event.tolist()]
    pids = np.array(opened.run("lkst.app.trace.data.tasks.map(([pid]) => pid)"))
    assert (pids[task] == sample.pid).all()
    heading = opened.driver.find_element(By.TAG_NAME, "h1").text
    assert heading == "hung_task: blocked tasks"
    first = opened.driver.find_element(By.CSS_SELECTOR, ".suspicions li").text
    assert "keeper:242" in first and "kept_mutex" in first
    log = opened.driver.find_element(By.CSS_SELECTOR, ".log").get_attribute("textContent")
    assert log and "Kernel panic - not syncing: hung_task: blocked tasks" in log


def test_lanes_are_painted(opened: Page) -> None:
    opened.painted()
    colours = opened.run(
        """(() => {
          const { canvas, layout, plot } = lkst.app.timeline;
          const ratio = window.devicePixelRatio;
          const copy = new OffscreenCanvas(canvas.width, canvas.height);
          const context = copy.getContext("2d", { willReadFrequently: true });
          context.drawImage(canvas, 0, 0);
          return layout.rows.map(({ lanes }) => lanes.map(({ y, height }) => {
            const pixels = context.getImageData(
              lkst.paint.GUTTER * ratio, (y + height / 2) * ratio, plot * ratio, 1).data;
            const seen = new Set();
            for (let at = 0; at < pixels.length; at += 4) {
              seen.add(`${pixels[at]},${pixels[at + 1]},${pixels[at + 2]}`);
            }
            return seen.size;
          }));
        })()"""
    )
    assert len(colours) == 2
    # Task, system call, softirq, interrupt; each in several colours or shades.
    assert all(len(lanes) == 4 and min(lanes) > 2 for lanes in colours), colours


def test_zooming_and_moving(opened: Page) -> None:
    whole = _view(opened)
    opened.run("lkst.byId('zoom-in').click()")
    begin, end = _view(opened)
    assert whole[0] < begin < end < whole[1]

    canvas = _canvas(opened)
    ActionChains(opened.driver).move_to_element(canvas).click().perform()
    before = _view(opened)
    ActionChains(opened.driver).scroll_from_origin(
        ScrollOrigin.from_element(canvas), 0, -300
    ).perform()
    opened.wait(f"lkst.app.view.span < {before[1] - before[0]}")
    closer = _view(opened)
    assert before[0] < closer[0] < closer[1] < before[1]

    ActionChains(opened.driver).drag_and_drop_by_offset(canvas, 150, 0).perform()
    dragged = _view(opened)
    assert dragged[0] < closer[0]
    assert dragged[1] - dragged[0] == pytest.approx(closer[1] - closer[0])
    opened.run("lkst.byId('whole').click()")
    assert _view(opened) == pytest.approx(whole)


def test_two_fingers(opened: Page) -> None:
    opened.run("lkst.app.view.zoom(0.5)")
    before = _view(opened)
    opened.run("lkst.byId('lanes').scrollIntoView()")
    centre = opened.run(
        """(() => {
          const { left, top, width, height } = lkst.byId("lanes").getBoundingClientRect();
          return [left + width / 2, top + height / 2];
        })()"""
    )

    def touch(kind: str, apart: int) -> None:
        points = [
            {"x": centre[0] + side * apart, "y": centre[1], "id": number}
            for number, side in enumerate((-1, 1))
        ]
        opened.driver.execute_cdp_cmd(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": points if kind != "touchEnd" else []},
        )

    touch("touchStart", 60)
    for apart in (100, 160, 240):
        touch("touchMove", apart)
    touch("touchEnd", 240)
    after = _view(opened)
    assert after[1] - after[0] < (before[1] - before[0]) / 2


def test_keys(opened: Page, sample: Trace) -> None:
    whole = _view(opened)
    _press(opened, "+", "+", "+")
    closer = _view(opened)
    assert closer[1] - closer[0] < (whole[1] - whole[0]) / 3
    _press(opened, Keys.ARROW_LEFT)
    assert _view(opened)[0] < closer[0]
    _press(opened, Keys.ARROW_RIGHT)
    assert _view(opened) == pytest.approx(closer)
    _press(opened, Keys.HOME)
    assert _view(opened)[0] == whole[0]
    _press(opened, Keys.END)
    assert _view(opened)[1] == pytest.approx(whole[1])
    _press(opened, "-", "0")
    assert _view(opened) == pytest.approx(whole)

    opened.run("lkst.app.select(100)")
    _press(opened, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP)
    assert _selected(opened, sample) == 101
    event = sample.catalogue.events[int(sample.event[101])]
    opened.wait(f"document.querySelector('#detail h3')?.textContent === '{event.name}'")
    _press(opened, "/")
    assert opened.run("document.activeElement.id") == "query"


def test_a_link_leads_to_its_moment(opened: Page, sample: Trace) -> None:
    whole = _view(opened)
    link = opened.driver.find_element(By.CSS_SELECTOR, ".suspicions a.time")
    text = link.text.replace("−", "-")
    link.click()
    row = _selected(opened, sample)
    assert f"{(sample.ts[row] - sample.end) / 1e9:.9f}" == text
    assert sample.catalogue.events[int(sample.event[row])].name == "contention_begin"
    begin, end = _view(opened)
    assert begin < sample.ts[row] - sample.end < end
    assert end - begin < (whole[1] - whole[0]) / 10
    detail = opened.wait("document.querySelector('#detail dl')?.textContent")
    assert "kept_mutex" in detail and "keeper" in detail


def test_a_link_from_outside(page: Page, report: Path, sample: Trace) -> None:
    row = 20000
    time = f"{(sample.ts[row] - sample.end) / 1e9:.9f}"
    page.open(report, f"#t={time}")
    found = _selected(page, sample)
    assert sample.ts[found] == sample.ts[row]
    # What makes no sense leads nowhere.
    page.open(report, "#t=%3Cimg%20src%3Dx%3E")
    assert page.run("lkst.app.selected") is None
    assert page.complaints() == []


def _search(page: Page, query: str) -> list[int]:
    field = page.driver.find_element(By.ID, "query")
    field.clear()
    field.send_keys(query)
    page.run("lkst.app.search.run()")
    page.wait("lkst.byId('hits').textContent.match(/hit|matches| of /)")
    rows: list[int] = page.run("Array.from(lkst.app.search.rows)")
    return rows


def test_search(opened: Page, sample: Trace) -> None:
    ids = [e.id for e in sample.catalogue.events.values() if e.name.startswith("contention_")]
    wanted = np.flatnonzero(np.isin(sample.event, ids)).tolist()
    assert _search(opened, "event:contention_*") == wanted
    rows = _search(opened, "KEPT_mutex event:contention_begin")
    assert rows and set(rows) < set(wanted)
    names, codes = sample.comms()
    keeper = [names.index(name) for name in names if name == "keeper"]
    assert _search(opened, "comm:keep*") == np.flatnonzero(np.isin(codes, keeper)).tolist()
    assert (
        _search(opened, "pid:242 cpu:1")
        == np.flatnonzero((sample.pid == 242) & (sample.cpu == 1)).tolist()
    )
    assert _search(opened, "no-such-thing") == []

    rows = _search(opened, "event:contention_begin")
    field = opened.driver.find_element(By.ID, "query")
    for index in (0, 1, 2):
        field.send_keys(Keys.ENTER)
        opened.wait(f"lkst.app.selected === {rows[index]}")
    field.send_keys(Keys.SHIFT + Keys.ENTER)
    opened.wait(f"lkst.app.selected === {rows[1]}")
    _selected(opened, sample)
    assert opened.run("lkst.byId('hits').textContent") == f"2 of {len(rows)}"
    assert opened.run("document.querySelector('#list [aria-selected]').matches('.hit')")


def _id(trace: Trace, name: str) -> int:
    return next(event.id for event in trace.catalogue.events.values() if event.name == name)


def test_following_a_task(opened: Page, sample: Trace) -> None:
    opened.driver.find_element(By.CSS_SELECTOR, ".culprit button").click()
    row = opened.run("lkst.app.timeline.layout.rows[0].label")
    assert row == "keeper:242"
    state, calls = opened.run(
        """[0, 1].map((lane) => {
          const { part, lane: { names } } = lkst.app.timeline.layout.rows[0].lanes[lane];
          return Array.from(part.name, (code, index) =>
            [names[code], part.begin[index], part.end[index]]);
        })"""
    )
    # Of one that took the mutex, and sleeps since then, to the end.
    name, begin, end = max(state, key=lambda one: one[1])
    assert name == "sleeps (S)"
    assert -4e9 < begin < -3e9 and end == sample.ts[-1] - sample.end
    assert [one[0] for one in state if one[0].startswith("running on CPU ")]
    name, _, end = max(calls, key=lambda one: one[1])
    assert (name, end) == ("write", sample.ts[-1] - sample.end)
    for before, after in pairwise(sorted(one[1:] for one in state)):
        assert before[1] <= after[0]
    # One that has ended stays dead.
    exits = np.flatnonzero(sample.event == _id(sample, "sched_process_exit"))
    dead = int(sample.pid[exits[0]])
    ends = opened.run(
        """(() => {
          const { state, calls } = lkst.follow.row(lkst.app.trace, arguments[0]);
          return [state, calls].map(({ part }) => part.end[part.end.length - 1]);
        })()""",
        dead,
    )
    assert ends[0] == ends[1] < sample.ts[-1] - sample.end
    opened.driver.find_element(By.ID, "unfollow").click()
    assert opened.run("lkst.app.timeline.layout.rows[0].label") == "CPU 0"
    assert not opened.driver.find_element(By.ID, "unfollow").is_displayed()
    opened.run("lkst.app.select(lkst.app.trace.pidOf(0) ? 0 : 1)")
    _press(opened, "f")
    assert opened.run("lkst.app.timeline.layout.rows[0].pid > 0")


def _open_measure(page: Page, name: str) -> None:
    page.run("document.querySelector(`[data-measure='${arguments[0]}'] summary`).click()", name)
    page.wait(f"document.querySelector('[data-measure={name}]').dataset.drawn === 'yes'")


def test_a_measure_and_its_worst_case(opened: Page, sample: Trace) -> None:
    figures = opened.run(
        "document.querySelector('[data-measure=syscall-time] .figure').textContent"
    )
    _open_measure(opened, "syscall-time")
    bars = opened.run(
        "[...document.querySelectorAll('[data-measure=syscall-time] .plot')]"
        ".map((plot) => plot.querySelectorAll('.bars .point').length)"
    )
    counts = opened.run("lkst.app.trace.data.plots['syscall-time'].counts")
    assert f"{sum(counts):,}" in figures
    assert bars[0] == len(counts)
    assert bars[1] == len(opened.run("lkst.app.trace.data.plots['syscall-time'].times"))
    link = opened.driver.find_element(By.CSS_SELECTOR, "[data-measure=syscall-time] a.time")
    time = link.text.replace("−", "-")
    link.click()
    row = _selected(opened, sample)
    assert f"{(sample.ts[row] - sample.end) / 1e9:.9f}" == time
    assert sample.catalogue.events[int(sample.event[row])].name == "sys_enter"


def test_what_is_under_the_pointer(opened: Page) -> None:
    opened.run("lkst.byId('timeline').scrollIntoView()")
    # The longest stretch of a task that is no idle one.
    x, y, name = opened.run(
        """(() => {
          const { timeline, trace } = lkst.app;
          const { part, y, height, lane } = timeline.layout.rows[0].lanes[0];
          let best = -1;
          for (let index = 0; index < part.begin.length; index++) {
            const length = part.end[index] - part.begin[index];
            if (trace.isIdle(part.name[index])) continue;
            if (best < 0 || length > part.end[best] - part.begin[best]) best = index;
          }
          const middle = (part.begin[best] + part.end[best]) / 2;
          const { left, top } = timeline.canvas.getBoundingClientRect();
          const along = (middle - lkst.app.view.from) / lkst.app.view.span;
          return [left + lkst.paint.GUTTER + along * timeline.plot,
            top + y + height / 2, trace.laneName(lane, part.name[best])];
        })()"""
    )
    move = {"type": "mouseMoved", "x": x, "y": y}
    opened.driver.execute_cdp_cmd("Input.dispatchMouseEvent", move)
    tip = opened.wait("!lkst.byId('tip').hidden && lkst.byId('tip').textContent")
    assert name in tip and "task on CPU 0 for" in tip


def test_themes(opened: Page) -> None:
    def luminance() -> float:
        text = opened.run("getComputedStyle(document.body).backgroundColor")
        red, green, blue = (int(part) for part in text[4:-1].split(",")[:3])
        return (red + green + blue) / 3

    scheme = {"name": "prefers-color-scheme", "value": "dark"}
    opened.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    try:
        assert luminance() < 64
        opened.run("lkst.byId('theme').click()")
        assert opened.run("lkst.byId('theme').textContent") == "Theme: light"
        assert luminance() > 192
        opened.run("lkst.byId('theme').click()")
        assert luminance() < 64
        opened.run("lkst.byId('theme').click()")
    finally:
        opened.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert luminance() > 192


def test_a_narrow_screen(page: Page, report: Path) -> None:
    size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.open(report)
        assert page.run("document.documentElement.scrollWidth") <= 360
        assert page.run("lkst.byId('lanes').getBoundingClientRect().right") <= 360
        assert page.complaints() == []
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


#: What a name may be if somebody means ill.
HOSTILE = (
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    '"><svg onload=window.hacked=1>',
    "'-window.hacked=1-'",
    "javascript:window.hacked=1",
    "{{ 7 * 7 }}{% raw %}",
    "<!--<script>",
    "]]>\u2028\u202e&lt;b&gt;",
)
COMMS = ("</script><b>x", "<img src=x>", '"><svg onload>', "<!--<script>", "&lt;b&gt;")


def _hostile() -> Trace:
    made = Synthetic(nr_cpus=2, masksets=("<img src=m>", "off"))
    ts = 10**9
    for comm in COMMS:
        made.record(0, ts, 7, "task_rename", newcomm=comm, oldcomm=comm, pid=7)
        made.record(0, ts + 10, 7, "sys_enter", nr=1)
        made.record(0, ts + 20, 7, "softirq_entry", vec=1)
        made.record(0, ts + 30, 7, "irq_handler_entry", irq=1, handler=0x10, name=comm)
        made.record(0, ts + 40, 7, "irq_handler_exit", irq=1)
        made.record(0, ts + 50, 7, "softirq_exit", vec=1)
        made.record(0, ts + 60, 7, "sys_exit", nr=1)
        ts += 100
    # A task that waits for a lock with another one's name, and long enough to be told; that such
    # waits end is recorded.
    made.record(0, ts, 7, "contention_end", lock=0x20)
    made.record(0, ts, 7, "contention_begin", lock=0x10, owner=8, owner_comm=COMMS[1], flags=0x20)
    switch: dict[str, Any] = {
        "prev_comm": COMMS[2],
        "prev_state": 2,
        "next_comm": COMMS[0],
        "next_pid": 8,
    }
    made.record(0, ts + 10, 7, "sched_switch", **switch)
    for text in HOSTILE:
        ts += 10**6
        made.record(0, ts, 8, "console", text=text + "\n")
        made.record(1, ts + 5, 9, "sched_process_exec", comm=COMMS[1], filename=text)
        made.record(1, ts + 9, 9, "mark", text=text, stack=(0x10, 0x20))
    made.record(0, ts + 5 * 10**9, 8, "panic", message=HOSTILE[0])
    facts = Facts(
        source="/var/crash/" + HOSTILE[2],
        kind=HOSTILE[1],
        release=HOSTILE[0],
        version=HOSTILE[1],
        machine=HOSTILE[2],
        panic_message=HOSTILE[0] + HOSTILE[1],
        notes=list(HOSTILE),
        task_name=lambda pid: COMMS[pid % len(COMMS)],
        names=Names(
            syscalls={1: HOSTILE[1]},
            softirqs=["HI", HOSTILE[0]],
            symbol=lambda address: HOSTILE[address // 16 % len(HOSTILE)],
        ),
    )
    return made.trace(facts)


def test_hostile_names_do_nothing(page: Page, tmp_path: Path) -> None:
    trace = _hostile()
    path = tmp_path / "hostile.html"
    write_report(trace, path)
    page.open(path)
    last = len(trace) - 1
    # Have everything shown that can be: each record and what is under the pointer.
    page.driver.execute_async_script(
        """
        const done = arguments[arguments.length - 1];
        (async () => {
          for (let row = 0; row < lkst.app.trace.length; row++) {
            lkst.app.list.describe(await lkst.app.trace.record(row));
          }
          lkst.app.select(lkst.app.trace.length - 1);
          lkst.app.timeline.paint();
        })().then(done, done);
        """
    )
    page.run("lkst.app.follow(7)")
    page.painted()
    assert _selected(page, trace) == last
    assert page.run("document.querySelector('#detail h3').textContent") == "panic"
    assert _search(page, "<img"), "what is in a field is found as it is"
    assert page.run("window.hacked") is None
    # Nothing of it has become an element: those of the page are all that there are.
    made = "img, svg:not(.spark), b:not(.inside > b), main script, h1 *"
    assert page.run("document.querySelectorAll(arguments[0]).length", made) == 0
    assert page.run("document.scripts.length") == path.read_text().count("<script")
    for name in ("syscall-time", "irq-time", "softirq-time"):
        _open_measure(page, name)
    assert page.run("window.hacked") is None
    assert page.complaints() == []
    # It is shown as what it is.
    text = page.run("document.body.textContent")
    for shown in (*HOSTILE[:6], *COMMS):
        assert shown in text, shown
    assert "\u202e" not in text
    heading = page.run("document.querySelector('h1').textContent")
    assert heading == HOSTILE[0] + HOSTILE[1]
    suspects = page.run("document.querySelector('.suspicions').textContent")
    assert COMMS[0] in suspects and HOSTILE[1] in suspects


def test_an_empty_trace(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "empty.html"
    write_report(Synthetic().trace(), path)
    page.open(path)
    assert "The recorder has no records." in page.driver.find_element(By.ID, "timeline").text
    assert page.driver.find_elements(By.TAG_NAME, "canvas") == []
    assert page.complaints() == []


def test_500000_records(page: Page, tmp_path: Path) -> None:
    trace = plenty(1 << 18)
    path = tmp_path / "plenty.html"
    write_report(trace, path)
    page.open(path)
    assert page.run("lkst.app.trace.length") == len(trace) >= 500_000
    whole = _view(page)
    _press(page, "+", "+", Keys.ARROW_LEFT)
    assert _view(page)[1] - _view(page)[0] < (whole[1] - whole[0]) / 2
    page.painted()
    rows = _search(page, "event:panic")
    assert [trace.catalogue.events[id_].name for id_ in trace.event[rows].tolist()] == ["panic"] * 2
    page.run("lkst.byId('next').click()")
    page.wait(f"lkst.app.selected === {rows[0]}")
    assert page.complaints() == []

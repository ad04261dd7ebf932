// SPDX-License-Identifier: GPL-2.0-or-later
// Wheel, drag, pinch and keys on the timeline; what is shown under the pointer.
"use strict";

lkst.input = (() => {
  const { GUTTER } = lkst.paint;
  const STEP = 1.6; // of one press of + or -
  const CLICK = 4; // pixels within which a press is no drag

  const watch = (timeline) => {
    const { canvas, view, app } = timeline;
    const pointers = new Map();
    let moved = 0;

    const fraction = (event) => {
      const { left } = canvas.getBoundingClientRect();
      return lkst.clamp((event.clientX - left - GUTTER) / timeline.plot, 0, 1);
    };

    canvas.addEventListener("wheel", (event) => {
      // The page scrolls until the timeline has been chosen.
      const chosen = document.activeElement === canvas;
      const across = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
      if (across) view.move((event.deltaX || event.deltaY) / timeline.plot);
      else if (event.ctrlKey || event.metaKey || chosen) {
        const size = event.deltaMode === 1 ? 16 : 1;
        const speed = event.ctrlKey && !chosen ? 0.01 : 0.002;
        view.zoom(Math.exp(lkst.clamp(event.deltaY * size, -300, 300) * speed), fraction(event));
      } else return;
      event.preventDefault();
    }, { passive: false });

    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      canvas.focus({ preventScroll: true });
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, event);
      moved = 0;
    });

    canvas.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) {
        hover(timeline, event);
        return;
      }
      hideTip(timeline);
      if (pointers.size === 1) {
        const step = event.clientX - before.clientX;
        view.move(-step / timeline.plot);
        if (event.pointerType === "mouse") timeline.scroll.scrollTop -= event.clientY - before.clientY;
        moved += Math.abs(step) + Math.abs(event.clientY - before.clientY);
      } else {
        const other = [...pointers.values()].find(({ pointerId }) => pointerId !== event.pointerId);
        const apart = (a) => Math.max(10, Math.abs(a.clientX - other.clientX));
        view.zoom(apart(before) / apart(event), fraction(other));
        moved = CLICK;
      }
      pointers.set(event.pointerId, event);
    });

    const release = (event) => {
      if (!pointers.delete(event.pointerId) || event.type !== "pointerup" || moved >= CLICK) return;
      const found = timeline.at(...place(canvas, event));
      if (found) app.select(found.row);
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("pointerleave", () => hideTip(timeline));
    canvas.addEventListener("dblclick", (event) => {
      const found = timeline.at(...place(canvas, event));
      if (found && found.part) {
        const { begin, end } = { begin: found.part.begin[found.index], end: found.part.end[found.index] };
        view.set(begin - (end - begin) * 0.1, end + (end - begin) * 0.1);
      } else view.zoom(1 / 4, fraction(event));
    });

    keys(timeline);
    buttons(view);
    brush(timeline);
  };

  const place = (canvas, event) => {
    const { left, top } = canvas.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };

  const keys = ({ canvas, view, app }) => {
    const actions = {
      ArrowLeft: () => view.move(-0.15),
      ArrowRight: () => view.move(0.15),
      ArrowUp: () => app.step(-1),
      ArrowDown: () => app.step(1),
      "+": () => view.zoom(1 / STEP, app.focusFraction()),
      "=": () => view.zoom(1 / STEP, app.focusFraction()),
      "-": () => view.zoom(STEP, app.focusFraction()),
      0: () => view.whole(),
      Home: () => view.set(view.low, view.low + view.span),
      End: () => view.set(view.high - view.span, view.high),
      Escape: () => app.select(null),
    };
    canvas.addEventListener("keydown", (event) => {
      const action = actions[event.key];
      if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      action();
    });
  };

  const buttons = (view) => {
    const actions = {
      earlier: () => view.move(-0.3), later: () => view.move(0.3),
      "zoom-in": () => view.zoom(1 / STEP), "zoom-out": () => view.zoom(STEP),
      whole: () => view.whole(),
    };
    for (const [id, action] of Object.entries(actions)) {
      lkst.byId(id).addEventListener("click", action);
    }
  };

  // The strip above: a press or drag brings the view there.
  const brush = ({ overview, view, plot, ...rest }) => {
    const go = (event) => {
      const { left, width } = overview.getBoundingClientRect();
      const part = lkst.clamp((event.clientX - left - GUTTER) / (width - GUTTER - 8), 0, 1);
      const time = view.low + part * (view.high - view.low);
      view.set(time - view.span / 2, time + view.span / 2);
    };
    overview.addEventListener("pointerdown", (event) => {
      overview.setPointerCapture(event.pointerId);
      go(event);
    });
    overview.addEventListener("pointermove", (event) => {
      if (overview.hasPointerCapture(event.pointerId)) go(event);
    });
  };

  const hideTip = ({ tip, app }) => {
    app.hovered = null;
    tip.hidden = true;
  };

  const hover = async (timeline, event) => {
    const { canvas, tip, trace, app } = timeline;
    const [x, y] = place(canvas, event);
    const found = timeline.at(x, y);
    canvas.classList.toggle("over", Boolean(found));
    if (!found) {
      hideTip(timeline);
      return;
    }
    app.hovered = found;
    const record = await trace.record(found.row);
    if (app.hovered !== found) return;
    tip.replaceChildren(...describe(trace, found, record));
    tip.hidden = false;
    const frame = tip.parentElement.getBoundingClientRect();
    const left = event.clientX - frame.left + 14;
    tip.style.left = `${lkst.clamp(left, 0, Math.max(0, frame.width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${event.clientY - frame.top + 18}px`;
  };

  const describe = (trace, { lane, part, index }, record) => {
    const lines = [];
    if (lane) {
      const length = part.end[index] - part.begin[index];
      const cut = ["", ", began before", ", goes on", ", began before and goes on"][part.cut[index]];
      lines.push(lkst.element("strong", {}, trace.laneName(lane, part.name[index])));
      lines.push(lkst.element("div", { class: "small" },
        `${lane.kind} on CPU ${record.cpu} for ${lkst.times.length(length)}${cut}`));
    } else {
      lines.push(lkst.element("strong", {}, record.event.name), ` ${record.task}`);
    }
    lines.push(lkst.element("div", { class: "small" },
      `${lkst.times.relative(record.time)} s`, lane ? `  ${record.event.name}` : ""));
    if (record.fields) lines.push(lkst.element("code", {}, record.fields));
    return lines;
  };

  return { watch };
})();

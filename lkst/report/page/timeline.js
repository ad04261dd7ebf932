// SPDX-License-Identifier: GPL-2.0-or-later
// The timeline: lanes of all CPUs below an overview of the whole trace.
"use strict";

lkst.timeline = (() => {
  const { AXIS, GUTTER, Painter, hatch, layout } = lkst.paint;
  const MANY = 12; // CPUs that are shown in full
  const NEAR = 5; // pixels

  class Timeline {
    constructor(app) {
      this.app = app;
      this.trace = app.trace;
      this.view = app.view;
      this.canvas = lkst.byId("lanes");
      this.overview = lkst.byId("overview");
      this.scroll = lkst.byId("lanes-scroll");
      this.tip = lkst.byId("tip");
      this.followed = null;
      this.arrange();
      this.levels = new WeakMap();
      this.times = new WeakMap();
      this.trouble = this.findTrouble();
      this.hits = new Uint32Array(0);
      this.hitTimes = new Float64Array(0);
      this.view.listeners.push(() => this.draw());
      this.scroll.addEventListener("scroll", () => this.draw(), { passive: true });
      new ResizeObserver(() => this.resize()).observe(this.scroll.parentElement);
      this.recolour();
      this.resize();
    }

    arrange() {
      const many = this.trace.byCPU.filter((rows) => rows.length).length > MANY;
      this.layout = layout(this.trace, many, this.followed);
    }

    // Show a row for a task above the rows of the CPUs; null: none.
    follow(pid) {
      this.followed = pid ? lkst.follow.row(this.trace, pid) : null;
      this.arrange();
      this.recolour();
      this.resize();
    }

    findTrouble() {
      const bad = this.trace.data.events.map(({ category }) => category === "trouble");
      const rows = [];
      for (let row = 0; row < this.trace.length && rows.length < 1000; row++) {
        if (bad[this.trace.event[row]]) rows.push(row);
      }
      return rows;
    }

    recolour() {
      this.colours = lkst.colours.all();
      this.names = new Map(
        this.trace.lanes.map((lane) => [lane, lkst.colours.ofLane(this.trace, lane)]));
      if (this.followed) {
        const { state, calls, label } = this.followed;
        const task = lkst.colours.of("task", label.replace(/:\d+$/, ""));
        this.names.set(state.lane, lkst.follow.colours(state.lane, task, this.colours));
        this.names.set(calls.lane, lkst.colours.ofLane(this.trace, calls.lane));
      }
      this.pattern = hatch(this.canvas.getContext("2d"), this.colours.line);
      this.draw();
    }

    resize() {
      const width = this.scroll.clientWidth;
      this.plot = Math.max(50, Math.floor(width - GUTTER - 8));
      const most = Math.max(240, Math.round(window.innerHeight * 0.7));
      this.height = Math.min(this.layout.height, most);
      this.scroll.style.height = `${this.height}px`;
      lkst.byId("lanes-space").style.height = `${this.layout.height - this.height}px`;
      this.sizeOf(this.canvas, width, this.height);
      this.sizeOf(this.overview, width, 46);
      this.draw();
    }

    sizeOf(canvas, width, height) {
      const ratio = window.devicePixelRatio || 1;
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
      canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    }

    setHits(rows) {
      this.hits = rows;
      this.hitTimes = Float64Array.from(rows, (row) => this.trace.time[row]);
      this.draw();
    }

    draw() {
      if (this.waiting) return;
      this.waiting = requestAnimationFrame(() => {
        this.waiting = 0;
        this.paint();
      });
    }

    built(lane, part) {
      let built = this.levels.get(part);
      if (!built) {
        const skips = lane.kind === "task" ? (code) => this.trace.isIdle(code) : () => false;
        built = lkst.levels.build(part, this.trace.begin, this.trace.last, skips);
        this.levels.set(part, built);
      }
      return built;
    }

    timesOf({ rows }) {
      let times = this.times.get(rows);
      if (!times) {
        times = Float64Array.from(rows, (row) => this.trace.time[row]);
        this.times.set(rows, times);
      }
      return times;
    }

    painter(canvas, height) {
      return new Painter(canvas.getContext("2d"), {
        trace: this.trace, view: this.view, plot: this.plot, height, colours: this.colours,
        names: this.names, pattern: this.pattern, trouble: this.trouble, hitTimes: this.hitTimes,
        built: (lane, part) => this.built(lane, part), timesOf: (row) => this.timesOf(row),
      });
    }

    paint() {
      const context = this.canvas.getContext("2d");
      const painter = this.painter(this.canvas, this.height);
      const top = this.scroll.scrollTop;
      context.fillStyle = this.colours.paper;
      context.fillRect(0, 0, this.canvas.width, this.canvas.height);
      painter.axis();
      for (const row of this.layout.rows) {
        if (row.top + row.height < top || row.top > top + this.height) continue;
        painter.row(row, top);
        if (this.hits.length) painter.hits(this.hits, row, -top);
      }
      if (top) painter.axis();
      if (this.trace.data.panicked) painter.line(0, this.colours.alarm, "panic");
      const { selected } = this.app;
      if (selected !== null) {
        const time = this.trace.time[selected];
        painter.line(time, this.colours.accent, `${lkst.times.short(time, 9)} s`);
        this.ring(context, painter, top);
      }
      this.paintOverview();
      document.documentElement.dataset.painted = String(++this.painted || (this.painted = 1));
    }

    // Show which record is selected.
    ring(context, painter, top) {
      const row = this.layout.rows.find(({ cpu }) => cpu === this.trace.cpu[this.app.selected]);
      const x = painter.x(this.trace.time[this.app.selected]);
      if (!row || x < GUTTER || x > GUTTER + this.plot) return;
      context.fillStyle = this.colours.accent;
      context.beginPath();
      context.arc(x, row.records.y + row.records.height / 2 - top, 4, 0, 2 * Math.PI);
      context.fill();
    }

    // How busy all CPUs are over the whole trace, and which part of it is seen.
    paintOverview() {
      const context = this.overview.getContext("2d");
      const { colours, trace, view } = this;
      const height = 46;
      context.fillStyle = colours.paper;
      context.fillRect(0, 0, this.overview.width, height);
      context.fillStyle = colours.sunk;
      context.fillRect(GUTTER, 4, this.plot, height - 8);
      if (!this.business || this.business.length !== this.plot) this.business = this.measure();
      context.fillStyle = colours.dim;
      context.globalAlpha = 0.55;
      this.business.forEach((part, column) => {
        context.fillRect(GUTTER + column, height - 4 - part * (height - 8), 1, part * (height - 8));
      });
      context.globalAlpha = 1;
      const x = (time) => GUTTER + ((time - view.low) / (view.high - view.low)) * this.plot;
      context.fillStyle = colours.hit;
      let at = -1;
      for (const time of this.hitTimes) {
        const column = Math.round(x(time));
        if (column !== at) context.fillRect(column, height - 10, 1, 6);
        at = column;
      }
      const mark = (time, colour) => {
        context.fillStyle = colour;
        context.fillRect(x(time) - 1, 4, 2, height - 8);
      };
      for (const time of trace.data.evidence) mark(time, colours.accent);
      for (const row of this.trouble) mark(trace.time[row], colours.alarm);
      const from = x(view.from);
      const to = Math.max(from + 3, x(view.to));
      context.fillStyle = colours.paper;
      context.globalAlpha = 0.6;
      context.fillRect(GUTTER, 4, from - GUTTER, height - 8);
      context.fillRect(to, 4, GUTTER + this.plot - to, height - 8);
      context.globalAlpha = 1;
      context.strokeStyle = colours.ink;
      context.strokeRect(from + 0.5, 3.5, Math.max(2, to - from - 1), height - 7);
      context.fillStyle = colours.dim;
      context.font = "11px system-ui, sans-serif";
      context.textBaseline = "middle";
      context.fillText("all", 8, height / 2);
    }

    measure() {
      const { view, plot } = this;
      const sums = new Float32Array(plot);
      const perPixel = (view.high - view.low) / plot;
      const lane = this.trace.lanes.find(({ kind }) => kind === "task");
      const whole = this.painter(this.canvas, this.height);
      whole.view = { from: view.low, to: view.high };
      whole.perPixel = perPixel;
      for (const { cpu } of this.layout.rows) {
        if (cpu === undefined) continue;
        const part = lane.cpus[cpu];
        const level = part && lkst.levels.choose(this.built(lane, part), perPixel);
        const fill = new Float32Array(plot + 1);
        if (level) whole.pieces(level, fill, new Int32Array(plot + 1), new Float32Array(plot + 1));
        else if (part) this.spread(part, fill, view.low, perPixel);
        for (let column = 0; column < plot; column++) sums[column] += Math.min(1, fill[column]);
      }
      return sums.map((sum) => sum / Math.max(1, this.layout.rows.length));
    }

    spread(part, fill, from, perPixel) {
      for (let index = 0; index < part.begin.length; index++) {
        if (this.trace.isIdle(part.name[index])) continue;
        let at = (part.begin[index] - from) / perPixel;
        const end = (part.end[index] - from) / perPixel;
        while (at < end) {
          const column = Math.floor(at);
          const next = Math.min(column + 1, end);
          fill[column] += next - at;
          at = next === at ? column + 1 : next;
        }
      }
    }

    time(x) {
      return this.view.from + ((x - GUTTER) / this.plot) * this.view.span;
    }

    // What is at a point of the canvas: an interval or a record; null: nothing.
    at(x, y) {
      if (x < GUTTER || y < AXIS) return null;
      const time = this.time(x);
      const down = y + this.scroll.scrollTop;
      const row = this.layout.rows.find(({ top, height }) => down >= top && down < top + height);
      if (!row) return null;
      const near = (NEAR * this.view.span) / this.plot;
      for (const { lane, part, y: top, height } of row.lanes) {
        if (!part || down < top || down >= top + height) continue;
        const index = this.stretchAt(lane, part, time, near / NEAR);
        if (index >= 0) return { lane, part, index, cpu: row.cpu, row: part.first[index] };
        return null;
      }
      if (down < row.records.y) return null;
      const times = this.timesOf(row);
      const next = lkst.lowerBound(times, time);
      const found = [next - 1, next]
        .filter((index) => times[index] !== undefined && Math.abs(times[index] - time) <= near)
        .sort((a, b) => Math.abs(times[a] - time) - Math.abs(times[b] - time))[0];
      return found === undefined ? null : { cpu: row.cpu, row: row.rows[found] };
    }

    stretchAt(lane, part, time, pixel) {
      const start = lkst.lowerBound(part.end, time - pixel);
      let best = -1;
      for (let index = start; index < part.begin.length; index++) {
        if (part.begin[index] > time + pixel) break;
        if (lane.kind === "task" && this.trace.isIdle(part.name[index])) continue;
        if (best < 0 || part.end[index] - part.begin[index] > part.end[best] - part.begin[best]) {
          best = index;
        }
      }
      return best;
    }
  }

  return { Timeline };
})();

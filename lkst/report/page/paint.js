// SPDX-License-Identifier: GPL-2.0-or-later
// Painting: what is seen of the lanes on a canvas. Widths and heights are in CSS pixels.
"use strict";

lkst.paint = (() => {
  const GUTTER = 104;
  const AXIS = 26;
  const SIZES = { state: 20, task: 20, syscall: 16, softirq: 13, irq: 13, records: 12 };
  const COMPACT = { task: 14, syscall: 0, softirq: 0, irq: 0, records: 5 };
  const GAP = 12;
  const FONT = "11px system-ui, sans-serif";
  const SMALL = "10px system-ui, sans-serif";
  const ON_BARS = "#0d1117"; // at least 4.5:1 on every colour of colours.js
  const CUT = { BEFORE: 1, AFTER: 2 }; // lkst/report/lanes.py

  // Where everything is: a row for the task that is followed, if there is one, and one for each
  // CPU; in it lanes from top to bottom.
  const layout = (trace, compact, followed) => {
    const sizes = compact ? COMPACT : SIZES;
    const rows = [];
    let top = AXIS;
    const add = (row, lanes, own) => {
      let y = top + 4;
      row.top = top;
      row.lanes = lanes.filter(({ kind }) => own[kind]).map(({ kind, lane, part }) => {
        y += own[kind];
        return { kind, lane, part, y: y - own[kind], height: own[kind] };
      });
      row.records = { y: y + 1, height: own.records };
      top = y + own.records + (compact ? 5 : GAP);
      row.height = top - row.top;
      rows.push(row);
    };
    if (followed) {
      const lanes = [{ kind: "state", ...followed.state }, { kind: "syscall", ...followed.calls }];
      add(followed, lanes, SIZES);
    }
    for (let cpu = 0; cpu < trace.data.cpus; cpu++) {
      const row = { cpu, label: `CPU ${cpu}`, rows: trace.byCPU[cpu] };
      if (!row.rows.length) continue;
      const lanes = trace.lanes.map((lane) => ({ kind: lane.kind, lane, part: lane.cpus[cpu] }));
      add(row, lanes, sizes);
    }
    return { rows, height: top };
  };

  const hatch = (context, colour) => {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 6;
    const own = tile.getContext("2d");
    own.strokeStyle = colour;
    own.beginPath();
    own.moveTo(-1, 7);
    own.lineTo(7, -1);
    own.stroke();
    return context.createPattern(tile, "repeat");
  };

  class Painter {
    // context: of the canvas; scene: what there is to paint, as in timeline.js.
    constructor(context, scene) {
      this.context = context;
      Object.assign(this, scene);
      this.perPixel = this.view.span / this.plot;
    }

    x(time) {
      return GUTTER + (time - this.view.from) / this.perPixel;
    }

    // x of a time, kept where canvases can compute with it.
    edge(time) {
      return lkst.clamp(this.x(time), GUTTER, GUTTER + this.plot);
    }

    axis() {
      const { context, colours, view } = this;
      const least = this.perPixel * 118;
      const power = 10 ** Math.floor(Math.log10(least));
      const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= least);
      const digits = lkst.clamp(9 - Math.floor(Math.log10(step) + 1e-9), 0, 9);
      context.fillStyle = colours.paper;
      context.fillRect(0, 0, GUTTER + this.plot, AXIS);
      context.font = FONT;
      context.textBaseline = "middle";
      context.textAlign = "center";
      context.lineWidth = 1;
      for (let n = Math.ceil(view.from / step); n * step <= view.to; n++) {
        const x = Math.round(this.x(n * step)) + 0.5;
        context.strokeStyle = colours.line;
        context.beginPath();
        context.moveTo(x, AXIS - 5);
        context.lineTo(x, this.height);
        context.stroke();
        if (x < GUTTER + 30 || x > GUTTER + this.plot - 30) continue;
        context.fillStyle = colours.dim;
        context.fillText(`${lkst.times.short(n * step, digits)} s`, x, AXIS / 2 - 2);
      }
      context.textAlign = "left";
    }

    row(row, scroll) {
      const { context, colours } = this;
      const shift = -scroll;
      context.fillStyle = colours.ink;
      context.font = `600 ${FONT}`;
      context.textBaseline = "middle";
      context.save();
      context.beginPath();
      context.rect(0, row.top + shift, GUTTER - 8, row.height);
      context.clip();
      context.fillText(row.label, 8, row.top + 14 + shift);
      context.font = SMALL;
      context.fillStyle = colours.dim;
      for (const { kind, y, height } of row.lanes.slice(1)) {
        context.fillText(kind, 8, y + height / 2 + shift);
      }
      if (row.lanes.length > 1) {
        context.fillText("records", 8, row.records.y + row.records.height / 2 + shift);
      }
      context.restore();
      context.strokeStyle = colours.line;
      context.beginPath();
      context.moveTo(0, Math.round(row.top + row.height + shift) - 1.5);
      context.lineTo(GUTTER + this.plot, Math.round(row.top + row.height + shift) - 1.5);
      context.stroke();
      if (row.cpu !== undefined) this.nothing(row, shift);
      for (const { lane, part, y, height } of row.lanes) {
        if (part) this.lane(lane, part, y + shift, height);
      }
      this.records(row, shift);
    }

    // Hatch where a CPU has no records: they are overwritten, or it wrote none any more.
    nothing(row, shift) {
      const { context, trace } = this;
      const first = trace.time[row.rows[0]];
      const last = trace.time[row.rows[row.rows.length - 1]];
      context.fillStyle = this.pattern;
      for (const [from, to] of [[this.view.low, first], [last, this.view.high]]) {
        const x = this.edge(from);
        const width = this.edge(to) - x;
        if (width > 1) context.fillRect(x, row.top + 4 + shift, width, row.height - 10);
      }
    }

    lane(lane, part, y, height) {
      const colours = this.names.get(lane);
      const level = lkst.levels.choose(this.built(lane, part), this.perPixel);
      const fill = new Float32Array(this.plot + 1);
      const name = new Int32Array(this.plot + 1).fill(-1);
      const most = new Float32Array(this.plot + 1);
      if (level) this.pieces(level, fill, name, most);
      else this.bars(lane, part, y, height - 1, fill, name, most);
      this.columns(fill, name, colours, y, height - 1);
    }

    // Put pieces of a level into columns of pixels.
    pieces(level, fill, name, most) {
      const { view, perPixel } = this;
      const count = level.busy.length;
      const start = lkst.clamp(Math.floor((view.from - level.from) / level.length), 0, count);
      const stop = lkst.clamp(Math.ceil((view.to - level.from) / level.length), 0, count);
      for (let piece = start; piece < stop; piece++) {
        if (!level.busy[piece]) continue;
        const at = (level.from + piece * level.length - view.from) / perPixel;
        const first = Math.max(0, Math.floor(at));
        const last = Math.min(this.plot, Math.ceil(at + level.length / perPixel));
        for (let column = first; column < last; column++) {
          fill[column] += level.busy[piece] / level.length;
          if (level.most[piece] > most[column]) {
            most[column] = level.most[piece];
            name[column] = level.name[piece];
          }
        }
      }
      const share = Math.max(1, perPixel / level.length);
      for (let column = 0; column < fill.length; column++) fill[column] /= share;
    }

    // Paint what is wider than a pixel, put the rest into columns.
    bars(lane, part, y, height, fill, name, most) {
      const { view, perPixel, context } = this;
      const colours = this.names.get(lane);
      const size = part.begin.length;
      for (let index = Math.max(0, lkst.lowerBound(part.end, view.from)); index < size; index++) {
        const begin = part.begin[index];
        if (begin > view.to) break;
        if (!colours[part.name[index]]) continue;
        const end = part.end[index];
        if (end - begin >= perPixel) {
          const x = this.edge(begin);
          this.bar(lane, part, index, x, y, Math.max(1, this.edge(end) - x), height);
          continue;
        }
        const column = lkst.clamp(Math.floor((begin - view.from) / perPixel), 0, this.plot);
        fill[column] = Math.max(0.3, fill[column] + (end - begin) / perPixel);
        if (end - begin >= most[column]) {
          most[column] = end - begin;
          name[column] = part.name[index];
        }
      }
      context.globalAlpha = 1;
    }

    bar(lane, part, index, x, y, width, height) {
      const { context } = this;
      context.fillStyle = this.names.get(lane)[part.name[index]];
      // A gap between neighbours, where there is room for one.
      context.fillRect(x, y, width > 4 ? width - 1 : width, height);
      if (width > 8 && part.cut[index]) {
        context.fillStyle = this.colours.paper;
        for (let dash = 1; dash < height; dash += 4) {
          if (part.cut[index] & CUT.BEFORE) context.fillRect(x, y + dash, 2, 2);
          if (part.cut[index] & CUT.AFTER) context.fillRect(x + width - 3, y + dash, 2, 2);
        }
      }
      const room = Math.floor((width - 10) / 6);
      if (room < 3) return;
      const text = this.trace.laneName(lane, part.name[index]);
      context.fillStyle = ON_BARS;
      context.font = height < 14 ? SMALL : FONT;
      context.save();
      context.beginPath();
      context.rect(x, y, width - 3, height);
      context.clip();
      context.fillText(text.slice(0, room + 12), x + 5, y + height / 2 + 0.5);
      context.restore();
    }

    // Paint columns of pixels; neighbours that look the same are one.
    columns(fill, name, colours, y, height) {
      const { context } = this;
      const shade = (column) => Math.min(8, Math.ceil(fill[column] * 8));
      for (let column = 0; column < this.plot;) {
        const code = name[column];
        const start = column;
        if (code < 0 || !fill[column]) {
          column++;
          continue;
        }
        const own = shade(column);
        while (column < this.plot && name[column] === code && fill[column] && shade(column) === own) {
          column++;
        }
        context.globalAlpha = 0.25 + (0.75 * own) / 8;
        context.fillStyle = colours[code] || "transparent";
        context.fillRect(GUTTER + start, y, column - start, height);
      }
      context.globalAlpha = 1;
    }

    // Records: how many there are, or each as a line where there is room.
    records(row, shift) {
      const { context, view, trace, colours } = this;
      const times = this.timesOf(row);
      const y = row.records.y + shift;
      const { height } = row.records;
      const start = lkst.lowerBound(times, view.from);
      const stop = lkst.lowerBound(times, view.to);
      context.fillStyle = colours.dim;
      if (stop - start <= this.plot / 3) {
        for (let index = start; index < stop; index++) {
          context.fillRect(Math.round(this.x(times[index])), y, 1, height);
        }
      } else {
        const counts = new Uint32Array(this.plot);
        let most = 1;
        for (let column = 0, low = start; column < this.plot; column++) {
          const high = lkst.lowerBound(times, view.from + (column + 1) * this.perPixel, low, stop);
          counts[column] = high - low;
          if (counts[column] > most) most = counts[column];
          low = high;
        }
        for (let column = 0; column < this.plot; column++) {
          if (!counts[column]) continue;
          const size = Math.max(1, (height * Math.log1p(counts[column])) / Math.log1p(most));
          context.fillRect(GUTTER + column, y + height - size, 1, size);
        }
      }
      for (const trouble of this.trouble) {
        if (trace.cpu[trouble] === row.cpu) this.flag(trace.time[trouble], y, colours.alarm);
      }
    }

    flag(time, y, colour) {
      const { context } = this;
      const x = this.x(time);
      if (x < GUTTER || x > GUTTER + this.plot) return;
      context.fillStyle = colour;
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x + 5, y + 10);
      context.lineTo(x - 5, y + 10);
      context.fill();
    }

    // Hits of a search: a line each, as far as they can be told apart.
    hits(rows, row, shift) {
      const { context, trace, view } = this;
      const y = row.records.y + shift;
      context.fillStyle = this.colours.hit;
      let at = -1;
      for (let index = lkst.lowerBound(this.hitTimes, view.from); index < rows.length; index++) {
        if (this.hitTimes[index] > view.to) break;
        if (row.cpu === undefined ? trace.pidOf(rows[index]) !== row.pid
          : trace.cpu[rows[index]] !== row.cpu) continue;
        const x = Math.round(this.x(this.hitTimes[index]));
        if (x !== at) context.fillRect(x - 1, y, 2, row.records.height);
        at = x;
      }
    }

    line(time, colour, label) {
      const { context } = this;
      const x = Math.round(this.x(time)) + 0.5;
      if (x < GUTTER || x > GUTTER + this.plot) return;
      context.strokeStyle = colour;
      context.beginPath();
      context.moveTo(x, AXIS - 6);
      context.lineTo(x, this.height);
      context.stroke();
      if (!label) return;
      context.font = `600 ${FONT}`;
      const width = context.measureText(label).width + 10;
      const left = lkst.clamp(x - width / 2, GUTTER, GUTTER + this.plot - width);
      context.fillStyle = colour;
      context.fillRect(left, 2, width, 17);
      context.fillStyle = this.colours.paper;
      context.textBaseline = "middle";
      context.fillText(label, left + 5, 11);
    }
  }

  return { AXIS, CUT, GUTTER, Painter, hatch, layout };
})();

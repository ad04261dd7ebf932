// SPDX-License-Identifier: GPL-2.0-or-later
// One task over time, on any CPU: when it ran, was runnable or slept, and its system calls.
"use strict";

lkst.follow = (() => {
  const { CUT } = lkst.paint;

  // All intervals of a task in a lane, sorted by time.
  const collect = (lane, belongs) => {
    const found = [];
    lane.cpus.forEach((part, cpu) => {
      for (let index = 0; index < part.name.length; index++) {
        if (!belongs(part, index)) continue;
        found.push({
          cpu, begin: part.begin[index], end: part.end[index], first: part.first[index],
          last: part.last[index], name: part.name[index], cut: part.cut[index],
          left: part.left ? part.left[index] : 0,
        });
      }
    });
    return found.sort((a, b) => a.begin - b.begin);
  };

  const lane = (kind, pieces) => {
    const names = [];
    const codes = new Map();
    const part = {
      begin: new Float64Array(pieces.length), end: new Float64Array(pieces.length),
      first: new Uint32Array(pieces.length), last: new Uint32Array(pieces.length),
      name: new Uint32Array(pieces.length), cut: new Uint8Array(pieces.length),
    };
    pieces.forEach((piece, index) => {
      if (!codes.has(piece.text)) {
        codes.set(piece.text, names.length);
        names.push(piece.text);
      }
      Object.assign(piece, { name: codes.get(piece.text) });
      for (const key of Object.keys(part)) part[key][index] = piece[key];
    });
    return { lane: { kind, names }, part };
  };

  const runsOf = (trace, pid) =>
    collect(trace.lanes[0], (part, index) => trace.data.tasks[part.name[index]][0] === pid);

  // Whether a task left its CPU for good.
  const isDead = (trace, run) => /[XZ]/.test(trace.data.states[run.left]);

  // Intervals of states: while it ran, and in between.
  const states = (trace, pid, runs) => {
    const wakes = [];
    trace.woken.pid.forEach((own, index) => {
      if (own === pid) wakes.push(trace.woken.row[index]);
    });
    const wakeTimes = wakes.map((row) => trace.time[row]);
    const pieces = [];
    runs.forEach((run, index) => {
      pieces.push({ ...run, text: `running on CPU ${run.cpu}` });
      const next = runs[index + 1];
      const until = next ? next.begin : trace.last;
      const letter = trace.data.states[run.left];
      if (run.cut & CUT.AFTER || !letter || isDead(trace, run) || until <= run.end) return;
      const gap = { first: run.last, cut: next ? 0 : CUT.AFTER, last: next ? next.first : run.last };
      if (letter.startsWith("R")) {
        pieces.push({ ...gap, begin: run.end, end: until, text: "waits for a CPU" });
        return;
      }
      const at = lkst.lowerBound(wakeTimes, run.end);
      const woken = at < wakes.length && wakeTimes[at] < until ? wakes[at] : null;
      const asleep = letter.includes("D") ? `blocked (${letter})` : `sleeps (${letter})`;
      if (woken === null) {
        pieces.push({ ...gap, begin: run.end, end: until, text: asleep });
        return;
      }
      pieces.push({ ...gap, begin: run.end, end: trace.time[woken], last: woken, cut: 0, text: asleep });
      pieces.push({ ...gap, begin: trace.time[woken], end: until, first: woken, text: "waits for a CPU" });
    });
    return pieces;
  };

  // System calls of the task; parts of one call on several CPUs are merged.
  const syscalls = (trace, pid, runs) => {
    const own = trace.lanes[1];
    const parts = collect(own, (part, index) => trace.pidOf(part.last[index]) === pid);
    const pieces = [];
    for (const part of parts) {
      const before = pieces[pieces.length - 1];
      if (before && before.cut & CUT.AFTER && part.cut & CUT.BEFORE && before.code === part.name) {
        Object.assign(before, { end: part.end, last: part.last });
        before.cut = (before.cut & CUT.BEFORE) | (part.cut & CUT.AFTER);
      } else pieces.push({ ...part, code: part.name, text: own.names[part.name] });
    }
    const last = pieces[pieces.length - 1];
    const run = runs[runs.length - 1];
    if (last && last.cut & CUT.AFTER && run && !isDead(trace, run)) last.end = trace.last;
    return pieces;
  };

  // Colours of states: running as its task.
  const colours = ({ names }, task, palette) =>
    names.map((name) => {
      if (name.startsWith("running")) return task;
      if (name.startsWith("blocked")) return palette.blocked;
      return name.startsWith("waits") ? palette.waits : palette.asleep;
    });

  // A row for the timeline.
  const row = (trace, pid) => {
    const rows = [];
    for (let at = 0; at < trace.length; at++) if (trace.pidOf(at) === pid) rows.push(at);
    const runs = runsOf(trace, pid);
    return {
      pid, label: trace.lastName(pid), rows: Uint32Array.from(rows),
      state: lane("state", states(trace, pid, runs)),
      calls: lane("syscall", syscalls(trace, pid, runs)),
    };
  };

  return { colours, row };
})();

// SPDX-License-Identifier: GPL-2.0-or-later
// The trace: all records as columns, the lanes of each CPU, texts on demand.
"use strict";

lkst.trace = (() => {
  const KEPT = 96; // chunks of texts in memory
  const OFFSET = 2 ** 52; // lkst/report/records.py

  class Trace {
    static async load(data) {
      const trace = new Trace();
      trace.data = data;
      trace.columns = new lkst.columns.Columns(lkst.byId("columns"), data.columns);
      const read = (name) => trace.columns.numbers(name);
      const [low, high] = await Promise.all([read("time_low"), read("time_high")]);
      // Times of all records, in ns from the end.
      trace.time = new Float64Array(low.length);
      let time = -OFFSET;
      for (let row = 0; row < low.length; row++) {
        time += high[row] * 2 ** 32 + low[row];
        trace.time[row] = time;
      }
      for (const name of ["cpu", "event", "task", "flags"]) trace[name] = await read(name);
      trace.length = low.length;
      trace.begin = trace.time[0];
      trace.last = trace.time[low.length - 1];
      trace.byCPU = trace.splitByCPU();
      trace.lanes = [];
      for (const about of data.lanes) trace.lanes.push(await trace.readLane(about));
      const left = await read("task_left");
      let start = 0;
      for (const part of trace.lanes[0].cpus) {
        if (!part) continue;
        part.left = left.subarray(start, start + part.name.length);
        start += part.name.length;
      }
      trace.woken = { row: await read("woken_row"), pid: await read("woken_pid") };
      trace.chunks = new Map();
      return trace;
    }

    // Rows of each CPU, in the order of time.
    splitByCPU() {
      const counts = new Uint32Array(this.data.cpus);
      for (const cpu of this.cpu) counts[cpu]++;
      const rows = Array.from(counts, (count) => new Uint32Array(count));
      counts.fill(0);
      for (let row = 0; row < this.length; row++) {
        const cpu = this.cpu[row];
        rows[cpu][counts[cpu]++] = row;
      }
      return rows;
    }

    // Intervals of one kind by CPU: times, rows, names, flags of cuts.
    async readLane({ kind, names }) {
      const read = (name) => this.columns.numbers(`${kind}_${name}`);
      const [cpu, begin, rows, name, cut] = await Promise.all(
        ["cpu", "begin", "rows", "name", "cut"].map(read));
      const cpus = [];
      for (let start = 0; start < cpu.length;) {
        let end = start;
        while (end < cpu.length && cpu[end] === cpu[start]) end++;
        const size = end - start;
        const part = {
          begin: new Float64Array(size), end: new Float64Array(size),
          first: begin.subarray(start, end), last: new Uint32Array(size),
          name: name.subarray(start, end), cut: cut.subarray(start, end),
        };
        for (let index = 0; index < size; index++) {
          part.last[index] = part.first[index] + rows[start + index];
          part.begin[index] = this.time[part.first[index]];
          part.end[index] = this.time[part.last[index]];
        }
        cpus[cpu[start]] = part;
        start = end;
      }
      return { kind, names, cpus };
    }

    taskName(code) {
      const [pid, comm] = this.data.tasks[code];
      return `${comm}:${pid}`;
    }

    isIdle(code) {
      return this.data.tasks[code][0] === 0;
    }

    pidOf(row) {
      return this.data.tasks[this.task[row]][0];
    }

    // The name that a task has last, with its pid; "" if there is no such task.
    lastName(pid) {
      const code = this.data.tasks.findLastIndex(([own]) => own === pid);
      return code < 0 ? "" : this.taskName(code);
    }

    laneName(lane, code) {
      return lane.kind === "task" ? this.taskName(code) : lane.names[code];
    }

    // Row of the record at a time, or of the one nearest to it.
    nearest(time) {
      const row = lkst.lowerBound(this.time, time);
      if (row === this.length) return row - 1;
      if (row && time - this.time[row - 1] < this.time[row] - time) return row - 1;
      return row;
    }

    chunkOf(row) {
      return Math.floor(row / this.data.chunk);
    }

    // Lines of a chunk: fields, and after tabs the frames of a stack.
    async lines(chunk) {
      let lines = this.chunks.get(chunk);
      if (lines) this.chunks.delete(chunk);
      else lines = await this.columns.lines("fields", chunk);
      this.chunks.set(chunk, lines);
      if (this.chunks.size > KEPT) this.chunks.delete(this.chunks.keys().next().value);
      return lines;
    }

    // Everything known about a record.
    async record(row) {
      const lines = await this.lines(this.chunkOf(row));
      const [fields, ...stack] = lines[row % this.data.chunk].split("\t");
      const flags = this.data.flags.filter(([bit]) => this.flags[row] & bit).map(([, name]) => name);
      return {
        row, fields, stack, flags,
        time: this.time[row], cpu: this.cpu[row],
        event: this.data.events[this.event[row]],
        task: this.taskName(this.task[row]), taskCode: this.task[row],
      };
    }
  }

  return { Trace };
})();

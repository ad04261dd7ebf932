// SPDX-License-Identifier: GPL-2.0-or-later
// Search: words that all have to match. event:, comm:, pid: and cpu: look at one column, * and ?
// stand for anything there; any other word is looked for in the event, the task and the fields.
"use strict";

lkst.search = (() => {
  const pattern = (text) => {
    const escaped = text.replace(/[.+^${}()|[\]\\]/g, "\\$&");
    return new RegExp(`^${escaped.replace(/\*/g, ".*").replace(/\?/g, ".")}$`, "i");
  };

  // Which codes of a column match.
  const chosen = (values, test) => Uint8Array.from(values, (value) => (test(value) ? 1 : 0));

  const compile = (query, trace) => {
    const { events, tasks, cpus } = trace.data;
    const tests = [];
    const words = [];
    for (const word of query.trim().split(/\s+/).filter(Boolean)) {
      const [, key, value] = /^(event|comm|pid|cpu):(.+)$/i.exec(word) || [];
      if (!key) {
        words.push(word.toLowerCase());
        continue;
      }
      const wanted = pattern(value);
      const kind = key.toLowerCase();
      if (kind === "event") {
        tests.push(["event", chosen(events, (e) => wanted.test(e.name) || wanted.test(e.category))]);
      } else if (kind === "comm") {
        tests.push(["task", chosen(tasks, ([, comm]) => wanted.test(comm))]);
      } else if (kind === "pid") {
        tests.push(["task", chosen(tasks, ([pid]) => String(pid) === value)]);
      } else {
        tests.push(["cpu", chosen([...Array(cpus).keys()], (cpu) => String(cpu) === value)]);
      }
    }
    return { tests, words };
  };

  // Find all rows that match; gives null if another search has begun meanwhile.
  const find = async (trace, query, isCurrent) => {
    const { tests, words } = compile(query, trace);
    const { chunk, events, tasks } = trace.data;
    const inNames = words.map((word) => ({
      event: chosen(events, (e) => e.name.toLowerCase().includes(word)),
      task: chosen(tasks, ([pid, comm]) => `${comm}:${pid}`.toLowerCase().includes(word)),
    }));
    const rows = [];
    for (let start = 0; start < trace.length; start += chunk) {
      const end = Math.min(start + chunk, trace.length);
      const lines = words.length ? await trace.lines(trace.chunkOf(start)) : [];
      if (!isCurrent()) return null;
      for (let row = start; row < end; row++) {
        if (!tests.every(([column, codes]) => codes[trace[column][row]])) continue;
        const text = words.length ? lines[row - start].toLowerCase() : "";
        const all = words.every((word, index) =>
          inNames[index].event[trace.event[row]] || inNames[index].task[trace.task[row]] ||
          text.includes(word));
        if (all) rows.push(row);
      }
    }
    return Uint32Array.from(rows);
  };

  class Search {
    constructor(app) {
      this.app = app;
      this.query = lkst.byId("query");
      this.output = lkst.byId("hits");
      this.rows = new Uint32Array(0);
      this.asked = "";
      this.query.addEventListener("input", () => {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.run(), 200);
      });
      this.query.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && event.shiftKey) {
          event.preventDefault();
          this.go(-1);
        } else if (event.key === "Escape") {
          this.query.value = "";
          this.run();
        }
      });
      lkst.byId("search").addEventListener("submit", (event) => {
        event.preventDefault();
        this.go(1);
      });
      lkst.byId("previous").addEventListener("click", () => this.go(-1));
    }

    async run() {
      clearTimeout(this.timer);
      const query = this.query.value.trim();
      if (query === this.asked) return this.running;
      this.asked = query;
      this.running = this.look(query);
      return this.running;
    }

    async look(query) {
      this.output.textContent = query ? "searching…" : "";
      const rows = query
        ? await find(this.app.trace, query, () => this.asked === query)
        : new Uint32Array(0);
      if (!rows) return;
      this.rows = rows;
      this.app.timeline.setHits(rows);
      this.app.list.mark();
      this.tell();
    }

    tell() {
      if (!this.asked) return;
      const count = this.rows.length.toLocaleString("en");
      const place = lkst.lowerBound(this.rows, this.app.selected ?? -1);
      const on = this.rows[place] === this.app.selected;
      this.output.textContent = !this.rows.length ? "no record matches"
        : on ? `${(place + 1).toLocaleString("en")} of ${count}`
          : `${count} ${this.rows.length === 1 ? "hit" : "hits"}`;
    }

    has(row) {
      return this.rows[lkst.lowerBound(this.rows, row)] === row;
    }

    // Go to the next hit or to the one before; from the end on to the first again.
    async go(direction) {
      await this.run();
      const { length } = this.rows;
      if (!length) return;
      const selected = this.app.selected ?? (direction > 0 ? -1 : this.app.trace.length);
      const place = lkst.lowerBound(this.rows, direction > 0 ? selected + 1 : selected);
      const index = direction > 0 ? place % length : (place - 1 + length) % length;
      this.app.select(this.rows[index]);
      this.tell();
    }
  }

  return { Search };
})();

// SPDX-License-Identifier: GPL-2.0-or-later
// The list of records around a time, and the details of one record.
"use strict";

lkst.records = (() => {
  const AROUND = 150; // records before and after that are in the list
  const FIELD = /([A-Za-z_]\w*)=("(?:[^"\\]|\\.)*"|\S*)/g;

  class List {
    constructor(app) {
      this.app = app;
      this.trace = app.trace;
      this.list = lkst.byId("list");
      this.detail = lkst.byId("detail");
      this.first = this.end = 0;
      this.list.addEventListener("click", (event) => {
        const line = event.target.closest("[data-row]");
        if (line) app.select(Number(line.dataset.row));
      });
      this.list.addEventListener("keydown", (event) => this.key(event));
      this.list.addEventListener("scroll", () => this.scrolled(), { passive: true });
    }

    key(event) {
      const steps = { ArrowUp: -1, ArrowDown: 1, PageUp: -20, PageDown: 20 };
      const { length } = this.trace;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key in steps) this.app.step(steps[event.key]);
      else if (event.key === "Home") this.app.select(0);
      else if (event.key === "End") this.app.select(length - 1);
      else return;
      event.preventDefault();
    }

    async scrolled() {
      if (this.busy || !this.end) return;
      const { scrollTop, scrollHeight, clientHeight } = this.list;
      const middle = (this.first + this.end) >> 1;
      if (scrollTop < 20 && this.first > 0) await this.moveTo(this.first, this.first);
      else if (scrollTop + clientHeight > scrollHeight - 20 && this.end < this.trace.length) {
        await this.moveTo(this.end, this.end - 1);
      } else return;
      this.middle = middle;
    }

    // Fill the list anew around a row, and keep another one where it is on the screen.
    async moveTo(centre, anchor) {
      this.busy = true;
      const before = this.line(anchor)?.offsetTop - this.list.scrollTop;
      await this.fill(centre);
      const line = this.line(anchor);
      if (line) this.list.scrollTop = line.offsetTop - before;
      this.busy = false;
    }

    line(row) {
      return this.list.children[row - this.first] || null;
    }

    async fill(centre) {
      const first = Math.max(0, Math.min(centre - AROUND, this.trace.length - 2 * AROUND));
      const end = Math.min(this.trace.length, first + 2 * AROUND);
      const lines = [];
      for (let row = first; row < end; row++) lines.push(await this.write(row));
      this.first = first;
      this.end = end;
      this.list.replaceChildren(...lines);
    }

    async write(row) {
      const { element } = lkst;
      const record = await this.trace.record(row);
      const line = element("div", { role: "option", id: `record-${row}`, "data-row": row },
        element("span", { class: "time" }, lkst.times.relative(record.time)),
        element("span", { class: "cpu" }, `[${record.cpu}]`),
        element("span", { class: "task" }, record.task),
        element("span", { class: "event" }, record.event.name),
        element("span", { class: "fields" }, record.fields,
          ...record.flags.map((flag) => element("em", {}, ` [${flag}]`)),
          record.stack.length ? element("em", {}, ` ${record.stack.length} frames`) : ""));
      if (record.event.category === "trouble") line.classList.add("trouble");
      if (this.app.isHit(row)) line.classList.add("hit");
      return line;
    }

    async show(row) {
      const ticket = (this.ticket = {});
      this.busy = true;
      const inside = row >= this.first && row < this.end;
      if (!inside) await this.fill(row);
      if (this.ticket !== ticket) return;
      this.list.querySelector("[aria-selected]")?.removeAttribute("aria-selected");
      const line = this.line(row);
      line.setAttribute("aria-selected", "true");
      this.list.setAttribute("aria-activedescendant", line.id);
      const { offsetTop } = line;
      const { scrollTop, clientHeight } = this.list;
      if (!inside || offsetTop < scrollTop || offsetTop > scrollTop + clientHeight - 30) {
        this.list.scrollTop = offsetTop - clientHeight / 2;
      }
      this.describe(await this.trace.record(row));
      this.busy = false;
    }

    // Mark the lines that a search has found.
    mark() {
      for (const line of this.list.children) {
        line.classList.toggle("hit", this.app.isHit(Number(line.dataset.row)));
      }
    }

    // The last records are what is wanted first.
    async start() {
      this.busy = true;
      await this.fill(this.trace.length);
      this.list.scrollTop = this.list.scrollHeight;
      this.detail.replaceChildren(
        lkst.element("p", { class: "note" }, "Choose a record, here or in the timeline."));
      this.busy = false;
    }

    clear() {
      this.list.querySelector("[aria-selected]")?.removeAttribute("aria-selected");
      this.detail.replaceChildren();
    }

    // A task, with what makes it have a row of its own.
    task({ task, row }) {
      const pid = this.trace.pidOf(row);
      if (!pid) return task;
      const button = lkst.element("button", { type: "button", class: "link", title: "Follow it in the timeline (f)" }, task);
      button.addEventListener("click", () => this.app.follow(pid));
      return button;
    }

    describe(record) {
      const { element } = lkst;
      const { end } = this.trace.data;
      const pairs = [
        ["time", `${lkst.times.relative(record.time)} s`],
        ["wall clock", lkst.times.wall(end.wall, record.time)],
        ["monotonic", `${BigInt(end.mono) + BigInt(Math.round(record.time))} ns`],
        ["CPU", String(record.cpu)],
        ["task", this.task(record)],
      ];
      if (record.flags.length) pairs.push(["flags", record.flags.join(", ")]);
      const fields = [...record.fields.matchAll(FIELD)].map(([, name, value]) => [name, value]);
      // A kernel message is one text.
      const message = record.fields.replace(FIELD, "").trim();
      const list = (rows) =>
        element("dl", {}, ...rows.flatMap(([name, value]) =>
          [element("dt", {}, name), element("dd", {}, value)]));
      this.detail.replaceChildren(
        element("h3", {}, record.event.name),
        element("p", { class: "small" }, record.event.about),
        ...(message ? [element("pre", {}, record.fields)] : fields.length ? [list(fields)] : []),
        element("h4", {}, "When and where"), list(pairs),
        ...(record.stack.length
          ? [element("h4", {}, "Stack"),
            element("ol", { class: "frames" }, ...record.stack.map((frame) => element("li", {}, frame)))]
          : []));
    }
  }

  return { List };
})();

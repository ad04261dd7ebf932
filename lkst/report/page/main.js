// SPDX-License-Identifier: GPL-2.0-or-later
// Puts the page together: what is selected, links to moments, the theme.
"use strict";

lkst.main = (() => {
  const THEMES = ["auto", "light", "dark"];
  const CLOSE = 30; // records before and after one that a link leads to

  // What the parts of the page share.
  class App {
    constructor(trace) {
      this.trace = trace;
      this.view = new lkst.view.View(trace.begin, trace.last);
      this.selected = null;
      this.hovered = null;
      this.list = new lkst.records.List(this);
      this.timeline = new lkst.timeline.Timeline(this);
      this.search = new lkst.search.Search(this);
      lkst.input.watch(this.timeline);
    }

    // Select a record, or none; the timeline and the list show it.
    select(row) {
      this.selected = row;
      if (row === null) this.list.clear();
      else {
        this.view.show(this.trace.time[row]);
        this.list.show(row);
      }
      this.timeline.draw();
      this.search.tell();
    }

    // Give the task of a record a row of its own.
    follow(pid) {
      this.timeline.follow(pid);
      lkst.byId("unfollow").hidden = !pid;
      lkst.byId("unfollow").textContent = pid ? `Unfollow ${this.timeline.followed.label}` : "";
    }

    step(count) {
      const row = this.selected ?? this.trace.nearest((this.view.from + this.view.to) / 2);
      this.select(lkst.clamp(row + count, 0, this.trace.length - 1));
    }

    isHit(row) {
      return this.search ? this.search.has(row) : false;
    }

    // Where zooming by keys goes to: the selected record, if it is seen.
    focusFraction() {
      if (this.selected === null) return 0.5;
      const part = (this.trace.time[this.selected] - this.view.from) / this.view.span;
      return part >= 0 && part <= 1 ? part : 0.5;
    }

    // Show a moment with what was going on around it.
    goTo(time) {
      const { trace } = this;
      const row = trace.nearest(time);
      const span = (first, last) =>
        trace.time[lkst.clamp(last, 0, trace.length - 1)] - trace.time[Math.max(0, first)];
      const around = lkst.clamp(span(row - CLOSE, row + CLOSE) * 1.5, 2e4, 1e9);
      this.view.set(trace.time[row] - around / 2, trace.time[row] + around / 2);
      this.select(row);
      return row;
    }
  }

  const followLinks = (app) => {
    const follow = () => {
      const match = /^#t=(.+)$/.exec(decodeURIComponent(location.hash));
      const time = match ? lkst.times.parse(match[1]) : NaN;
      if (Number.isNaN(time)) return;
      const pid = app.trace.pidOf(app.goTo(time));
      if (pid) app.follow(pid);
      lkst.byId("timeline").scrollIntoView({ block: "start" });
    };
    window.addEventListener("hashchange", follow);
    // A link that is where the page is already leads there again.
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a.time");
      if (link && link.hash === location.hash) follow();
    });
    follow();
  };

  // Of suspicions that name a task, the name leads to it.
  const followCulprits = (app) => {
    for (const heading of document.querySelectorAll(".culprit")) {
      const match = /:(\d{1,7})$/.exec(heading.textContent);
      const pid = match ? Number(match[1]) : 0;
      if (!pid || app.trace.lastName(pid) !== heading.textContent) continue;
      const button = lkst.element("button", { type: "button", class: "link", title: "Follow it in the timeline" },
        heading.textContent);
      button.addEventListener("click", () => {
        app.follow(pid);
        lkst.byId("timeline").scrollIntoView({ block: "start" });
      });
      heading.replaceChildren(button);
    }
    lkst.byId("unfollow").addEventListener("click", () => app.follow(0));
  };

  const keys = (app) => {
    document.addEventListener("keydown", (event) => {
      if (event.target.closest("input, textarea, select")) return;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "/") lkst.byId("query").focus();
      else if (event.key === "f" && app.selected !== null) app.follow(app.trace.pidOf(app.selected));
      else if (event.key === "n") app.search.go(1);
      else if (event.key === "p" || event.key === "N") app.search.go(-1);
      else return;
      event.preventDefault();
    });
  };

  const stored = (value) => {
    try {
      if (value !== undefined) localStorage.setItem("lkst-theme", value);
      return localStorage.getItem("lkst-theme");
    } catch {
      return null; // a page from a file may not be allowed to
    }
  };

  const themes = (changed) => {
    const button = lkst.byId("theme");
    const set = (theme) => {
      if (theme === "auto") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = theme;
      button.textContent = `Theme: ${theme}`;
      changed();
    };
    let theme = THEMES.includes(stored()) ? stored() : "auto";
    set(theme);
    button.addEventListener("click", () => {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
      stored(theme);
      set(theme);
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  };

  const legend = (app) => {
    const { element } = lkst;
    const about = {
      task: "task, a colour for each name", syscall: "system call", softirq: "softirq",
      irq: "interrupt, hrtimer",
    };
    const swatch = (kind) => {
      const box = element("i", { class: "swatch" });
      box.style.background = kind === "task"
        ? `linear-gradient(90deg, ${["kworker", "bash", "sshd"].map((n) => lkst.colours.of("task", n)).join(", ")})`
        : lkst.colours.of(kind, "x");
      return box;
    };
    const items = Object.entries(about).map(([kind, text]) => element("span", {}, swatch(kind), text));
    for (const [name, text] of [
      ["waits", "waits for a CPU"], ["asleep", "sleeps"], ["blocked", "blocked (D)"],
      ["cut", "cut off: began earlier, or continues"], ["nothing", "no records of this CPU"],
      ["evidence", "evidence"], ["trouble", "the kernel reports trouble"],
    ]) items.push(element("span", {}, element("i", { class: `swatch ${name}` }), text));
    lkst.byId("legend").replaceChildren(...items);
    app.timeline.recolour();
  };

  const start = async () => {
    const data = JSON.parse(lkst.byId("data").textContent);
    let changed = () => {};
    themes(() => changed());
    if (data.records) {
      const app = new App(await lkst.trace.Trace.load(data));
      lkst.app = app;
      const plotAgain = lkst.plots.watch(data.plots);
      changed = () => {
        legend(app);
        plotAgain();
      };
      changed();
      keys(app);
      followCulprits(app);
      await app.list.start();
      followLinks(app);
    }
    document.documentElement.dataset.ready = "yes";
  };

  start();
  return { App };
})();

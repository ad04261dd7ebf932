// SPDX-License-Identifier: GPL-2.0-or-later
// Which time is seen. Times are in ns from the end.
"use strict";

lkst.view = (() => {
  const SHORTEST = 200; // ns over the whole width

  class View {
    constructor(from, to) {
      const margin = Math.max((to - from) * 0.01, 500);
      this.low = from - margin;
      this.high = to + margin;
      this.from = this.low;
      this.to = this.high;
      this.listeners = [];
    }

    get span() {
      return this.to - this.from;
    }

    set(from, to) {
      const span = lkst.clamp(to - from, SHORTEST, this.high - this.low);
      const middle = (from + to) / 2;
      this.from = lkst.clamp(middle - span / 2, this.low, this.high - span);
      this.to = this.from + span;
      for (const listener of this.listeners) listener();
    }

    // Make the span so many times as long; what is at a fraction of the width stays there.
    zoom(factor, fraction = 0.5) {
      const span = lkst.clamp(this.span * factor, SHORTEST, this.high - this.low);
      const from = this.from + (this.span - span) * fraction;
      this.set(from, from + span);
    }

    // Move by a part of the width.
    move(part) {
      this.set(this.from + this.span * part, this.to + this.span * part);
    }

    whole() {
      this.set(this.low, this.high);
    }

    // Bring a time into sight without zooming.
    show(time) {
      if (time < this.from + this.span * 0.05 || time > this.to - this.span * 0.05) {
        this.set(time - this.span / 2, time + this.span / 2);
      }
    }
  }

  return { View };
})();

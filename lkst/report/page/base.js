// SPDX-License-Identifier: GPL-2.0-or-later
// What all other scripts use. They run one after the other and share this object.
"use strict";

const lkst = {};

lkst.byId = (id) => document.getElementById(id);

// Make an element. Texts become text, never markup.
lkst.element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
};

lkst.clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// Index of the first entry of a sorted array that is not below a value.
lkst.lowerBound = (array, value, low = 0, high = array.length) => {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (array[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
};

lkst.times = {
  // Seconds from the end, as `lkst replay` prints them. ns: from the end.
  relative(ns) {
    const size = Math.abs(Math.round(ns));
    const second = Math.floor(size / 1e9);
    const sign = ns < 0 ? "-" : ns > 0 ? "+" : "";
    return `${sign}${second}.${String(size - second * 1e9).padStart(9, "0")}`;
  },

  // The same as people read it: with a minus, and only as many digits as are asked for.
  short(ns, digits) {
    const text = (Math.abs(ns) / 1e9).toFixed(digits);
    return (ns < 0 && Number(text) ? "−" : ns > 0 ? "+" : "") + text;
  },

  // Read what relative() writes; NaN if it is none.
  parse(text) {
    const match = /^([-+−]?)(\d{1,7})(?:\.(\d{1,9}))?$/.exec(text);
    if (!match) return NaN;
    const ns = Number(match[2]) * 1e9 + Number((match[3] || "").padEnd(9, "0"));
    return match[1] === "-" || match[1] === "−" ? -ns : ns;
  },

  // A length of time.
  length(ns) {
    if (ns >= 1e9) return `${(ns / 1e9).toFixed(3)} s`;
    if (ns >= 1e6) return `${(ns / 1e6).toFixed(3)} ms`;
    if (ns >= 1e3) return `${(ns / 1e3).toFixed(3)} µs`;
    return `${ns} ns`;
  },

  // The wall clock. pieces: from when on (ns from the end), and the end's time by that clock,
  // ns as text; null: not known.
  wall(pieces, ns) {
    const piece = pieces.findLast(([from]) => from === null || BigInt(from) <= BigInt(Math.round(ns)));
    if (!piece || piece[1] === null) return "not known";
    const all = BigInt(piece[1]) + BigInt(Math.round(ns));
    const milli = Number(all / 1000000n);
    if (!(Math.abs(milli) < 8.64e15)) return "";
    const rest = String(((all % 1000000000n) + 1000000000n) % 1000000000n).padStart(9, "0");
    return new Date(milli).toISOString().replace(/\.\d+Z$/, `.${rest}Z`);
  },
};

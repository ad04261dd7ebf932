// SPDX-License-Identifier: GPL-2.0-or-later
// Colours: of a task by its name, so that it has the same one in every report.
"use strict";

lkst.colours = (() => {
  // FNV-1a, 32 bits.
  const hash = (text) => {
    let value = 0x811c9dc5;
    for (let index = 0; index < text.length; index++) {
      value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
    }
    value ^= value >>> 15;
    return value >>> 0;
  };

  // Hues, lightness and chroma of each lane; names spread over the hues.
  const RANGES = {
    task: { from: 0, hues: 360, light: 0.76, chroma: 0.105 },
    state: { from: 0, hues: 0, light: 0.76, chroma: 0 },
    syscall: { from: 225, hues: 60, light: 0.82, chroma: 0.07 },
    softirq: { from: 70, hues: 30, light: 0.82, chroma: 0.12 },
    irq: { from: 10, hues: 30, light: 0.74, chroma: 0.13 },
  };

  const isDark = () => {
    const theme = document.documentElement.dataset.theme;
    if (theme) return theme === "dark";
    return matchMedia("(prefers-color-scheme: dark)").matches;
  };

  const of = (kind, name) => {
    const { from, hues, light, chroma } = RANGES[kind];
    const mixed = hash(name);
    const hue = from + (hues * (mixed % 997)) / 997;
    const step = (((mixed >>> 12) % 3) - 1) * 0.05;
    return `oklch(${(light + step - (isDark() ? 0.06 : 0)).toFixed(3)} ${chroma} ${hue.toFixed(1)})`;
  };

  // Colours by code of all names of a lane; "" is not drawn.
  const ofLane = (trace, lane) => {
    if (lane.kind !== "task") return lane.names.map((name) => of(lane.kind, name));
    return trace.data.tasks.map(([pid, comm]) => (pid ? of("task", comm) : ""));
  };

  // What the style sheet says.
  const variable = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  const all = () =>
    Object.fromEntries(
      ["paper", "sunk", "ink", "dim", "line", "accent", "alarm", "hit", "blocked", "waits", "asleep"]
        .map((name) => [name, variable(name)]));

  return { of, ofLane, all, isDark };
})();

// SPDX-License-Identifier: GPL-2.0-or-later
// Levels of detail: how busy a lane is in each piece of time, and with what for most of it.
// The pieces of a level are twice as long as those of the one below.
"use strict";

lkst.levels = (() => {
  const LOWEST = 64;
  const HIGHEST = 1 << 16;

  const empty = (count) => ({
    busy: new Float32Array(count), most: new Float32Array(count), name: new Uint32Array(count),
  });

  const merge = (below) => {
    const count = below.busy.length / 2;
    const level = empty(count);
    for (let piece = 0; piece < count; piece++) {
      const a = 2 * piece;
      const b = a + 1;
      level.busy[piece] = below.busy[a] + below.busy[b];
      if (below.name[a] === below.name[b]) {
        level.name[piece] = below.name[a];
        level.most[piece] = below.most[a] + below.most[b];
      } else {
        const more = below.most[a] >= below.most[b] ? a : b;
        level.name[piece] = below.name[more];
        level.most[piece] = below.most[more];
      }
    }
    return level;
  };

  // part: intervals sorted by time; skips: whether to ignore a name.
  const build = (part, from, to, skips) => {
    const size = part.begin.length;
    let count = LOWEST;
    while (count < size && count < HIGHEST) count *= 2;
    const length = Math.max((to - from) / count, 1);
    const level = empty(count);
    for (let index = 0; index < size; index++) {
      if (skips(part.name[index])) continue;
      const end = part.end[index];
      let begin = part.begin[index];
      let piece = lkst.clamp(Math.floor((begin - from) / length), 0, count - 1);
      for (;;) {
        const until = piece === count - 1 ? end : Math.min(end, from + (piece + 1) * length);
        const spent = until - begin;
        level.busy[piece] += spent;
        if (spent >= level.most[piece]) {
          level.most[piece] = spent;
          level.name[piece] = part.name[index];
        }
        if (until >= end) break;
        begin = until;
        piece++;
      }
    }
    const levels = [level];
    while (levels[levels.length - 1].busy.length > LOWEST) {
      levels.push(merge(levels[levels.length - 1]));
    }
    return { levels, from, length };
  };

  // The level whose pieces are no longer than a pixel, or null if even the lowest one's are.
  const choose = (built, perPixel) => {
    const step = Math.floor(Math.log2(perPixel / built.length));
    if (step < 0) return null;
    const index = Math.min(step, built.levels.length - 1);
    return { ...built.levels[index], from: built.from, length: built.length * 2 ** index };
  };

  return { build, choose };
})();

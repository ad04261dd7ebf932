// SPDX-License-Identifier: GPL-2.0-or-later
// Columns of numbers and texts: base64 of zlib of little-endian numbers (lkst/report/page_columns.py).
"use strict";

lkst.columns = (() => {
  const TYPES = { Uint8Array, Uint16Array, Uint32Array };

  const bytes = (text) => {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const binary = atob(text);
    const found = new Uint8Array(binary.length);
    for (let index = 0; index < found.length; index++) found[index] = binary.charCodeAt(index);
    return found;
  };

  const inflate = (data) => {
    const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
  };

  class Columns {
    // element: holds them; described: how, by name.
    constructor(element, described) {
      this.text = element.textContent;
      this.described = described;
    }

    read({ at, size }) {
      return inflate(bytes(this.text.slice(at, at + size)));
    }

    async numbers(name) {
      const about = this.described[name];
      const values = new TYPES[about.type](await this.read(about));
      if (about.delta) {
        for (let index = 1; index < values.length; index++) values[index] += values[index - 1];
      }
      return values;
    }

    async lines(name, chunk) {
      const buffer = await this.read(this.described[name].chunks[chunk]);
      return new TextDecoder().decode(buffer).split("\n");
    }
  }

  const inflateText = async (text) => new TextDecoder().decode(await inflate(bytes(text)));

  return { Columns, inflateText };
})();

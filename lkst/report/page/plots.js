// SPDX-License-Identifier: GPL-2.0-or-later
// Plots of measures, with plotly.js, which is unpacked when the first of them comes into sight.
"use strict";

lkst.plots = (() => {
  let loaded = null;

  // The policy allows the script by its hash, wherever it comes from.
  const load = () => {
    loaded ??= (async () => {
      const text = await lkst.columns.inflateText(lkst.byId("plotly").textContent);
      const script = document.createElement("script");
      script.textContent = text;
      document.head.append(script);
      return window.Plotly;
    })();
    return loaded;
  };

  return { load };
})();

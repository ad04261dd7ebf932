// SPDX-License-Identifier: GPL-2.0-or-later
// Plots of measures, with plotly.js, which is unpacked when the first of them is opened.
"use strict";

lkst.plots = (() => {
  let loaded = null;

  // The policy allows the script by its hash, wherever it comes from.
  const load = () => {
    loaded ??= (async () => {
      const text = await lkst.columns.inflateText(lkst.byId("plotly").textContent);
      // It has a style for maps, which no policy allows; it leaves it out if that is there.
      for (const [, id] of text.matchAll(/getElementById\("([0-9a-f]{64})"\)/g)) {
        document.head.append(lkst.element("meta", { id }));
      }
      const script = document.createElement("script");
      script.textContent = text;
      document.head.append(script);
      return window.Plotly;
    })();
    return loaded;
  };

  const CONFIG = { displayModeBar: false, responsive: true, scrollZoom: false };

  // Plotly takes a few tags in texts for markup: names are made plain.
  const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

  const layout = (colours, title, x, y) => ({
    title: { text: title, font: { size: 13 }, x: 0, xref: "paper" },
    height: 260,
    margin: { l: 64, r: 12, t: 36, b: 52 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: colours.ink },
    hoverlabel: { bgcolor: colours.paper, bordercolor: colours.line, font: { color: colours.ink } },
    xaxis: { title: { text: x }, gridcolor: colours.line, linecolor: colours.line, zeroline: false, automargin: true },
    yaxis: { title: { text: y }, gridcolor: colours.line, zerolinecolor: colours.line, rangemode: "tozero", automargin: true },
    bargap: 0.08,
    dragmode: false,
  });

  // Unit for times, and its length in ns.
  const scale = (values, unit) => {
    if (unit !== "ns") return [1, unit];
    const most = values.reduce((high, value) => Math.max(high, value || 0), 0);
    return [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]].find(([size]) => most >= size) || [1, "ns"];
  };

  const draw = async (details, about) => {
    const Plotly = await load();
    const colours = lkst.colours.all();
    const place = details.querySelector(".plots");
    while (place.children.length < 2) place.append(lkst.element("div", { class: "plot" }));
    const [spread, time] = place.children;
    const places = about.counts.map((_, place) => place);
    const bars = { type: "bar", x: places, y: about.counts, customdata: about.buckets.map(plain),
      marker: { color: colours.accent }, hovertemplate: "%{customdata}<br>%{y:,}<extra></extra>" };
    const wide = layout(colours, "Distribution", "from", "count");
    const every = Math.ceil(places.length / 8);
    wide.xaxis.tickvals = places.filter((place) => place % every === 0);
    wide.xaxis.ticktext = wide.xaxis.tickvals.map((place) => plain(about.lows[place]));
    await Plotly.react(spread, [bars], wide, CONFIG);
    const [size, unit] = about.over === "count" ? [1, "count"] : scale(about.values, about.unit);
    const line = { type: "bar", x: about.times,
      y: about.values.map((value) => (value === null ? null : value / size)),
      marker: { color: colours.accent, line: { width: 0 } }, hovertemplate: "%{x:.6f} s<br>%{y:.4g}<extra></extra>" };
    const drawn = layout(colours, `Over time: ${about.over}`, "seconds before the end", plain(unit));
    drawn.bargap = 0;
    await Plotly.react(time, [line], drawn, CONFIG);
    time.removeAllListeners("plotly_click");
    time.on("plotly_click", ({ points }) => {
      location.hash = `#t=${lkst.times.relative(points[0].x * 1e9)}`;
    });
    details.dataset.drawn = "yes";
  };

  // Draw what is opened; gives a function that draws all of it anew.
  const watch = (plots) => {
    const all = [...document.querySelectorAll("[data-measure]")];
    const show = (details) => draw(details, plots[details.dataset.measure]);
    for (const details of all) {
      details.addEventListener("toggle", () => {
        if (details.open) show(details);
      });
    }
    return () => all.filter(({ open }) => open).forEach(show);
  };

  return { watch };
})();
